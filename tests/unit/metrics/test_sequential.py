"""Published and independently computed values of the sequential primitives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import xlogy

from mlwatch.metrics import sequential as seq
from mlwatch.metrics.sequential_quantile import (
    edge_evidence,
    histogram_quantile,
    quantile_log_e_samples,
    quantile_shift_log_e,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# --- golden values of the confseq package (its documentation and unit tests) ------------------------------


def test_rho_of_the_two_sided_mixture_equals_confseq() -> None:
    assert seq.normal_rho(100, 0.05, one_sided=False) == pytest.approx(12.60056, abs=1e-5)


@pytest.mark.parametrize(("one_sided", "expected"), [(False, -0.6510052), (True, -0.06502391)])
def test_normal_log_mixture_equals_confseq(one_sided: bool, expected: float) -> None:
    rho = seq.normal_rho(100, 0.05, one_sided=one_sided)
    assert seq.normal_log_e(10, 100, rho, one_sided=one_sided) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("one_sided", "expected"), [(False, -0.6941012), (True, -0.07134019)])
def test_beta_binomial_log_mixture_equals_confseq(one_sided: bool, expected: float) -> None:
    # confseq's (s, v) = (10, 100) with steps −0.2 and +0.8: 625 trials at p0 = 0.2, 10 successes above 125
    kappa = seq.beta_concentration(625, 0.1 if one_sided else 0.05)
    log_e = seq.beta_binomial_log_e(135, 490, 0.2, kappa, one_sided=one_sided)
    assert log_e == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("successes", "trials", "t_opt", "low", "high"),
    [
        (700, 1000, 100, 0.651629, 0.745949),
        (15, 50, 50, 0.129556, 0.511896),
        (5, 50, 50, 0.013021, 0.269264),
        (1, 50, 50, 0, 0.13489),
        (100, 200, 1, 0.328923, 0.671076),
    ],
)
def test_bernoulli_interval_equals_confseq(
    successes: int, trials: int, t_opt: float, low: float, high: float
) -> None:
    assert seq.bernoulli_interval(successes, trials, 0.05, t_opt) == pytest.approx((low, high), abs=1e-5)


@pytest.mark.parametrize(
    ("p", "shift", "expected"),
    [(0.5, 70, 0.814704), (0.5, 85, 0.0838055), (0.5, 100, 0.0054947), (0.9, 55, 0.0340463)],
)
def test_two_sample_quantile_p_value_equals_confseq(p: float, shift: int, expected: float) -> None:
    x = np.arange(1, 1001)
    assert np.exp(-quantile_log_e_samples(x, x + shift, p, 100)) == pytest.approx(expected, abs=1e-5)


# --- golden values of other packages ----------------------------------------------------------------------


def test_multinomial_marginals_equal_ssrm_test() -> None:
    counts, null = np.array([2, 2, 0]), np.array([0.4, 0.4, 0.2])
    assert seq.multinomial_log_marginal(counts, np.ones(3)) == pytest.approx(-4.499809670, abs=1e-8)
    assert np.sum(xlogy(counts, null)) == pytest.approx(-3.665162927, abs=1e-8)
    assert seq.dirichlet_log_e(counts, null, np.ones(3)) == pytest.approx(-0.834646743, abs=1e-8)


# --- against SciPy ----------------------------------------------------------------------------------------


def test_proportion_terms_are_the_hypergeometric_moments() -> None:
    n_b, b, n_c, c = 60, 9, 40, 3
    terms = seq.proportion_terms(n_b, b, n_c, c)
    law = stats.hypergeom(n_b + n_c, b + c, n_c)
    assert float(terms.s) == pytest.approx(c - law.mean())
    assert float(terms.v) == pytest.approx(law.var())


def test_proportion_terms_of_one_silent_arm_are_zero() -> None:
    terms = seq.proportion_terms([10, 0, 0], [3, 0, 0], [0, 10, 0], [0, 4, 0])
    assert terms.s.tolist() == [0, 0, 0]
    assert terms.v.tolist() == [0, 0, 0]


def test_one_stratum_of_the_contrast_is_the_welch_statistic() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.exponential(1, 70), rng.exponential(1.3, 50)
    arms = [seq.Moments.of(a.size, a.sum(), (a * a).sum()) for a in (x, y)]
    s, v = seq.contrast_terms(*arms).at()
    assert float(s / np.sqrt(v)) == pytest.approx(stats.ttest_ind(y, x, equal_var=False).statistic)


def test_one_stratum_of_the_mean_test_uses_the_variance_of_both_arms_together() -> None:
    x, y = np.array([1.0, 2, 4, 9]), np.array([3.0, 5, 6])
    arms = [seq.Moments.of(a.size, a.sum(), (a * a).sum()) for a in (x, y)]
    s, v = seq.mean_terms(*arms)
    weight = 12 / 7
    assert float(s) == pytest.approx(weight * (y.mean() - x.mean()))
    assert float(v) == pytest.approx(weight**2 * np.concatenate([x, y]).var(ddof=1) * (1 / 3 + 1 / 4))


@pytest.mark.parametrize("one_sided", [False, True])
def test_beta_binomial_is_the_integral_over_its_prior(one_sided: bool) -> None:
    p0, kappa, s, f = 0.3, 12.0, 9, 11
    prior = stats.beta(kappa * p0, kappa * (1 - p0))
    start = p0 if one_sided else 0
    ratio = lambda p: stats.binom.pmf(s, s + f, p) / stats.binom.pmf(s, s + f, p0) * prior.pdf(p)  # noqa: E731 - an integrand
    integral = integrate.quad(ratio, start, 1)[0] / prior.sf(start)
    assert seq.beta_binomial_log_e(s, f, p0, kappa, one_sided=one_sided) == pytest.approx(
        np.log(integral), abs=1e-7
    )


def test_one_sided_normal_mixture_is_the_integral_over_half_a_normal() -> None:
    s, v, rho = 7.0, 20.0, 5.0
    half_normal = stats.halfnorm(scale=1 / np.sqrt(rho))
    integral = integrate.quad(lambda x: np.exp(x * s - x * x * v / 2) * half_normal.pdf(x), 0, 20)[0]
    assert seq.normal_log_e(s, v, rho) == pytest.approx(np.log(integral), abs=1e-9)


def test_two_sided_half_width_is_where_the_e_value_reaches_its_limit() -> None:
    v, rho = np.array([1.0, 50, 4000]), 12.6
    width = seq.normal_half_width(v, rho, 0.05, one_sided=False)
    assert seq.normal_log_e(width, v, rho, one_sided=False) == pytest.approx(np.log(20))


def test_one_sided_half_width_is_on_the_safe_side_of_the_e_value_and_close_to_it() -> None:
    v, rho = np.array([0.1, 50, 4000]), 12.6
    log_e = seq.normal_log_e(seq.normal_half_width(v, rho, 0.05), v, rho)
    assert np.all(log_e >= np.log(20))
    assert np.all(log_e < np.log(20) + 0.15)


def test_evidence_in_the_wrong_direction_is_none() -> None:
    """A tail smaller than the smallest double must not turn into evidence."""
    assert seq.beta_binomial_log_e(100, 99_900, 0.5, 629, one_sided=True) <= 0


# --- the quantile method on histograms --------------------------------------------------------------------


def test_histogram_quantiles_are_never_bolder_than_the_samples() -> None:
    """Binning may only lose evidence: compare with the one-sided product evaluated at every sample."""
    rng = np.random.default_rng(2)
    x, y = rng.lognormal(0, 0.5, 2000), rng.lognormal(0.15, 0.5, 2000)
    edges = np.exp(np.arange(-200, 200) * np.log(1.02))
    counts = [np.histogram(a, edges)[0] for a in (x, y)]
    points = np.sort(np.concatenate([x, y]))
    kappa = seq.beta_concentration()
    f_b = np.searchsorted(np.sort(x), points, side="left")
    f_c = np.searchsorted(np.sort(y), points, side="right")
    exact = (
        seq.beta_binomial_log_e(f_b, 2000 - f_b, 0.9, kappa, one_sided=True)
        + seq.beta_binomial_log_e(2000 - f_c, f_c, 0.1, kappa, one_sided=True)
    ).min()
    binned = _shift_log_e(counts[0], counts[1], 0.9)
    assert binned <= exact
    assert binned > np.log(20)  # p90 is 16 % larger: evident in 4,000 values


def _shift_log_e(b: ArrayLike, c: ArrayLike, p: float, shift: int = 0, rising: bool = True) -> float:
    return float(quantile_shift_log_e(edge_evidence(b, p), edge_evidence(c, p), [shift], rising=rising)[0])


@pytest.mark.parametrize("rising", [True, False])
def test_a_shift_of_the_null_undoes_a_shift_of_the_candidate(rising: bool) -> None:
    rng = np.random.default_rng(3)
    b, c = rng.poisson(20, 50), rng.poisson(20, 50)
    moved, level = np.pad(c, (4, 0)), np.pad(b, (0, 4))
    plain = _shift_log_e(b, c, 0.5, rising=rising)
    assert _shift_log_e(level, moved, 0.5, 4, rising=rising) == pytest.approx(plain)


def test_edges_of_empty_bins_have_the_evidence_of_every_other_edge() -> None:
    counts = np.array(
        [[[0, 0, 3, 0, 0, 9, 0], [0, 0, 0, 0, 0, 0, 0]], [[5, 0, 0, 0, 1, 0, 2], [0, 7, 0, 0, 0, 0, 0]]]
    )
    found, kappa = edge_evidence(counts, 0.9), seq.beta_concentration()
    for place in np.ndindex(2, 2):
        for edge in range(8):
            k, n = counts[place][:edge].sum(), counts[place].sum()
            above = seq.beta_binomial_log_e(k, n - k, 0.9, kappa, one_sided=True)
            below = seq.beta_binomial_log_e(n - k, k, 1 - 0.9, kappa, one_sided=True)
            assert (found.above[place][edge], found.below[place][edge]) == (above, below)


def test_both_directions_mirror_each_other() -> None:
    rng = np.random.default_rng(4)
    b, c = rng.poisson(20, 50), rng.poisson(25, 50)
    up = _shift_log_e(b, c, 0.9, 2, rising=True)
    assert _shift_log_e(c, b, 0.9, -2, rising=False) == pytest.approx(up)


def test_histogram_quantile_is_within_a_bin_of_the_sample_quantile() -> None:
    x = np.random.default_rng(6).lognormal(3, 0.5, 5000)
    edges = np.exp(np.arange(0, 400) * np.log(1.02))
    for p in (0.5, 0.95, 0.99):
        estimate = histogram_quantile(np.histogram(x, edges)[0], edges, p)
        assert float(estimate) == pytest.approx(np.quantile(x, p, method="inverted_cdf"), rel=0.02)
    assert np.isnan(histogram_quantile(np.zeros(3), np.arange(1, 5), 0.5))
