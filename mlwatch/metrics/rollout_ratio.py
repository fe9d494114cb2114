"""Judge a proportion by the rate-ratio grid (P3): rare events, and small shares of traffic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_judgement import (
    Judgement,
    difference_limit,
    is_beyond,
    quotient,
    raw_values,
    status_codes,
)
from mlwatch.metrics.sequential import bernoulli_most, beta_binomial_log_e, beta_concentration
from mlwatch.metrics.sequential_ratio import mantel_haenszel_ratio, ratio_interval, ratio_log_e_at

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_plan import MetricPlan
    from mlwatch.metrics.rollout_totals import Columns
    from mlwatch.metrics.rollout_types import FloatArray, MetricSpec, RolloutSettings


def judge_ratio(plan: MetricPlan, columns: Columns, settings: RolloutSettings) -> Judgement:
    """Judge by the ratio of the rates of the rarer outcome."""
    spec, raw = plan.spec, raw_values(columns)
    inflation = settings.inflation_of(spec.name)
    harm = mantel_haenszel_ratio(columns["mh_top"], columns["mh_bottom"])
    harm_low, harm_high = ratio_interval(columns["events"], columns["cumulant"], settings.alpha, inflation)
    log_e = ratio_log_e_at(columns["events"], columns["cumulant"], 0.0, inflation=inflation)
    shown = _Shown(plan, columns)
    edges = [shown.difference(value) for value in (harm_low, harm_high)]
    low, high = edges if spec.sign > 0 else edges[::-1]
    faults_b, faults_c = (most_faults(arm, plan, columns, settings) for arm in "bc")
    difference = shown.difference(harm)
    never = (shown.rate == 0) & ~np.isfinite(difference)
    # the baseline had none: no multiple of that is a difference, but both rates are known
    difference = np.where(never, shown.candidate - shown.baseline, difference)
    low, high = np.where(never, -np.inf, low), np.where(never, np.inf, high)
    limit, harm_limit = difference_limit(spec, shown.baseline), shown.harm_limit()
    shown_worse = log_e >= -math.log(settings.level(spec))
    few = (faults_c < spec.margin) | (negligible(spec, columns, settings) & ~shown_worse)
    safe = (harm_high < harm_limit) | few
    worse = shown_worse & is_beyond(spec, difference, limit)
    status = status_codes((raw["n_b"] > 0) & (raw["n_c"] > 0), worse, safe, harm_high < 1)
    low, high = np.maximum(low, -faults_c), np.minimum(high, faults_b)
    ratios = [1 + quotient(value, shown.baseline) for value in (difference, low, high)]
    ratio_low = np.maximum(np.maximum(ratios[1], 1 - faults_c), 0)
    return Judgement(
        plan, status, log_e, difference=difference, low=low, high=high,
        limit=limit,
        ratio=ratios[0], ratio_low=ratio_low, ratio_high=ratios[2],
        harm_limit=harm_limit, astray=None, **raw,
    )  # fmt: skip


def negligible(spec: MetricSpec, columns: Columns, settings: RolloutSettings) -> Flags:
    """Return where the candidate's rate is shown to be below what always passes (exact, P2)."""
    inflation = settings.inflation_of(spec.name)
    n, k = columns["both_n_c"] / inflation, columns["both_y_c"] / inflation
    if spec.negligible is None or spec.higher_is_better:
        return np.zeros(n.shape, dtype=bool)
    kappa = beta_concentration(settings.n_opt)
    log_e = beta_binomial_log_e(n - k, k, 1 - spec.negligible, kappa, one_sided=True)
    return log_e >= -math.log(settings.alpha)


def most_faults(arm: str, plan: MetricPlan, columns: Columns, settings: RolloutSettings) -> FloatArray:
    """Return the upper limit of an arm's rate of faults (exact, P2); infinite where they are not the rarer outcome.

    Nothing is better than faultless: p_b − p_c ≤ 1 − p_c and p_c/p_b ≥ p_c, whatever the baseline is. Near a perfect
    score this decides where a ratio of so few faults cannot.

    Args:
        arm: "b" or "c".
        plan: The frozen test.
        columns: The arm's units and good outcomes.
        settings: Error budget and inflation.
    """
    inflation = settings.inflation_of(plan.spec.name)
    n, good = columns[f"both_n_{arm}"] / inflation, columns[f"both_y_{arm}"] / inflation
    if not plan.spec.higher_is_better or plan.events_are_shown:
        return np.full(n.shape, np.inf)
    high = bernoulli_most(n - good, np.where(n > 0, n, 1), settings.alpha, settings.n_opt)
    return np.where(n > 0, high, 1.0)


class _Shown:
    """Translates the harm ratio of the counted events to the metric as it is shown.

    Both rates are weighed as the ratio weighs them (Mantel, Haenszel 1959), so that what they make of it is the mean of
    the strata's differences: in a ramp the baseline has most of its requests early, and its plain rate is that of then.
    """

    def __init__(self, plan: MetricPlan, columns: Columns) -> None:
        self.plan = plan
        rates = [quotient(columns[name], columns["mh_weight"]) for name in ("mh_bottom", "mh_top")]
        self.rate, other = rates[::-1] if plan.swapped else rates
        self.baseline, self.candidate = (
            rate if plan.events_are_shown else 1 - rate for rate in (self.rate, other)
        )

    def difference(self, harm: FloatArray) -> FloatArray:
        """Return candidate − baseline where the harm ratio of the events is `harm`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            change = self.rate * ((1 / harm if self.plan.swapped else harm) - 1)
        return change if self.plan.events_are_shown else -change

    def harm_limit(self) -> FloatArray:
        """Return the margin as a harm ratio of the events."""
        spec = self.plan.spec
        shift = spec.sign * spec.margin * (self.baseline if spec.scale == "relative" else 1.0)
        change = shift if self.plan.events_are_shown else -shift
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.maximum(self.rate + change, 0) / self.rate
            return 1 / ratio if self.plan.swapped else ratio
