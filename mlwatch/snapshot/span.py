"""Which range of event time a snapshot covers, and how it is cut into windows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from mlwatch.store.rollup import HOUR, MINUTE, Rollup

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  naive UTC, as in the store
if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

WIDTHS_S = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000)
"""Window widths that read well on an axis."""
MAX_WINDOWS = 60
LONG_S = 48 * HOUR
"""Longer ranges are read from the hourly rollups."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A range and its equal windows; times are naive UTC, as in the store."""

    start: datetime
    end: datetime
    """Exclusive."""
    width_s: int
    """Width of a window."""

    @property
    def count(self) -> int:
        """Number of windows."""
        return math.ceil((self.end - self.start) / timedelta(seconds=self.width_s))

    def edge(self, index: int) -> datetime:
        """Return the start of a window."""
        return self.start + timedelta(seconds=index * self.width_s)

    def held(self, values: Sequence[T], level: int) -> list[T]:
        """Give windows that are narrower than a bucket the value of the bucket that they lie in.

        A bucket is counted in the window in which it begins, so that the others would seem to have no data.

        Args:
            values: One a window; None and what is empty is not known.
            level: Width of the buckets in seconds.
        """
        if level <= self.width_s:
            return list(values)
        holders = self._holders(level)
        return [
            value if value is not None and value != {} else values[holder]
            for value, holder in zip(values, holders[: len(values)], strict=True)
        ]

    def _holders(self, level: int) -> list[int]:
        """Return for each window the one that counts the bucket in which it begins."""
        start = _seconds(self.start)
        edges = range(start, start + self.count * self.width_s, self.width_s)
        return [(max(edge - edge % level, start) - start) // self.width_s for edge in edges]

    def level(self, rollup: Rollup, *, whole: bool = False) -> int:
        """Return the coarsest bucket width that still tells the windows apart; the finest where none does.

        Args:
            rollup: Has the widths.
            whole: Only the range as a whole matters.
        """
        fitting = [level for level in rollup.levels if self._fits(level, whole=whole)]
        return max(fitting, default=rollup.levels[0])

    def first(self, rollup: Rollup) -> datetime:
        """Return the first bucket of a rollup: the one that the range begins in, which counts whole."""
        return floor(self.start, self.level(rollup))

    def _fits(self, level: int, *, whole: bool) -> bool:
        apart = self.width_s % level == 0 or (whole and _aligned(self.end, level))
        return apart and _aligned(self.start, level)


def _aligned(moment: datetime, level: int) -> bool:
    return _seconds(moment) % level == 0


def _seconds(moment: datetime) -> int:
    """Return the whole seconds since 1970 of a naive moment in UTC."""
    return int(moment.replace(tzinfo=UTC).timestamp())


def grid(first: datetime, last: datetime, span: timedelta | None, at: datetime | None) -> Grid:
    """Lay windows over a range.

    Args:
        first: Earliest event time in the store, naive UTC.
        last: Latest event time, naive UTC.
        span: Length of the range; None for everything.
        at: End of the range, naive UTC; None for the newest data. See `whole_minute`.

    Returns:
        The range, its start moved back to a whole bucket.
    """
    end = _end(last, at)
    start = first if span is None else max(first, end - span)
    start = min(start, end - timedelta(microseconds=1))
    seconds = (end - start).total_seconds()
    width = next((width for width in WIDTHS_S if seconds / width <= MAX_WINDOWS), WIDTHS_S[-1])
    step = HOUR if seconds > LONG_S else MINUTE
    if span is None and width > step:
        step = min(width, HOUR * 24)
    return Grid(floor(start, step), end, width)


def length(since: datetime, last: datetime, at: datetime | None) -> timedelta:
    """Return how long a range is that begins at a moment; `last` and `at` as for `grid`."""
    return _end(last, at) - since


def _end(last: datetime, at: datetime | None) -> datetime:
    return at if at is not None else last + timedelta(microseconds=1)


def whole_minute(at: datetime | None) -> datetime | None:
    """Return the end of a range that somebody asked for, naive UTC, without its seconds.

    Requests are counted by the minute: a part of one would be counted whole, with what came after the moment.
    """
    moment = naive(at)
    return None if moment is None else floor(moment, MINUTE)


def floor(moment: datetime, seconds: int) -> datetime:
    """Return the start of the bucket that a moment lies in, both naive UTC."""
    stamp = _seconds(moment)
    return datetime.fromtimestamp(stamp - stamp % seconds, UTC).replace(tzinfo=None)


def aware(moment: datetime | None) -> datetime | None:
    """Mark a time of the store as UTC."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def naive(moment: datetime | None) -> datetime | None:
    """Bring a time to the form of the store."""
    if moment is None or moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)
