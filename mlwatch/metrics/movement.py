"""How a number moved between two histograms over the same bins: its mean and its median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


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


def center(codes: ArrayLike, counts: ArrayLike, totals: ArrayLike, edges: ArrayLike) -> Center:
    """Return mean and median of a numeric feature, missing and invalid values left out.

    Args:
        codes: Bin codes, shape (m,), in any order and with repeats; see `bins`.
        counts: Rows of each, shape (m,).
        totals: Sum of the values of each, shape (m,).
        edges: Of the inner bins, shape (k + 1,).

    Returns:
        The mean exactly; the median by linear interpolation within its bin, so that it is off by less than the bin's
        width. Beyond the outer edges it is unknown, and on which side.
    """
    code, n, total = (np.asarray(each, dtype=float) for each in (codes, counts, totals))
    edge = np.asarray(edges, dtype=float)
    real = code >= 0
    weight = n[real].sum()
    if weight <= 0:
        return Center(None, None)
    average = float(total[real].sum() / weight)
    mean = average if np.isfinite(average) else None
    if not len(edge):
        return Center(mean, None)
    by_code = np.bincount(code[real].astype(int), weights=n[real], minlength=len(edge) + 1)
    upto = np.cumsum(by_code)
    at = int(np.searchsorted(upto, weight / 2))
    if at == 0:
        return Center(mean, None, below=float(edge[0]))
    if at >= len(edge):
        return Center(mean, None, above=float(edge[-1]))
    before = upto[at] - by_code[at]
    low, high = edge[at - 1], edge[at]
    if high == np.nextafter(low, np.inf):  # a frequent value has a bin of its own
        high = low
    share = (weight / 2 - before) / by_code[at]
    median = low if high == low else low * (1 - share) + high * share  # a difference may overflow
    return Center(mean, float(median))
