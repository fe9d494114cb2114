"""Distances between distributions over the same bins: shares p and q, or counts, shape (…, m), the bins last.

Each function takes many pairs as well as one and returns a number a pair, shape (…,): NaN where one cannot be told.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlwatch.metrics.scipy_special import special

FloatArray = NDArray[np.float64]

if TYPE_CHECKING:
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.int64]

ZERO_SHARE = 1e-4
"""What PSI takes an empty bin's share for."""
GUARD_GROUPS = 20
"""Groups of bins that the guard aims at where there are rows enough."""


def psi(p: FloatArray, q: FloatArray) -> FloatArray:
    """Return the population stability index, Σ (q − p)·ln(q/p).

    A share of 0 is taken as 1e-4 (shares are not rescaled), so that bins empty on both sides add nothing.
    Source: Siddiqi 2006, Credit Risk Scorecards.
    """
    before, after = (np.where(share > 0, share, ZERO_SHARE) for share in (p, q))
    return np.asarray(((after - before) * np.log(after / before)).sum(axis=-1))


def jensen_shannon(p: FloatArray, q: FloatArray) -> FloatArray:
    """Return the square root of the base-2 divergence, in [0, 1].

    Source: Endres & Schindelin 2003, doi:10.1109/TIT.2003.813506.
    """
    return jensen_shannon_of(divergence_parts(p, q))


def jensen_shannon_of(parts: FloatArray) -> FloatArray:
    """Return the distance from each bin's part of the divergence; see `divergence_parts`."""
    return np.asarray(np.sqrt(np.maximum(parts.sum(axis=-1), 0.0)))


def hellinger(p: FloatArray, q: FloatArray) -> FloatArray:
    """Return √(½ Σ (√p − √q)²), in [0, 1]."""
    return np.asarray(np.sqrt(0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=-1)))


def total_variation(p: FloatArray, q: FloatArray) -> FloatArray:
    """Return ½ Σ |p − q|: the share of rows that would have to change bins."""
    return 0.5 * np.asarray(np.abs(p - q).sum(axis=-1))


def chi_square(reference: FloatArray, current: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Pearson's statistic of homogeneity and its p over the filled bins; NaN for a single bin.

    Both sides have rows.
    """
    pooled = reference + current
    freedom = (pooled > 0).sum(axis=-1) - 1
    share = reference.sum(axis=-1, keepdims=True) / pooled.sum(axis=-1, keepdims=True)
    expected = pooled * share
    # Both rows deviate by the same amount, so one sum serves for both.
    parts = (reference - expected) ** 2 / np.where(expected > 0, expected, 1.0)
    statistic = np.where(freedom < 1, np.nan, parts.sum(axis=-1) / (1 - share[..., 0]))
    return statistic, np.asarray(special.chdtrc(freedom, statistic))


def kolmogorov_smirnov(reference: FloatArray, current: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return D over ordered bins and its asymptotic p; NaN where a side is empty.

    Bins of at most 1 % of the reference bring D within 0.01 of the raw values' one. Source of the p-value:
    Stephens 1970, doi:10.1111/j.2517-6161.1970.tb00821.x.
    """
    n, m = _rows(reference), _rows(current)
    d = _apart(reference, current).max(axis=-1, initial=0.0)
    root = np.sqrt(n * m / (n + m))
    return d, np.asarray(special.kolmogorov((root + 0.12 + 0.11 / root) * d))


def wasserstein(values: FloatArray, reference: FloatArray, current: FloatArray) -> FloatArray:
    """Return the earth mover's distance between histograms over ascending bin values, in their unit; NaN as above."""
    gap = _apart(reference, current)[..., :-1]
    there = (_rows(reference) > 0) & (_rows(current) > 0)
    return np.where(there, (gap * np.diff(values)).sum(axis=-1), np.nan)


def _apart(reference: FloatArray, current: FloatArray) -> FloatArray:
    """Return how far the shares up to each bin are apart."""
    n, m = _rows(reference)[..., None], _rows(current)[..., None]
    return np.abs(np.cumsum(reference, axis=-1) / n - np.cumsum(current, axis=-1) / m)


def _rows(counts: FloatArray) -> FloatArray:
    """Return the rows of all bins; NaN for none."""
    rows = counts.sum(axis=-1)
    return np.where(rows > 0, rows, np.nan)


def divergence_parts(p: FloatArray, q: FloatArray) -> FloatArray:
    """Return each bin's part of the Jensen-Shannon divergence, base 2, shape (…, m)."""
    middle = (p + q) / 2
    return np.asarray((special.rel_entr(p, middle) + special.rel_entr(q, middle)) / (2 * math.log(2)))


def guard(codes: IntArray, reference: FloatArray, current: FloatArray, numeric: BoolArray) -> FloatArray:
    """Return the chi-square p over bins merged until about five rows are expected on the smaller side.

    Neighbours merge for a numeric feature, the rarest for a categorical one; missing, invalid and unseen
    stay alone.

    Args:
        codes: Bin codes, shape (m,), ascending.
        reference: Reference rows of each feature by bin, shape (features, m); a feature has rows on both sides.
        current: Current rows, of the same shape.
        numeric: Which features are numeric, shape (features,).

    Returns:
        Shape (features,); NaN where all rows are in one group.
    """
    alone = int(np.searchsorted(codes, 0))
    pooled = reference + current
    smaller = np.minimum(reference.sum(axis=1), current.sum(axis=1))[:, None]
    expected = (pooled * smaller / pooled.sum(axis=1)[:, None])[:, alone:]
    order = np.argsort(np.where(numeric[:, None], 0.0, -expected), axis=1, kind="stable")
    expected, before, after = (
        np.take_along_axis(side, order, axis=1)
        for side in (expected, reference[:, alone:], current[:, alone:])
    )
    # the bins of other features are left out of the sum: its last bit decides where a bin lies between two groups
    total = np.array([row[row > 0].sum() for row in expected])
    size = np.maximum(total / GUARD_GROUPS, 5.0)[:, None]
    group = np.floor((np.cumsum(expected, axis=1) - expected / 2) / size).astype(np.int64)
    count = int(group.max(initial=-1)) + 1
    place = (group + count * np.arange(len(group))[:, None]).ravel()
    merged = (
        np.concatenate([side[:, :alone], _summed(place, inner, (len(group), count))], axis=1)
        for side, inner in ((reference, before), (current, after))
    )
    return chi_square(*merged)[1]


def _summed(place: IntArray, weights: FloatArray, shape: tuple[int, int]) -> FloatArray:
    found = np.bincount(place, weights.ravel(), shape[0] * shape[1]).astype(np.float64)
    return found.reshape(shape)


def bin_values(edges: ArrayLike, means: ArrayLike | None = None) -> FloatArray:
    """Return what stands for the codes 0 … k + 1 of a numeric feature, shape (k + 2,).

    Args:
        edges: e₀ … e_k.
        means: The reference's mean within the bins 1 … k where it is known (NaN elsewhere), shape (k,).

    Returns:
        Means, else middles; the bins below and above stand at the nearest edge: who knows the mean of what is
        there puts that in its place.
    """
    edge = np.asarray(edges, dtype=float)
    inner = edge[:-1] / 2 + edge[1:] / 2
    if len(edge) > 3:
        # A wide outermost bin is a thin tail: for equal bins of an exponential one the mean lies there.
        second, third = edge[1:3].tolist()
        third_last, second_last = edge[-3:-1].tolist()
        inner[0] = max(inner[0], second - (third - second) / math.log(2))
        inner[-1] = min(inner[-1], second_last + (second_last - third_last) / math.log(2))
    if means is not None:
        mean = np.asarray(means, dtype=float)
        inner = np.where(np.isfinite(mean), mean, inner)
    return np.concatenate([edge[:1], inner, edge[-1:]])
