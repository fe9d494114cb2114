"""P3: the rate ratio of two arms, by a grid of alternatives, exact at ratio 1.

Given that an event is bad, it belongs to the candidate with probability π = r e^θ/(r e^θ + 1 − r), r the
candidate's share of the stratum and e^θ the ratio of the bad rates. So a mixture of likelihood ratios over a
few ratios is an e-value, whatever the base rate does over time.

Source:
    Lindon, Sanden, Shirikian (2022), Rapid regression detection in software deployments through sequential
    testing, KDD, doi:10.1145/3534678.3539099 (inhomogeneous Poisson and Bernoulli counting processes).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.sequential import OPTIMAL_N, FloatArray, beta_concentration, dirichlet_log_e

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RATIOS = np.array([1.1, 1.2, 1.35, 1.6, 2.0, 3.0, 5.0])
"""Ratios of the grid of alternatives."""
WEIGHTS = np.array([0.15, 0.20, 0.20, 0.15, 0.15, 0.10, 0.05])
"""Prior weights of the ratios."""
LOG_RATIOS = np.log(RATIOS)
LARGEST_RATIO = 10.0
"""Intervals of a ratio are searched in [1/10, 10]; beyond, a limit is unbounded (the safe side)."""

_REACH = math.log(LARGEST_RATIO) + float(LOG_RATIOS[-1])
_NODES = 32
_GRID = np.linspace(-math.log(LARGEST_RATIO), math.log(LARGEST_RATIO), 257)


def tilt(share: ArrayLike, theta: ArrayLike) -> FloatArray:
    """Return ln(r e^θ + 1 − r), the cumulant of one bad event, for each share and each θ (last axis)."""
    cumulant: FloatArray = np.log1p(np.multiply.outer(np.asarray(share, dtype=float), np.expm1(theta)))
    return cumulant


def ratio_terms(
    c: ArrayLike, b: ArrayLike, share: ArrayLike, theta0: float = 0.0, *, rising: bool = True
) -> FloatArray:
    """Return each stratum's log likelihood ratios: P3's additive K-vector ℓ on the last axis.

    ℓ_k = c ln(π_k/π_0) + b ln((1−π_k)/(1−π_0)), π_k = r e^{θ0±θ_k}/(r e^{θ0±θ_k} + 1 − r).

    Args:
        c: Bad events of the candidate, per stratum.
        b: Bad events of the baseline.
        share: Candidate's share of the exposures, per stratum, in [0, 1].
        theta0: Logarithm of the ratio under the null (the margin); exact for 0.
        rising: Alternatives above the null; otherwise below.
    """
    c, b, share = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (c, b, share)))
    theta = LOG_RATIOS if rising else -LOG_RATIOS
    change = tilt(share, theta0 + theta) - tilt(share, [theta0])
    ell: FloatArray = c[..., None] * theta - (c + b)[..., None] * change
    return ell


def ratio_log_e(ell: ArrayLike) -> FloatArray:
    """Return the log e-value of summed K-vectors: logsumexp(ℓ + ln w) over the last axis."""
    return _log_mixture(np.asarray(ell, dtype=float), WEIGHTS)


def _log_mixture(ell: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the logarithm of the weighted mean of exp(ℓ), without overflow."""
    largest = ell.max(axis=-1)
    log_e: FloatArray = np.log(np.exp(ell - largest[..., None]) @ weights) + largest
    return log_e


# --- all null ratios at once -------------------------------------------------------------------------------
#
# ℓ depends on the strata through G(θ) = Σ k ln(r e^θ + 1 − r) only. G is analytic in the strip |Im θ| < π, so
# its values at a few Chebyshev nodes, which are additive, give it everywhere to about 1e-10 relative.


def _chebyshev_points(count: int) -> FloatArray:
    points: FloatArray = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return points


NODES = _REACH * _chebyshev_points(_NODES)
"""The values of θ at which the cumulant G is kept."""


def _interpolation(theta: FloatArray) -> FloatArray:
    """Return the matrix that maps values at `NODES` to values at `theta` (last axis: nodes)."""
    order = np.arange(_NODES)
    to_coefficients = 2 / _NODES * np.cos(np.outer(order, np.arccos(_chebyshev_points(_NODES))))
    to_coefficients[0] /= 2
    angles = np.arccos(np.clip(theta / _REACH, -1, 1))
    matrix: FloatArray = np.cos(angles[..., None] * order) @ to_coefficients
    return matrix


_AT_GRID = _interpolation(_GRID)
# upwards from each null ratio, and downwards from the same in reverse order: the grid is symmetric
_SIGNS = np.array([[[1.0]], [[-1.0]]])
_SHIFTED = _interpolation(_SIGNS * (_GRID[:, None] + LOG_RATIOS)).reshape(-1, _NODES)


def cumulant_terms(k: ArrayLike, share: ArrayLike) -> FloatArray:
    """Return G of each stratum at `NODES` (last axis): k ln(r e^θ + 1 − r), additive over strata."""
    return np.asarray(k, dtype=float)[..., None] * tilt(share, NODES)


def cumulant_sum(k: ArrayLike, share: ArrayLike) -> FloatArray:
    """Return the sum of `cumulant_terms` over strata, without keeping the terms."""
    k = np.asarray(k, dtype=float)
    present = k > 0
    total: FloatArray = k[present] @ tilt(np.asarray(share, dtype=float)[present], NODES)
    return total


@lru_cache(maxsize=64)
def _difference(theta0: float, rising: bool) -> FloatArray:
    """Return the matrix that maps values at `NODES` to G(θ0 ± θ_k) − G(θ0)."""
    theta = theta0 + (LOG_RATIOS if rising else -LOG_RATIOS)
    return (_interpolation(theta) - _interpolation(np.array([theta0]))).T


def ratio_log_e_at(
    events: ArrayLike, cumulant: FloatArray, theta0: float, *, rising: bool = True, inflation: float = 1.0
) -> FloatArray:
    """Return the log e-value against "ratio ≤ e^θ0" (rising) or "ratio ≥ e^θ0" from summed cumulants.

    Args:
        events: Bad events of the candidate, shape (...).
        cumulant: Sum of `cumulant_terms`, shape (..., nodes).
        theta0: Logarithm of the null ratio, within ±ln 10.
        rising: Test for a larger ratio; otherwise for a smaller one.
        inflation: Overdispersion by which the log likelihood is divided.
    """
    return ratio_log_e(ratio_ell_at(events, cumulant, theta0, rising=rising) / inflation)


def ratio_ell_at(
    events: ArrayLike, cumulant: FloatArray, theta0: float, *, rising: bool = True
) -> FloatArray:
    """Return the summed K-vector ℓ at a null ratio, see `ratio_log_e_at`."""
    theta = LOG_RATIOS if rising else -LOG_RATIOS
    change = cumulant @ _difference(theta0, rising)
    ell: FloatArray = np.asarray(events, dtype=float)[..., None] * theta - change
    return ell


def ratio_interval(
    events: ArrayLike, cumulant: FloatArray, alpha: float = 0.05, inflation: float = 1.0
) -> tuple[FloatArray, FloatArray]:
    """Return one-sided anytime-valid limits of the rate ratio, each at level α.

    The limits are where the one-sided e-values, monotone in the null ratio, cross 1/α.

    Args:
        events: Bad events of the candidate, shape (...).
        cumulant: Sum of `cumulant_terms`, shape (..., nodes).
        alpha: Error probability of each limit.
        inflation: Overdispersion by which the log likelihood is divided.

    Returns:
        Lower limit (0 where there is none) and upper limit (infinity where there is none).
    """
    null = cumulant @ _AT_GRID.T
    at_null = np.stack([null, null[..., ::-1]], axis=-2)
    shifted = (cumulant @ _SHIFTED.T).reshape(*at_null.shape, LOG_RATIOS.size)
    reach = np.asarray(events, dtype=float)[..., None, None, None] * (_SIGNS * LOG_RATIOS)
    log_e = ratio_log_e((reach - (shifted - at_null[..., None])) / inflation)
    crossing = _crossing(log_e, math.log(1 / alpha))
    return np.exp(crossing[..., 0]), np.exp(-crossing[..., 1])


def _crossing(log_e: FloatArray, limit: float) -> FloatArray:
    """Return the grid position where a falling curve crosses the limit, −inf where it starts below."""
    above = np.cumprod(log_e >= limit, axis=-1).sum(axis=-1)
    right = np.clip(above, 1, _GRID.size - 1)[..., None]
    upper, lower = np.moveaxis(np.take_along_axis(log_e, right + np.array([-1, 0]), axis=-1), -1, 0)
    step = np.clip((upper - limit) / np.maximum(upper - lower, 1e-300), 0, 1)
    left = _GRID[right[..., 0] - 1]
    crossing = left + step * (_GRID[1] - _GRID[0])
    return np.where(above == 0, -np.inf, np.where(above == _GRID.size, _GRID[-1], crossing))


def mantel_haenszel_ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Return the Mantel–Haenszel stratified rate ratio Σ(c n_b/n)/Σ(b n_c/n), nan if 0/0.

    Args:
        numerator: Summed c n_b/n.
        denominator: Summed b n_c/n.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: FloatArray = np.true_divide(numerator, denominator)
    return quotient


# --- sample ratio ------------------------------------------------------------------------------------------


def sample_ratio_log_e(n_b: ArrayLike, n_c: ArrayLike, share: float, n_opt: float = OPTIMAL_N) -> FloatArray:
    """Return the exact log e-value against a constant split with the candidate's `share`.

    Dirichlet mixture with prior κ(1 − share, share) (Lindon & Malek 2022); alarm at ln(1/0.001).
    """
    shares = np.array([1 - share, share])
    counts = np.stack([np.asarray(n_b, dtype=float), np.asarray(n_c, dtype=float)], axis=-1)
    return dirichlet_log_e(counts, shares, beta_concentration(n_opt) * shares)


def ramp_ratio_terms(n_b: ArrayLike, n_c: ArrayLike, share: ArrayLike) -> FloatArray:
    """Return each stratum's terms of the sample-ratio check under a ramp: P3 on exposures, both directions.

    Args:
        n_b: Exposures of the baseline, per stratum.
        n_c: Exposures of the candidate.
        share: Configured share of the candidate, per stratum.

    Returns:
        Array (..., 2K): additive log likelihood ratios; give their sum to `ramp_ratio_log_e`.
    """
    both = [ratio_terms(n_c, n_b, share, rising=rising) for rising in (True, False)]
    return np.concatenate(both, axis=-1)


def ramp_ratio_log_e(ell: ArrayLike) -> FloatArray:
    """Return the two-sided log e-value of summed `ramp_ratio_terms`."""
    return _log_mixture(np.asarray(ell, dtype=float), np.tile(WEIGHTS / 2, 2))
