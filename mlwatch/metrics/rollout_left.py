"""About how many more units until a metric decides, if its difference stays as it is estimated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_normal import normal_decides
from mlwatch.metrics.rollout_quantile import exceedance_terms, judge_quantile
from mlwatch.metrics.rollout_ratio import most_faults, negligible
from mlwatch.metrics.sequential_ratio import LARGEST_RATIO, ratio_ell_at, ratio_log_e

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlwatch.metrics.rollout_judgement import Flags, Judgement
    from mlwatch.metrics.rollout_totals import Columns, RolloutTotals
    from mlwatch.metrics.rollout_types import FloatArray, RolloutSettings

GROWTH = np.geomspace(1.05, 300, 40)
"""Multiples of the present data that are tried."""


def samples_left(
    judgements: Sequence[Judgement], totals: RolloutTotals, settings: RolloutSettings
) -> dict[str, int | None]:
    """Return the further units of both arms until each metric is safe or worse.

    Every total is additive, so more of the same data is the totals times a factor; the smallest factor that
    decides is looked up.

    Args:
        judgements: The present judgements, time axis of length one.
        totals: Their totals, time axis of length one.
        settings: Error budget and inflation.

    Returns:
        By name of the metric: 0 where it is decided, None where 300 times the data would not decide or where it
        cannot be said.
    """
    unknown = {each.plan.spec.name: bool(each.missing[0]) or each.is_astray(0) for each in judgements}
    left: dict[str, int | None] = {name: None if hidden else 0 for name, hidden in unknown.items()}
    undecided = [
        each for each in judgements if not (unknown[each.plan.spec.name] or each.safe[0] or each.worse[0])
    ]
    for judgement, decides in _decides(undecided, totals, settings):
        units, factor = judgement.n_b[0] + judgement.n_c[0], GROWTH[int(np.argmax(decides))]
        left[judgement.plan.spec.name] = math.ceil(float(units * (factor - 1))) if decides.any() else None
    return left


def _decides(
    undecided: Sequence[Judgement], totals: RolloutTotals, settings: RolloutSettings
) -> Iterator[tuple[Judgement, Flags]]:
    """Yield at which multiples of the present data each metric decides."""
    normal = [judgement for judgement in undecided if judgement.plan.test == "normal"]
    if normal:
        plans = [judgement.plan for judgement in normal]
        grown = [
            {name: values[0] * GROWTH for name, values in totals.sums[plan.spec.name].items()}
            for plan in plans
        ]
        yield from zip(normal, normal_decides(plans, grown, settings), strict=True)
    for judgement in undecided:
        if judgement.plan.test != "normal":
            yield judgement, _decides_alone(judgement, totals.sums[judgement.plan.spec.name], settings)


def _decides_alone(judgement: Judgement, columns: Columns, settings: RolloutSettings) -> Flags:
    plan = judgement.plan
    inflation, passes = settings.inflation_of(plan.spec.name), np.zeros(GROWTH.shape, dtype=bool)
    alarm, clear = -math.log(settings.level(plan.spec)), -math.log(settings.alpha)
    if plan.test == "ratio":
        harm, relief = _ratio_terms(judgement, columns)
        grown = {name: columns[name][0] * GROWTH for name in ("both_n_c", "both_y_c")}
        passes = negligible(plan.spec, grown, settings)
        passes |= most_faults("c", plan, grown, settings) < plan.spec.margin
    elif plan.test == "exceedance":
        harm, relief = exceedance_terms(plan, columns)
    else:
        more = {name: columns[name][0] * GROWTH[:, None] for name in ("counts_b", "counts_c")}
        judged = judge_quantile(plan, more, settings)
        return judged.safe | judged.worse
    return passes | (_grown(harm, inflation) >= alarm) | (_grown(relief, inflation) >= clear)


def _grown(ell: FloatArray, inflation: float) -> FloatArray:
    return ratio_log_e(GROWTH[:, None] * ell / inflation)


def _ratio_terms(judgement: Judgement, columns: Columns) -> tuple[FloatArray, FloatArray]:
    events, cumulant = columns["events"][0], columns["cumulant"][0]
    limit = float(np.clip(judgement.harm_limit[0], 1 / LARGEST_RATIO, LARGEST_RATIO))
    return (
        ratio_ell_at(events, cumulant, 0.0),
        ratio_ell_at(events, cumulant, math.log(limit), rising=False),
    )
