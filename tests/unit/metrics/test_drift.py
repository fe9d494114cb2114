from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlwatch.metrics import drift as drifts
from mlwatch.metrics.bins import MAX_BINS, edges_from_quantiles, numeric_bin
from mlwatch.metrics.drift import Drift, Policy, Sides, align, bin_values, compare, compare_all

REFERENCE = np.random.default_rng(0).normal(size=50_000)
EDGES = edges_from_quantiles(np.quantile(REFERENCE, np.linspace(0, 1, MAX_BINS + 1)))
INNER = numeric_bin(REFERENCE, EDGES) - 1
MEANS = np.bincount(INNER, weights=REFERENCE) / np.bincount(INNER)


def histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes, counts = np.unique(numeric_bin(values, EDGES), return_counts=True)
    return codes, counts


def against_reference(values: np.ndarray, policy: Policy | None = None) -> Drift:
    codes, before, after = align(histogram(REFERENCE), histogram(values))
    scale = float(REFERENCE.std())
    return compare(
        codes, before, after, "numeric", values=bin_values(EDGES, MEANS), scale=scale, policy=policy
    )


def normal(n: int, seed: int = 1, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, n)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40))
def test_a_set_against_itself_has_no_drift(counts: list[int]) -> None:
    codes = np.arange(len(counts)) - 1
    found = compare(codes, counts, counts, "numeric", values=np.arange(len(counts)), scale=1.0)
    if sum(counts) == 0:
        assert found.psi is None
        return
    assert found.psi == found.js == found.hellinger == found.total_variation == found.l_infinity == 0.0
    assert found.ks in {0.0, None}
    assert found.wasserstein in {0.0, None}
    assert not found.drifted
    assert found.contributions == ()


def test_ks_is_within_a_hundredth_and_wasserstein_near_the_raw_ones() -> None:
    for seed, shift, spread in [(1, 0.0, 1.0), (2, 0.3, 1.0), (3, 0.0, 1.5), (4, 2.0, 0.3)]:
        values = np.random.default_rng(seed).normal(shift, spread, 3000)
        found = against_reference(values)
        assert found.ks == pytest.approx(stats.ks_2samp(REFERENCE, values).statistic, abs=0.01)
        expected = stats.wasserstein_distance(REFERENCE, values) / REFERENCE.std()
        assert found.wasserstein == pytest.approx(expected, rel=0.03, abs=0.05)


def test_distances_run_over_the_given_bins() -> None:
    found = against_reference(normal(2000, shift=0.4))
    p = np.bincount(numeric_bin(REFERENCE, EDGES), minlength=102) / 50_000
    q = np.bincount(numeric_bin(normal(2000, shift=0.4), EDGES), minlength=102) / 2000
    assert found.js == pytest.approx(
        float(np.sqrt((stats.entropy(p, (p + q) / 2, 2) + stats.entropy(q, (p + q) / 2, 2)) / 2))
    )
    assert found.l_infinity == pytest.approx(float(np.abs(p - q).max()))


@pytest.mark.usual(1)
@pytest.mark.parametrize("n", [50, 100, 300, 1000, 20_000])
def test_noise_does_not_alarm(n: int) -> None:
    alarms = sum(against_reference(normal(n, seed)).drifted for seed in range(200))
    assert alarms <= 2


def test_a_million_rows_do_not_alarm_about_a_trifle() -> None:
    found = against_reference(normal(1_000_000, shift=0.05))
    assert found.p is not None
    assert found.p < 1e-6
    assert found.state == "ok"


@pytest.mark.parametrize(("n", "shift"), [(200, 1.0), (1000, 0.4), (100_000, 0.3)])
def test_a_real_shift_alarms(n: int, shift: float) -> None:
    assert sum(against_reference(normal(n, seed, shift)).drifted for seed in range(20)) >= 19


def test_nulls_that_rise_from_one_to_six_per_cent_alarm() -> None:
    rng = np.random.default_rng(0)
    before, after = REFERENCE.copy(), normal(20_000)
    before[rng.random(len(before)) < 0.01] = np.nan
    after[rng.random(len(after)) < 0.06] = np.nan
    found = compare(*align(histogram(before), histogram(after)), "numeric")
    assert found.drifted
    assert found.contributions[0].code == -1
    assert found.contributions[0].change == pytest.approx(0.05, abs=0.005)
    assert found.ks is not None
    assert found.ks < 0.02


def test_fewer_rows_than_the_floor_are_too_few_to_say() -> None:
    found = against_reference(normal(99, shift=3.0))
    assert found.state == "too_few"
    assert not found.drifted
    assert found.js is not None
    assert against_reference(normal(99, shift=3.0), Policy(floor=50)).drifted


def test_nothing_to_compare_is_too_few() -> None:
    found = compare([0, 1], [5, 5], [0, 0], "categorical")
    assert found.state == "too_few"
    assert found.psi is None
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["n_reference"] == 10


def test_new_categories_alarm_and_are_named() -> None:
    codes, before, after = align(([0, 1, 2], [500, 300, 200]), ([0, 1, 2, -3], [450, 280, 170, 100]))
    found = compare(codes, before, after, "categorical")
    assert found.drifted
    assert found.contributions[0].code == -3
    assert found.ks is None
    assert found.wasserstein is None


def test_two_thousand_categories_without_drift_do_not_alarm() -> None:
    rng = np.random.default_rng(3)
    share = rng.dirichlet(np.full(2000, 0.5))
    for n in (500, 5000):
        found = compare(
            np.arange(2000), rng.multinomial(20_000, share), rng.multinomial(n, share), "categorical"
        )
        assert found.state == "ok"


def test_everything_missing_alarms_without_an_order() -> None:
    found = compare([-1, 1, 2], [0, 500, 500], [1000, 0, 0], "numeric", values=[0, 1, 2, 3], scale=1.0)
    assert found.drifted
    assert found.ks is None
    assert found.wasserstein is None
    assert found.js == pytest.approx(1.0)


@pytest.mark.parametrize("method", sorted(drifts.THRESHOLDS))
def test_any_method_can_decide(method: str) -> None:
    found = against_reference(normal(5000, shift=0.6), Policy(method=method, threshold=0.009))
    assert found.method == method
    assert found.threshold == 0.009
    assert found.drifted
    assert method == "js" or found.score == getattr(found, method)


def test_benjamini_hochberg_equals_scipys() -> None:
    p = np.random.default_rng(0).random(40) ** 3
    np.testing.assert_allclose(drifts.benjamini_hochberg(p), stats.false_discovery_control(p), atol=1e-12)
    assert len(drifts.benjamini_hochberg([])) == 0


def test_many_features_are_decided_together() -> None:
    found = {f"f{seed}": against_reference(normal(400, seed)) for seed in range(30)}
    found["moved"] = against_reference(normal(400, 99, 0.8))
    together = drifts.decide_together(found)
    assert [name for name, drift in together.items() if drift.drifted] == ["moved"]
    borderline = Drift(500, 500, score=0.5, p=0.0009)
    many = {"real": borderline} | {f"n{i}": Drift(500, 500, score=0.5, p=0.5) for i in range(9)}
    assert drifts.decide(borderline, Policy()).drifted
    assert not drifts.decide_together(many)["real"].drifted


def test_threshold_from_windows_is_mean_and_three_deviations() -> None:
    scores = [0.1, 0.2, 0.3, 0.2]
    assert drifts.threshold_from_windows(scores) == pytest.approx(0.2 + 3 * np.std(scores))
    assert drifts.threshold_from_windows([0.1]) is None


@given(st.lists(st.tuples(st.integers(-3, 9), st.integers(1, 50), st.booleans()), min_size=1, max_size=40))
def test_order_and_partition_of_the_rows_do_not_matter(rows: list[tuple[int, int, bool]]) -> None:
    def sides(some: list[tuple[int, int, bool]]) -> list[tuple[list[int], list[int]]]:
        return [
            ([r[0] for r in some if r[2] is side], [r[1] for r in some if r[2] is side])
            for side in (True, False)
        ]

    forth, back = align(*sides(rows)), align(*sides(rows[::-1]))
    for one, two in zip(forth, back, strict=True):
        np.testing.assert_array_equal(one, two)
    assert compare(*forth, "numeric") == compare(*back, "numeric")


def some_sides(random: np.random.Generator) -> Sides:
    """Return histograms over codes of their own: few or many, numbers or categories, filled or not."""
    codes = np.arange(-3, random.integers(-1, 60))
    before, after = (
        (chosen, random.poisson(random.choice([0.0, 0.5, 3.0, 200.0]), len(chosen)))
        for chosen in (random.permutation(codes)[: random.integers(0, len(codes) + 1)] for _ in range(2))
    )
    if random.random() < 0.2:
        after = (before[0], random.poisson(before[1]))
    if random.random() < 0.4:
        return Sides("categorical", before, after, Policy("psi"))
    method = random.choice(sorted(drifts.THRESHOLDS))
    values = np.sort(random.normal(size=60)) if random.random() < 0.7 else None
    return Sides("numeric", before, after, Policy(str(method)), values, random.choice([0.0, 1.7]))


def test_many_features_at_once_say_what_each_says_alone() -> None:
    random = np.random.default_rng(11)
    features = [some_sides(random) for _ in range(3 * drifts.TOGETHER + 5)]
    found = compare_all(features)
    assert {drift.state for drift in found} == {"ok", "drifted", "too_few"}
    for each, drift in zip(features, found, strict=True):
        alone = compare(
            *align(each.reference, each.current),
            each.kind,
            values=each.values,
            scale=each.scale,
            policy=each.policy,
        )
        assert drift.contributions == alone.contributions
        for name, value in alone.to_dict().items():
            told = getattr(drift, name)
            assert told == (pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value)
    assert compare_all([]) == []
