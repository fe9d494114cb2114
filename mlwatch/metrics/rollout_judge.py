"""Judge the metrics of a rollout from their totals, vectorised over time.

Every test takes columns with a leading time axis and returns a `Judgement` of arrays on that axis; a single
verdict is a time axis of length one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.metrics.rollout_judgement import Judgement, no_data
from mlwatch.metrics.rollout_normal import judge_normal
from mlwatch.metrics.rollout_quantile import judge_quantile
from mlwatch.metrics.rollout_ratio import judge_ratio
from mlwatch.metrics.rollout_totals import TRAFFIC, RolloutTotals

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_plan import RolloutPlan


def judge_metrics(totals: RolloutTotals, plan: RolloutPlan) -> tuple[Judgement, ...]:
    """Judge every metric.

    Args:
        totals: Totals with a leading time axis.
        plan: The frozen tests.

    Returns:
        The judgements, in the order of the plan's metrics.
    """
    times, settings = totals.sums[TRAFFIC]["n_b"].shape[0], plan.settings
    found: dict[str, Judgement] = {}
    normal = [
        metric for metric in plan.metrics if metric.test == "normal" and metric.spec.name in totals.sums
    ]
    if normal:
        judged = judge_normal(normal, [totals.sums[metric.spec.name] for metric in normal], settings)
        found = {judgement.plan.spec.name: judgement for judgement in judged}
    for metric in plan.metrics:
        name = metric.spec.name
        if name not in totals.sums:
            found[name] = no_data(metric, times)
        elif metric.test != "normal":
            judge = judge_ratio if metric.test == "ratio" else judge_quantile
            found[name] = judge(metric, totals.sums[name], settings)
    return tuple(found[metric.spec.name] for metric in plan.metrics)
