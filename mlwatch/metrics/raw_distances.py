"""Distances between two samples of raw numbers, for the compatibility modes; shapes (n,) and (m,)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlwatch.metrics.scipy_special import special

FloatArray = NDArray[np.float64]

EXACT_ROWS = 10_000
"""Largest sample for which scipy's default computes the exact p-value."""
NANNYML_BINS = 10_000


def wasserstein(one: FloatArray, two: FloatArray) -> float:
    """Return the earth mover's distance ∫ |F − G|."""
    points = np.sort(np.concatenate([one, two]))
    f, g = _cdf(one, points[:-1]), _cdf(two, points[:-1])
    return float(np.abs(f - g) @ np.diff(points))


def kolmogorov_smirnov(one: FloatArray, two: FloatArray) -> tuple[float, float]:
    """Return D and its two-sided p.

    Exact up to 10,000 rows a side as scipy's default is, else asymptotic in Stephens' approximation (scipy's
    differs in the third digit).
    """
    n, m = len(one), len(two)
    points = np.concatenate([one, two])
    d = float(np.abs(_cdf(one, points) - _cdf(two, points)).max())
    if max(n, m) <= EXACT_ROWS:
        return d, exact_p(n, m, d)
    root = math.sqrt(n * m / (n + m))
    return d, float(special.kolmogorov((root + 0.12 + 0.11 / root) * d))


def exact_p(n: int, m: int, d: float) -> float:
    """Return the chance that two samples of one distribution differ by `d` or more.

    A merged order of the samples is a lattice path from (0, 0) to (n, m); the recursion runs over its
    diagonals and carries the chance to have left the band |x/n − y/m| < d. Source: Hodges 1958,
    doi:10.1007/BF02589501.
    """
    common = math.gcd(n, m)
    limit = round(d * n * m / common)
    if limit == 0:
        return 1.0
    x = np.arange(n + 1)
    left = np.zeros(n + 1)
    for step in range(1, n + m + 1):
        from_x = np.concatenate([[0.0], left[:-1]])
        left = (x * from_x + (step - x) * left) / step
        y = step - x
        outside = np.abs(x * (m // common) - y * (n // common)) >= limit
        left[outside] = 1.0
        left[(y < 0) | (y > m)] = 0.0
    return float(min(1.0, left[n]))


def nannyml_kolmogorov_smirnov(reference: FloatArray, current: FloatArray) -> float:
    """Return NannyML's D: exact below 10,000 reference rows, else over 10,000 equal bins of its range."""
    if len(reference) < NANNYML_BINS:
        points = np.concatenate([reference, current])
        return float(np.abs(_cdf(reference, points) - _cdf(current, points)).max())
    edges = np.linspace(reference.min(), reference.max(), NANNYML_BINS + 1)
    f = np.cumsum(np.histogram(reference, edges)[0] / len(reference))
    g = np.cumsum(np.histogram(current, edges)[0] / len(current))
    return float(np.abs(f - g - float(np.mean(current < edges[0]))).max())


def nannyml_wasserstein(reference: FloatArray, current: FloatArray) -> float:
    """Return NannyML's distance: exact below 10,000 reference rows, else binned within their range."""
    if len(reference) < NANNYML_BINS:
        return wasserstein(reference, current)
    counts, edges = np.histogram(reference, bins=NANNYML_BINS)
    lowest, highest = edges[0], edges[-1]
    below, above = current[current < lowest], current[current > highest]
    amount_below, amount_above = (
        (len(part) + 1) / len(current) if len(part) else 0.0 for part in (below, above)
    )
    g = np.cumsum(np.histogram(current, edges)[0] / len(current)) + amount_below
    inside = float(np.abs(np.cumsum(counts / len(reference)) - g).sum() * (edges[1] - edges[0]))
    outside = wasserstein(np.append(below, lowest), np.full(1, lowest)) * amount_below
    return inside + outside + wasserstein(np.append(above, highest), np.full(1, highest)) * amount_above


def yates(one: FloatArray, two: FloatArray) -> tuple[float, float]:
    """Return the chi-square of a 2 × 2 table with Yates' continuity correction, and its p."""
    observed = np.array([one, two])
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0, keepdims=True) / observed.sum()
    gap = np.abs(observed - expected)
    statistic = float(((gap - np.minimum(0.5, gap)) ** 2 / expected).sum())
    return statistic, float(special.chdtrc(1, statistic))


def _cdf(sample: FloatArray, points: FloatArray) -> FloatArray:
    """Return the share of the sample at or below each point."""
    return np.searchsorted(np.sort(sample), points, side="right") / len(sample)
