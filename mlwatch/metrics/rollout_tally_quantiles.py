"""Fold the histograms of quantiles into totals."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_fold import exceedances
from mlwatch.metrics.sequential_ratio import LOG_RATIOS, tilt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from mlwatch.metrics.rollout_fold import Fold
    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_plan import MetricPlan
    from mlwatch.metrics.rollout_strata import HistogramPair
    from mlwatch.metrics.rollout_totals import Columns
    from mlwatch.metrics.rollout_types import FloatArray, IntArray

BOTH_DIRECTIONS = np.concatenate([LOG_RATIOS, -LOG_RATIOS])
"""The alternatives of the rate-ratio grid, rising and falling."""
BLOCK = 512
"""Rows that are folded at a time, to stay in the cache."""


def quantile_sums(
    plans: Sequence[MetricPlan], pair: HistogramPair, both: Flags, fold: Fold
) -> dict[str, Columns]:
    """Return the columns of all quantiles that share a histogram, which is by far the largest input.

    Args:
        plans: Their frozen tests.
        pair: Both arms' histograms.
        both: Whether a stratum has both arms.
        fold: How to fold.
    """
    tested = [plan for plan in plans if plan.test == "exceedance"]
    thresholds = _distinct([[plan.threshold] for plan in tested])
    edges = _distinct([plan.threshold + plan.shifts for plan in tested])
    blocks = list(fold.blocks(both.size, BLOCK))
    # as floats, in which counts are exact and far faster to sum, and in one place: fresh memory costs more than sums
    place = np.empty((2, *pair.baseline[blocks[0]].shape))
    parts = []
    for rows in blocks:
        present = both[rows, None]
        arms = place[:, : present.size]
        for counts, arm in zip((pair.baseline, pair.candidate), arms, strict=True):
            np.copyto(arm, counts[rows])
        if not present.all():
            arms *= present
        parts.append(_counts(arms, fold) | (_tails(arms, thresholds, edges, fold) if tested else {}))
    sums = {name: reduce(np.add, [part[name] for part in parts]) for name in parts[0]}
    return {plan.spec.name: _own(plan, sums, thresholds, edges) for plan in plans}


def _distinct(edges: Sequence[ArrayLike]) -> IntArray:
    """Return edge numbers once each, rising."""
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *edges]))


def _counts(arms: FloatArray, fold: Fold) -> Columns:
    one = np.ones((arms[0].shape[0], 1))
    return {f"counts_{arm}": fold.outer(counts, one)[..., 0] for arm, counts in zip("bc", arms, strict=True)}


def _tails(arms: FloatArray, thresholds: IntArray, edges: IntArray, fold: Fold) -> Columns:
    """Return how many values lie above each edge (first of the last axis), and their tilts."""
    n_b, n_c = (counts @ np.ones(counts.shape[1]) for counts in arms)
    share = n_c / np.maximum(n_b + n_c, 1)
    basis = np.ones((share.size, 1 + BOTH_DIRECTIONS.size))
    basis[:, 1:] = tilt(share, BOTH_DIRECTIONS)
    return {
        "tail_b": fold.outer(exceedances(arms[0], thresholds), basis),
        "tail_c": fold.tails(arms[1], edges, basis),
    }


def _own(plan: MetricPlan, sums: Columns, thresholds: IntArray, edges: IntArray) -> Columns:
    """Return one quantile's columns: of the tails, those at its own edges."""
    counts = {name: sums[name] for name in ("counts_b", "counts_c")}
    if plan.test != "exceedance":
        return counts
    threshold = np.searchsorted(thresholds, [plan.threshold])
    mine = np.searchsorted(edges, plan.threshold + plan.shifts)
    return counts | {"tail_b": sums["tail_b"][..., threshold, :], "tail_c": sums["tail_c"][..., mine, :]}
