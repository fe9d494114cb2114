"""Means of values within [0, 1]: their intervals have a width, whatever was seen, and cover as they should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlwatch.metrics import business, curves, estimation, intervals, latency, outputs, performance
from mlwatch.metrics.confusion import Confusion
from mlwatch.metrics.latency import LatencyHistogram
from mlwatch.metrics.outputs import QuantileSums, RankingSums
from mlwatch.metrics.performance import ScoreSums
from mlwatch.metrics.regression import RegressionSums, regression
from mlwatch.metrics.scores import ScoreHistogram
from mlwatch.snapshot.outputs import places
from mlwatch.snapshot.read import Table

if TYPE_CHECKING:
    from mlwatch.metrics.estimate import Estimate


def wilson(successes: int, n: int) -> tuple[float, float]:
    found = stats.binomtest(successes, n).proportion_ci(method="wilson")
    return found.low, found.high


def test_an_apdex_of_one_is_as_sure_as_a_proportion_of_one() -> None:
    found = latency.apdex(LatencyHistogram.from_values([50.0] * 82), 100.0)
    assert found.value == 1.0
    assert (found.low, found.high) == pytest.approx(wilson(82, 82))


def test_an_apdex_of_many_is_that_of_the_normal_interval() -> None:
    weight = np.repeat([1.0, 0.5, 0.0], [60_000, 30_000, 10_000])
    found = latency.apdex(
        LatencyHistogram.from_values(np.where(weight == 1, 50.0, 450 - 500 * weight)), 100.0
    )
    low, high = stats.norm.interval(0.95, weight.mean(), stats.sem(weight))
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-5)


def test_perfect_rankings_are_not_certain() -> None:
    found = outputs.ranking(RankingSums(11, 11, 11.0, 11.0, 11.0, 11.0, 11))
    for name in ("mrr", "ndcg_10", "hit_rate_10"):
        assert found[name].value == 1.0
        assert (found[name].low, found[name].high) == pytest.approx(wilson(11, 11)), name


def test_one_query_has_an_interval() -> None:
    found = outputs.ranking(RankingSums(1, 1, 1.0, 1.0, 0.5, 0.25, 1))["mrr"]
    _, other = wilson(0, 1)
    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx((0.5 - 0.5 * other, 0.5 + 0.5 * other))


def test_a_calibration_error_of_one_label_is_hardly_known() -> None:
    found = curves.ece(ScoreHistogram.from_scores([True], [0.9]))
    _, other = wilson(0, 1)
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx((0.0, 0.1 + 0.9 * other))


def test_brier_of_equal_scores_has_a_width_and_losses_are_not_negative() -> None:
    sums = ScoreSums(40, 40 * 0.01, 40 * 0.0025, 40 * 0.0001, 40 * 0.0025**2)
    found = performance.binary(Confusion.from_rows([("1", "1", 40)]), "1", sums)
    _, other = wilson(0, 40)
    ends = 0.0025 * (1 - other), 0.0025 + 0.9975 * other
    assert (found["brier"].low, found["brier"].high) == pytest.approx(ends)
    few = ScoreSums(2, 2.0, 1.0, 4.0, 1.0)
    assert performance.binary(Confusion.from_rows([("1", "1", 2)]), "1", few)["log_loss"].low == 0.0


def test_classes_that_lie_apart_leave_a_doubt() -> None:
    apart = ScoreHistogram.from_scores([True] * 9 + [False] * 20, [0.9] * 9 + [0.1] * 20)
    found = performance.one_vs_rest_auc({"a": apart, "b": apart})
    assert found.value == 1.0
    assert (found.low, found.high) == pytest.approx(wilson(9, 9))


def test_an_expected_share_of_all_has_a_band() -> None:
    """Three sampling errors are 99.73 %."""
    found = estimation.share(1.0, 50)
    expected = stats.binomtest(50, 50).proportion_ci(2 * stats.norm.cdf(3) - 1, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, 1.0))


@pytest.mark.parametrize("n", [20, 50, 400])
def test_bands_of_expected_shares_hold_what_comes_of_them(n: int) -> None:
    """One of 50 with a chance of 0.999 is wrong in 4.9 %: ± 3 sampling errors ended above 0.98."""
    right = np.arange(n + 1)
    for chance in 1 - np.logspace(-6, np.log10(0.5), 80):
        found = estimation.share(float(chance), n)
        assert found.low is not None
        assert found.high is not None
        inside = (found.low - 1e-12 <= right / n) & (right / n <= found.high + 1e-12)
        assert stats.binom.pmf(right[~inside], n, chance).sum() < 0.004, chance


def test_bands_of_expected_shares_do_not_jump() -> None:
    values = sorted([*np.linspace(0, 1, 501).tolist(), 1e-9, 1 - 1e-9])
    found = [estimation.share(value, 50) for value in values]
    for ends in ([each.low for each in found], [each.high for each in found]):
        steps = np.diff(np.array(ends, dtype=float))
        assert steps.min() >= -1e-12
        assert steps.max() < 0.01


def reference_of(wrong: int) -> estimation.BinaryReference:
    """Return what 400 rows teach, half of them positive, of which so many were missed."""
    label = np.repeat([True, False], 200)
    guess = label & (np.arange(400) >= wrong)
    table = Confusion.from_rows([("1", "1", 200 - wrong), ("1", "0", wrong), ("0", "0", 200)])
    scores = ScoreHistogram.from_scores(label, np.where(guess, 0.97, 0.03))
    return estimation.BinaryReference.learn(scores, table, "1")


def test_decisions_without_a_mistake_in_the_reference_leave_a_doubt() -> None:
    guess = np.repeat([True, False], [20, 30])
    decided = ScoreHistogram.from_scores(guess, np.where(guess, 0.97, 0.03))
    found = estimation.binary(reference_of(0), decided)
    trials = {"accuracy": 50, "precision": 20, "recall": 20, "specificity": 30, "roc_auc": 20}
    for name, m in trials.items():
        low = stats.binomtest(m, m).proportion_ci(2 * stats.norm.cdf(3) - 1, method="wilson").low
        assert (found[name].value, found[name].high) == (1.0, 1.0), name
        assert found[name].low == pytest.approx(low), name
    jaccard = found["recall"].low
    assert jaccard is not None
    assert found["f1"].low == pytest.approx(2 * jaccard / (1 + jaccard))
    for name, other in estimation.binary(reference_of(1), decided).items():
        assert other.low == pytest.approx(found[name].low, abs=0.03), name


def test_an_estimate_below_one_is_within_its_band_where_the_reference_has_no_mistake() -> None:
    for name, found in estimation.decisions(reference_of(0), (18.0, 2.0, 3.0, 27.0), 50).items():
        assert found.low is not None
        assert found.value is not None
        assert found.high is not None
        assert found.low < found.value < found.high, name


def test_a_reference_without_the_kind_is_why_there_is_no_band() -> None:
    table = Confusion.from_rows([("1", "0", 40), ("0", "0", 60)])
    scores = ScoreHistogram.from_scores([True] * 40 + [False] * 60, [0.4] * 100)
    found = estimation.decisions(
        estimation.BinaryReference.learn(scores, table, "1"), (8.0, 2.0, 10.0, 30.0), 50
    )
    assert found["precision"].to_dict() == {
        "value": 0.8,
        "n": 50,
        "low": None,
        "high": None,
        "method": "no band: the labelled reference has none of the kind",
    }
    assert found["recall"].low is not None


def test_classes_that_are_known_for_certain_leave_a_doubt_without_labels() -> None:
    calibrators = {
        name: estimation.calibrate(
            ScoreHistogram.from_scores([True] * 50 + [False] * 50, [0.97] * 50 + [0.03] * 50)
        )
        for name in "ab"
    }
    decided = {
        guess: {
            name: ScoreHistogram.from_scores([True] * n, [0.97 if name == guess else 0.03] * n)
            for name in "ab"
        }
        for guess, n in {"a": 20, "b": 30}.items()
    }
    found = estimation.multiclass(calibrators, decided)["roc_auc"]
    expected = stats.binomtest(20, 20).proportion_ci(2 * stats.norm.cdf(3) - 1, method="wilson")
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(expected.low)


def test_decisions_that_all_earned_the_same_may_earn_otherwise() -> None:
    payoff = {("1", "1"): 40.0, ("0", "1"): -10.0}
    found = business.decision_value(Confusion.from_rows([("1", "1", 25)]), payoff)
    low, _ = wilson(25, 25)
    assert found.value == 40_000
    assert (found.low, found.high) == pytest.approx((1000 * (50 * low - 10), 40_000))


ALL_NAMED = {("1", "1"): 100.0, ("0", "1"): -5.0, ("1", "0"): -500.0, ("0", "0"): -1.0}


@pytest.mark.parametrize("n", [11, 100, 1000])
def test_values_that_are_all_alike_are_hardly_less_sure_than_with_another_among_them(n: int) -> None:
    """Of 1,000 decisions worth 0 a mean between -14,619 and 13,088 was said, with one of 100 between -96 and 296."""
    alike = intervals.score_interval(n, 0.5, 0.25) or (0.0, 0.0)
    x = np.append(np.full(n - 1, 0.5), 1.0)
    one = intervals.score_interval(n, float(x.mean()), float((x * x).mean())) or (0.0, 0.0)
    assert alike[1] - alike[0] < 2.5 * (one[1] - one[0])
    for payoff in (ALL_NAMED, {**ALL_NAMED, ("0", "0"): 0.0}):
        same, other = (
            business.decision_value(Confusion.from_rows([("0", "0", n - k), ("1", "0", k)]), payoff)
            for k in (0, 1)
        )
        assert width(same) < 1.5 * width(other)


def width(found: Estimate) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_decisions_that_all_earned_the_same_may_earn_what_another_one_does() -> None:
    """That is 0 only where a pair of classes is not named."""
    _, other = wilson(0, 50)
    found = business.decision_value(Confusion.from_rows([("0", "0", 50)]), ALL_NAMED)
    ends = 1000 * (-1 - 499 * other), 1000 * (-1 + 101 * other)
    assert (found.low, found.high) == pytest.approx(ends)
    costs = dict.fromkeys(ALL_NAMED, -3.0)
    assert width(business.decision_value(Confusion.from_rows([("0", "0", 50)]), costs)) == 0
    del costs["1", "1"]
    found = business.decision_value(Confusion.from_rows([("0", "0", 50)]), costs)
    assert (found.low, found.high) == pytest.approx((-3000, 1000 * (-3 + 3 * other)))
    found = business.decision_value(Confusion.from_rows([("2", "2", 50)]), {("0", "0"): 5.0})
    assert (found.low, found.high) == pytest.approx((0, 5000 * other))


def test_intervals_of_small_values_are_as_wide_for_their_size() -> None:
    x = np.random.default_rng(0).exponential(1e-6, 10_000)
    wide, narrow = (
        intervals.score_interval(len(x), float(y.mean()), float((y * y).mean())) or (0.0, 0.0)
        for y in (x, x / 10)
    )
    assert narrow[0] == pytest.approx(wide[0] / 10, rel=1e-3)
    assert narrow[1] == pytest.approx(wide[1] / 10, rel=1e-3)


def test_intervals_of_two_losses_do_not_reach_below_zero() -> None:
    one, other = 0.0, 4.0
    half = stats.t.ppf(0.975, 1) * stats.sem([one, other])
    errors = regression(RegressionSums.from_rows([1.0, 2.0], [1.0 + one, 2.0 + other]))
    quantiles = outputs.pinball({0.5: QuantileSums(2, one + other, one**2 + other**2)})
    rows = {"rank": [1, 2], "n": [1, 1], "loss": [one, other], "loss_sq": [one**2, other**2]}
    many = places(Table({name: np.array(column) for name, column in rows.items()}), 3)
    times = latency.mean(LatencyHistogram.from_values([one, other]))
    for found in (errors["mae"], quantiles["pinball_0.5"], many["log_loss"], times):
        assert found.value == pytest.approx(2.0)
        assert found.low == 0.0
        assert found.high == pytest.approx(2 + half, rel=0.02)
    assert errors["mape"].low == 0.0
    assert errors["bias"].low == pytest.approx(2 - half)


def test_a_mean_of_one_value_says_why_it_has_no_interval() -> None:
    quantile, sale = QuantileSums(1, 3.0, 9.0), business.RevenueSums(1, 1, 3.0, 0.0, 9.0)
    for found in (
        intervals.mean(1, 3.0, 9.0, ""),
        outputs.pinball({0.5: quantile})["pinball"],
        outputs.pinball({0.1: quantile, 0.9: QuantileSums(2, 6.0, 18.0)})["pinball"],
        latency.mean(LatencyHistogram.from_values([3.0])),
        regression(RegressionSums.from_rows([1.0], [4.0]))["rmse"],
        business.revenue_per_conversion(sale),
    ):
        assert found.value == pytest.approx(3.0)
        assert found.low is None
        assert found.method == "no interval: one value tells no spread"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_intervals_hold_the_mean_and_have_a_width(values: list[float]) -> None:
    x = np.array(values)
    bounds = intervals.score_interval(len(x), float(x.mean()), float((x * x).mean()))
    assert bounds is not None
    assert 0 <= bounds[0] <= x.mean() + 1e-12
    assert x.mean() - 1e-12 <= bounds[1] <= 1
    assert bounds[1] - bounds[0] > 1e-7 * x.mean()


@pytest.mark.parametrize("n", [11, 82, 1000])
def test_intervals_of_reciprocal_ranks_cover_as_they_say(n: int) -> None:
    """Student's t covers 27 % of eleven queries of which 97 % are perfect."""
    covered, wide = coverage(n, 1.0, 0.5)
    assert covered >= stats.binom.ppf(0.001, 1000, 0.95)
    assert wide < 1.1


@pytest.mark.parametrize("n", [11, 82, 1000])
def test_intervals_of_what_is_mostly_in_the_middle_are_no_wider_than_they_must(n: int) -> None:
    """Taken as shares of ½ where all were alike, eleven had a mean width of 1.6 times that of nothing seen."""
    covered, wide = coverage(n, 0.5, 1.0)
    assert covered >= 920
    assert wide < 1.1


def coverage(n: int, usual: float, other: float) -> tuple[int, float]:
    """Return how many of 1,000 intervals of a mean hold it, where 3 % of the values are other ones, and their width.

    The width is in parts of that of the normal interval with the true spread, or, where that is wider, of the chance
    of another value where none was seen.
    """
    random, mean = np.random.default_rng(2), 0.97 * usual + 0.03 * other
    bounds = []
    for _ in range(1000):
        x = np.where(random.random(n) < 0.97, usual, other)
        bounds.append(intervals.score_interval(n, float(x.mean()), float((x * x).mean())) or (0.0, 0.0))
    low, high = np.array(bounds).T
    spread = abs(usual - other) * np.sqrt(0.97 * 0.03 / n)
    unit = max(2 * stats.norm.ppf(0.975) * spread, wilson(0, n)[1])
    return int(((low <= mean) & (mean <= high)).sum()), float((high - low).mean()) / unit
