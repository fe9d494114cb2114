"""Latency from a log-binned histogram: quantiles within 1 %, exact mean and maximum, Apdex.

The grid is DDSketch's (Masson, Rim, Lee 2019, doi:10.14778/3352063.3352135): bin i holds (γ^(i−1), γ^i] with
γ = 1.01/0.99. Values of zero or less share one bin of their own. Any unit works; mlwatch uses milliseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlwatch.metrics import intervals
from mlwatch.metrics.bin_sql import LATENCY_LARGEST as LARGEST
from mlwatch.metrics.bin_sql import LATENCY_LOG_GAMMA as LOG_GAMMA
from mlwatch.metrics.bin_sql import LATENCY_SMALLEST as SMALLEST
from mlwatch.metrics.bin_sql import LATENCY_ZERO_BIN as ZERO_BIN
from mlwatch.metrics.bin_sql import latency_bin_sql
from mlwatch.metrics.estimate import Estimate, estimate, undefined
from mlwatch.metrics.scipy_special import special

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "GAMMA",
    "NO_BIN",
    "ZERO_BIN",
    "LatencyHistogram",
    "apdex",
    "bin_edges",
    "bin_values",
    "latency_bin",
    "latency_bin_sql",
    "mean",
    "quantile_estimates",
    "quantiles",
    "share_above",
]

GAMMA = 1.01 / 0.99
NO_BIN = -32767
"""What `latency_bin` returns for NaN; the SQL form returns NULL."""
NO_LATENCY = "no latency in the logs"

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def latency_bin(values: ArrayLike) -> IntArray:
    """Return the bin of each value, shape (n,); NaN becomes `NO_BIN`."""
    value = np.asarray(values, dtype=float)
    clipped = np.clip(np.where(np.isnan(value), 1.0, value), SMALLEST, LARGEST)
    bins: IntArray = np.ceil(np.log(clipped) / LOG_GAMMA).astype(np.int64)
    bins[value <= 0] = ZERO_BIN
    bins[np.isnan(value)] = NO_BIN
    return bins


def bin_values(bins: ArrayLike) -> FloatArray:
    """Return the value that stands for each bin, within 1 % of everything in it; 0 for `ZERO_BIN`."""
    index = np.asarray(bins, dtype=float)
    return np.asarray(np.where(index == ZERO_BIN, 0.0, 2 / (1 + GAMMA) * np.exp(index * LOG_GAMMA)))


def bin_edges(bins: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the exclusive lower and inclusive upper edge of each bin, for charts."""
    index = np.asarray(bins, dtype=float)
    zero = index == ZERO_BIN
    low = np.where(zero, 0.0, np.exp((index - 1) * LOG_GAMMA))
    return low, np.where(zero, 0.0, np.exp(index * LOG_GAMMA))


@dataclass(frozen=True, slots=True)
class LatencyHistogram:
    """Counts by bin, ascending, with the exact sum and maximum where they are known."""

    bins: IntArray
    counts: IntArray
    total: float | None = None
    """Sum of the raw values."""
    maximum: float | None = None

    @classmethod
    def from_rows(
        cls, bins: ArrayLike, counts: ArrayLike, total: float | None = None, maximum: float | None = None
    ) -> LatencyHistogram:
        """Merge rows of (bin, count) in any order and with repeats."""
        index, position = np.unique(np.asarray(bins, dtype=np.int64), return_inverse=True)
        merged = np.zeros(len(index), dtype=np.int64)
        np.add.at(merged, position.ravel(), np.asarray(counts, dtype=np.int64))
        keep = (index != NO_BIN) & (merged > 0)
        return cls(index[keep], merged[keep], total, maximum)

    @classmethod
    def from_values(cls, values: ArrayLike) -> LatencyHistogram:
        """Bin raw values; NaN is left out."""
        value = np.asarray(values, dtype=float)
        value = value[~np.isnan(value)]
        if not len(value):
            return cls.from_rows([], [])
        return cls.from_rows(
            latency_bin(value), np.ones(len(value), dtype=np.int64), float(value.sum()), float(value.max())
        )

    @property
    def n(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float | None:
        """Exact mean where the sum is known, else within 1 %."""
        if self.n == 0:
            return None
        total = self.total if self.total is not None else float(bin_values(self.bins) @ self.counts)
        return total / self.n


def quantiles(bins: ArrayLike, counts: ArrayLike, qs: ArrayLike) -> FloatArray:
    """Return quantiles with a relative error of at most 1 % against NumPy's default definition.

    Args:
        bins: Bin indices, shape (m,), ascending.
        counts: Values in each bin, shape (m,).
        qs: Probabilities in [0, 1], shape (k,).

    Returns:
        Shape (k,), linear between the two neighbouring order statistics; NaN where there are no values.
    """
    count = np.asarray(counts, dtype=np.int64)
    q = np.atleast_1d(np.asarray(qs, dtype=float))
    n = int(count.sum())
    if n == 0:
        return np.full(len(q), np.nan)
    position = q * (n - 1)
    low = _order_statistics(bins, count, np.floor(position))
    high = _order_statistics(bins, count, np.ceil(position))
    return np.asarray(low + (high - low) * (position - np.floor(position)))


def quantile_estimates(
    histogram: LatencyHistogram, qs: Sequence[float], confidence: float = 0.95
) -> list[Estimate]:
    """Return quantiles, each with the interval between two order statistics.

    Source: Hahn & Meeker 1991, Statistical Intervals, section 5.2. An end that the sample is too small for is
    None: 20 values say nothing about how high the 99th percentile may be.
    """
    n, highest = histogram.n, histogram.maximum
    if n == 0:
        return [undefined(NO_LATENCY) for _ in qs]
    values = quantiles(histogram.bins, histogram.counts, qs).tolist()
    bounds = _quantile_bounds(histogram, np.array(qs, dtype=float), (1 - confidence) / 2)
    found = []
    for q, value, ends in zip(qs, values, bounds, strict=True):
        low, high = (None if math.isnan(end) else end for end in ends)
        if highest is not None:
            value = highest if q >= 1 else min(value, highest)  # noqa: PLW2901  as the next
            low, high = (end if end is None else min(end, highest) for end in (low, high))
        found.append(Estimate(value, n, low, high, method="order statistics"))
    return found


def mean(histogram: LatencyHistogram) -> Estimate:
    """Return the mean; the interval takes the spread from the bins."""
    value = histogram.mean
    if value is None:
        return undefined(NO_LATENCY)
    centre = bin_values(histogram.bins)
    n = histogram.n
    if n < 2:
        return intervals.without_interval(value, n)
    spread = float((centre - centre @ histogram.counts / n) ** 2 @ histogram.counts) / (n - 1)
    half = float(special.stdtrit(n - 1, 0.975)) * math.sqrt(spread / n)
    lowest = min(0.0, value)
    return estimate(value, n, (max(lowest, value - half), value + half), "Student's t, spread from bins")


def apdex(histogram: LatencyHistogram, target: float) -> Estimate:
    """Return Apdex for a target: (satisfied + tolerating / 2) / all, tolerating up to 4·target.

    Source: Apdex Technical Specification 1.1, 2007. A bin counts by its representative value, so requests
    within 1 % of a limit may fall on its other side. The interval is that of `intervals.score_interval`.
    """
    n = histogram.n
    if n == 0:
        return undefined(NO_LATENCY)
    value = bin_values(histogram.bins)
    weight = np.where(value <= target, 1.0, np.where(value <= 4 * target, 0.5, 0.0))
    total, square = float(weight @ histogram.counts), float(weight**2 @ histogram.counts)
    return intervals.score(n, total, square, NO_LATENCY)


def share_above(histogram: LatencyHistogram, limit: float) -> float | None:
    """Return the share of values above a limit, for example of a frozen reference quantile."""
    if histogram.n == 0:
        return None
    return float(histogram.counts[bin_values(histogram.bins) > limit].sum()) / histogram.n


def _order_statistics(bins: ArrayLike, counts: IntArray, ranks: FloatArray) -> FloatArray:
    """Return the values at zero-based ranks."""
    position = np.searchsorted(np.cumsum(counts), ranks, side="right")
    return bin_values(np.asarray(bins)[np.minimum(position, len(counts) - 1)])


def _quantile_bounds(histogram: LatencyHistogram, qs: FloatArray, tail: float) -> list[tuple[float, float]]:
    """Return the order statistics whose ranks enclose each quantile with a chance of 1 − 2·tail; NaN for none."""
    n = histogram.n
    inside = (qs > 0) & (qs < 1)
    q = np.where(inside, qs, 0.5)[:, None]
    around = np.floor(special.bdtrik([tail, 1 - tail], n, q))  # then three ranks each tell exactly
    ranks = np.clip(np.add.outer(around, (-1, 0, 1)), 0, n).reshape(len(q), -1).astype(np.int64)
    cdf = special.bdtr(ranks, n, q)
    below = np.where(cdf <= tail, ranks, -1).max(axis=1)
    # The upper rank is one-based, one more: zero-based it is the same; rank n is beyond the sample.
    above = np.where(cdf >= 1 - tail, ranks, n).min(axis=1)
    sides = []
    for rank, there in ((below, below >= 0), (above, above < n)):
        value = _order_statistics(histogram.bins, histogram.counts, np.clip(rank, 0, n - 1).astype(float))
        sides.append(np.where(inside & there, value, np.nan).tolist())
    return list(zip(*sides, strict=True))
