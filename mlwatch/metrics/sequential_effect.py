"""Sizes of an effect between two unstratified samples: relative difference and Cohen's d."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.sequential import OPTIMAL_N, normal_half_width, normal_rho

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def relative_interval(
    baseline: tuple[float, float, int],
    candidate: tuple[float, float, int],
    alpha: float = 0.05,
    n_opt: float = OPTIMAL_N,
) -> tuple[float, float, float]:
    """Return the relative difference of two unstratified means and its asymptotic confidence sequence.

    Delta-method variance, two-sided boundary of Waudby-Smith et al. (2024).

    Args:
        baseline: Mean, variance and number of units.
        candidate: Mean, variance and number of units.
        alpha: Error probability of the whole sequence.
        n_opt: Number of units (both arms) at which the interval is tightest.

    Returns:
        Estimate, lower and upper limit of (candidate − baseline)/baseline.
    """
    (m_b, s2_b, n_b), (m_c, s2_c, n_c) = baseline, candidate
    n = n_b + n_c
    unit_variance = n * (s2_c / (m_b * m_b * n_c) + s2_b * m_c * m_c / (n_b * m_b**4))
    rho = float(normal_rho(n_opt, alpha, one_sided=False))
    half = math.sqrt(unit_variance) * float(normal_half_width(n, rho, alpha, one_sided=False)) / n
    estimate = m_c / m_b - 1
    return estimate, estimate - half, estimate + half


def cohens_d(x: ArrayLike, y: ArrayLike) -> float:
    """Return Cohen's d: the difference of two means in units of the pooled standard deviation."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    degrees = x.size + y.size - 2
    pooled = ((x.size - 1) * x.var(ddof=1) + (y.size - 1) * y.var(ddof=1)) / degrees
    return float((x.mean() - y.mean()) / math.sqrt(pooled))
