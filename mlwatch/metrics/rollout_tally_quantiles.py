"""Fold the histograms of quantiles into totals."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_fold import RunningFold, above_edges
from mlwatch.metrics.sequential_ratio import LOG_RATIOS, tilt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.metrics.rollout_fold import Fold
    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_plan import MetricPlan
    from mlwatch.metrics.rollout_strata import HistogramPair
    from mlwatch.metrics.rollout_totals import Columns
    from mlwatch.metrics.rollout_types import Counts, FloatArray, IntArray

BOTH_DIRECTIONS = np.concatenate([LOG_RATIOS, -LOG_RATIOS])
"""The alternatives of the rate-ratio grid, rising and falling."""
UNSHIFTED = np.zeros(1, dtype=np.int64)
CELLS = 1 << 16
"""Of an arm's histogram that are folded at a time, to stay in the cache."""


def quantile_sums(
    plans: Sequence[MetricPlan], pair: HistogramPair, both: Flags, minute: IntArray, fold: Fold
) -> dict[str, Columns]:
    """Return the columns of all quantiles that share a histogram, which is by far the largest input.

    Args:
        plans: Their frozen tests.
        pair: Both arms' histograms.
        both: Whether a stratum has both arms.
        minute: Of each stratum.
        fold: How to fold.
    """
    tested = [plan for plan in plans if plan.test == "exceedance"]
    share = pair.n_c / np.maximum(pair.n_b + pair.n_c, 1)
    basis = _basis(share, both) if tested else np.zeros((both.size, 0))
    found: dict[str, Columns] = {plan.spec.name: {} for plan in plans}
    for arm, counts, weight in (("b", pair.baseline, share), ("c", pair.candidate, 1 - share)):
        tails = [_Tail(plan, minute, plan.shifts if arm == "c" else UNSHIFTED, counts) for plan in tested]
        # in strata of both arms; and as if the arms shared each stratum evenly (Mantel, Haenszel 1959), so that both
        # have their requests at the same times: in a ramp the candidate has more of the late ones
        evenly = np.stack([both, weight * both], axis=1) if tested else both[:, None].astype(float)
        whole, *above = _sums(counts, evenly, tails, basis, fold)
        for columns in found.values():
            columns[f"counts_{arm}"] = whole[..., 0]
        for tail, each in zip(tails, above, strict=True):
            found[tail.name] |= {f"even_{arm}": whole[..., 1], f"tail_{arm}": each}
    return found


def _basis(share: FloatArray, both: Flags) -> FloatArray:
    """Return what a value above an edge counts in each row: 1, and the tilts of the candidate's share."""
    basis = np.empty((share.size, 1 + BOTH_DIRECTIONS.size))
    basis[:, 0], basis[:, 1:] = 1, tilt(share, BOTH_DIRECTIONS)
    if not both.all():
        basis *= both[:, None]
    return basis


def _sums(
    counts: Counts, weights: FloatArray, tails: Sequence[_Tail], basis: FloatArray, fold: Fold
) -> list[FloatArray]:
    """Fold one arm's histogram: all of it with some weights, and each tail with the basis.

    They are folded in one place, as floats: in these counts are exact and products fast, and fresh memory costs more
    than sums. Empty bins follow the last one, so that a tail has equally many from each row's threshold on.
    """
    rows, bins = counts.shape
    blocks = list(fold.blocks(rows, max(CELLS // max(bins, 1), 1)))
    place = np.zeros((counts[blocks[0]].shape[0], bins + max((tail.room for tail in tails), default=0)))
    windows = [_windows(place, tail.bins) for tail in tails]
    parts: list[list[FloatArray]] = []
    for block in blocks:
        arm = place[: counts[block].shape[0], :bins]
        np.copyto(arm, counts[block])
        parts.append([fold.outer(arm, weights[block])])
        for tail, window in zip(tails, windows, strict=True):
            parts[-1].append(tail.part(window, block, basis[block], fold))
    whole, *above = (reduce(np.add, part) for part in zip(*parts, strict=True))
    return [whole, *(tail.of(each, fold) for tail, each in zip(tails, above, strict=True))]


def _windows(place: FloatArray, bins: int) -> FloatArray:
    """Return a view of so many bins of each row, from each bin on: shape (rows, first bins, bins)."""
    rows, width = place.shape
    row, step = place.strides
    return np.ndarray((rows, width - bins + 1, bins), buffer=place, strides=(row, step, step))


class _Tail:
    """How many values of an arm lie above the edges of a quantile, which every row has at another place.

    Args:
        plan: The quantile's test.
        minute: Of each row.
        shifts: How many bins above its threshold each edge is, rising.
        counts: Of the arm, shape (rows, bins).
    """

    def __init__(self, plan: MetricPlan, minute: IntArray, shifts: IntArray, counts: Counts) -> None:
        self.name, edge, lowest = plan.spec.name, plan.thresholds.edge, int(shifts[0])
        self._first = plan.thresholds.at(minute) + lowest
        self._row = np.arange(counts.shape[0])
        self._edges = shifts - lowest
        self.bins = counts.shape[1] - int(edge.min()) - lowest
        """Most that any row has above its lowest edge."""
        self.room = int(edge.max() - edge.min())
        """Empty bins that it takes for all rows to have as many."""

    def part(self, windows: FloatArray, block: slice, basis: FloatArray, fold: Fold) -> FloatArray:
        """Return what adds up of some rows.

        Args:
            windows: Of the rows, from each bin on, shape (rows, bins, bins of a tail).
            block: Which they are.
            basis: What each value counts, shape (rows, k).
            fold: How to fold.
        """
        first = self._first[block]
        tail = windows[self._row[: first.size], first]
        if self._edges.size == 1:
            return fold.outer((tail @ np.ones(self.bins))[:, None], basis)
        return fold.outer(above_edges(tail)[:, self._edges] if isinstance(fold, RunningFold) else tail, basis)

    def of(self, parts: FloatArray, fold: Fold) -> FloatArray:
        """Return how many values lie above the edges (first of the last axis), and their tilts."""
        if self._edges.size == 1 or isinstance(fold, RunningFold):
            return parts
        # summed first, bins need to be cumulated but once
        above: FloatArray = above_edges(parts.T)[:, self._edges].T
        return above
