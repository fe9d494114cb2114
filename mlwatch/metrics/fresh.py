"""What other rows of the same distribution would be like, where bins were chosen after the reference's own rows.

The categories that have a bin of their own are those that a sample has most of, so their shares are too large; and
what it has none of is unseen, though some of the next rows will be. Leaving one row out at a time and asking in which
bin it would then be gives the shares that other rows have on average: of the unseen this is the estimate of Good
1953, doi:10.1093/biomet/40.3-4.237, rows of categories that occur once over all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.bins import UNSEEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlwatch.metrics.left_out import LeftOut

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """Rows that are to be expected by bin code, instead of those that the reference has."""

    codes: IntArray
    """Ascending."""
    n: FloatArray
    """On average: no whole numbers."""


def fresh(codes: IntArray, n: IntArray, left_out: LeftOut) -> Fresh:
    """Return what as many other rows of the same distribution would have in each bin on average.

    Args:
        codes: Of the bins, ascending, shape (m,).
        n: Rows of each, shape (m,). Where there are more than in the sample that the bins were chosen after, only so
            many of them can be of it.
        left_out: Of that sample.
    """
    every = np.union1d(codes, [UNSEEN, left_out.tail])
    rows = np.zeros(len(every))
    rows[np.searchsorted(every, codes)] = n
    tail, unseen = np.searchsorted(every, [left_out.tail, UNSEEN]).tolist()
    listed = (every >= 0) & (every < left_out.tail)
    here = float(rows[listed].sum())
    part = min(1.0, left_out.rows / max(here + rows[tail] + rows[unseen], 1.0))
    to_tail, to_unseen = (
        part * here * moved / max(left_out.listed, 1)
        for moved in (left_out.listed_to_tail, left_out.listed_to_unseen)
    )
    shared_to_unseen = part * rows[tail] * left_out.shared_to_unseen / max(left_out.shared, 1)
    rows[listed] = _lowered(rows[listed], to_tail + to_unseen)
    rows[tail] += to_tail - shared_to_unseen
    rows[unseen] += to_unseen + shared_to_unseen
    return Fresh(every, rows)


def _lowered(rows: FloatArray, total: float) -> FloatArray:
    """Take as many rows from each bin, so that they sum up to a total; none is left with less than nothing."""
    if total <= 0 or not len(rows):
        return rows
    ascending = np.sort(rows)
    emptied = np.concatenate([[0.0], np.cumsum(ascending)[:-1]])
    level = (total - emptied) / np.arange(len(rows), 0, -1)
    enough = level <= ascending
    return np.asarray(np.maximum(rows - (level[enough.argmax()] if enough.any() else rows), 0.0))


def towards(p: FloatArray, expected: FloatArray, q: FloatArray) -> FloatArray:
    """Return the shares between two distributions that lie nearest to a third one, in the sense of chi-square.

    Rows that are those of the reference, or were there when its bins were chosen, are like it; others are as expected.

    Args:
        p: Shares of the reference, shape (…, m).
        expected: Those that other rows would have.
        q: Shares of the rows that are compared with it.
    """
    way, weight = expected - p, (p + expected) / 2
    weight = np.where(weight > 0, weight, 1.0)
    length = (way * way / weight).sum(axis=-1)
    along = (way * (q - p) / weight).sum(axis=-1) / np.where(length > 0, length, 1.0)
    return np.asarray(np.maximum(p + np.clip(along, 0.0, 1.0)[..., None] * way, 0.0))
