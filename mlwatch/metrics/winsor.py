"""Winsorised sums: a single order or a single timeout must not decide how versions compare.

Values above the 99.9th percentile count as that limit: the upper edge of a bin of the log histogram (2 % wide).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import intervals, latency

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from mlwatch.metrics.estimate import Estimate

    FloatArray = NDArray[np.float64]

QUANTILE = 0.999
FEWEST = 2_000
"""Values that a limit takes: with fewer, one or two of them would be it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Sums of values that are cut at a limit."""

    limit: float
    total: float
    """Σ min(x, limit)."""
    square: float
    """Σ min(x, limit)²."""


def edge_of(code: int) -> float:
    """Return the upper edge of a bin."""
    return float(latency.GAMMA**code)


def cap_of(bins: ArrayLike, counts: ArrayLike, n: int) -> int | None:
    """Return the lowest bin above which lie at most a thousandth of `n` values; those in no bin are nought.

    Args:
        bins: Latency bins, shape (m,), in any order and with repeats.
        counts: Values in each, shape (m,).
        n: All values.

    Returns:
        None for fewer than `FEWEST` values, or where nearly all are nought.
    """
    code, count = np.asarray(bins, dtype=np.int64), np.asarray(counts, dtype=float)
    if n < FEWEST or not len(code):
        return None
    order = np.argsort(code)
    above = count.sum() - np.cumsum(count[order])
    found = int(code[order][np.argmax(above <= (1 - QUANTILE) * n)])
    return None if found == latency.ZERO_BIN else found


def cut_sums(
    bins: ArrayLike, counts: ArrayLike, totals: ArrayLike, squares: ArrayLike, cap: int
) -> tuple[FloatArray, FloatArray]:
    """Return the sum and the sum of squares of the values in each bin, cut at the limit; exact.

    Args:
        bins: Latency bins, shape (m,).
        counts: Values in each.
        totals: Their sums.
        squares: The sums of their squares.
        cap: The highest bin whose values count as they are.
    """
    count, limit = np.asarray(counts, dtype=float), edge_of(cap)
    above = np.asarray(bins) > cap
    return (
        np.where(above, count * limit, np.asarray(totals, dtype=float)),
        np.where(above, count * limit * limit, np.asarray(squares, dtype=float)),
    )


def mean(n: int, total: float, square: float, cut: Cut | None, reason: str) -> Estimate:
    """Return a mean with Student's t interval, and beside it the mean of the cut values with theirs.

    Cut values have another mean than the values themselves, so the interval of either says nothing about the other.

    Args:
        n: Number of values.
        total: Their sum.
        square: The sum of their squares.
        cut: None for no limit.
        reason: Why there is none without values.
    """
    found = intervals.mean(n, total, square, reason)
    if cut is None or not found.defined:
        return found
    return beside(found, intervals.mean(n, cut.total, cut.square, reason), cut.limit)


def beside(found: Estimate, cut: Estimate, limit: float) -> Estimate:
    """Return an estimate with that of the cut values beside it, named as what it is."""
    return replace(found, winsorised=replace(cut, method=f"{cut.method}, winsorised at {limit:g}"))
