"""The rate-ratio grid and the sample-ratio check against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlwatch.metrics import sequential_ratio as ratio
from mlwatch.metrics.sequential import beta_concentration

RNG = np.random.default_rng(5)
SHARE = RNG.uniform(0.05, 0.6, 40)
BAD_C, BAD_B = RNG.poisson(8 * SHARE * 1.5), RNG.poisson(8 * (1 - SHARE))


@pytest.mark.parametrize("theta0", [0.0, np.log(1.2)])
@pytest.mark.parametrize("rising", [True, False])
def test_terms_are_binomial_likelihood_ratios(theta0: float, rising: bool) -> None:
    ratios = ratio.RATIOS if rising else 1 / ratio.RATIOS
    pi = [SHARE * q / (SHARE * q + 1 - SHARE) for q in np.exp(theta0) * np.concatenate([ratios, [1]])]
    log_pmf = np.array([stats.binom.logpmf(BAD_C, BAD_C + BAD_B, p) for p in pi])
    expected = (log_pmf[:-1] - log_pmf[-1]).T
    assert ratio.ratio_terms(BAD_C, BAD_B, SHARE, theta0, rising=rising) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("theta0", [0.0, np.log(1.2), -2.0, 2.3])
@pytest.mark.parametrize("rising", [True, False])
def test_interpolated_cumulants_give_the_same_e_value(theta0: float, rising: bool) -> None:
    exact = ratio.ratio_log_e(ratio.ratio_terms(BAD_C, BAD_B, SHARE, theta0, rising=rising).sum(axis=0))
    cumulant = ratio.cumulant_sum(BAD_C + BAD_B, SHARE)
    fast = ratio.ratio_log_e_at(BAD_C.sum(), cumulant, theta0, rising=rising)
    assert fast == pytest.approx(float(exact), abs=1e-8)
    assert cumulant == pytest.approx(ratio.cumulant_terms(BAD_C + BAD_B, SHARE).sum(axis=0))


def test_interval_limits_are_where_the_e_value_reaches_its_limit() -> None:
    cumulant = ratio.cumulant_sum(BAD_C + BAD_B, SHARE)
    low, high = ratio.ratio_interval(BAD_C.sum(), cumulant, 0.05)
    assert ratio.ratio_log_e_at(BAD_C.sum(), cumulant, float(np.log(low))) == pytest.approx(
        np.log(20), abs=5e-3
    )
    at_high = ratio.ratio_log_e_at(BAD_C.sum(), cumulant, float(np.log(high)), rising=False)
    assert at_high == pytest.approx(np.log(20), abs=5e-3)
    assert low < 1.5 < high


def test_inflation_widens_the_interval() -> None:
    cumulant = ratio.cumulant_sum(BAD_C + BAD_B, SHARE)
    plain = ratio.ratio_interval(BAD_C.sum(), cumulant)
    noisy = ratio.ratio_interval(BAD_C.sum(), cumulant, inflation=2.0)
    assert noisy[0] < plain[0] < plain[1] < noisy[1]


def test_no_event_leaves_the_ratio_unbounded() -> None:
    low, high = ratio.ratio_interval(0, ratio.cumulant_sum(np.zeros(3), np.full(3, 0.5)))
    assert (float(low), float(high)) == (0, np.inf)


def test_mantel_haenszel_equals_the_crude_ratio_in_one_stratum() -> None:
    assert ratio.mantel_haenszel_ratio(12 * 300 / 400, 10 * 100 / 400) == pytest.approx(
        (12 / 100) / (10 / 300)
    )


def test_sample_ratio_is_the_beta_binomial_against_the_binomial() -> None:
    kappa = beta_concentration()
    expected = stats.betabinom.logpmf(530, 1000, kappa / 2, kappa / 2) - stats.binom.logpmf(530, 1000, 0.5)
    assert ratio.sample_ratio_log_e(470, 530, 0.5) == pytest.approx(expected, abs=1e-8)


def test_ramp_ratio_sees_a_mismatch_in_either_direction_and_no_other() -> None:
    share = np.repeat([0.05, 0.1, 0.25, 0.5], 10)
    n = np.full(40, 1000)
    for actual, mismatch in ((share, False), (share * 1.15, True), (share * 0.85, True)):
        n_c = np.round(n * actual)
        log_e = ratio.ramp_ratio_log_e(ratio.ramp_ratio_terms(n - n_c, n_c, share).sum(axis=0))
        assert (log_e > np.log(1000)) == mismatch


def test_exact_e_values_average_one_under_the_null() -> None:
    """Enumerate every outcome of one stratum: the average is exactly 1."""
    k, share = 30, 0.2
    c = np.arange(k + 1)
    for rising in (True, False):
        log_e = ratio.ratio_log_e(ratio.ratio_terms(c, k - c, share, rising=rising))
        assert np.sum(np.exp(log_e) * stats.binom.pmf(c, k, share)) == pytest.approx(1)
