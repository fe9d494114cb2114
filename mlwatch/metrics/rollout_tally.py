"""Fold strata into totals, see `RolloutTotals`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_fold import Fold
from mlwatch.metrics.rollout_strata import HistogramPair, Strata
from mlwatch.metrics.rollout_tally_moments import normal_totals, ratio_totals
from mlwatch.metrics.rollout_tally_quantiles import quantile_sums
from mlwatch.metrics.rollout_totals import TRAFFIC, RolloutTotals
from mlwatch.metrics.sequential_ratio import ramp_ratio_terms

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_plan import MetricPlan, RolloutPlan
    from mlwatch.metrics.rollout_strata import MomentPair
    from mlwatch.metrics.rollout_totals import Columns
    from mlwatch.metrics.rollout_types import FloatArray, RolloutSettings

LOG_CHANCE = math.log(1e-6)
"""Where chance would leave a version out of a stratum less often than this, it stood still."""


def tally(strata: Strata, plan: RolloutPlan, fold: Fold | None = None) -> RolloutTotals:
    """Fold strata into totals.

    Args:
        strata: Complete strata: a stratum must not be split between two tallies.
        plan: The frozen tests.
        fold: How to fold; `RunningFold()` keeps the totals after each row.
    """
    fold = fold or Fold()
    clock = _clock(strata, fold)
    totals = RolloutTotals({TRAFFIC: _traffic(strata, plan.settings, fold)}, {TRAFFIC: clock})
    normal: dict[str, MomentPair] = {}
    histograms: dict[int, list[MetricPlan]] = {}
    for metric in plan.metrics:
        name, pair = metric.spec.name, strata.metrics.get(metric.spec.name)
        if isinstance(pair, HistogramPair):
            histograms.setdefault(id(pair), []).append(metric)
            totals.peaks[name] = {"last_b": clock["last_b"], "last_c": clock["last_c"]}
        elif pair is not None and metric.test == "normal":
            normal[name] = pair
        elif pair is not None:
            totals += ratio_totals(metric, pair, strata.last_minute, fold)
    if normal:
        totals += normal_totals(tuple(normal), tuple(normal.values()), strata.last_minute, fold)
    for sharing in histograms.values():
        pair = strata.metrics[sharing[0].spec.name]
        assert isinstance(pair, HistogramPair)  # noqa: S101 - sorted out above
        both = (strata.n_b > 0) & (strata.n_c > 0)
        totals.sums.update(quantile_sums(sharing, pair, both, strata.minute, fold))
    return totals


# --- traffic and clock -------------------------------------------------------------------------------------


def _traffic(strata: Strata, settings: RolloutSettings, fold: Fold) -> Columns:
    both = (strata.n_b > 0) & (strata.n_c > 0)
    columns = {
        "n_b": fold.sum(strata.n_b),
        "n_c": fold.sum(strata.n_c),
        "n_o": fold.sum(strata.others),
        "both_b": fold.sum(strata.n_b * both),
        "both_c": fold.sum(strata.n_c * both),
        "both_minutes": fold.sum(strata.width * both),
    }
    if strata.units is not None:
        columns |= {"units_b": fold.sum(strata.units.new_b), "units_c": fold.sum(strata.units.new_c)}
    return columns if settings.share is None else columns | _split_columns(strata, settings, fold)


def _split_columns(strata: Strata, settings: RolloutSettings, fold: Fold) -> Columns:
    """Return what the configured split is held against: requests, or units as they enter, of all versions.

    Strata in which a version stood still are left out. Those that chance gave to one version count: without them, a
    small share of little traffic would seem larger than it is.
    """
    share = configured_share(settings, strata)
    if strata.units is not None:
        n_b, n_c, n_o = strata.units.entered_b, strata.units.entered_c, strata.units.others
    else:
        n_b, n_c, n_o = strata.n_b, strata.n_c, strata.others
    rest = n_b + n_o
    alone = np.where(n_c > 0, n_c * np.log(share), rest * np.log1p(-share))
    counted = ((rest > 0) & (n_c > 0)) | (alone > LOG_CHANCE)
    rest, n_c, n_o = rest * counted, n_c * counted, n_o * counted
    columns = {
        "split_rest": fold.sum(rest),
        "split_c": fold.sum(n_c),
        "split_o": fold.sum(n_o),
        "expected": fold.sum(share * (rest + n_c)),
    }
    if isinstance(settings.share, tuple):
        columns["ramp"] = fold.sum(ramp_ratio_terms(rest, n_c, share))
    return columns


def configured_share(settings: RolloutSettings, strata: Strata) -> FloatArray:
    """Return the configured share of the candidate in each stratum."""
    if not isinstance(settings.share, tuple):
        return np.full(strata.minute.shape, settings.share, dtype=float)
    starts, shares = np.array(settings.share, dtype=float).T
    step = np.clip(np.searchsorted(starts, strata.first_minute, side="right") - 1, 0, None)
    configured: FloatArray = shares[step]
    return configured


def _clock(strata: Strata, fold: Fold) -> Columns:
    both = np.minimum(strata.n_b, strata.n_c)
    return {
        "last_b": _last(strata, strata.n_b, fold),
        "last_c": _last(strata, strata.n_c, fold),
        "both_last": _last(strata, both, fold),
        "both_first": fold.peak(np.where(both > 0, -strata.first_minute, -np.inf)),
    }


def _last(strata: Strata, n: FloatArray, fold: Fold) -> FloatArray:
    return fold.peak(np.where(n > 0, strata.last_minute, -np.inf))
