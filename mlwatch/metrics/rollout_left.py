"""About how many more units until a metric decides, if its difference stays as it is estimated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_normal import normal_decides
from mlwatch.metrics.rollout_quantile import exceedance_terms, judge_quantile
from mlwatch.metrics.rollout_ratio import negligible
from mlwatch.metrics.sequential_ratio import LARGEST_RATIO, ratio_ell_at, ratio_log_e

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_judgement import Flags, Judgement
    from mlwatch.metrics.rollout_tally import Columns
    from mlwatch.metrics.rollout_types import FloatArray, RolloutSettings

GROWTH = np.geomspace(1.05, 300, 40)
"""Multiples of the present data that are tried."""


def samples_left(judgement: Judgement, columns: Columns, settings: RolloutSettings) -> int | None:
    """Return the further units of both arms until the metric is safe or worse.

    Every total is additive, so more of the same data is the totals times a factor; the smallest factor that
    decides is looked up.

    Args:
        judgement: The present judgement, time axis of length one.
        columns: Its totals, time axis of length one.
        settings: Error budget and inflation.

    Returns:
        0 where it is decided, None where 300 times the data would not decide or where it cannot be said.
    """
    if judgement.safe[0] or judgement.worse[0]:
        return 0
    decides = _decides(judgement, columns, settings)
    if not decides.any():
        return None
    units = judgement.n_b[0] + judgement.n_c[0]
    return math.ceil(float(units * (GROWTH[int(np.argmax(decides))] - 1)))


def _decides(judgement: Judgement, columns: Columns, settings: RolloutSettings) -> Flags:
    plan = judgement.plan
    if plan.test == "normal":
        grown = {name: values[0] * GROWTH for name, values in columns.items()}
        return normal_decides(plan, grown, settings)
    inflation, passes = settings.inflation_of(plan.spec.name), np.zeros(GROWTH.shape, dtype=bool)
    alarm, clear = -math.log(settings.level(plan.spec)), -math.log(settings.alpha)
    if plan.test == "ratio":
        harm, relief = _ratio_terms(judgement, columns)
        grown = {name: columns[name][0] * GROWTH for name in ("both_n_c", "both_y_c")}
        passes = negligible(plan.spec, grown, settings)
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
