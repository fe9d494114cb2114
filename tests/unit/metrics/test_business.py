from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlwatch.metrics import business
from mlwatch.metrics.business import RevenueSums
from mlwatch.metrics.confusion import Confusion
from mlwatch.metrics.winsor import Cut


def sums_of(net: np.ndarray, cap: float | None = None) -> RevenueSums:
    used = None if cap is None else np.clip(net, -cap, cap)
    return RevenueSums(
        len(net),
        int((net != 0).sum()),
        float(net[net > 0].sum()),
        float(-net[net < 0].sum()),
        float((net**2).sum()),
        None if used is None or cap is None else Cut(cap, float(used.sum()), float((used**2).sum())),
    )


@pytest.fixture
def net() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.where(rng.random(4000) < 0.1, rng.gamma(3, 20, 4000), 0.0) - np.where(
        rng.random(4000) < 0.01, 15.0, 0
    )


def test_conversion_is_a_proportion_with_wilsons_interval() -> None:
    found = business.conversion(30, 400)
    expected = stats.binomtest(30, 400).proportion_ci(method="wilson")
    assert (found.value, found.n, found.method) == (0.075, 400, "Wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert business.engagement(40, 400).value == 0.1


def test_no_events_is_not_a_rate_of_zero() -> None:
    assert business.conversion(0, 400, seen=False).reason == "no conversion in the logs of this model"
    assert business.conversion(0, 0).reason == "no predictions yet"
    assert business.conversion(0, 400).value == 0.0


def test_revenue_per_prediction_equals_scipys_mean(net: np.ndarray) -> None:
    found = business.revenue_per_prediction(sums_of(net))
    expected = stats.ttest_1samp(net, 0).confidence_interval()
    assert found.value == pytest.approx(net.mean(), abs=1e-9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert business.revenue_per_prediction(RevenueSums()).reason == "no predictions yet"


def interval_of(values: np.ndarray) -> tuple[float, float]:
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    return float(expected.low), float(expected.high)


def test_the_interval_is_that_of_the_mean_and_cut_values_stand_beside_it(net: np.ndarray) -> None:
    net = np.append(net, 1e6)
    found = business.revenue_per_prediction(sums_of(net, 200.0))
    assert found.value == pytest.approx(net.mean())
    assert (found.low, found.high) == pytest.approx(interval_of(net))
    assert found.method == "Student's t"
    cut, used = found.winsorised, np.clip(net, -200, 200)
    assert cut is not None
    assert cut.value == pytest.approx(used.mean())
    assert (cut.low, cut.high) == pytest.approx(interval_of(used))
    assert cut.method == "Student's t, winsorised at 200"
    assert found.to_dict()["winsorised"] == cut.to_dict()


def test_intervals_of_heavy_tails_cover_as_often_as_students_t() -> None:
    """A tenth of the predictions bring lognormal amounts; the width of cut values around the mean covered 61 %."""
    random, n, sigma = np.random.default_rng(0), 5000, 2.0
    mean, covered, plain, apart = 0.1 * np.exp(3 + sigma**2 / 2), 0, 0, 0
    before = None
    for _ in range(200):
        x = np.where(random.random(n) < 0.1, random.lognormal(3, sigma, n), 0.0)
        limit = float(np.quantile(x, 0.999))
        found = business.revenue_per_prediction(sums_of(x, limit))
        assert found.low is not None
        assert found.high is not None
        low, high = interval_of(x)
        covered, plain = covered + (found.low <= mean <= found.high), plain + (low <= mean <= high)
        if before is not None:
            apart += found.low > before[1] or found.high < before[0]
        before = found.low, found.high
    assert covered >= plain
    assert apart <= stats.binom.ppf(0.999, 199, 0.01)


def test_revenue_per_conversion_agrees_with_the_bootstrap() -> None:
    rng = np.random.default_rng(1)
    net = np.where(rng.random(3000) < 0.1, rng.gamma(3, 20, 3000), 0.0)
    found = business.revenue_per_conversion(sums_of(net))
    draws = net[rng.integers(0, 3000, (2000, 3000))]
    sd = (draws.sum(axis=1) / (draws > 0).sum(axis=1)).std()
    assert found.value == pytest.approx(net[net > 0].mean())
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(sd, rel=0.07)
    assert business.revenue_per_conversion(RevenueSums(5)).reason == "no conversions yet"


def test_mean_value_of_events() -> None:
    assert business.mean_value(2, 10.0, 58.0).value == 5.0
    assert business.mean_value(0, 0.0, 0.0).reason == "no engagement in the logs of this model"


def test_decisions_are_worth_their_payoff() -> None:
    table = Confusion.from_rows([("0", "0", 90), ("0", "1", 4), ("1", "1", 5), ("1", "0", 1)])
    found = business.decision_value(table, {("1", "1"): 100.0, ("0", "1"): -10.0, ("1", "0"): -50.0})
    worth = np.array([0.0] * 90 + [-10.0] * 4 + [100.0] * 5 + [-50.0])
    expected = stats.ttest_1samp(worth, 0).confidence_interval()
    assert found.value == pytest.approx(worth.mean() * 1000)
    assert (found.low, found.high) == pytest.approx((expected.low * 1000, expected.high * 1000))
    assert business.decision_value(Confusion.from_rows([]), {}).reason == "no labels yet"
