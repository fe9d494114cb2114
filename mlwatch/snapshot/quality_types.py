"""What is known of the data that a version was fed, and of what it gave; see `types`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mlwatch.snapshot.strangers import NONE, Strangers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.metrics.drift import Drift
    from mlwatch.metrics.quality import RateChange
    from mlwatch.snapshot.moves import Move
    from mlwatch.snapshot.repeats import Repeats
    from mlwatch.snapshot.shapes import Shape


@dataclass(frozen=True, slots=True)
class FeatureQuality:
    """One feature of one version: what is missing or wrong, and how far it moved from the reference."""

    kind: Literal["numeric", "categorical"]
    n: int
    missing: int
    missing_rate: float | None
    invalid: int = 0
    unseen: int = 0
    out_of_range: int = 0
    drift: Drift | None = None
    """None when there is no reference to compare with, or the feature is not in it."""
    shape: Shape | None = None
    """Its distribution beside that of the reference; None without a reference."""
    stuck: bool = False
    """All its values, or those of the last windows, are in one bin, though others were filled before."""
    missing_change: RateChange | None = None
    """How its missing rate differs from the reference's; None without one."""
    move: Move | None = None
    """How it moved; None where there is no drift to speak of or nothing to compare with."""
    importance: float | None = None
    """How much it matters to the label, 0 to 1; None where that is not known."""
    drift_over: tuple[float | None, ...] = ()
    """Drift score in each window of the version; empty where it is not followed."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One demand of `[schema]` on a feature of one version."""

    feature: str
    rule: str
    """`type`, `min`, `max`, `allowed`, `nullable`, `regex` or `unique`."""
    demand: str
    """What is said of values that break it, after "… of … values"."""
    n: int
    """Values that were looked at."""
    bad: int
    """Values among them that break it."""
    example: str | None = None
    """One of them, shortened; as hostile as any text of a log."""


@dataclass(frozen=True, slots=True)
class LabelDrift:
    """How far labels moved, or why that is not known."""

    drift: Drift | None = None
    reference: str | None = None
    """What they are compared with, in words."""
    reason: str | None = None
    """Why there is no drift, as a clause after "because"."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Data quality of one version."""

    features: Mapping[str, FeatureQuality] = field(default_factory=dict)
    prediction_drift: Drift | None = None
    score_drift: Drift | None = None
    label_drift: LabelDrift = field(default_factory=LabelDrift, kw_only=True)
    drifted_share: float | None = None
    """Share of the comparable features that drifted."""
    missing_rate: float | None = None
    """Missing cells over all cells, but for those of features that appeared."""
    vanished: tuple[str, ...] = ()
    """Features of the reference or the baseline that the version has no value of."""
    appeared: tuple[str, ...] = ()
    """Features that neither of them has."""
    strangers: Strangers = NONE
    """What keeps features from being compared with a reference."""
    text_drift: Mapping[str, Drift] = field(default_factory=dict)
    """Of answers in words: their `length` and their `vocabulary`, words hashed into buckets."""
    text_reference: str | None = None
    """What answers in words are compared with, in words."""
    prediction_move: Move | None = None
    """How predictions moved; None where there is no drift to speak of, as is the next."""
    score_move: Move | None = None
    repeats: Repeats | None = None
    """Requests that repeat an earlier one in every column; None where all have an id, or their records are gone."""

    def why_not(self, outputs: str) -> str:
        """Say why outputs of this name ("predictions") are not compared, as a clause after "because"."""
        if outputs == "predictions" and self.text_drift:
            return "the answers are texts: see the drift of their length and vocabulary"
        there = any(feature.drift is not None for feature in self.features.values())
        return f"the reference has no {outputs}" if there else "there is no reference to compare with"
