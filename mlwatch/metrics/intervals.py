"""Confidence intervals from sums: right for one look, not for a rollout that is watched all the time."""

from __future__ import annotations

import math

from mlwatch.metrics.estimate import Estimate, estimate, undefined
from mlwatch.metrics.scipy_special import special

Interval = tuple[float, float]

CONFIDENCE = 0.95
ONE_VALUE = "no interval: one value tells no spread"
NO_SQUARES = "no interval: the squares are not summed"
SCORE = "Wilson, effective sample size"
SAME = 1e-12
"""Share of the mean square of values below which their variance is but rounding."""


def wilson(successes: float, n: float, confidence: float = CONFIDENCE) -> Interval | None:
    """Return Wilson's score interval of a proportion.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.

    Args:
        successes: Number of successes, 0 to `n`.
        n: Number of trials.
        confidence: Coverage, for example 0.95.

    Returns:
        (low, high) within [0, 1], or None without trials.
    """
    return _wilson(successes, n, z_value(confidence)) if n > 0 else None


def _wilson(successes: float, n: float, z: float) -> Interval:
    share = successes / n
    shrink = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes <= 0 else max(0.0, centre - half)
    high = 1.0 if successes >= n else min(1.0, centre + half)
    return low, high


def score_interval(n: int, mean: float, square: float, confidence: float = CONFIDENCE) -> Interval | None:
    """Return the interval of a mean of values within [0, 1]: Wilson's, of the trials that would tell as much.

    A proportion of so many trials has the variance of this mean. Values that are all equal say nothing about their
    spread; see `all_alike`.
    Source: Korn & Graubard 1998, Survey Methodology 24:193, for the effective sample size with Student's quantile;
    Franco et al. 2019, doi:10.1093/jssam/smy019, for Wilson's interval with it.

    Args:
        n: Number of values.
        mean: Their mean.
        square: The mean of their squares.
        confidence: Coverage.

    Returns:
        (low, high) within [0, 1] and never of no width, or None without values.
    """
    if n <= 0:
        return None
    mean = min(1.0, max(0.0, mean))
    most, variance = mean * (1 - mean), square - mean * mean
    if n < 2 or variance <= SAME * square:
        return all_alike(n, mean, 0.0, 1.0, confidence)
    trials = n * max(1.0, most / variance)
    return _wilson(mean * trials, trials, float(special.stdtrit(n - 1, (1 + confidence) / 2)))


def all_alike(n: int, value: float, least: float, most: float, confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of a mean where all values seen are the same.

    By Wilson's interval another one comes with a chance of at most u, and moves the mean by no more than its distance:
    v − u (v − least) … v + u (most − v). At either end this is Wilson's interval of a proportion.

    Args:
        n: Number of values, at least one.
        value: What they all are.
        least: The least that a value can be.
        most: The most.
        confidence: Coverage.
    """
    _, other = _wilson(0.0, n, z_value(confidence))
    return value - other * (value - least), value + other * (most - value)


def normal(
    value: float,
    variance: float,
    *,
    lowest: float = -math.inf,
    highest: float = math.inf,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return value ± z·sd, cut to [lowest, highest]. `variance` is that of the estimator, not of a row."""
    half = z_value(confidence) * math.sqrt(max(variance, 0.0))
    return max(lowest, value - half), min(highest, value + half)


def mean_t(n: int, total: float, sumsq: float, confidence: float = CONFIDENCE) -> Interval | None:
    """Return Student's t interval of a mean.

    Args:
        n: Number of values.
        total: Their sum.
        sumsq: The sum of their squares.
        confidence: Coverage.

    Returns:
        (low, high), or None for fewer than two values.
    """
    if n < 2:
        return None
    mean = total / n
    half = float(special.stdtrit(n - 1, (1 + confidence) / 2)) * math.sqrt(
        sample_variance(n, total, sumsq) / n
    )
    return mean - half, mean + half


def sample_variance(n: int, total: float, sumsq: float) -> float:
    """Return the unbiased variance of `n` ≥ 2 values; rounding below zero is taken as zero."""
    return max(0.0, (sumsq - total * total / n) / (n - 1))


def ratio(
    n: int,
    *,
    top: float,
    bottom: float,
    top_sq: float,
    bottom_sq: float,
    product: float,
    confidence: float = CONFIDENCE,
) -> Interval | None:
    """Return the delta-method interval of a ratio of two sums over the same units.

    Source: Cochran 1977, Sampling Techniques, section 2.11 (linearised ratio estimator).

    Args:
        n: Number of units.
        top: Σ y, the numerator.
        bottom: Σ x, the denominator.
        top_sq: Σ y².
        bottom_sq: Σ x².
        product: Σ x·y.
        confidence: Coverage.

    Returns:
        (low, high), or None for fewer than two units or an empty denominator.
    """
    if n < 2 or bottom == 0:
        return None
    value = top / bottom
    residual = max(0.0, top_sq - 2 * value * product + value * value * bottom_sq)
    variance = residual * n / (n - 1) / (bottom * bottom)
    return normal(value, variance, confidence=confidence)


def poisson_rate(count: int, exposure: float, confidence: float = CONFIDENCE) -> Interval | None:
    """Return the exact interval of a rate, in events per unit of `exposure`.

    Source: Garwood 1936, doi:10.1093/biomet/28.3-4.437.
    """
    if exposure <= 0:
        return None
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(special.gammaincinv(count, tail))
    return low / exposure, float(special.gammaincinv(count + 1, 1 - tail)) / exposure


def z_value(confidence: float = CONFIDENCE) -> float:
    """Return the two-sided normal quantile, 1.96 for 0.95."""
    return float(special.ndtri((1 + confidence) / 2))


def proportion(successes: float, n: int, reason: str) -> Estimate:
    """Return a proportion with Wilson's interval, or `reason` without trials."""
    if n <= 0:
        return undefined(reason)
    return estimate(successes / n, n, wilson(successes, n), "Wilson")


def mean(n: int, total: float, sumsq: float | None, reason: str, lowest: float = -math.inf) -> Estimate:
    """Return a mean with Student's t interval (none without `sumsq`), or `reason` without values.

    Args:
        n: Number of values.
        total: Their sum.
        sumsq: The sum of their squares.
        reason: Why there is no mean without values.
        lowest: The least value that there can be.
    """
    if n <= 0:
        return undefined(reason)
    bounds = None if sumsq is None else mean_t(n, total, sumsq)
    if bounds is None:
        return without_interval(total / n, n)
    return estimate(total / n, n, (max(lowest, bounds[0]), bounds[1]), "Student's t")


def without_interval(value: float, n: int) -> Estimate:
    """Return a value with why it has no interval in the place of how that was made."""
    return Estimate(float(value), n, method=ONE_VALUE if n == 1 else NO_SQUARES)


def score(n: int, total: float, sumsq: float | None, reason: str) -> Estimate:
    """Return a mean of values within [0, 1] with the interval of `score_interval`; for the arguments see `mean`."""
    if n <= 0 or sumsq is None or sumsq > total * (1 + 1e-9) + SAME:  # beyond [0, 1] after all
        return mean(n, total, sumsq, reason, lowest=0.0)
    return estimate(total / n, n, score_interval(n, total / n, sumsq / n), SCORE)
