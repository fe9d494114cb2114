"""Compare two versions at the same mix of traffic: what they lose within each stratum, and not between strata.

The summary over strata is that of Mantel and Haenszel for differences: Greenland and Robins, "Estimation of a common
effect parameter from sparse follow-up data", Biometrics 41 (1985), https://doi.org/10.2307/2530643.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.metrics.distances import total_variation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Standardised:
    """How much more a candidate loses than its baseline."""

    apart: float
    """Total variation distance of the two mixes, 0 to 1."""
    crude: float
    """Difference of mean losses, candidate − baseline, in the loss's unit."""
    adjusted: float
    """The same within strata, weighted by how much each tells."""


def standardised(n: FloatArray, losses: FloatArray) -> Standardised | None:
    """Return the difference of mean losses with and without the mix; None where no stratum has both versions.

    Args:
        n: Predictions by version (baseline, candidate) and stratum, shape (2, strata).
        losses: Their summed losses, shape (2, strata).
    """
    whole = n.sum(axis=1)
    both = (n > 0).all(axis=0)
    if not both.any():
        return None
    shares = n / whole[:, None]
    crude = losses.sum(axis=1) / whole
    means = losses[:, both] / n[:, both]
    weights = n[0, both] * n[1, both] / n[:, both].sum(axis=0)
    return Standardised(
        apart=float(total_variation(shares[0], shares[1])),
        crude=float(crude[1] - crude[0]),
        adjusted=float(weights @ (means[1] - means[0]) / weights.sum()),
    )
