"""How far two versions' answers to the same requests lie apart, and which feature that depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.scipy_special import fdtrc
from mlwatch.metrics.sequential import normal_half_width, normal_rho

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FEWEST_PAIRS = 30
"""Pairs from which the mean difference has limits."""


@dataclass(frozen=True, slots=True)
class PairedDistance:
    """The difference new − old of a number that both versions gave, over all pairs; in the number's own unit."""

    n: int
    mean: float
    """Signed: a shift of all answers."""
    low: float | None
    """Anytime-valid limits of the mean; None until there are enough pairs."""
    high: float | None
    mean_abs: float
    """Mean of |new − old|."""
    rms: float
    p50: float
    """Quantiles of |new − old|."""
    p95: float
    largest: float
    correlation: float | None
    """Pearson's, of new and old; None where one of them never changes."""


@dataclass(frozen=True, slots=True)
class Explained:
    """How much of the gaps' variance goes with the parts of a feature."""

    share: float
    """ε² (Kelley 1935): η² less what chance gives; 0 to 1."""
    p: float
    """Of the F test of one-way analysis of variance (Fisher 1925)."""


def mean_limits(
    n: int, mean: float, variance: float, alpha: float, n_opt: float
) -> tuple[float | None, float | None]:
    """Return anytime-valid limits of a mean of paired differences: a one-sample confidence sequence (P1).

    Args:
        n: Pairs.
        mean: Mean difference.
        variance: Sample variance of the differences.
        alpha: Error of each limit.
        n_opt: Pairs at which the limits are tightest.
    """
    if n < FEWEST_PAIRS:
        return None, None
    if variance <= 0:
        return mean, mean
    half = float(normal_half_width(n * variance, normal_rho(n_opt * variance), alpha)) / n
    return mean - half, mean + half


def explained(n: ArrayLike, total: ArrayLike, squares: ArrayLike) -> Explained | None:
    """Return how much of a value's variance goes with the groups it is parted into.

    For gaps of 0 and 1, η² is the squared coefficient φ² = χ²/n of the table of groups by agreement.

    Args:
        n: Values in each group, shape (groups,).
        total: Their sums.
        squares: The sums of their squares.

    Returns:
        None where fewer than two groups hold values, or where all values are the same.
    """
    count, sums = (np.asarray(column, dtype=float) for column in (n, total))
    held = count > 0
    groups, size = int(held.sum()), float(count.sum())
    if groups < 2 or size <= groups:
        return None
    between = float((sums[held] ** 2 / count[held]).sum() - sums.sum() ** 2 / size)
    whole = float(np.sum(squares) - sums.sum() ** 2 / size)
    within = whole - between
    if whole <= 1e-12 * float(np.sum(squares)):
        return None
    noise = max(within, 0.0) / (size - groups)
    share = min(max((between - (groups - 1) * noise) / whole, 0.0), 1.0)
    if noise <= 1e-12 * whole:
        return Explained(share, 0.0)
    p = float(fdtrc(groups - 1, size - groups, max(between, 0.0) / (groups - 1) / noise))
    return Explained(share, p if math.isfinite(p) else 1.0)
