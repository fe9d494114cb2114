"""Users who send many requests: the design effect makes intervals as wide as they must be."""

from __future__ import annotations

import numpy as np
import pytest

from mlwatch.metrics import sequential as seq
from mlwatch.metrics.rollout import rollout_verdict
from mlwatch.metrics.rollout_types import (
    ArmSeries,
    ProportionSeries,
    RolloutSettings,
    RolloutState,
    default_metric,
)
from mlwatch.metrics.rollout_units import design_effect
from mlwatch.metrics.sequential_ratio import sample_ratio_log_e

USERS, REQUESTS, MINUTES = 400, 40, 40


def users(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return user, side, minute and failure of each request: users differ, versions do not."""
    rate = rng.beta(0.5, 4.5, USERS)
    who = np.repeat(np.arange(USERS), REQUESTS)
    side = (rng.random(USERS) < 0.5)[who]
    minute = rng.integers(0, MINUTES, who.size)
    return who, side, minute, (rng.random(who.size) < rate[who]).astype(float)


def effect_of(who: np.ndarray, side: np.ndarray, minute: np.ndarray, x: np.ndarray) -> float:
    n = np.bincount(minute, minlength=MINUTES)
    n_c = np.bincount(minute, weights=side, minlength=MINUTES)
    mean = np.bincount(minute, weights=x, minlength=MINUTES) / np.maximum(n, 1)
    weight = np.where(side, (n - n_c)[minute], n_c[minute]) / n[minute]
    r = (x - mean[minute]) * weight
    totals, alone, count = [], [], []
    for arm in (False, True):
        mine = side == arm
        left = r[mine] - r[mine].mean()
        sums = np.bincount(who[mine], weights=left, minlength=USERS)
        totals.append((sums**2).sum())
        alone.append((left**2).sum())
        count.append(len(np.unique(who[mine])))
    return design_effect(totals, alone, count)


def test_peeking_at_requests_alarms_and_at_users_does_not() -> None:
    """STATISTICS: per-request statistics alarm falsely in 38.7 % where traffic is split by user."""
    rng = np.random.default_rng(2)
    naive = right = 0
    runs = 150
    for _ in range(runs):
        who, side, minute, x = users(rng)
        arms = [
            [
                np.bincount(minute[side == arm], weights=w[side == arm], minlength=MINUTES)
                for w in (np.ones(x.size), x)
            ]
            for arm in (False, True)
        ]
        s, v = (np.cumsum(c) for c in seq.proportion_terms(*arms[0], *arms[1]))
        rho = float(seq.normal_rho(5_000 / 4 * 0.09))
        effect = effect_of(who, side, minute, x)
        assert effect > 2
        naive += bool((seq.normal_log_e(s, v, rho) >= -np.log(0.05)).any())
        right += bool((seq.normal_log_e(s, effect * v, rho) >= -np.log(0.05)).any())
    assert naive > 0.15 * runs
    assert right <= 0.05 * runs


def test_independent_requests_have_no_design_effect() -> None:
    rng = np.random.default_rng(6)
    who, side, minute, _ = users(rng)
    x = (rng.random(who.size) < 0.1).astype(float)
    assert effect_of(who, side, minute, x) == pytest.approx(1.0, abs=0.25)


def test_equal_requests_have_all_of_it() -> None:
    """Each user always answers the same: m requests count as one, so the effect is m."""
    totals = [REQUESTS**2 * 10.0, REQUESTS**2 * 12.0]
    alone = [REQUESTS * 10.0, REQUESTS * 12.0]
    assert design_effect(totals, alone, [1_000, 1_000]) == pytest.approx(REQUESTS, rel=2e-3)
    assert design_effect([], [], []) == 1.0
    assert design_effect([4.0, 4.0], [0.0, 0.0], [9, 9]) == 1.0
    assert design_effect([4.0, 4.0], [1.0, 1.0], [1, 9]) == 1.0


def arms(units: tuple[int, int]) -> tuple[ArmSeries, ArmSeries]:
    n = np.full(30, 200)
    first = np.eye(1, 30, dtype=np.int64)[0]
    return tuple(
        ArmSeries(np.arange(30), n, {"error_rate": ProportionSeries(n, n // 10)}, units=count * first)
        for count in units
    )  # type: ignore[return-value]


def test_the_split_is_that_of_users() -> None:
    settings = RolloutSettings((default_metric("error_rate"),), share=0.5, unit="user_id")
    verdict = rollout_verdict(*arms((900, 300)), settings)
    assert verdict.state is RolloutState.SAMPLE_RATIO_MISMATCH
    assert verdict.traffic.observed == pytest.approx(0.25)
    assert verdict.traffic.units == (900, 300)
    assert verdict.traffic.srm_p == pytest.approx(np.exp(-sample_ratio_log_e(900, 300, 0.5)))
    assert "v" not in verdict.reasons[0].split(" % of the values of user_id")[1][:20]
    even = rollout_verdict(*arms((310, 300)), settings)
    assert even.state is not RolloutState.SAMPLE_RATIO_MISMATCH


RAMP = ((0, 0.1), (60, 0.25), (120, 0.5))


def ramped(rng: np.random.Generator, moved: float = 1.0) -> tuple[ArmSeries, ArmSeries]:
    """Return arms by minute of users who stay where a rising threshold put them, until a step moves them."""
    shares = np.repeat([share for _, share in RAMP], 60) * np.repeat([1, moved, moved], 60)
    place = rng.random(2_000)
    here = rng.random((shares.size, place.size)) < 0.01
    sides = place < shares[:, None]
    minutes, n = np.arange(shares.size), np.ones(0)
    first = here & (np.cumsum(here, axis=0) == 1)
    found = []
    for side in (~sides, sides):
        n = (here & side).sum(axis=1)
        new = (here & side & (np.cumsum(here & side, axis=0) == 1)).sum(axis=1)
        metrics = {"error_rate": ProportionSeries(n, n // 10)}
        found.append(ArmSeries(minutes, n, metrics, units=new, entered=(first & side).sum(axis=1)))
    return found[0], found[1]


def test_users_of_a_ramp_are_checked_when_they_enter() -> None:
    """Requests of users who stay are no independent draws: by them, healthy ramps look broken."""
    rng = np.random.default_rng(11)
    settings = RolloutSettings((default_metric("error_rate"),), share=RAMP, unit="user_id")
    healthy = [rollout_verdict(*ramped(rng), settings) for _ in range(40)]
    assert not any(verdict.state is RolloutState.SAMPLE_RATIO_MISMATCH for verdict in healthy)
    one = healthy[0].traffic
    assert one.expected == pytest.approx(0.15, abs=0.1)
    assert one.observed == pytest.approx(one.expected, abs=0.05)
    broken = rollout_verdict(*ramped(rng, moved=0.5), settings)
    assert broken.state is RolloutState.SAMPLE_RATIO_MISMATCH


def test_few_requests_of_a_small_share_are_split_as_configured() -> None:
    """Minutes that chance leaves without the candidate count: else its share would seem larger."""
    rng = np.random.default_rng(12)
    n = rng.poisson(20, 1_440)
    for split in (0.05, 0.1):
        n_c = rng.binomial(n, split)
        found = []
        for counts in (n - n_c, n_c):
            there = counts > 0
            metrics = {"error_rate": ProportionSeries(counts[there], counts[there] // 10)}
            found.append(ArmSeries(np.flatnonzero(there), counts[there], metrics))
        settings = RolloutSettings((default_metric("error_rate"),), share=split)
        verdict = rollout_verdict(found[0], found[1], settings)
        assert verdict.traffic.observed == pytest.approx(n_c.sum() / n.sum())
        assert (verdict.traffic.srm_p or 0.0) > 0.05


@pytest.mark.parametrize(("units", "held"), [((29, 400), True), ((400, 29), True), ((30, 30), False)])
def test_few_users_hold_with_a_sentence(units: tuple[int, int], held: bool) -> None:
    settings = RolloutSettings((default_metric("error_rate"),), unit="user_id")
    verdict = rollout_verdict(*arms(units), settings)
    assert (verdict.state is RolloutState.FEW_UNITS) == held
    if held:
        assert verdict.verdict == "hold"
        assert f"baseline has {units[0]} and candidate {units[1]}: it takes 30 each" in verdict.reasons[0]


def test_the_larger_of_calibration_and_design_effect_counts() -> None:
    settings = RolloutSettings((), inflation={"a": 1.5, "b": 4.0}, design={"a": 3.0, "b": 2.0, "c": 0.5})
    assert [settings.inflation_of(name) for name in "abcd"] == [3.0, 4.0, 1.0, 1.0]
