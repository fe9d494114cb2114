"""What was read, and how the reading stands; see `types`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

Stage = Literal["looking", "reading", "through"]


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A half-open interval of event time, `start <= t < end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Stream:
    """How far a partition of a topic is read."""

    topic: str
    partition: int
    offset: int
    """Of the next message to be read."""
    end: int
    """Offset that the partition's next message gets, as last seen."""

    @property
    def lag(self) -> int:
        """Messages that are there and not read; in a compacted topic at most so many."""
        return max(0, self.end - self.offset)


@dataclass(frozen=True, slots=True)
class Lately:
    """What was read within the last hour."""

    records: int
    rejected: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Ingest:
    """What has been read so far, since the store began (not only within the range)."""

    files: int = 0
    bytes: int = 0
    records: int = 0
    """Non-blank records seen: `rows + rejected + duplicates`, always."""
    rows: int = 0
    """Records that were taken in."""
    predictions: int = 0
    outcomes: int = 0
    events: int = 0
    rejected: int = 0
    duplicates: int = 0
    outcomes_unmatched: int = 0
    events_unmatched: int = 0
    streams: tuple[Stream, ...] = field(default=(), kw_only=True)
    """Partitions of topics, by name and number."""
    lately: Lately | None = field(default=None, kw_only=True)
    """None where the past is looked at."""


@dataclass(frozen=True, slots=True)
class Feed:
    """How the ingest stands right now; never part of a report's numbers."""

    rows_per_s: float | None = None
    lag_s: float | None = None
    """Seconds between a record's event time and its arrival in the store, for the newest batch."""
    bytes_done: int = 0
    bytes_total: int = 0
    eta_s: float | None = None
    """Estimated seconds until the backfill is through; None when nothing is left or unknown."""
    stage: Stage = "through"
    """Whether files are looked for, or read, or all is read that was there."""
    files_ahead: int = 0
    """Files that the present pass over the directory reads."""
    bytes_ahead: int = 0
    """And their bytes on disk."""
    note: str | None = None
    """One plain sentence where the feed is not as asked for, for example an in-memory store."""

    @property
    def backfilling(self) -> bool:
        """Tell whether enough is left to read that a progress bar helps."""
        return self.bytes_total - self.bytes_done > 4_000_000
