"""What is said of how far one distribution moved from another, and when that counts."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["ok", "drifted", "too_few"]

FLOOR = 100
"""Fewest rows on either side for a statement."""
ALPHA = 0.001
"""Significance that the guard asks for."""
THRESHOLDS: Mapping[str, float] = {
    "js": 0.1,
    "psi": 0.1,
    "ks": 0.1,
    "wasserstein": 0.1,
    "hellinger": 0.1,
    "total_variation": 0.1,
    "l_infinity": 0.1,
}
DEFAULT_METHOD = "js"
ORDERED = frozenset({"ks", "wasserstein"})
"""Methods that need an order."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """One bin's part in a drift."""

    code: int
    reference_share: float
    current_share: float

    @property
    def change(self) -> float:
        """Current share minus reference share."""
        return self.current_share - self.reference_share


@dataclass(frozen=True, slots=True)
class Drift:
    """One feature against its reference. Distances are None where there is nothing to compare."""

    n_reference: int = 0
    n_current: int = 0
    psi: float | None = None
    """Population stability index, natural log; empty bins are taken as a share of 1e-4."""
    js: float | None = None
    """Jensen-Shannon distance, base 2, in [0, 1]."""
    hellinger: float | None = None
    total_variation: float | None = None
    l_infinity: float | None = None
    """Largest change of any bin's share."""
    chi2: float | None = None
    chi2_p: float | None = None
    ks: float | None = None
    """Kolmogorov-Smirnov statistic over the bins, numeric features only."""
    ks_p: float | None = None
    wasserstein: float | None = None
    """In standard deviations of the reference, numeric features only."""
    score: float | None = None
    """What is compared with the threshold: the method's distance, for "js" less what chance would give, of categories
    from what other rows of the reference's distribution would be like, which has values that the reference does not."""
    method: str = DEFAULT_METHOD
    threshold: float = THRESHOLDS[DEFAULT_METHOD]
    p: float | None = None
    """The guard: chance of such a difference without drift, over bins merged to about five rows or more."""
    drifted: bool = False
    state: State = "too_few"
    contributions: tuple[Contribution, ...] = ()
    """Bins with the largest part in the drift, largest first."""

    @property
    def told(self) -> float | None:
        """The score, where there are rows enough on both sides for it to say something."""
        return None if self.state == "too_few" else self.score

    def to_dict(self) -> dict[str, float | int | str | bool | None]:
        """Return the numbers for the JSON document: every field but the contributions."""
        return {
            field.name: getattr(self, field.name) for field in fields(self) if field.name != "contributions"
        }


@dataclass(frozen=True, slots=True)
class Policy:
    """When a difference counts as drift."""

    method: str = DEFAULT_METHOD
    threshold: float | None = None
    """Least score that counts; None takes the method's own from `THRESHOLDS`."""
    floor: int = FLOOR
    alpha: float = ALPHA

    @property
    def limit(self) -> float:
        """The threshold in force."""
        return THRESHOLDS[self.method] if self.threshold is None else self.threshold

    @property
    def without_order(self) -> Policy:
        """The policy for categories: they have no order, so that KS and Wasserstein cannot decide there."""
        return replace(self, method=DEFAULT_METHOD) if self.method in ORDERED else self

    def raised(self, limit: float | None) -> Policy:
        """Return the policy with at least such a threshold; None raises nothing."""
        return self if limit is None else replace(self, threshold=max(self.limit, limit))
