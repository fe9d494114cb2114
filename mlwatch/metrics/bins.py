"""How values become bin codes, in NumPy and in SQL.

Codes that every feature shares: −1 missing, −2 invalid (does not fit the feature's kind), −3 a category
that the reference never had. A numeric feature with edges e₀ < … < e_k has 0 below e₀, i in [eᵢ₋₁, eᵢ) (the
last one closed at e_k) and k + 1 above e_k. A categorical one has 0 … K − 1 for the reference's top
categories and K for its long tail.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlwatch.metrics.bin_sql import MISSING, numeric_bin_sql
from mlwatch.metrics.edges import edges_of

__all__ = ["INVALID", "MISSING", "UNSEEN", "Kind", "edges_from_quantiles", "numeric_bin", "numeric_bin_sql"]

INVALID = -2
UNSEEN = -3
MAX_BINS = 50
"""Bins that quantiles cut. The binned Kolmogorov-Smirnov distance of continuous data is then within 0.001 of the
exact one; at worst, where all of a shift falls inside one bin, within 1/50."""

Kind = Literal["numeric", "categorical"]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def edges_from_quantiles(values: ArrayLike) -> FloatArray:
    """Return bin edges from a reference's sorted quantiles.

    Up to 30 distinct values get a bin each, parted at the midpoints. Otherwise the quantiles are the edges,
    and a value that several quantiles share (a spike, such as zero) gets a bin of its own.

    Args:
        values: Discrete quantiles (values that occur, not interpolated) at even steps, minimum and maximum
            included, shape (up to 51,); NaN and infinities are left out. The sorted distinct values do as
            well where there are few.

    Returns:
        Edges e₀ ≤ … ≤ e_k, k ≤ 100: the first is the minimum, the last the maximum, equal for a constant.
        Empty without a finite value.
    """
    return np.array(edges_of(np.asarray(values, dtype=float).tolist()), dtype=float)


def numeric_bin(values: ArrayLike, edges: ArrayLike) -> IntArray:
    """Return the bin code of each number, shape (n,); NaN is missing, infinities are out of range.

    Without edges (the reference had no value) every number counts as below them.
    """
    value, edge = np.asarray(values, dtype=float), np.asarray(edges, dtype=float)
    if len(edge):
        codes = np.searchsorted(edge[:-1], value, side="right") + (value > edge[-1])
    else:
        codes = np.zeros(len(value), dtype=np.int64)
    return np.where(np.isnan(value), MISSING, codes).astype(np.int64)
