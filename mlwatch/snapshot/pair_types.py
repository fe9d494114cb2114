"""Where the answers of a shadow and those of the version in service differ: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mlwatch.metrics.pair_gaps import PairedDistance
    from mlwatch.metrics.segments import Contrast

Value: TypeAlias = "float | str | None"

MEASURES = {"disagreement": "answers differ", "distance": "mean distance"}
"""What is averaged over pairs, in words."""
Measure = Literal["disagreement", "distance"]
"""Share of pairs with different classes, or the mean of |new − old| of a regression."""


@dataclass(frozen=True, slots=True)
class PairStep:
    """The pairs of one of the equal steps that the rollout is cut into."""

    start: datetime
    end: datetime
    pairs: int
    value: float | None
    """The measure; None without pairs."""
    low: float | None
    """95 % interval, for one look."""
    high: float | None


@dataclass(frozen=True, slots=True)
class PairPart:
    """The pairs with a feature's value in one part of its range."""

    column: str
    value: str
    """The category, or the range in words."""
    pairs: int
    mean: float
    """The measure."""
    contrast: Contrast | None
    """Against the other pairs; None where either are too few."""


@dataclass(frozen=True, slots=True)
class PairFeature:
    """How much the gap between both answers depends on one feature."""

    name: str
    explained: float
    """Share of the gaps' variance, 0 to 1."""
    q: float
    """p value corrected for the number of features (Benjamini & Hochberg 1995)."""
    unequal: int
    """Pairs for which the versions logged different values of the feature."""
    compared: int
    """Pairs for which both logged one."""


@dataclass(frozen=True, slots=True)
class PairRequest:
    """One request that both versions answered."""

    id: str
    time: datetime
    old: str
    """The baseline's answer."""
    new: str
    old_score: float | None
    new_score: float | None
    label: str | None
    features: Mapping[str, Value] = field(default_factory=dict)
    """As the baseline logged them, or else the candidate; those that the gaps depend on first."""
    changed: Mapping[str, Value] = field(default_factory=dict)
    """What the candidate logged where it is something else."""


@dataclass(frozen=True, slots=True)
class PairFindings:
    """Where, when and for what the answers differ."""

    measure: Measure
    pairs: int = 0
    steps: tuple[PairStep, ...] = ()
    parts: tuple[PairPart, ...] = ()
    """Of the columns that are followed as segments: the most gaps beyond those of the other pairs first."""
    features: tuple[PairFeature, ...] = ()
    """What explains most first."""
    requests: tuple[PairRequest, ...] = ()
    """Those that differ most."""
    outputs: PairedDistance | None = None
    """Of a regression's values."""
    scores: PairedDistance | None = None
    """Of scores, such as probabilities."""
    errors: PairedDistance | None = None
    """Of a regression's absolute errors, where there are labels: below 0 the candidate is nearer to the truth."""
    lag_s: float = 0.0
    """Median time of the candidate's record less that of the baseline's, in seconds."""
