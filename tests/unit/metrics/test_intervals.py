from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlwatch.metrics import intervals


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 5), (1, 10), (81, 263), (5, 5), (999, 1000), (500_000, 1_000_000)]
)
def test_wilson_equals_scipys(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert intervals.wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_newcombes_published_table() -> None:
    # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857, table I, method 3.
    assert intervals.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert intervals.wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert intervals.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert intervals.wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_wilson_without_trials_is_none() -> None:
    assert intervals.wilson(0, 0) is None


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share(case: tuple[int, int]) -> None:
    bounds = intervals.wilson(*case)
    assert bounds is not None
    assert 0 <= bounds[0] <= case[0] / case[1] <= bounds[1] <= 1


def test_mean_t_equals_scipys() -> None:
    x = np.random.default_rng(0).normal(3, 2, 40)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    assert intervals.mean_t(40, x.sum(), (x**2).sum()) == pytest.approx(
        (expected.low, expected.high), abs=1e-10
    )
    assert intervals.mean_t(1, 3.0, 9.0) is None


def test_poisson_rate_equals_the_published_limits() -> None:
    # Exact 95 % limits of a Poisson count (Garwood 1936), as printed to three decimals.
    table = [(0, 0.0, 3.689), (1, 0.025, 5.572), (10, 4.795, 18.390), (100, 81.364, 121.627)]
    for count, low, high in table:
        assert intervals.poisson_rate(count, 1.0) == pytest.approx((low, high), abs=6e-4)
    low, high = stats.chi2.ppf(0.025, 2 * 7) / 2, stats.chi2.ppf(0.975, 2 * 8) / 2
    assert intervals.poisson_rate(7, 2.0) == pytest.approx((low / 2, high / 2), abs=1e-9)
    assert intervals.poisson_rate(1, 0.0) is None


def test_ratio_agrees_with_the_bootstrap() -> None:
    rng = np.random.default_rng(3)
    x = rng.gamma(2, 3, 2000)
    y = 0.7 * x + rng.normal(0, 2, 2000)
    bounds = intervals.ratio(
        2000, top=y.sum(), bottom=x.sum(), top_sq=(y**2).sum(), bottom_sq=(x**2).sum(), product=(x * y).sum()
    )
    draws = rng.integers(0, 2000, (4000, 2000))
    sd = (y[draws].sum(axis=1) / x[draws].sum(axis=1)).std()
    assert bounds is not None
    assert (bounds[1] - bounds[0]) / 2 / 1.959964 == pytest.approx(sd, rel=0.05)
    assert sum(bounds) / 2 == pytest.approx(y.sum() / x.sum(), abs=1e-12)
    assert intervals.ratio(5, top=1, bottom=0, top_sq=1, bottom_sq=0, product=0) is None


def test_estimates_without_observations_say_why() -> None:
    assert intervals.proportion(0, 0, "no labels yet").to_dict() == {
        "value": None,
        "n": 0,
        "reason": "no labels yet",
    }
    assert intervals.mean(0, 0.0, 0.0, "no labels yet").reason == "no labels yet"
    assert intervals.mean(4, 8.0, None, "").low is None
