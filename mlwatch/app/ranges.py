"""The time ranges that the keys step through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Range:
    """A named length of time up to now; None takes everything."""

    label: str
    span: timedelta | None


RANGES = (
    Range("last 15 min", timedelta(minutes=15)),
    Range("last 1 h", timedelta(hours=1)),
    Range("last 6 h", timedelta(hours=6)),
    Range("last 24 h", timedelta(hours=24)),
    Range("all time", None),
)

EVERYTHING = RANGES[-1]


def longer(current: Range) -> Range:
    """Return the next longer range, or the same where there is none."""
    return RANGES[min(RANGES.index(current) + 1, len(RANGES) - 1)]


def shorter(current: Range) -> Range:
    """Return the next shorter range, or the same where there is none."""
    return RANGES[max(RANGES.index(current) - 1, 0)]


def cycled(current: Range) -> Range:
    """Return the next longer range, and after the longest the shortest."""
    return RANGES[(RANGES.index(current) + 1) % len(RANGES)]
