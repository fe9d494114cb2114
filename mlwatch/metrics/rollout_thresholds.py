"""Where the exceedances of a quantile are counted: at a threshold that is frozen anew for each stretch of time."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.sequential_quantile import histogram_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from mlwatch.metrics.rollout_strata import HistogramPair
    from mlwatch.metrics.rollout_types import Counts, FloatArray, IntArray, MetricSpec

STRETCH_BEYOND, STRETCH_ROWS = 20, 15
"""Units of the baseline beyond a quantile from which the next stretch's threshold is frozen, and strata it takes."""
SAMPLED = 512
"""Rows by which it is guessed which bins hold the quantiles."""


@dataclass(frozen=True)
class Thresholds:
    """Bin edges beyond which values are counted, each from a minute on, shape (thresholds,)."""

    since: IntArray
    edge: IntArray

    def at(self, minute: IntArray) -> IntArray:
        """Return the number of the edge that counts in each minute, shape (minutes,)."""
        found: IntArray = self.edge[np.maximum(np.searchsorted(self.since, minute, side="right") - 1, 0)]
        return found


def edge_of(edges: FloatArray, thresholds: ArrayLike) -> IntArray:
    """Return the number of the bin edge at each threshold."""
    return np.clip(np.searchsorted(edges, thresholds), 0, edges.size - 1).astype(np.int64)


def freeze_thresholds(specs: Sequence[MetricSpec], pair: HistogramPair, minute: IntArray) -> list[Thresholds]:
    """Freeze where the exceedances of quantiles of one histogram are counted, anew for each stretch of time.

    The first is the one that is given, each later one is the baseline's quantile in the stretch before: it does not
    follow what it judges, so the test holds, and it goes along where latency rises and falls with the hour of the day.

    Args:
        specs: The quantiles, with a threshold each.
        pair: Both arms' histograms.
        minute: Of each stratum.
    """
    quantiles = [spec.quantile or 0.5 for spec in specs]
    firsts = edge_of(pair.edges, [[spec.threshold or 0.0] for spec in specs])
    up_to = np.concatenate([[0.0], np.cumsum(pair.n_b)])
    counted, low, frozen = up_to.tolist(), _lowest_bin(pair.baseline, quantiles), []
    for first, quantile in zip(firsts, quantiles, strict=True):
        starts = stretches(counted, STRETCH_BEYOND / min(quantile, 1 - quantile))
        values = stretch_quantiles(pair, up_to, starts, quantile, low)
        edge = np.concatenate([first, edge_of(pair.edges, values)])
        frozen.append(Thresholds(minute[starts[: minute.size]], edge))
    return frozen


def stretches(counted: Sequence[float], wanted: float) -> list[int]:
    """Return the first row of each stretch that holds the wanted units and is long enough; the last may be shorter.

    Args:
        counted: Units before each row, and in all: one more than rows.
        wanted: Units of a stretch.
    """
    starts, rows = [0], len(counted) - 1
    while True:
        first = starts[-1]
        following = bisect_left(counted, counted[first] + wanted, min(first + STRETCH_ROWS, rows))
        if following >= rows:
            return starts
        starts.append(following)


def stretch_quantiles(
    pair: HistogramPair, up_to: FloatArray, starts: Sequence[int], quantile: float, low: int
) -> FloatArray:
    """Return the baseline's quantile in each stretch but the last.

    Only the upper bins are summed, which hold it as a rule; where they do not, all bins are.

    Args:
        pair: Both arms' histograms.
        up_to: Values of the baseline before each row, and in all, shape (rows + 1,).
        starts: First rows of the stretches.
        quantile: Which, between 0 and 1.
        low: The first of the upper bins.
    """
    upper = _sums(pair.baseline[:, low:], starts)
    n = np.diff(up_to[starts])
    below = n - upper.sum(axis=1)
    values = histogram_quantile(upper, pair.edges[low:], quantile, below)
    for number in np.flatnonzero((below > 0) & (below >= quantile * n)).tolist():
        whole = _sums(pair.baseline, starts[number : number + 2])
        values[number] = histogram_quantile(whole, pair.edges, quantile)[0]
    return values


def _lowest_bin(counts: Counts, quantiles: Sequence[float]) -> int:
    """Return a bin that hardly any stretch has its quantile below, by a sample of the rows."""
    sample = counts[:: max(1, len(counts) // SAMPLED)].sum(axis=0)
    up_to = np.cumsum(sample)
    return int(np.searchsorted(up_to, min(quantiles) / 2 * up_to[-1]))


def _sums(counts: Counts, starts: Sequence[int]) -> FloatArray:
    """Return the summed rows from each start to the next, shape (starts - 1, bins)."""
    sums = np.empty((len(starts) - 1, counts.shape[1]))
    # one by one: numpy's reduceat sums along columns, and takes six times as long
    for (start, stop), total in zip(pairwise(starts), sums, strict=True):
        np.add.reduce(counts[start:stop], axis=0, dtype=float, out=total)
    return sums
