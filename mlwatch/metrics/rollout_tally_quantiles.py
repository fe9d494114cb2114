"""Fold the histograms of quantiles into totals."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_fold import above_edges
from mlwatch.metrics.sequential_ratio import LOG_RATIOS, tilt

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    blocks = list(fold.blocks(both.size, BLOCK))
    # as floats, in which counts are exact and far faster to sum, and in one place: fresh memory costs more than sums
    place = np.empty((2, *pair.baseline[blocks[0]].shape))
    parts: list[dict[str, Columns]] = []
    for rows in blocks:
        present = both[rows, None]
        arms = place[:, : present.size]
        for counts, arm in zip((pair.baseline, pair.candidate), arms, strict=True):
            np.copyto(arm, counts[rows])
        if not present.all():
            arms *= present
        sums = _counts(arms, fold)
        parts.append({plan.spec.name: sums for plan in plans})
        if tested:
            share = _share(arms)
            even = sums | _even_counts(arms, share, fold)
            tails = _tails(tested, arms, share, minute[rows], fold)
            parts[-1] |= {name: even | columns for name, columns in tails.items()}
    return {
        name: {column: reduce(np.add, [part[name][column] for part in parts]) for column in columns}
        for name, columns in parts[0].items()
    }


def _counts(arms: FloatArray, fold: Fold) -> Columns:
    one = np.ones((arms[0].shape[0], 1))
    return {f"counts_{arm}": fold.outer(counts, one)[..., 0] for arm, counts in zip("bc", arms, strict=True)}


def _even_counts(arms: FloatArray, share: FloatArray, fold: Fold) -> Columns:
    """Return both histograms as they would be if the arms shared each stratum evenly.

    Each arm is weighted by the other's share (Mantel, Haenszel 1959), so that both have their requests at the same
    times: in a ramp the candidate has more of the late ones.
    """
    return {
        f"even_{arm}": fold.outer(counts, weight[:, None])[..., 0]
        for arm, counts, weight in zip("bc", arms, (share, 1 - share), strict=True)
    }


def _share(arms: FloatArray) -> FloatArray:
    """Return the candidate's share of each row."""
    n_b, n_c = (counts @ np.ones(counts.shape[1]) for counts in arms)
    share: FloatArray = n_c / np.maximum(n_b + n_c, 1)
    return share


def _tails(
    plans: Sequence[MetricPlan], arms: FloatArray, share: FloatArray, minute: IntArray, fold: Fold
) -> dict[str, Columns]:
    """Return how many values lie above the edges of each quantile (first of the last axis), and their tilts."""
    basis = np.ones((share.size, 1 + BOTH_DIRECTIONS.size))
    basis[:, 1:] = tilt(share, BOTH_DIRECTIONS)
    # nothing is asked of what lies below
    first = min(plan.thresholds.edge.min() + plan.shifts.min() for plan in plans)
    above_b, above_c = (above_edges(counts[:, first:]) for counts in arms)
    found = {}
    for plan in plans:
        edges = plan.thresholds.at(minute)[:, None] - first
        found[plan.spec.name] = {
            "tail_b": fold.outer(np.take_along_axis(above_b, edges, axis=1), basis),
            "tail_c": fold.outer(np.take_along_axis(above_c, edges + plan.shifts, axis=1), basis),
        }
    return found
