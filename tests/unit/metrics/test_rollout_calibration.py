"""A/A calibration: overdispersion is measured, and inflating by it restores the error rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from mlwatch.metrics.rollout import rollout_timeline
from mlwatch.metrics.rollout_calibration import calibrate, overdispersion
from mlwatch.metrics.rollout_decide import VERDICTS
from mlwatch.metrics.rollout_types import (
    ArmSeries,
    HistogramSeries,
    ProportionSeries,
    RolloutSettings,
    default_metric,
)

ERRORS = default_metric("error_rate")
SETTINGS = RolloutSettings(metrics=(ERRORS,), baseline="v1", candidate="v1")


def half(rng: np.random.Generator, minutes: int, noise: float, rate: float = 0.03) -> ArmSeries:
    """Return half of a baseline's traffic whose error rate its pods shake: log-rate sd `noise`, AR(0.9)."""
    shocks = lfilter([1], [1, -0.9], rng.standard_normal(minutes + 100))[100:] * np.sqrt(1 - 0.81)
    n = rng.poisson(100, minutes)
    bad = rng.binomial(n, np.minimum(rate * np.exp(noise * shocks), 1))
    return ArmSeries(np.arange(minutes), n, {"error_rate": ProportionSeries(n, bad)})


def test_independent_draws_are_not_overdispersed() -> None:
    rng = np.random.default_rng(1)
    measured = overdispersion(half(rng, 3_000, 0), half(rng, 3_000, 0), SETTINGS)["error_rate"]
    assert measured.ratio == pytest.approx(1, abs=0.35)
    assert measured.inflation >= 1
    assert measured.blocks >= 10


def test_noisy_pods_are_overdispersed() -> None:
    rng = np.random.default_rng(2)
    measured = overdispersion(half(rng, 3_000, 0.2), half(rng, 3_000, 0.2), SETTINGS)["error_rate"]
    assert measured.ratio is not None
    # shocks of sd 0.2 on 3 errors a minute and arm: 3·0.04 = 0.12 a minute, times 16 in blocks of an hour
    assert 1.8 < measured.ratio < 5


def test_too_few_blocks_are_not_calm() -> None:
    rng = np.random.default_rng(3)
    measured = overdispersion(half(rng, 20, 0), half(rng, 20, 0), SETTINGS)["error_rate"]
    assert measured.ratio is None
    result = calibrate(lambda: [(half(rng, 20, 0), half(rng, 20, 0))], SETTINGS)
    assert result.inflation == {}


@pytest.mark.deep
def test_calibration_restores_the_false_alarm_rate() -> None:
    rng = np.random.default_rng(4)
    splits = [(half(rng, 1_500, 0.2), half(rng, 1_500, 0.2)) for _ in range(8)]
    past = calibrate(lambda: splits, SETTINGS)
    assert past.alarms_left <= past.false_alarms
    calibrated = replace(SETTINGS, inflation=past.inflation)
    alarms = {"plain": 0, "calibrated": 0}
    for _ in range(60):
        arms = half(rng, 300, 0.2), half(rng, 300, 0.2)
        for name, settings in (("plain", SETTINGS), ("calibrated", calibrated)):
            verdicts = rollout_timeline(arms[0], arms[1], settings, every=3).verdict
            alarms[name] += bool(np.any(verdicts == VERDICTS.index("rollback")))
    assert alarms["plain"] >= 6  # above 10 %: pods that shake together break the uncalibrated verdict
    assert alarms["calibrated"] <= 3  # 5 % of 60


def test_quantiles_are_calibrated_by_their_exceedances() -> None:
    rng = np.random.default_rng(5)
    edges = np.exp(np.arange(0, 301) * np.log(1.02))
    spec = default_metric("latency_p95")
    arms = [
        ArmSeries(
            np.arange(1_000),
            np.full(1_000, 50),
            {"latency_p95": HistogramSeries(edges, rng.multinomial(50, np.full(300, 1 / 300), 1_000))},
        )
        for _ in range(2)
    ]
    measured = overdispersion(arms[0], arms[1], replace(SETTINGS, metrics=(spec,)))["latency_p95"]
    assert measured.ratio == pytest.approx(1, abs=0.5)
