"""Judge a metric by the normal mixture (P1): means, and proportions that are common in both arms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_judgement import Judgement, difference_limit, quotient, raw_values, status_codes
from mlwatch.metrics.sequential import normal_half_width, normal_log_e

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_plan import MetricPlan
    from mlwatch.metrics.rollout_tally import Columns
    from mlwatch.metrics.rollout_types import FloatArray, MetricSpec, RolloutSettings

EXPECTED_EVENTS = 5
"""The normal mixture judges a proportion from this many expected events in each arm on."""
MEAN_UNITS = 500
"""The normal mixture judges a mean from this many units in each arm on."""


def judge_normal(plan: MetricPlan, columns: Columns, settings: RolloutSettings) -> Judgement:
    """Judge by the stratified difference of means."""
    spec, raw = plan.spec, raw_values(columns)
    inflation = settings.inflation_of(spec.name)
    contrast = _Contrast(columns, plan.rho, settings.alpha, inflation)
    ready, log_e = _normal_evidence(plan, columns, inflation)
    difference, low, high = contrast.difference_interval()
    ratio, ratio_low, ratio_high = _ratios(spec, contrast)
    limit = difference_limit(spec, quotient(contrast.baseline, contrast.weight))
    safe = ready & contrast.rules_out(spec, spec.margin)
    worse = ready & (log_e >= -math.log(settings.level(spec)))
    better = ready & (high < 0 if spec.sign > 0 else low > 0)
    status = status_codes(contrast.weight > 0, worse, safe, better)
    low, ratio_low = np.where(ready, low, -np.inf), np.where(ready, ratio_low, 0.0)
    high, ratio_high = np.where(ready, high, np.inf), np.where(ready, ratio_high, np.inf)
    return Judgement(
        plan, status, log_e, difference=difference, low=low, high=high, limit=limit,
        ratio=ratio, ratio_low=ratio_low, ratio_high=ratio_high,
        harm_limit=np.full(log_e.shape, np.nan), **raw,
    )  # fmt: skip


def _ratios(spec: MetricSpec, contrast: _Contrast) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the ratio and its limits where the margin is one, else unknown."""
    if spec.scale == "relative":
        return contrast.ratio_interval()
    unknown = np.full(contrast.weight.shape, np.nan)
    return unknown, unknown, unknown


def _normal_evidence(plan: MetricPlan, columns: Columns, inflation: float) -> tuple[Flags, FloatArray]:
    """Return where the normal mixture may speak, and its log e-value against "no worse" (0 elsewhere)."""
    ready = _gate(plan.spec, columns, inflation)
    log_e = normal_log_e(plan.spec.sign * columns["s"], inflation * columns["v"], plan.rho)
    return ready, np.where(ready, log_e, 0.0)


def normal_decides(plan: MetricPlan, columns: Columns, settings: RolloutSettings) -> Flags:
    """Return where the normal mixture shows harm, or rules out harm beyond the margin."""
    inflation = settings.inflation_of(plan.spec.name)
    ready, log_e = _normal_evidence(plan, columns, inflation)
    safe = _Contrast(columns, plan.rho, settings.alpha, inflation).rules_out(plan.spec, plan.spec.margin)
    return ready & (safe | (log_e >= -math.log(settings.level(plan.spec))))


def _gate(spec: MetricSpec, columns: Columns, inflation: float) -> Flags:
    """Return where the normal approximation may speak: units count for what independent ones would."""
    n_b, n_c = columns["both_n_b"], columns["both_n_c"]
    smaller = np.minimum(n_b, n_c) / inflation
    if spec.kind == "mean":
        return smaller >= MEAN_UNITS
    n, k = n_b + n_c, columns["both_y_b"] + columns["both_y_c"]
    rarer = np.minimum(k, n - k)
    return rarer * smaller >= EXPECTED_EVENTS * n


class _Contrast:
    """The stratified contrast x̄_c − λ x̄_b with its anytime-valid boundary."""

    def __init__(self, columns: Columns, rho: float, alpha: float, inflation: float) -> None:
        self.weight, self.candidate, self.baseline = (columns[c] for c in ("weight", "candidate", "baseline"))
        self.v_c, self.v_b = inflation * columns["v_candidate"], inflation * columns["v_baseline"]
        self.rho, self.alpha = rho, alpha

    def half_width(self, slope: FloatArray | float = 1.0) -> FloatArray:
        return normal_half_width(self.v_c + slope * slope * self.v_b, self.rho, self.alpha)

    def difference_interval(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        half = quotient(self.half_width(), self.weight)
        centre = quotient(self.candidate - self.baseline, self.weight)
        return centre, centre - half, centre + half

    def rules_out(self, spec: MetricSpec, margin: float) -> Flags:
        """Return where harm of the margin or more is rejected at alpha."""
        if spec.scale == "absolute":
            harm = spec.sign * (self.candidate - self.baseline)
            return self.weight * margin - harm > self.half_width()
        slope = 1 + spec.sign * margin * np.sign(self.baseline)
        return spec.sign * (slope * self.baseline - self.candidate) > self.half_width(slope)

    def ratio_interval(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the ratio of the means, and the slopes at which the contrast meets its boundary.

        Fieller's quadratic (1954), iterating the critical value, which follows the slope by a logarithm only.
        """
        ratio = quotient(self.candidate, np.maximum(self.baseline, 0))
        side = np.array([[-1.0], [1.0]])
        slope, product = np.broadcast_to(ratio, (2, *ratio.shape)), self.candidate * self.baseline
        unbounded = np.array([[0.0], [np.inf]])
        with np.errstate(invalid="ignore", divide="ignore"):
            for _ in range(3):
                total = self.v_c + self.rho + slope * slope * self.v_b
                critical = self.half_width(slope) ** 2 / total
                a = self.baseline**2 - critical * self.v_b
                c = self.candidate**2 - critical * (self.v_c + self.rho)
                root = (product + side * np.sqrt(product * product - a * c)) / a
                slope = np.where(np.isfinite(root), root, ratio)
            limits = np.where((a > 0) | np.isnan(ratio), np.maximum(slope, 0), unbounded)
        return ratio, limits[0], limits[1]
