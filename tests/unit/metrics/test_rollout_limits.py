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
    minute = np.array([10, 20, last])
    found = broken(arm(minute, np.ones(3, dtype=int), np.array([0, 1, 1])))
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
