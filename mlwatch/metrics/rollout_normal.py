"""Judge metrics by the normal mixture (P1): means, and proportions that are common in both arms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_judgement import Judgement, quotient, raw_values, status_codes
from mlwatch.metrics.sequential import normal_half_width, normal_log_e

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_plan import MetricPlan
    from mlwatch.metrics.rollout_totals import Columns
    from mlwatch.metrics.rollout_types import FloatArray, RolloutSettings

EXPECTED_EVENTS = 5
"""The normal mixture judges a proportion from this many expected events in each arm on."""
MEAN_UNITS = 500
"""The normal mixture judges a mean from this many units in each arm on."""


def judge_normal(
    plans: Sequence[MetricPlan], totals: Sequence[Columns], settings: RolloutSettings
) -> list[Judgement]:
    """Judge by the stratified difference of means, all metrics side by side.

    Args:
        plans: The frozen tests.
        totals: The totals of each metric, with a leading time axis.
        settings: Error budget, inflation and margins.
    """
    tests = _NormalTests(plans, totals, settings)
    ready, contrast = tests.ready, tests.contrast
    difference, low, high = contrast.difference_interval()
    ratio, ratio_low, ratio_high = (
        np.where(tests.relative, values, np.nan) for values in contrast.ratio_interval()
    )
    level = quotient(contrast.baseline, contrast.weight)
    better = ready & np.where(tests.sign > 0, high < 0, low > 0)
    values = {
        "status": status_codes(contrast.weight > 0, tests.worse, tests.safe, better),
        "log_e": tests.log_e,
        "difference": difference,
        "low": np.where(ready, low, -np.inf),
        "high": np.where(ready, high, np.inf),
        "limit": tests.sign * tests.margin * np.where(tests.relative, np.abs(level), 1.0),
        "ratio": ratio,
        "ratio_low": np.where(ready, ratio_low, 0.0),
        "ratio_high": np.where(ready, ratio_high, np.inf),
        "harm_limit": np.full(ratio.shape, np.nan),
        **raw_values(tests.columns),
    }
    return [
        Judgement(plan, **{name: each[number] for name, each in values.items()})
        for number, plan in enumerate(plans)
    ]


def normal_decides(
    plans: Sequence[MetricPlan], totals: Sequence[Columns], settings: RolloutSettings
) -> Flags:
    """Return where the normal mixture shows harm, or rules out harm beyond the margin: shape (metrics, times)."""
    tests = _NormalTests(plans, totals, settings)
    decides: Flags = tests.safe | tests.worse
    return decides


class _NormalTests:
    """Tests side by side: totals of shape (metrics, times), what is configured of shape (metrics, 1)."""

    def __init__(
        self, plans: Sequence[MetricPlan], totals: Sequence[Columns], settings: RolloutSettings
    ) -> None:
        self.columns = {name: np.array([columns[name] for columns in totals]) for name in totals[0]}
        configured = [
            (
                plan.spec.sign,
                plan.spec.margin,
                plan.spec.scale == "relative",
                plan.spec.kind == "mean",
                plan.rho,
                settings.inflation_of(plan.spec.name),
                -math.log(settings.level(plan.spec)),
            )
            for plan in plans
        ]
        self.sign, self.margin, relative, mean, rho, self.inflation, alarm = np.array(configured).T[..., None]
        self.relative = relative > 0
        self.contrast = _Contrast(self.columns, rho, settings.alpha, self.inflation)
        self.ready = self._gate(mean > 0)
        log_e = normal_log_e(self.sign * self.contrast.at(), self.inflation * self.columns["v_null"], rho)
        self.log_e = np.where(self.ready, log_e, 0.0)
        beyond, half_width = self._beyond_margin()
        self.worse = self.ready & (log_e >= alarm) & (beyond > 0)
        self.safe = self.ready & (-beyond > half_width)

    def _gate(self, mean: Flags) -> Flags:
        """Return where the normal approximation may speak: units count for what independent ones would."""
        n_b, n_c = self.columns["both_n_b"], self.columns["both_n_c"]
        smaller = np.minimum(n_b, n_c) / self.inflation
        n, k = n_b + n_c, self.columns["both_y_b"] + self.columns["both_y_c"]
        events = np.minimum(k, n - k) * smaller >= EXPECTED_EVENTS * n
        ready: Flags = np.where(mean, smaller >= MEAN_UNITS, events)
        return ready

    def _beyond_margin(self) -> tuple[FloatArray, FloatArray]:
        """Return by how much harm exceeds the margin, and half the width of the interval of that at alpha."""
        baseline, weight = self.contrast.baseline, self.contrast.weight
        slope = np.where(self.relative, 1 + self.sign * self.margin * np.sign(baseline), 1.0)
        allowed = np.where(self.relative, 0.0, weight * self.margin)
        return self.sign * self.contrast.at(slope) - allowed, self.contrast.half_width(slope)


class _Contrast:
    """The stratified contrast x̄_c − λ x̄_b with its anytime-valid boundary."""

    def __init__(self, columns: Columns, rho: FloatArray, alpha: float, inflation: FloatArray) -> None:
        self.weight, self.candidate, self.baseline = (columns[c] for c in ("weight", "candidate", "baseline"))
        self.v_c, self.v_b = inflation * columns["v_candidate"], inflation * columns["v_baseline"]
        self.rho, self.alpha = rho, alpha

    def at(self, slope: FloatArray | float = 1.0) -> FloatArray:
        """Return the contrast at a slope λ, times the weight."""
        return self.candidate - slope * self.baseline

    def half_width(self, slope: FloatArray | float = 1.0) -> FloatArray:
        """Return how far it may stray by chance."""
        return normal_half_width(self.v_c + slope * slope * self.v_b, self.rho, self.alpha)

    def difference_interval(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the difference of the means and its limits."""
        half, centre = quotient(self.half_width(), self.weight), quotient(self.at(), self.weight)
        return centre, centre - half, centre + half

    def ratio_interval(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the ratio of the means, and the slopes at which the contrast meets its boundary.

        Fieller's quadratic (1954), iterating the critical value, which follows the slope by a logarithm only.
        """
        ratio = quotient(self.candidate, np.maximum(self.baseline, 0))
        side = np.array([-1.0, 1.0]).reshape(2, *(1,) * ratio.ndim)
        slope, product = np.broadcast_to(ratio, (2, *ratio.shape)), self.candidate * self.baseline
        with np.errstate(invalid="ignore", divide="ignore"):
            for _ in range(3):
                total = self.v_c + self.rho + slope * slope * self.v_b
                critical = self.half_width(slope) ** 2 / total
                a = self.baseline**2 - critical * self.v_b
                c = self.candidate**2 - critical * (self.v_c + self.rho)
                root = (product + side * np.sqrt(product * product - a * c)) / a
                slope = np.where(np.isfinite(root), root, ratio)
            unbounded = np.where(side < 0, 0.0, np.inf)
            low, high = np.where((a > 0) | np.isnan(ratio), np.maximum(slope, 0), unbounded)
        return ratio, low, high
