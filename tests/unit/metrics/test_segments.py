"""Contrasts of segments against published and SciPy's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlwatch.metrics.segments import Losses, contrast, together


def wrong(n: int, of: int) -> Losses:
    return Losses(of, n, n)


def test_the_interval_is_newcombes_tenth_method() -> None:
    """His table II: 56/70 against 48/80."""
    found = contrast(wrong(56, 70), wrong(48, 80))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert found.difference == pytest.approx(0.2)
    assert found.excess == pytest.approx(14.0)


def test_the_p_value_of_proportions_is_that_of_the_chi_squared_test() -> None:
    found = contrast(wrong(4_000, 12_000), wrong(13_000, 40_000))
    assert found is not None
    expected = stats.chi2_contingency([[4_000, 8_000], [13_000, 27_000]], correction=False).pvalue
    assert found.p == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("one", "other"),
    [((40, 120), (90, 400)), ((1, 30), (0, 10_000)), ((0, 30), (70, 100)), ((2_000, 2_010), (9_970, 9_999))],
)
def test_where_little_is_expected_the_p_value_is_fishers(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    found = contrast(wrong(*one), wrong(*other))
    chances = stats.hypergeom(one[1] + other[1], one[0] + other[0], one[1])
    expected = 2 * min(chances.sf(one[0] - 1), chances.cdf(one[0]))
    assert found is not None
    assert found.p == pytest.approx(expected, rel=1e-9)


def test_no_segment_is_worse_where_errors_are_rare_and_fall_anywhere() -> None:
    """Of 100 data sets without any difference, at most 5 may have a segment that is called worse."""
    random, sizes, called = np.random.default_rng(11), (40, 60, 200, 400, 1_300, 3_000, 5_000, 10_000), 0
    for _ in range(100):
        segments = [wrong(random.binomial(size, 0.002), size) for _ in range(12) for size in sizes]
        total = round(sum(each.total for each in segments) / 12)
        found = together([contrast(each, wrong(total, sum(sizes) - each.n)) for each in segments])
        called += any(each is not None and each.worse for each in found)
    assert called <= 5


def test_means_are_compared_with_separate_variances() -> None:
    random = np.random.default_rng(5)
    one, two = np.abs(random.normal(0, 3, 400)), np.abs(random.normal(0, 2.5, 900))
    found = contrast(*(Losses(len(x), x.sum(), (x**2).sum(), proportion=False) for x in (one, two)))
    assert found is not None
    welch = stats.ttest_ind(one, two, equal_var=False)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(welch.statistic)), rel=1e-9)
    interval = welch.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=0.01)


def test_small_segments_say_nothing() -> None:
    assert contrast(wrong(9, 29), wrong(1, 1000)) is None
    assert contrast(wrong(1, 1000), wrong(9, 29)) is None


def test_equal_losses_without_spread_are_no_difference() -> None:
    found = contrast(wrong(0, 50), wrong(0, 60))
    assert found is not None
    assert (found.difference, found.p) == (0.0, 1.0)


def test_many_segments_are_corrected_together() -> None:
    pairs = [(12, 40), (20, 40), (13, 50), (10, 40)]
    found = together([None, *(contrast(wrong(n, of), wrong(100, 400)) for n, of in pairs)])
    assert found[0] is None
    p = [each.p for each in found if each is not None]
    q = [each.q for each in found if each is not None]
    assert q == pytest.approx(stats.false_discovery_control(p))
    assert [each.worse for each in found if each is not None] == [False, True, False, False]
