"""Judge each metric of a rollout from its totals, vectorised over time.

Every test takes columns with a leading time axis and returns a `Judgement` of arrays on that axis; a single
verdict is a time axis of length one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.metrics.rollout_judgement import Judgement, no_data
from mlwatch.metrics.rollout_normal import judge_normal
from mlwatch.metrics.rollout_quantile import judge_quantile
from mlwatch.metrics.rollout_ratio import judge_ratio

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_plan import MetricPlan
    from mlwatch.metrics.rollout_tally import Columns
    from mlwatch.metrics.rollout_types import RolloutSettings


def judge_metric(
    plan: MetricPlan, columns: Columns | None, settings: RolloutSettings, times: int = 1
) -> Judgement:
    """Judge one metric.

    Args:
        plan: The frozen test.
        columns: Totals with a leading time axis, or None without any data.
        settings: Error budget, inflation and margins.
        times: Length of the time axis, for a metric without data.
    """
    if columns is None:
        return no_data(plan, times)
    if plan.test == "normal":
        return judge_normal(plan, columns, settings)
    if plan.test == "ratio":
        return judge_ratio(plan, columns, settings)
    return judge_quantile(plan, columns, settings)
