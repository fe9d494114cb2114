"""Anytime-valid inference: e-values and confidence sequences that hold at every look.

Three primitives, each a pure function of additive statistics and vectorised over leading axes:

* P1, the normal mixture (`normal_*`, `*_terms`): asymptotic, for means and common proportions.
* P2, the beta-binomial and Dirichlet mixtures (`beta_binomial_log_e`, `dirichlet_log_e`): exact, for counts.
* P3, the rate-ratio grid: see `sequential_ratio`.

An e-value is evidence against a null hypothesis: its average under the null is at most 1, so by Ville's
inequality it ever exceeds 1/α with probability at most α, however often one looks.

Sources:
    Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence
    sequences, Annals of Statistics 49(2), doi:10.1214/20-AOS1991.
    Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024), Time-uniform central limit theory and asymptotic
    confidence sequences, Annals of Statistics 52(6), doi:10.1214/24-AOS2408.
    Lindon, Malek (2022), Anytime-valid inference for multinomial count data, NeurIPS 35.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlwatch.metrics.scipy_special import betaincc, betaln, gammaln, log_ndtr, xlogy

if TYPE_CHECKING:
    from collections.abc import Callable

FloatArray: TypeAlias = NDArray[np.float64]

OPTIMAL_N = 5_000
"""Number of samples at which the default mixtures are tightest."""


class Terms(NamedTuple):
    """The additive statistics of P1: sum them over strata."""

    s: FloatArray
    """Sum of deviations from the null, in the direction under test."""
    v: FloatArray
    """Variance of `s` accumulated under the null."""


def _floats(*values: ArrayLike) -> tuple[FloatArray, ...]:
    return tuple(np.asarray(value, dtype=float) for value in values)


def _minimum(left: ArrayLike, right: ArrayLike) -> FloatArray:
    smaller: FloatArray = np.minimum(left, right, dtype=float)
    return smaller


def _divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide, with 0 where the denominator is not positive."""
    positive = denominator > 0
    if positive.all():  # as most often, and then far faster
        return np.true_divide(numerator, denominator)
    result: FloatArray = np.divide(numerator, denominator, out=np.zeros(positive.shape), where=positive)
    return result


# --- P1: normal mixture ------------------------------------------------------------------------------------


def normal_rho(v_opt: ArrayLike, alpha: float = 0.05, *, one_sided: bool = True) -> FloatArray:
    """Return the mixture's precision ρ that is tightest at the variance `v_opt`.

    ρ = V/(L + ln(1+L)), L = 2 ln(1/α), with 2α in place of α for the one-sided mixture
    (Howard et al. 2021, on tuning).
    """
    level = -2 * math.log(2 * alpha if one_sided else alpha)
    return np.asarray(v_opt, dtype=float) / (level + math.log1p(level))


def normal_log_e(s: ArrayLike, v: ArrayLike, rho: ArrayLike, *, one_sided: bool = True) -> FloatArray:
    """Return the log e-value of the normal mixture at (S, V) (Howard et al. 2021, conjugate mixtures).

    Two-sided: ½ ln(ρ/(V+ρ)) + S²/(2(V+ρ)).
    One-sided (S > 0): ½ ln(4ρ/(V+ρ)) + S²/(2(V+ρ)) + ln Φ(S/√(V+ρ)).
    """
    s, rho = np.asarray(s, dtype=float), np.asarray(rho, dtype=float)
    total = np.asarray(v, dtype=float) + rho
    log_e: FloatArray = 0.5 * np.log(rho / total) + s * s / (2 * total)
    if one_sided:
        log_e = log_e + math.log(2) + log_ndtr(s / np.sqrt(total))
    return log_e


def normal_half_width(
    v: ArrayLike, rho: ArrayLike, alpha: ArrayLike = 0.05, *, one_sided: bool = True
) -> FloatArray:
    """Return how far S may stray from its mean, at any time, with probability 1 − α.

    One-sided: √(2(V+ρ) ln(1 + √((V+ρ)/ρ)/(2α))) (Waudby-Smith et al. 2024).
    Two-sided: √((V+ρ) ln((V+ρ)/(ρα²))) (Howard et al. 2021).
    """
    rho, alpha = np.asarray(rho, dtype=float), np.asarray(alpha, dtype=float)
    total = np.asarray(v, dtype=float) + rho
    if one_sided:  # noqa: SIM108  the two formulas read best apart
        log_term = 2 * np.log1p(np.sqrt(total / rho) / (2 * alpha))
    else:
        log_term = np.log(total / (rho * alpha * alpha))
    width: FloatArray = np.sqrt(total * log_term)
    return width


def proportion_terms(n_b: ArrayLike, b: ArrayLike, n_c: ArrayLike, c: ArrayLike) -> Terms:
    """Return P1's terms of each stratum for "the candidate has no more bad events than the baseline".

    S = c − k n_c/n and V = n_c n_b k(n−k)/(n²(n−1)), the hypergeometric mean and variance of the candidate's
    bad events given the margins (Mantel & Haenszel 1959), k = c + b, n = n_c + n_b.
    A stratum with one arm only contributes nothing.

    Args:
        n_b: Units of the baseline, per stratum.
        b: Bad events of the baseline.
        n_c: Units of the candidate.
        c: Bad events of the candidate.
    """
    n_b, b, n_c, c = _floats(n_b, b, n_c, c)
    n, k = n_b + n_c, b + c
    s = c - k * _divide(n_c, n)
    return Terms(s, _divide(n_c * n_b * k * (n - k), n * n * (n - 1)))


class Moments(NamedTuple):
    """Number, sum and sum of squares of one arm, per stratum."""

    n: FloatArray
    total: FloatArray
    squares: FloatArray

    @classmethod
    def of(cls, n: ArrayLike, total: ArrayLike, squares: ArrayLike) -> Moments:
        """Build from anything array-like."""
        return cls(*_floats(n, total, squares))

    @classmethod
    def of_proportion(cls, n: ArrayLike, events: ArrayLike) -> Moments:
        """Treat a proportion as the mean of zeros and ones."""
        return cls.of(n, events, events)

    @property
    def mean(self) -> FloatArray:
        """Mean of each stratum, 0 where there is no unit."""
        return _divide(self.total, self.n)

    @property
    def variance(self) -> FloatArray:
        """Unbiased sample variance of each stratum, 0 where there are fewer than two units."""
        return self.variance_about(self.mean)

    def variance_about(self, mean: FloatArray) -> FloatArray:
        """Return `variance`, the means being known."""
        return _divide(np.maximum(self.squares - self.total * mean, 0), self.n - 1)

    def __add__(self, other: Moments) -> Moments:  # type: ignore[override]
        """Put two arms together."""
        return Moments(self.n + other.n, self.total + other.total, self.squares + other.squares)


def _weight(baseline: Moments, candidate: Moments) -> FloatArray:
    """Return the Cochran–Mantel–Haenszel weight n_c n_b/n of each stratum."""
    return _divide(candidate.n * baseline.n, candidate.n + baseline.n)


def mean_terms(baseline: Moments, candidate: Moments) -> Terms:
    """Return P1's terms of each stratum for "the candidate's mean is no larger".

    w = n_c n_b/n; S = w(x̄_c − x̄_b); V = w² s²(1/n_c + 1/n_b) = w s², s² from both arms together.
    """
    weight = _weight(baseline, candidate)
    return Terms(weight * (candidate.mean - baseline.mean), weight * (baseline + candidate).variance)


class ContrastTerms(NamedTuple):
    """Additive statistics of a stratified difference of means, before the margin is chosen."""

    weight: FloatArray
    """w = n_c n_b/n."""
    candidate: FloatArray
    """w x̄_c."""
    baseline: FloatArray
    """w x̄_b."""
    v_candidate: FloatArray
    """w² s_c²/n_c."""
    v_baseline: FloatArray
    """w² s_b²/n_b."""
    v_null: FloatArray
    """w s², s² from both arms together: the variance where the arms are the same, see `mean_terms`."""

    def at(self, slope: ArrayLike = 1.0) -> Terms:
        """Return S and V of x̄_c − slope·x̄_b."""
        slope = np.asarray(slope, dtype=float)
        return Terms(
            self.candidate - slope * self.baseline, self.v_candidate + slope * slope * self.v_baseline
        )


def contrast_terms(baseline: Moments, candidate: Moments) -> ContrastTerms:
    """Return each stratum's terms for intervals and margins: V = w²(s_c²/n_c + s_b²/n_b), arms apart.

    Where an arm has a single unit its variance is unknown; the variance of both arms together stands in.
    """
    weight, together = _weight(baseline, candidate), (baseline + candidate).variance
    alone = np.minimum(baseline.n, candidate.n) < 2
    arms = candidate, baseline
    means = [arm.mean for arm in arms]
    variances = [arm.variance_about(mean) for arm, mean in zip(arms, means, strict=True)]
    if alone.any():
        variances = [np.where(alone, together, s2) for s2 in variances]
    v_c, v_b = (weight * weight * _divide(s2, arm.n) for s2, arm in zip(variances, arms, strict=True))
    return ContrastTerms(weight, weight * means[0], weight * means[1], v_c, v_b, weight * together)


# --- P2: beta-binomial and Dirichlet mixtures --------------------------------------------------------------


@lru_cache(maxsize=16)
def beta_concentration(n_opt: float = OPTIMAL_N, alpha: float = 0.05) -> float:
    """Return the concentration κ of the beta prior that is tightest after `n_opt` trials.

    κ = n_opt/(L + ln(1+L)) − 1, L = 2 ln(1/α): n_opt/7.94 − 1 at α = 0.05.
    """
    return max(float(normal_rho(n_opt, alpha, one_sided=False)) - 1, 1e-3)


def beta_binomial_log_e(
    successes: ArrayLike, failures: ArrayLike, p0: ArrayLike, kappa: ArrayLike, *, one_sided: bool = False
) -> FloatArray:
    """Return the exact log e-value against a success probability of p0 (one-sided: of at most p0).

    ln B(a+s, b+f) − ln B(a, b) − s ln p0 − f ln(1−p0) with a = κp0, b = κ(1−p0). One-sided, the prior is cut
    to p > p0, which adds ln I(a+s, b+f) − ln I(a, b), I the upper regularised incomplete beta function at p0.
    Valid while trials arrive one by one, whatever the stopping rule (Howard et al. 2021).
    """
    s, f, p0, kappa = _floats(successes, failures, p0, kappa)
    a, b = kappa * p0, kappa * (1 - p0)
    log_e = np.asarray(betaln(a + s, b + f) - betaln(a, b) - xlogy(s, p0) - xlogy(f, 1 - p0), dtype=float)
    if one_sided:
        tail = np.maximum(betaincc(a + s, b + f, p0), 1e-300)
        # At or below p0 every likelihood ratio is at most 1: this holds where the tail underflows too.
        most = np.where(s <= (s + f) * p0, 0.0, np.inf)
        log_e = _minimum(log_e + np.log(tail) - np.log(betaincc(a, b, p0)), most)
    return log_e


def dirichlet_log_e(counts: ArrayLike, shares: ArrayLike, prior: ArrayLike) -> FloatArray:
    """Return the exact log Bayes factor of multinomial counts against fixed shares.

    ln M₁ − ln M₀, M₁ a Dirichlet(prior) mixture of the ordered sequence, M₀ the configured shares
    (Lindon & Malek 2022).

    Args:
        counts: Observed counts, categories on the last axis.
        shares: Configured shares, summing to 1.
        prior: Dirichlet parameters, for example κ·shares.
    """
    counts, shares = _floats(counts, shares)
    log_e: FloatArray = multinomial_log_marginal(counts, prior) - np.sum(xlogy(counts, shares), axis=-1)
    return log_e


def multinomial_log_marginal(counts: ArrayLike, prior: ArrayLike) -> FloatArray:
    """Return ln M₁: the probability of a sequence with these counts under a Dirichlet prior."""
    counts, prior = np.asarray(counts, dtype=float), np.asarray(prior, dtype=float)
    total = gammaln(prior.sum(axis=-1)) - gammaln((prior + counts).sum(axis=-1))
    log_m: FloatArray = total + np.sum(gammaln(prior + counts) - gammaln(prior), axis=-1)
    return log_m


def bernoulli_interval(
    successes: ArrayLike, trials: ArrayLike, alpha: float = 0.05, t_opt: float = OPTIMAL_N
) -> tuple[FloatArray, FloatArray]:
    """Return the confidence sequence of a success probability at this moment.

    All p whose two-sided beta-binomial e-value is below 1/α, found by bisection (Howard et al. 2021).

    Args:
        successes: Number of successes.
        trials: Number of trials, at least 1.
        alpha: Error probability of the whole sequence.
        t_opt: Number of trials at which the interval is tightest.
    """
    s, n = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(trials, dtype=float))
    low = _bisect(np.zeros(s.shape), s / n, _accepts(s, n, alpha, t_opt))
    return np.where(s > 0, low, 0.0), bernoulli_most(s, n, alpha, t_opt, steps=60)


def bernoulli_most(
    successes: ArrayLike, trials: ArrayLike, alpha: float = 0.05, t_opt: float = OPTIMAL_N, *, steps: int = 24
) -> FloatArray:
    """Return the upper limit of `bernoulli_interval` alone, by default to seven decimals: a timeline has many."""
    s, n = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(trials, dtype=float))
    high = _bisect(np.ones(s.shape), s / n, _accepts(s, n, alpha, t_opt), steps)
    return np.where(s < n, high, 1.0)


def _accepts(
    s: FloatArray, n: FloatArray, alpha: float, t_opt: float
) -> Callable[[FloatArray], NDArray[np.bool_]]:
    """Return which success probabilities are in the confidence sequence."""
    kappa, limit = beta_concentration(t_opt), math.log(1 / alpha)
    return lambda p: beta_binomial_log_e(s, n - s, np.clip(p, 1e-15, 1 - 1e-15), kappa) < limit


def _bisect(
    outside: FloatArray,
    inside: FloatArray,
    accepted: Callable[[FloatArray], NDArray[np.bool_]],
    steps: int = 60,
) -> FloatArray:
    """Return the border between a rejected and an accepted value."""
    for _ in range(steps):
        middle = (outside + inside) / 2
        keep = accepted(middle)
        inside, outside = np.where(keep, middle, inside), np.where(keep, outside, middle)
    return inside
