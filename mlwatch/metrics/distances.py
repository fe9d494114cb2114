"""Distances between two distributions over the same bins: shares p and q, or counts, shape (m,)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlwatch.metrics.scipy_special import special

if TYPE_CHECKING:
    from mlwatch.metrics.bins import Kind

FloatArray = NDArray[np.float64]

ZERO_SHARE = 1e-4
"""What PSI takes an empty bin's share for."""
GUARD_GROUPS = 20
"""Groups of bins that the guard aims at where there are rows enough."""


def psi(p: FloatArray, q: FloatArray) -> float:
    """Return the population stability index, Σ (q − p)·ln(q/p).

    A share of 0 is taken as 1e-4 (shares are not rescaled); bins empty on both sides are skipped.
    Source: Siddiqi 2006, Credit Risk Scorecards.
    """
    used = (p > 0) | (q > 0)
    before, after = (np.where(share[used] > 0, share[used], ZERO_SHARE) for share in (p, q))
    return float(((after - before) * np.log(after / before)).sum())


def jensen_shannon(p: FloatArray, q: FloatArray) -> float:
    """Return the square root of the base-2 divergence, in [0, 1].

    Source: Endres & Schindelin 2003, doi:10.1109/TIT.2003.813506.
    """
    return jensen_shannon_of(divergence_parts(p, q))


def jensen_shannon_of(parts: FloatArray) -> float:
    """Return the distance from each bin's part of the divergence; see `divergence_parts`."""
    return math.sqrt(max(0.0, float(parts.sum())))


def hellinger(p: FloatArray, q: FloatArray) -> float:
    """Return √(½ Σ (√p − √q)²), in [0, 1]."""
    return math.sqrt(0.5 * float(((np.sqrt(p) - np.sqrt(q)) ** 2).sum()))


def total_variation(p: FloatArray, q: FloatArray) -> float:
    """Return ½ Σ |p − q|: the share of rows that would have to change bins."""
    return 0.5 * float(np.abs(p - q).sum())


def chi_square(reference: FloatArray, current: FloatArray) -> tuple[float | None, float | None]:
    """Return Pearson's statistic of homogeneity and its p over the filled bins; None for a single bin."""
    pooled = reference + current
    used = pooled > 0
    freedom = int(used.sum()) - 1
    if freedom < 1:
        return None, None
    share = reference.sum() / pooled.sum()
    expected = pooled[used] * share
    # Both rows deviate by the same amount, so one sum serves for both.
    statistic = float(((reference[used] - expected) ** 2 / expected).sum() / (1 - share))
    return statistic, float(special.chdtrc(freedom, statistic))


def kolmogorov_smirnov(reference: FloatArray, current: FloatArray) -> tuple[float, float] | None:
    """Return D over ordered bins and its asymptotic p; None where a side is empty.

    Bins of at most 1 % of the reference bring D within 0.01 of the raw values' one. Source of the p-value:
    Stephens 1970, doi:10.1111/j.2517-6161.1970.tb00821.x.
    """
    n, m = float(reference.sum()), float(current.sum())
    if n == 0 or m == 0:
        return None
    d = float(np.abs(np.cumsum(reference) / n - np.cumsum(current) / m).max())
    root = math.sqrt(n * m / (n + m))
    return d, float(special.kolmogorov((root + 0.12 + 0.11 / root) * d))


def wasserstein(values: FloatArray, reference: FloatArray, current: FloatArray) -> float | None:
    """Return the earth mover's distance between two histograms over ascending bin values, in their unit."""
    n, m = float(reference.sum()), float(current.sum())
    if n == 0 or m == 0:
        return None
    gap = np.abs(np.cumsum(reference) / n - np.cumsum(current) / m)[:-1]
    return float(gap @ np.diff(values))


def divergence_parts(p: FloatArray, q: FloatArray) -> FloatArray:
    """Return each bin's part of the Jensen-Shannon divergence, base 2."""
    middle = (p + q) / 2
    return np.asarray((special.rel_entr(p, middle) + special.rel_entr(q, middle)) / (2 * math.log(2)))


def guard(codes: NDArray[np.int64], reference: FloatArray, current: FloatArray, kind: Kind) -> float | None:
    """Return the chi-square p over bins merged until about five rows are expected on the smaller side.

    Neighbours merge for a numeric feature, the rarest for a categorical one; missing, invalid and unseen
    stay alone.
    """
    pooled = reference + current
    expected = pooled * min(reference.sum(), current.sum()) / pooled.sum()
    special_codes = codes < 0
    order = np.arange(len(codes)) if kind == "numeric" else np.argsort(-expected, kind="stable")
    order = order[~special_codes[order]]
    size = max(5.0, float(expected[order].sum()) / GUARD_GROUPS)
    group = np.floor((np.cumsum(expected[order]) - expected[order] / 2) / size).astype(np.int64)
    place = np.zeros(len(codes), dtype=np.int64)
    place[order] = group
    place[special_codes] = -codes[special_codes] + (int(group.max()) if len(group) else -1)
    merged = [np.bincount(place, weights=side).astype(np.float64) for side in (reference, current)]
    return chi_square(merged[0], merged[1])[1]


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
