"""Hard limits where there is little traffic: one bad request is no five bad minutes."""

from __future__ import annotations

import numpy as np
import pytest

from mlwatch.metrics.rollout_limits import broken_limits
from mlwatch.metrics.rollout_strata import align
from mlwatch.metrics.rollout_types import (
    ArmSeries,
    HardLimit,
    HistogramSeries,
    MeanSeries,
    MetricSpec,
    ProportionSeries,
    RolloutSettings,
    default_metric,
)

ERRORS = default_metric("error_rate")
LIMITS = (HardLimit("error_rate", 0.05),)
MINUTES = 480


def arm(minute: np.ndarray, n: np.ndarray, failed: np.ndarray) -> ArmSeries:
    here = n > 0
    return ArmSeries(minute[here], n[here], {"error_rate": ProportionSeries(n[here], failed[here])})


def broken(candidate: ArmSeries, minutes: int = MINUTES, width: int | None = None) -> np.ndarray:
    """Return where the limit is broken, beside a baseline with traffic in every minute."""
    minute = np.arange(minutes)
    base = arm(minute, np.full(minutes, 50), np.zeros(minutes, dtype=int))
    settings = RolloutSettings((ERRORS,), hard_limits=LIMITS, stratum_minutes=width)
    (found,) = broken_limits(align(base, candidate, settings), settings).histories
    return found.broken


def requests(seed: int, rate: float, failing: float, minutes: int = MINUTES) -> ArmSeries:
    rng = np.random.default_rng(seed)
    n = rng.poisson(rate, minutes)
    return arm(np.arange(minutes), n, rng.binomial(n, failing))


def test_one_bad_request_is_never_five_minutes_however_long_none_follows() -> None:
    minute = np.array([10, 12, 20])
    assert not broken(arm(minute, np.ones(3, dtype=int), np.array([0, 0, 1]))).any()


@pytest.mark.parametrize(("last", "expected"), [(23, False), (24, True)])
def test_bad_requests_at_both_ends_of_five_minutes_are(last: int, expected: bool) -> None:
    minute = np.array([10, 20, 22, last])
    found = broken(arm(minute, np.ones(4, dtype=int), np.array([0, 1, 1, 1])))
    assert found[-1] == expected
    assert not found[:last].any()


def test_a_good_request_in_between_ends_it() -> None:
    minute = np.array([20, 22, 26])
    assert not broken(arm(minute, np.ones(3, dtype=int), np.array([1, 0, 1]))).any()


@pytest.mark.parametrize(("minutes", "width"), [(MINUTES, None), (2880, 5), (5760, 60)])
@pytest.mark.parametrize("rate", [0.2, 1, 5])
def test_few_healthy_requests_are_not_rolled_back(rate: float, minutes: int, width: int | None) -> None:
    seeds = range(20)
    found = sum(broken(requests(seed, rate, 0.01, minutes), minutes, width).any() for seed in seeds)
    assert found <= 1


@pytest.mark.parametrize(("minutes", "width"), [(MINUTES, None), (2880, 5), (5760, 60)])
def test_half_of_few_requests_that_fail_are_found(minutes: int, width: int | None) -> None:
    assert all(broken(requests(seed, 1, 0.5, minutes), minutes, width).any() for seed in range(10))


def test_one_slow_request_does_not_break_a_limit_on_a_quantile() -> None:
    edges = np.exp(np.arange(0, 401) * np.log(1.02))
    p95 = default_metric("latency_p95")
    settings = RolloutSettings((p95,), hard_limits=(HardLimit("latency_p95", 300),))

    def series(minute: np.ndarray, values: np.ndarray) -> ArmSeries:
        counts = np.stack([np.histogram([value], edges)[0] for value in values])
        return ArmSeries(
            minute, np.ones(len(minute), dtype=int), {"latency_p95": HistogramSeries(edges, counts)}
        )

    base = series(np.arange(60), np.full(60, 50.0))
    candidate = series(np.array([3, 30, 50]), np.array([50.0, 50.0, 400.0]))
    (found,) = broken_limits(align(base, candidate, settings), settings).histories
    assert not found.broken.any()


ACCURACY, LOSS = default_metric("accuracy"), default_metric("mae")


def found_by(spec: MetricSpec, limit: float, series: MeanSeries | ProportionSeries) -> bool:
    """Tell whether a limit is broken in a day in which the candidate gets hardly more than a request a minute."""
    minute = np.arange(series.n.size)
    candidate = ArmSeries(minute, series.n, {spec.name: series})
    base_n = np.full(minute.size, 50)
    nought = np.zeros(minute.size)
    base = (
        MeanSeries(base_n, nought, nought)
        if spec.kind == "mean"
        else ProportionSeries(base_n, nought.astype(int))
    )
    settings = RolloutSettings((spec,), hard_limits=(HardLimit(spec.name, limit),), stratum_minutes=1)
    strata = align(ArmSeries(minute, base_n, {spec.name: base}), candidate, settings)
    (found,) = broken_limits(strata, settings).histories
    if found.broken.any():
        shown = found.value[found.broken & np.isfinite(found.value)]
        assert np.all(shown < limit if spec.higher_is_better else shown > limit)
    return bool(found.broken.any())


def losses(seed: int, mean: float, minutes: int) -> MeanSeries:
    rng = np.random.default_rng(seed)
    n = rng.poisson(1.2, minutes)
    minute = np.repeat(np.arange(minutes), n)
    value = np.abs(rng.normal(0, mean * np.sqrt(np.pi / 2), minute.size))
    total, squares = (np.bincount(minute, each, minutes).astype(np.float64) for each in (value, value**2))
    return MeanSeries(n, total, squares)


def mistakes(seed: int, wrong: float, minutes: int) -> ProportionSeries:
    rng = np.random.default_rng(seed)
    n = rng.poisson(1.2, minutes)
    return ProportionSeries(n, rng.binomial(n, wrong))


@pytest.mark.parametrize("rate", [2, 20])
def test_a_limit_that_is_kept_for_days_is_seldom_broken(rate: float) -> None:
    """Chance makes five bad minutes in a row of four failures in a hundred, if one waits for them."""
    days = 3 * 1440
    assert sum(broken(requests(seed, rate, 0.04, days), days).any() for seed in range(8)) <= 1


def test_twice_what_a_limit_allows_is_found_in_time() -> None:
    soon = range(120)
    assert all(broken(requests(seed, 20, 0.1), MINUTES)[soon].any() for seed in range(10))


def test_a_handful_of_requests_of_a_candidate_within_a_limit_never_breaks_it() -> None:
    seeds = range(20)
    assert not any(found_by(LOSS, 6.0, losses(seed, 4.0, 1440)) for seed in seeds)
    assert sum(found_by(ACCURACY, 0.8, mistakes(seed, 0.1, 1440)) for seed in seeds) <= 1


def test_what_is_beyond_a_limit_is_found_though_single_requests_keep_it() -> None:
    seeds = range(10)
    assert all(found_by(LOSS, 6.0, losses(seed, 9.0, 240)) for seed in seeds)
    assert all(found_by(ACCURACY, 0.8, mistakes(seed, 0.5, 60)) for seed in seeds)
    assert all(found_by(ACCURACY, 0.95, mistakes(seed, 0.2, 180)) for seed in seeds)


def test_a_short_burst_of_failures_does_not_break_a_limit_of_little_traffic() -> None:
    minute = np.arange(300)
    failed = np.where((minute == 150) | (minute == 151), 1, 0)
    assert not broken(arm(minute, np.ones(300, dtype=int), failed)).any()
