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
    found = contrast(wrong(40, 120), wrong(90, 400))
    assert found is not None
    expected = stats.chi2_contingency([[40, 80], [90, 310]], correction=False).pvalue
    assert found.p == pytest.approx(expected, rel=1e-9)


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
