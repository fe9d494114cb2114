"""The time ranges that the keys step through, and any other length of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from mlwatch.app.units import show_duration


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
SHORTEST = timedelta(minutes=1)
"""What can be zoomed in to: the store counts by the minute."""
_NOTHING = re.compile(r" 0 \w+$")


def lasting(span: timedelta) -> Range:
    """Return the range of a length, at least the shortest, rounded to seconds."""
    whole = max(timedelta(seconds=round(span.total_seconds())), SHORTEST)
    said = _NOTHING.sub("", show_duration(whole.total_seconds()))
    return next((one for one in RANGES if one.span == whole), Range(f"last {said}", whole))


def longer(current: Range) -> Range:
    """Return the next longer of the named ranges, or the same where there is none."""
    if current.span is None:
        return current
    return next(one for one in RANGES if one.span is None or one.span > current.span)


def shorter(current: Range) -> Range:
    """Return the next shorter of the named ranges, or the same where there is none."""
    fitting = (one for one in reversed(RANGES) if one.span is not None)
    return next((one for one in fitting if current.span is None or one.span < current.span), current)  # type: ignore[operator]


def cycled(current: Range) -> Range:
    """Return the next longer of the named ranges, and after the longest the shortest."""
    return RANGES[0] if current.span is None else longer(current)
