"""The two-sample quantile method: compare a quantile of two arms at any time, without a reference.

At the common quantile x both distribution functions equal p, so the product of the two arms' beta-binomial
e-values at x is an e-value; its minimum over all x needs no knowledge of x.

Source:
    Howard, Ramdas (2022), Sequential estimation of quantiles with applications to A/B testing and best-arm
    identification, Bernoulli 28(3), doi:10.3150/21-BEJ1388, Theorem 5.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlwatch.metrics.sequential import OPTIMAL_N, FloatArray, beta_binomial_log_e, beta_concentration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def quantile_log_e_samples(x: ArrayLike, y: ArrayLike, p: float, t_opt: float = OPTIMAL_N) -> float:
    """Return the two-sided log e-value against "x and y have the same p-quantile", from raw values.

    Args:
        x: Values of one arm.
        y: Values of the other.
        p: Which quantile, in (0, 1).
        t_opt: Number of values in an arm at which the test is sharpest.
    """
    arms = [np.sort(np.asarray(arm, dtype=float)) for arm in (x, y)]
    points = np.unique(np.concatenate(arms))
    log_e = np.zeros(points.size)
    for arm in arms:
        below, up_to = (np.searchsorted(arm, points, side=side) for side in ("left", "right"))
        log_e += _smallest_log_e(below, up_to, arm.size, p, beta_concentration(t_opt))
    return float(log_e.min())


def _smallest_log_e(low: ArrayLike, high: ArrayLike, n: int, p: float, kappa: float) -> FloatArray:
    """Return the smallest two-sided log e-value over the counts in [low, high]: it is convex in the count."""
    fractions = np.linspace(0, n, 4 * n + 1)
    lowest = fractions[np.argmin(beta_binomial_log_e(fractions, n - fractions, p, kappa))]
    count = np.clip(lowest, low, high)
    return beta_binomial_log_e(count, n - count, p, kappa)


class EdgeEvidence(NamedTuple):
    """One arm's one-sided log e-values at each bin edge x, shape (..., edges)."""

    above: FloatArray
    """Against F(x) ≤ p: so much of the arm lies below x that its quantile must too."""
    below: FloatArray
    """Against F(x) ≥ p."""


def edge_evidence(counts: ArrayLike, p: float, n_opt: float = OPTIMAL_N) -> EdgeEvidence:
    """Return what a histogram (bins on the last axis) says about the distribution function at its edges.

    Args:
        counts: Values in each bin.
        p: Which quantile.
        n_opt: Number of values at which the evidence is sharpest.
    """
    counts = np.asarray(counts, dtype=float)
    first = np.zeros((*counts.shape[:-1], 1))
    up_to = np.concatenate([first, np.cumsum(counts, axis=-1)], axis=-1)
    # the edge above an empty bin says what the edge below it says, and most bins of a wide histogram are empty
    told = np.concatenate([first == 0, counts > 0], axis=-1)
    teller = (np.cumsum(told) - 1).reshape(told.shape)
    below, beyond = up_to[told], (up_to[..., -1:] - up_to)[told]
    kappa = beta_concentration(n_opt)
    return EdgeEvidence(
        beta_binomial_log_e(below, beyond, p, kappa, one_sided=True)[teller],
        beta_binomial_log_e(beyond, below, 1 - p, kappa, one_sided=True)[teller],
    )


def quantile_apart(
    above: ArrayLike, below: ArrayLike, p: float, near: float, alpha: float, n_opt: float = OPTIMAL_N
) -> NDArray[np.bool_]:
    """Return where a fixed value is shown to be near the p-quantile of neither the first arm nor all arms together.

    Near is where the odds of exceeding it are within a factor of the quantile's; that they are not is what two
    one-sided beta-binomial e-values show, which hold at every look.

    Args:
        above: Values above it, arms on the last axis.
        below: Values at most it.
        p: Which quantile.
        near: The factor, above 1.
        alpha: Error probability of each side.
        n_opt: Number of values at which this is sharpest.
    """
    odds, kappa, limit = (1 - p) / p, beta_concentration(n_opt), -math.log(alpha)
    most, least = near * odds / (1 + near * odds), odds / (near + odds)
    above, below = (
        np.stack([counts[..., 0], counts.sum(axis=-1)], axis=-1) for counts in map(np.asarray, (above, below))
    )
    too_low = beta_binomial_log_e(above, below, most, kappa, one_sided=True) >= limit
    too_high = beta_binomial_log_e(below, above, 1 - least, kappa, one_sided=True) >= limit
    return np.asarray((too_low | too_high).all(axis=-1))


def quantile_shift_log_e(
    baseline: EdgeEvidence, candidate: EdgeEvidence, shifts: Sequence[int], *, rising: bool = True
) -> FloatArray:
    """Return the one-sided log e-values that the candidate's quantile is above (below) the shifted baseline's.

    The null, for rising, is Q_c(p) ≤ Q_b(p)·γ^shift on bins whose edges grow by γ. Under it some x has
    F_b(x) ≤ p and F_c(x γ^shift) ≥ p; each arm speaks against that, and the minimum over x is taken. Where x
    lies in its bin is unknown: each arm is counted at the edge that weakens it, so the answer is safe.

    Args:
        baseline: Evidence of the baseline, from `edge_evidence`.
        candidate: Evidence of the candidate, on the same bins.
        shifts: Numbers of bins by which the baseline is scaled up (a margin), may be negative.
        rising: Test for a larger candidate quantile; otherwise for a smaller one.

    Returns:
        One a shift, shape (..., shifts).
    """
    base, cand = (baseline.above, candidate.below) if rising else (baseline.below, candidate.above)
    steps = [int(shift) + (1 if rising else -1) for shift in shifts]
    size, room = base.shape[-1], max(map(abs, steps))
    # beyond the outer edges the evidence is theirs
    base, cand = (
        np.pad(each, [*[(0, 0)] * (each.ndim - 1), (room, room)], mode="edge") for each in (base, cand)
    )
    smallest = []
    for step in steps:
        first, last = room - max(step, 0), room + size + max(-step, 0)
        evidence = base[..., first:last] + cand[..., first + step : last + step]
        smallest.append(evidence.min(axis=-1))
    return np.stack(smallest, axis=-1)


def histogram_quantile(counts: ArrayLike, edges: ArrayLike, p: float, below: ArrayLike = 0.0) -> FloatArray:
    """Return the p-quantile of histograms, geometric within the bin; nan if empty.

    Args:
        counts: Values in each bin, bins on the last axis.
        edges: Of the bins.
        p: Which quantile, which must not lie below the first bin.
        below: How many values do, of each histogram.
    """
    counts, edges = np.asarray(counts, dtype=float), np.asarray(edges, dtype=float)
    up_to = np.cumsum(counts, axis=-1)
    up_to += np.asarray(below)[..., None]
    total = up_to[..., -1]
    target = p * total
    index = np.minimum(np.count_nonzero(up_to < target[..., None], axis=-1), counts.shape[-1] - 1)
    row = np.arange(index.size).reshape(index.shape)
    inside, reached = (each.reshape(-1, counts.shape[-1])[row, index] for each in (counts, up_to))
    before = reached - inside
    part = np.divide(target - before, inside, out=np.zeros(inside.shape), where=inside > 0)
    low, high = edges[index], edges[index + 1]
    geometric = (low > 0) & np.isfinite(high)
    ratio = np.divide(high, low, out=np.ones(low.shape), where=geometric)
    value = np.where(geometric, low * ratio**part, np.where(np.isfinite(high), high, low))
    return np.where(total > 0, value, np.nan)
