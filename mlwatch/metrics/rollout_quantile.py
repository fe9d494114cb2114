"""Judge a quantile: exceedances of frozen thresholds (P3), or two whole samples without a reference (P2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_judgement import (
    Judgement,
    difference_limit,
    is_beyond,
    quotient,
    status_codes,
)
from mlwatch.metrics.sequential_quantile import (
    edge_evidence,
    histogram_quantile,
    quantile_apart,
    quantile_shift_log_e,
)
from mlwatch.metrics.sequential_ratio import LOG_RATIOS, ratio_log_e

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_plan import MetricPlan
    from mlwatch.metrics.rollout_totals import Columns
    from mlwatch.metrics.rollout_types import FloatArray, RolloutSettings

FAR = 4.0
"""Factor of the odds of exceeding a frozen quantile beyond which its exceedances no longer speak of the quantile."""


def judge_quantile(plan: MetricPlan, columns: Columns, settings: RolloutSettings) -> Judgement:
    """Judge by comparing the candidate's histogram with the baseline's, shifted by whole bins.

    Exceedances of a frozen quantile tell of that quantile as long as requests still have about its share of them, and
    the interval that they give holds the estimate. Elsewhere nothing is decided, which adds no false alarm.
    """
    spec = plan.spec
    counts_b, counts_c = columns["counts_b"], columns["counts_c"]
    n_b, n_c = counts_b.sum(axis=-1), counts_c.sum(axis=-1)
    q_b, q_c, *even = _quantiles(plan, columns)
    rising, falling = _shift_evidence(plan, columns, settings)
    harm, relief = (rising, falling) if spec.sign > 0 else (falling, rising)
    shifts = plan.shifts.tolist()
    confident = -math.log(settings.alpha)
    factors, limit = plan.factors, difference_limit(spec, q_b)
    ratio = quotient(even[1], even[0]) if even else quotient(q_c, q_b)
    difference = q_b * (ratio - 1)
    ratio_low, ratio_high = (
        _last_true(rising >= confident, factors, 0.0),
        _last_true((falling >= confident)[..., ::-1], factors[::-1], np.inf),
    )
    outside = _outside(ratio, ratio_low, ratio_high, plan.growth)
    astray = _astray(plan, columns, settings, np.stack([n_b, n_c], axis=-1)) | outside
    log_e = np.where(astray, 0.0, harm[..., shifts.index(0)])
    worse = (log_e >= -math.log(settings.level(spec))) & is_beyond(spec, difference, limit)
    safe = (relief[..., shifts.index(plan.margin_shift)] >= confident) & ~astray
    status = status_codes((n_b > 0) & (n_c > 0), worse, safe, relief[..., shifts.index(0)] >= confident)
    ratio_low, ratio_high = np.where(astray, 0.0, ratio_low), np.where(astray, np.inf, ratio_high)
    with np.errstate(invalid="ignore"):
        low, high = q_b * (ratio_low - 1), q_b * (ratio_high - 1)
    return Judgement(
        plan, status, log_e, q_b, q_c, difference, low, high, limit,
        ratio, ratio_low, ratio_high, np.full(n_b.shape, np.nan), n_b, n_c,
        np.full(n_b.shape, np.nan), astray,
    )  # fmt: skip


def _quantiles(plan: MetricPlan, columns: Columns) -> FloatArray:
    """Return the quantile of each arm, and where stretches of time differ also as if both had shared them evenly."""
    names = ["counts_b", "counts_c"] + (["even_b", "even_c"] if plan.test == "exceedance" else [])
    counts = np.stack([columns[name] for name in names])
    return histogram_quantile(counts, plan.edges, plan.spec.quantile or 0.5)


def _astray(plan: MetricPlan, columns: Columns, settings: RolloutSettings, n: FloatArray) -> Flags:
    """Return where the frozen quantile is shown to be far from the quantile while both versions run.

    Args:
        plan: The frozen test.
        columns: Totals.
        settings: For the inflation.
        n: Values of both arms (last axis).
    """
    if plan.test != "exceedance":
        return np.zeros(n.shape[:-1], dtype=bool)
    unshifted = plan.shifts.tolist().index(0)
    above = np.stack([columns["tail_b"][..., 0, 0], columns["tail_c"][..., unshifted, 0]], axis=-1)
    inflation, quantile = settings.inflation_of(plan.spec.name), plan.spec.quantile or 0.5
    above, below = above / inflation, (n - above) / inflation
    return quantile_apart(above, below, quantile, FAR, settings.alpha, settings.n_opt)


def _outside(ratio: FloatArray, low: FloatArray, high: FloatArray, growth: float) -> Flags:
    """Return where an interval does not hold its estimate, by more than the bin that both are rounded to."""
    bin_width = math.exp(growth)
    return np.logical_or(ratio * bin_width < low, ratio > high * bin_width)


def _shift_evidence(
    plan: MetricPlan, columns: Columns, settings: RolloutSettings
) -> tuple[FloatArray, FloatArray]:
    """Return the log e-values, at each shift, that the candidate's quantile is above and below it."""
    inflation = settings.inflation_of(plan.spec.name)
    if plan.test == "exceedance":
        return _exceedance_evidence(columns, inflation)
    p = plan.spec.quantile or 0.5
    base, cand = (edge_evidence(columns[c], p, settings.n_opt) for c in ("counts_b", "counts_c"))
    shifts = plan.shifts.tolist()
    rising, falling = (quantile_shift_log_e(base, cand, shifts, rising=up) for up in (True, False))
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


def _last_true(flags: Flags, values: FloatArray, none: float) -> FloatArray:
    """Return the value of the last flag before the first unset one."""
    count = np.cumprod(flags, axis=-1).sum(axis=-1)
    return np.where(count > 0, values[np.maximum(count - 1, 0)], none)
