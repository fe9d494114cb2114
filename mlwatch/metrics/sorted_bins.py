"""Bins of a column of numbers by sorting it, which NumPy does faster than anything looks up a bin for each number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlwatch.metrics.bin_sql import MISSING
from mlwatch.metrics.edges import FEW_VALUES, QUANTILES, edges_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLOCK = 65_536
"""Numbers that are sorted at a time to be counted: as many as stay in a core's own cache."""
LARGEST = 1e300
"""What is at least as far from zero is not summed: few such numbers would make the sum infinite."""


class BinCounts(NamedTuple):
    """The numbers of one column by bin, those bins that hold any."""

    codes: NDArray[np.int64]
    """As `bins.numeric_bin` gives them, ascending."""
    n: NDArray[np.int64]
    total: NDArray[np.float64]
    """Sum of the numbers of each."""


def cut(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the edges of bins for numbers: after their quantiles, or where they are few, between them.

    Args:
        values: In ascending order, NaN at the end.
    """
    finite = values[np.searchsorted(values, -math.inf, side="right") : np.searchsorted(values, math.inf)]
    starts = np.flatnonzero(finite[1:] != finite[:-1]) + 1
    if len(starts) < FEW_VALUES:
        return edges_of(finite[[0, *starts.tolist()]].tolist() if len(finite) else ())
    # the k-th of n for the smallest k with k / n >= step / steps
    ranks = (-(-len(finite) * step // QUANTILES) for step in range(QUANTILES + 1))
    return edges_of(finite[[max(1, rank) - 1 for rank in ranks]].tolist())


def count(values: NDArray[np.float64], edges: Sequence[float], block: int = BLOCK) -> BinCounts:
    """Count numbers by bin; one block after the other is brought into ascending order by that.

    Args:
        values: Any; NaN is missing.
        edges: At least one.
        block: Numbers in a block.
    """
    n = np.zeros(len(edges) + 2, dtype=np.int64)
    total = np.zeros(len(edges) + 2)
    for start in range(0, len(values), block):
        part = values[start : start + block]
        part.sort()
        _add(part, edges, n, total)
    codes = np.flatnonzero(n)
    return BinCounts(codes + MISSING, n[codes], total[codes])


def _add(
    part: NDArray[np.float64], edges: Sequence[float], n: NDArray[np.int64], total: NDArray[np.float64]
) -> None:
    """Add what is missing of ascending numbers, and then each bin of them."""
    there = np.searchsorted(part, math.nan)
    inner, last = np.searchsorted(part, edges[:-1]), np.searchsorted(part, edges[-1], side="right")
    limits = np.concatenate([[0], inner, [last, there]])
    n[0] += len(part) - there
    n[1:] += np.diff(limits)
    # an empty slice would be summed as the number behind it
    summed = limits.clip(
        np.searchsorted(part, -LARGEST, side="right"), np.searchsorted(part, LARGEST), out=limits
    )
    filled = np.flatnonzero(np.diff(summed))
    if len(filled):
        total[filled + 1] += np.add.reduceat(part[: summed[-1]], summed[filled])


def all_differ(values: NDArray[np.float64]) -> bool:
    """Tell whether no two numbers are the same; two that are missing are.

    Args:
        values: In ascending order, NaN at the end.
    """
    missing = len(values) - np.searchsorted(values, math.nan)
    return bool(missing <= 1 and (values[1:] != values[:-1]).all())
