"""Users (or sessions, or devices) are randomised, but requests are counted: how much that widens the intervals.

Requests of one user resemble each other, and they all go to one version. What varies independently are the users'
totals, so the variance of a difference is that of these totals; over that of single requests it is the design effect
(Kish 1965; Deng et al. 2018, doi:10.1145/3219819.3219919, for ratios of totals).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FEWEST_UNITS = 30
"""Units of each arm below which their variance is unknown."""


def design_effect(totals_sq: ArrayLike, requests_sq: ArrayLike, units: ArrayLike) -> float:
    """Return the variance of the units' totals over the one that independent requests would have, at least 1.

    Args:
        totals_sq: By arm, the sum over its units of the squared sum of their requests' residuals, shape (2,). A
            residual is a value less its stratum's mean, times the weight that the stratum gives to the arm, less the
            arm's mean of these.
        requests_sq: By arm, the sum over requests of the squared residual.
        units: Units of each arm.
    """
    squared, alone, count = (np.asarray(column, dtype=float) for column in (totals_sq, requests_sq, units))
    if count.size == 0 or np.any(count < 2) or not alone.sum() > 0:
        return 1.0
    return max(float((squared * count / (count - 1)).sum() / alone.sum()), 1.0)
