"""How a number moved between two histograms over the same bins: its mean and its median."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Edges = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Center:
    """Where the values of a histogram lie."""

    mean: float | None
    median: float | None
    """None also where it lies beyond the outer edges, which is all that is known of it then."""
    above: float | None = None
    """What the median is known to be above, where it lies beyond the last edge."""
    below: float | None = None
    """What it is known to be below, where it lies before the first."""


def center(codes: ArrayLike, counts: ArrayLike, totals: ArrayLike, edges: Edges) -> Center:
    """Return mean and median of a numeric feature, missing and invalid values left out.

    Args:
        codes: Bin codes, shape (m,), in any order and with repeats; see `bins`.
        counts: Rows of each, shape (m,).
        totals: Sum of the values of each, shape (m,).
        edges: Of the inner bins, shape (k + 1,).

    Returns:
        The mean exactly; the median by linear interpolation within its bin, as far around the mean of the values there
        as the bin reaches on both sides: of one value it is that, and it is always off by less than the bin's width.
        Beyond the outer edges it is unknown, and on which side.
    """
    code = np.asarray(codes, dtype=np.int64)
    real = code >= 0
    summed = np.asarray(totals, dtype=float)[real]
    by_code = np.bincount(code[real], np.asarray(counts)[real], len(edges) + 1)
    upto = np.cumsum(by_code)
    weight = float(upto[-1])
    if weight <= 0:
        return Center(None, None)
    average = float(summed.sum()) / weight
    mean = average if math.isfinite(average) else None
    if not len(edges):
        return Center(mean, None)
    at = int(upto.searchsorted(weight / 2))
    if at == 0:
        return Center(mean, None, below=float(edges[0]))
    if at >= len(edges):
        return Center(mean, None, above=float(edges[-1]))
    here = float(by_code[at])
    low, high = float(edges[at - 1]), float(edges[at])
    if high == math.nextafter(low, math.inf):  # a frequent value has a bin of its own
        high = low
    share = (weight / 2 - (float(upto[at]) - here)) / here
    average_here = float(summed[code[real] == at].sum()) / here
    low, high = _reach(
        low, high, float(f"{average_here:.12g}")
    )  # whatever the order in which it was summed up
    median = low if high == low else low * (1 - share) + high * share  # a difference may overflow
    return Center(mean, median)


def _reach(low: float, high: float, mean: float) -> tuple[float, float]:
    """Return the part of a bin that lies evenly around the mean of its values; the bin where that is not known."""
    if not math.isfinite(mean):
        return low, high
    mean = min(max(mean, low), high)
    return (low, 2 * mean - low) if mean - low <= high - mean else (2 * mean - high, high)
