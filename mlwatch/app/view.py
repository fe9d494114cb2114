"""What a screen is handed: the snapshot and the choices a reader made about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlwatch.app.glyphs import UNICODE, Glyphs
from mlwatch.app.ranges import EVERYTHING, Range
from mlwatch.choice import USUAL, Choice

if TYPE_CHECKING:
    from mlwatch.app.units import Zone
    from mlwatch.snapshot.types import Alert, Model, Rollout, Snapshot, Version


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One snapshot with the chosen model; never equal to another, as each is news."""

    snapshot: Snapshot
    title: str
    """What is watched: the directory's name."""
    model_name: str | None = None
    """The chosen model; None while there is none."""
    zone: Zone = UTC
    glyphs: Glyphs = UNICODE
    range: Range = EVERYTHING
    choice: Choice = USUAL
    at: datetime | None = None
    """The moment of the past that it shows; None is the present."""

    @property
    def model(self) -> Model | None:
        """The chosen model."""
        return None if self.model_name is None else self.snapshot.models.get(self.model_name)

    @property
    def baseline(self) -> Version | None:
        """The version that others are compared with: the one of that role, else the first."""
        versions = self._versions()
        return next((v for v in versions if v.role == "baseline"), versions[0] if versions else None)

    @property
    def candidate(self) -> Version | None:
        """The version under test, of several the first, as the rollout that is shown; else the second."""
        if self.choice.alone:
            return None
        others = [v for v in self._versions() if v is not self.baseline]
        under_test = (v for v in others if v.role in {"candidate", "shadow"})
        return next(under_test, others[0] if others else None)

    @property
    def rollout(self) -> Rollout | None:
        """The verdict that compares the two versions on show."""
        if self.choice.alone:
            return None
        return next((r for r in self.snapshot.rollouts if r.model == self.model_name), None)

    @property
    def graver(self) -> Rollout | None:
        """Another candidate of the model that is to be rolled back, where the one on show is not."""
        shown = self.rollout
        if shown is None or shown.verdict == "rollback":
            return None
        others = (r for r in self.snapshot.rollouts if r.model == self.model_name)
        return next((r for r in others if r.verdict == "rollback"), None)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts, the gravest first."""
        return self.snapshot.alerts

    def _versions(self) -> tuple[Version, ...]:
        return () if self.model is None else tuple(self.model.versions.values())


@dataclass(frozen=True, slots=True)
class Status:
    """How the app itself stands; shown in the header."""

    range: Range = EVERYTHING
    frozen_at: datetime | None = None
    """When the shown picture was made, while it is frozen."""
    moment: datetime | None = None
    """The moment of the past that is shown; None is the present."""
    choice: Choice = USUAL
    """Which versions and records were asked for."""
    speed: float = 0.0
    """Seconds of the past that pass in a second; 0 stands still."""
    refresh_s: float = 0.0
    """Seconds between two looks at the data, where a reader chose them; 0 is as configured."""
    failure: str | None = None
    """What the source last complained of, until it answers again."""


def choose_model(snapshot: Snapshot, wanted: str | None) -> str | None:
    """Return the wanted model where the snapshot has it, else one that rolls out, else the first."""
    if wanted in snapshot.models:
        return wanted
    rolling = next((r.model for r in snapshot.rollouts if r.model in snapshot.models), None)
    return rolling or next(iter(snapshot.models), None)


def next_model(snapshot: Snapshot, current: str | None) -> str | None:
    """Return the model after the current one, and after the last the first."""
    names = list(snapshot.models)
    if not names:
        return None
    return names[(names.index(current) + 1) % len(names)] if current in names else names[0]
