"""Judge each metric of a rollout from its totals, vectorised over time.

Every function takes columns with a leading time axis and returns a `Judgement` of arrays on that axis; a
single verdict is a time axis of length one. "Harm" is a change for the worse, positive whichever way the
metric points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mlwatch.metrics.sequential import (
    beta_binomial_log_e,
    beta_concentration,
    normal_half_width,
    normal_log_e,
)
from mlwatch.metrics.sequential_quantile import edge_evidence, histogram_quantile, quantile_shift_log_e
from mlwatch.metrics.sequential_ratio import (
    LOG_RATIOS,
    mantel_haenszel_ratio,
    ratio_interval,
    ratio_log_e,
    ratio_log_e_at,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlwatch.metrics.rollout_plan import MetricPlan
    from mlwatch.metrics.rollout_tally import Columns
    from mlwatch.metrics.rollout_types import FloatArray, MetricSpec, RolloutSettings, Status

    Flags: TypeAlias = NDArray[np.bool_]

STATUSES: tuple[Status, ...] = ("no_data", "inconclusive", "non_inferior", "better", "worse")
"""Statuses by their code in `Judgement.status`."""
_NON_INFERIOR, _BETTER = STATUSES.index("non_inferior"), STATUSES.index("better")
EXPECTED_EVENTS = 5
"""The normal mixture judges a proportion from this many expected events in each arm on."""
MEAN_UNITS = 500
"""The normal mixture judges a mean from this many units in each arm on."""


@dataclass(frozen=True)
class Judgement:
    """One metric over time; nan is "unknown", infinite limits are "unbounded"."""

    plan: MetricPlan
    status: NDArray[np.int8]
    """Index into `STATUSES`."""
    log_e: FloatArray
    baseline: FloatArray
    candidate: FloatArray
    difference: FloatArray
    low: FloatArray
    high: FloatArray
    limit: FloatArray
    ratio: FloatArray
    ratio_low: FloatArray
    ratio_high: FloatArray
    pooled: FloatArray
    n_b: FloatArray
    """Units of the baseline in strata that both arms share."""
    n_c: FloatArray
    harm_limit: FloatArray
    """The margin as a rate ratio of harm; nan where the test has none."""

    @property
    def safe(self) -> Flags:
        """Whether harm beyond the margin is ruled out."""
        return (self.status == _BETTER) | (self.status == _NON_INFERIOR)  # type: ignore[no-any-return]

    @property
    def worse(self) -> Flags:
        """Whether harm is shown."""
        return np.equal(self.status, STATUSES.index("worse"))

    @property
    def missing(self) -> Flags:
        """Whether there is nothing to judge."""
        return np.equal(self.status, STATUSES.index("no_data"))


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
        return _judge_normal(plan, columns, settings)
    if plan.test == "ratio":
        return _judge_ratio(plan, columns, settings)
    return _judge_quantile(plan, columns, settings)


def no_data(plan: MetricPlan, times: int = 1) -> Judgement:
    """Return the judgement of a metric without data."""
    unknown, zero = np.full(times, np.nan), np.zeros(times)
    return Judgement(plan, np.zeros(times, dtype=np.int8), zero, *(unknown,) * 10, zero, zero, unknown)


def status_codes(present: Flags, worse: Flags, safe: Flags, better: Flags) -> NDArray[np.int8]:
    """Return status codes: safety is asked first, so a harm within the margin is not "worse"."""
    order = [~present, better & safe, safe, worse]
    codes = [STATUSES.index(status) for status in ("no_data", "better", "non_inferior", "worse")]
    return np.select(order, codes, STATUSES.index("inconclusive")).astype(np.int8)


def quotient(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Divide, nan where the denominator is 0."""
    result: FloatArray = np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom != 0)
    return result


def _raw_values(columns: Columns) -> dict[str, FloatArray]:
    return {
        "baseline": quotient(columns["both_y_b"], columns["both_n_b"]),
        "candidate": quotient(columns["both_y_c"], columns["both_n_c"]),
        "pooled": quotient(columns["y_c"], columns["n_c"]) - quotient(columns["y_b"], columns["n_b"]),
        "n_b": columns["both_n_b"],
        "n_c": columns["both_n_c"],
    }


# --- normal mixture ----------------------------------------------------------------------------------------


def _judge_normal(plan: MetricPlan, columns: Columns, settings: RolloutSettings) -> Judgement:
    spec, raw = plan.spec, _raw_values(columns)
    inflation = settings.inflation_of(spec.name)
    contrast = _Contrast(columns, plan.rho, settings.alpha, inflation)
    ready, log_e = _normal_evidence(plan, columns, inflation)
    difference, low, high = contrast.difference_interval()
    ratio, ratio_low, ratio_high = contrast.ratio_interval()
    limit = _difference_limit(spec, quotient(contrast.baseline, contrast.weight))
    safe = ready & contrast.rules_out(spec, spec.margin)
    worse = ready & (log_e >= -math.log(settings.level(spec)))
    status = status_codes(contrast.weight > 0, worse, safe, ready & contrast.rules_out(spec, 0.0))
    low, ratio_low = np.where(ready, low, -np.inf), np.where(ready, ratio_low, 0.0)
    high, ratio_high = np.where(ready, high, np.inf), np.where(ready, ratio_high, np.inf)
    return Judgement(
        plan, status, log_e, difference=difference, low=low, high=high, limit=limit,
        ratio=ratio, ratio_low=ratio_low, ratio_high=ratio_high,
        harm_limit=np.full(log_e.shape, np.nan), **raw,
    )  # fmt: skip


def _normal_evidence(plan: MetricPlan, columns: Columns, inflation: float) -> tuple[Flags, FloatArray]:
    """Return where the normal mixture may speak, and its log e-value against "no worse" (0 elsewhere)."""
    ready = _gate(plan.spec, columns)
    log_e = normal_log_e(plan.spec.sign * columns["s"], inflation * columns["v"], plan.rho)
    return ready, np.where(ready, log_e, 0.0)


def normal_decides(plan: MetricPlan, columns: Columns, settings: RolloutSettings) -> Flags:
    """Return where the normal mixture shows harm, or rules out harm beyond the margin."""
    inflation = settings.inflation_of(plan.spec.name)
    ready, log_e = _normal_evidence(plan, columns, inflation)
    safe = _Contrast(columns, plan.rho, settings.alpha, inflation).rules_out(plan.spec, plan.spec.margin)
    return ready & (safe | (log_e >= -math.log(settings.level(plan.spec))))


def _gate(spec: MetricSpec, columns: Columns) -> Flags:
    """Return where the normal approximation may speak."""
    n_b, n_c = columns["both_n_b"], columns["both_n_c"]
    smaller = np.minimum(n_b, n_c)
    if spec.kind == "mean":
        return smaller >= MEAN_UNITS
    n, k = n_b + n_c, columns["both_y_b"] + columns["both_y_c"]
    rarer = np.minimum(k, n - k)
    return rarer * smaller >= EXPECTED_EVENTS * n


def _difference_limit(spec: MetricSpec, baseline: FloatArray) -> FloatArray:
    """Return the margin as a signed difference."""
    scale = np.abs(baseline) if spec.scale == "relative" else np.ones(np.shape(baseline))
    limit: FloatArray = spec.sign * spec.margin * scale
    return limit


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
        if spec.scale == "absolute" or margin == 0:
            harm = spec.sign * (self.candidate - self.baseline)
            return self.weight * margin - harm > self.half_width()
        slope = 1 + spec.sign * margin * np.sign(self.baseline)
        return spec.sign * (slope * self.baseline - self.candidate) > self.half_width(slope)

    def ratio_interval(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the ratio of the means, and the slopes at which the contrast meets its boundary."""
        ratio = quotient(self.candidate, np.maximum(self.baseline, 0))
        return ratio, np.maximum(self._meet(ratio, -1), 0), self._meet(ratio, 1)

    def _meet(self, ratio: FloatArray, side: int) -> FloatArray:
        """Solve Fieller's quadratic (1954) for one limit, iterating the critical value that goes with it."""
        slope, product = ratio, self.candidate * self.baseline
        with np.errstate(invalid="ignore", divide="ignore"):
            for _ in range(4):  # enough: the critical value depends on the slope by a logarithm only
                total = self.v_c + self.rho + slope * slope * self.v_b
                critical = self.half_width(slope) ** 2 / total
                a = self.baseline**2 - critical * self.v_b
                c = self.candidate**2 - critical * (self.v_c + self.rho)
                root = (product + side * np.sqrt(product * product - a * c)) / a
                slope = np.where(a > 0, root, np.inf if side > 0 else 0.0)
                slope = np.where(np.isnan(ratio), np.nan, np.where(np.isfinite(slope), slope, ratio))
        return np.where((a > 0) | np.isnan(ratio), slope, np.inf if side > 0 else 0.0)


# --- rate ratio --------------------------------------------------------------------------------------------


def _judge_ratio(plan: MetricPlan, columns: Columns, settings: RolloutSettings) -> Judgement:
    spec, raw = plan.spec, _raw_values(columns)
    inflation = settings.inflation_of(spec.name)
    harm = mantel_haenszel_ratio(columns["mh_top"], columns["mh_bottom"])
    harm_low, harm_high = ratio_interval(columns["events"], columns["cumulant"], settings.alpha, inflation)
    log_e = ratio_log_e_at(columns["events"], columns["cumulant"], 0.0, inflation=inflation)
    shown = _Shown(plan, raw["baseline"])
    edges = [shown.difference(value) for value in (harm_low, harm_high)]
    low, high = edges if spec.sign > 0 else edges[::-1]
    worse = log_e >= -math.log(settings.level(spec))
    harm_limit = shown.harm_limit()
    safe = (harm_high < harm_limit) | (_negligible(spec, columns, settings) & ~worse)
    status = status_codes((raw["n_b"] > 0) & (raw["n_c"] > 0), worse, safe, harm_high < 1)
    difference = shown.difference(harm)
    ratios = [1 + quotient(value, raw["baseline"]) for value in (difference, low, high)]
    return Judgement(
        plan, status, log_e, difference=difference, low=low, high=high,
        limit=_difference_limit(spec, raw["baseline"]),
        ratio=ratios[0], ratio_low=np.maximum(ratios[1], 0), ratio_high=ratios[2],
        harm_limit=harm_limit, **raw,
    )  # fmt: skip


def _negligible(spec: MetricSpec, columns: Columns, settings: RolloutSettings) -> Flags:
    """Return where the candidate's rate is shown to be below what always passes (exact, P2)."""
    n, k = columns["both_n_c"], columns["both_y_c"]
    if spec.negligible is None or spec.higher_is_better:
        return np.zeros(n.shape, dtype=bool)
    kappa = beta_concentration(settings.n_opt)
    log_e = beta_binomial_log_e(n - k, k, 1 - spec.negligible, kappa, one_sided=True)
    return log_e >= -math.log(settings.alpha)


class _Shown:
    """Translates the harm ratio of the counted events to the metric as it is shown."""

    def __init__(self, plan: MetricPlan, baseline: FloatArray) -> None:
        self.plan, self.baseline = plan, baseline
        self.rate = baseline if plan.events_are_shown else 1 - baseline

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


# --- quantiles ---------------------------------------------------------------------------------------------


def _judge_quantile(plan: MetricPlan, columns: Columns, settings: RolloutSettings) -> Judgement:
    spec = plan.spec
    counts_b, counts_c = columns["counts_b"], columns["counts_c"]
    n_b, n_c = counts_b.sum(axis=-1), counts_c.sum(axis=-1)
    q_b, q_c = (
        histogram_quantile(counts, plan.edges, spec.quantile or 0.5) for counts in (counts_b, counts_c)
    )
    rising, falling = _shift_evidence(plan, columns, settings)
    harm, relief = (rising, falling) if spec.sign > 0 else (falling, rising)
    shifts = plan.shifts.tolist()
    confident = -math.log(settings.alpha)
    log_e = harm[..., shifts.index(0)]
    worse = log_e >= -math.log(settings.level(spec))
    safe = relief[..., shifts.index(plan.margin_shift)] >= confident
    status = status_codes((n_b > 0) & (n_c > 0), worse, safe, relief[..., shifts.index(0)] >= confident)
    factors = _factors(plan)
    ratio_low, ratio_high = (
        _last_true(rising >= confident, factors, 0.0),
        _last_true((falling >= confident)[..., ::-1], factors[::-1], np.inf),
    )
    with np.errstate(invalid="ignore"):
        low, high = q_b * (ratio_low - 1), q_b * (ratio_high - 1)
    return Judgement(
        plan, status, log_e, q_b, q_c, q_c - q_b, low, high, _difference_limit(spec, q_b),
        quotient(q_c, q_b), ratio_low, ratio_high, np.full(n_b.shape, np.nan), n_b, n_c,
        np.full(n_b.shape, np.nan),
    )  # fmt: skip


def _shift_evidence(
    plan: MetricPlan, columns: Columns, settings: RolloutSettings
) -> tuple[FloatArray, FloatArray]:
    """Return the log e-values, at each shift, that the candidate's quantile is above and below it."""
    inflation = settings.inflation_of(plan.spec.name)
    if plan.test == "exceedance":
        return _exceedance_evidence(columns, inflation)
    p = plan.spec.quantile or 0.5
    base, cand = (edge_evidence(columns[c], p, settings.n_opt) for c in ("counts_b", "counts_c"))
    rising, falling = (
        np.stack([quantile_shift_log_e(base, cand, int(d), rising=up) for d in plan.shifts], axis=-1)
        for up in (True, False)
    )
    return rising / inflation, falling / inflation


def _exceedance_evidence(columns: Columns, inflation: float) -> tuple[FloatArray, FloatArray]:
    rising, falling = _exceedance_ell(columns)
    return ratio_log_e(rising / inflation), ratio_log_e(falling / inflation)


def _exceedance_ell(columns: Columns) -> tuple[FloatArray, FloatArray]:
    """Return the K-vectors ℓ of each shift, for a larger and for a smaller candidate quantile."""
    count, rising = columns["tail_c"][..., :1], columns["tail_c"] + columns["tail_b"]
    up, down = slice(1, 1 + LOG_RATIOS.size), slice(1 + LOG_RATIOS.size, None)
    reach = count * LOG_RATIOS
    return reach - rising[..., up], -reach - rising[..., down]


def exceedance_terms(plan: MetricPlan, columns: Columns) -> tuple[FloatArray, FloatArray]:
    """Return the first moment's K-vectors for "worse at all" and for "not beyond the margin"."""
    rising, falling = _exceedance_ell(columns)
    harm, relief = (rising, falling) if plan.spec.sign > 0 else (falling, rising)
    shifts = plan.shifts.tolist()
    return harm[0, shifts.index(0)], relief[0, shifts.index(plan.margin_shift)]


def _factors(plan: MetricPlan) -> FloatArray:
    """Return the ratio of latencies that each shift stands for."""
    if plan.test == "exceedance":
        factors: FloatArray = plan.edges[plan.threshold + plan.shifts] / plan.edges[plan.threshold]
        return factors
    growth = float(np.median(np.diff(np.log(plan.edges[plan.edges > 0]))))
    powers: FloatArray = np.exp(plan.shifts * growth)
    return powers


def _last_true(flags: Flags, values: FloatArray, none: float) -> FloatArray:
    """Return the value of the last flag before the first unset one."""
    count = np.cumprod(flags, axis=-1).sum(axis=-1)
    return np.where(count > 0, values[np.maximum(count - 1, 0)], none)
