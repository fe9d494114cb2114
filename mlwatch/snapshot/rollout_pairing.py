"""Which two versions of which model a rollout compares, over which time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

STRATA = ((timedelta(hours=36), 1), (timedelta(days=4), 5))
"""Longest rollout that is judged in strata of so many minutes; longer ones by the hour, from the hourly rollups."""
HOUR_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Judged:
    """A model, and what its answers are."""

    model: str
    task: str
    positive: str | None = None
    """Positive class of a binary task, where it is known."""
    currency: str | None = None
    """What all of its amounts are in, as the configuration says; None where it does not."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which two versions of which model, over which time."""

    judged: Judged
    baseline: str
    candidate: str
    start: datetime
    """Naive UTC."""
    end: datetime
    """Naive UTC, excluded."""
    came: datetime | None = None
    """When the candidate came, where that is not the start: limits are frozen from the baseline before."""
    rivals: tuple[str, ...] = ()
    """Versions any of which may be the baseline; none where it is known."""

    @property
    def model(self) -> str:
        """Return the model."""
        return self.judged.model

    @property
    def task(self) -> str:
        """Return its task."""
        return self.judged.task

    @property
    def positive(self) -> str | None:
        """Return its positive class."""
        return self.judged.positive

    @property
    def unknown_roles(self) -> str:
        """Say which versions may be the baseline; empty where it is known."""
        if not self.rivals:
            return ""
        *others, last = self.rivals
        which = f"which of {', '.join(others)} and {last} is the baseline is not known"
        return f"{which}: say it by [rollout] baseline or --baseline"

    @property
    def frozen(self) -> datetime:
        """The full hour before which limits are frozen."""
        return full_hour(self.came or self.start)

    @property
    def minutes(self) -> int:
        """Width of a stratum: wider ones for longer rollouts, so that a verdict stays quick."""
        length = self.end - self.start
        return next((width for longest, width in STRATA if length <= longest), HOUR_MINUTES)


def full_hour(moment: datetime) -> datetime:
    """Return the beginning of an hour."""
    return moment.replace(minute=0, second=0, microsecond=0)
