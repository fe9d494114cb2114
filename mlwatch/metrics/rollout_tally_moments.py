"""Fold proportions and means into totals."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_fold import RunningFold
from mlwatch.metrics.rollout_totals import RolloutTotals
from mlwatch.metrics.sequential import Moments, contrast_terms
from mlwatch.metrics.sequential_ratio import NODES, tilt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.metrics.rollout_fold import Fold
    from mlwatch.metrics.rollout_plan import MetricPlan
    from mlwatch.metrics.rollout_strata import MomentPair
    from mlwatch.metrics.rollout_totals import Columns
    from mlwatch.metrics.rollout_types import FloatArray, IntArray

BLOCK = 4096
"""Rows that are folded at a time, to stay in the cache."""


def normal_totals(
    names: Sequence[str], pairs: Sequence[MomentPair], last_minute: IntArray, fold: Fold
) -> RolloutTotals:
    """Return the totals of metrics that the normal mixture judges, worked out side by side.

    Args:
        names: Their names.
        pairs: Their moments, shape (strata,).
        last_minute: Last minute of each stratum.
        fold: How to fold.
    """
    arms, blocks = ([pair.baseline for pair in pairs], [pair.candidate for pair in pairs]), []
    for rows in fold.blocks(last_minute.size, BLOCK):
        base, cand = (_side_by_side(arm, rows) for arm in arms)
        contrast = contrast_terms(base, cand)._asdict()
        sums = _raw_sums(base, cand, fold) | {name: fold.sum(terms) for name, terms in contrast.items()}
        blocks.append(
            RolloutTotals({"": sums}, {"": _last_minutes(base, cand, last_minute[rows, None], fold)})
        )
    totals = reduce(add, blocks)
    return RolloutTotals(_apart(totals.sums[""], names), _apart(totals.peaks[""], names))


def _side_by_side(metrics: Sequence[Moments], rows: slice) -> Moments:
    """Return one arm's moments of several metrics, shape (strata, metrics)."""
    return Moments(
        *(np.array([column[rows] for column in columns]).T for columns in zip(*metrics, strict=True))
    )


def _apart(columns: Columns, names: Sequence[str]) -> dict[str, Columns]:
    """Give each metric, on the last axis, columns of its own."""
    return {
        name: {column: values[..., number] for column, values in columns.items()}
        for number, name in enumerate(names)
    }


def ratio_totals(plan: MetricPlan, pair: MomentPair, last_minute: IntArray, fold: Fold) -> RolloutTotals:
    """Return the totals of a metric that the rate-ratio grid judges.

    Args:
        plan: Its frozen test.
        pair: Its moments, shape (strata,).
        last_minute: Last minute of each stratum.
        fold: How to fold.
    """
    name, blocks = plan.spec.name, []
    for rows in fold.blocks(last_minute.size, BLOCK):
        base, cand = (Moments(*(column[rows] for column in arm)) for arm in (pair.baseline, pair.candidate))
        sums = _raw_sums(base, cand, fold) | _ratio_sums(plan, base, cand, fold)
        blocks.append(RolloutTotals({name: sums}, {name: _last_minutes(base, cand, last_minute[rows], fold)}))
    return reduce(add, blocks)


def _last_minutes(base: Moments, cand: Moments, last_minute: IntArray, fold: Fold) -> Columns:
    return {
        name: fold.peak(np.where(arm.n > 0, last_minute, -np.inf))
        for name, arm in (("last_b", base), ("last_c", cand))
    }


def _raw_sums(base: Moments, cand: Moments, fold: Fold) -> Columns:
    """Return units and values of both arms, in all strata and in those that both have."""
    columns = {"n_b": base.n, "y_b": base.total, "n_c": cand.n, "y_c": cand.total}
    sums = {name: fold.sum(column) for name, column in columns.items()}
    both = (base.n > 0) & (cand.n > 0)
    if both.all():
        return sums | {f"both_{name}": total for name, total in sums.items()}
    return sums | {f"both_{name}": fold.sum(column * both) for name, column in columns.items()}


def _ratio_sums(plan: MetricPlan, base: Moments, cand: Moments, fold: Fold) -> Columns:
    """Return the rate-ratio columns, the arm that harm makes more eventful in the candidate's place."""
    present = (base.n > 0) & (cand.n > 0)
    arms = [
        (
            np.where(present, arm.n, 0),
            np.where(present, arm.total if plan.events_are_shown else arm.n - arm.total, 0),
        )
        for arm in ((cand, base) if plan.swapped else (base, cand))
    ]
    (n_0, k_0), (n_1, k_1) = arms
    n = np.maximum(n_0 + n_1, 1)
    return {
        "events": fold.sum(k_1),
        "events_0": fold.sum(k_0),
        "mh_top": fold.sum(k_1 * n_0 / n),
        "mh_bottom": fold.sum(k_0 * n_1 / n),
        "mh_weight": fold.sum(n_0 * n_1 / n),
        "cumulant": _cumulants(k_0 + k_1, n_1 / n, fold),
    }


def _cumulants(k: FloatArray, share: FloatArray, fold: Fold) -> FloatArray:
    if isinstance(fold, RunningFold):
        return fold.outer(k, tilt(share, NODES))
    eventful = k > 0
    return fold.outer(k[eventful], tilt(share[eventful], NODES))
