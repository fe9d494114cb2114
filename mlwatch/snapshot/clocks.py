"""Records that are ahead of this machine's clock: they do not say what time it is where others are in the present."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.asking import row
from mlwatch.errors import one_line
from mlwatch.snapshot.read import lives
from mlwatch.snapshot.types import Alert
from mlwatch.store import rollups
from mlwatch.store.rollup import MINUTE
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.read import Life

FUTURE = "quality: future timestamps"
"""The rule about records that are ahead of the clock."""
TOLERANCE = timedelta(minutes=5)
"""How far clocks may be apart."""
FEWER = 0.5
"""Requests ahead of the clock, in parts of those of as long a time before, up to which they are left out.

Where the clock, or the zone, of all is wrong there are as many, however long the logs are.
"""
NAMED = 5
"""Models that the alert names."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """The requests that are ahead of the clock, and where the others end."""

    n: int
    newest: datetime
    """Of those ahead; naive UTC, as is the next."""
    until: datetime
    """Just after the newest of the others, of those that are not ahead at all where there are any."""
    whole: tuple[str, ...] = ()
    """Models of which nothing is left."""

    def alert(self, now: datetime) -> Alert:
        """Say that they are left out; the clock is aware."""
        said = "1 request is up to" if self.n == 1 else f"{self.n:,} requests are up to"
        more = " and left out"
        if self.whole:
            more += f", with all of {', '.join(map(one_line, self.whole[:NAMED]))}"
        if len(self.whole) > NAMED:
            more += f" and {len(self.whole) - NAMED:,} models more"
        return alert_of(said, self.newest.replace(tzinfo=UTC), now, more)


def alert_of(said: str, newest: datetime, now: datetime, more: str = "") -> Alert:
    """Say that something is ahead of the clock.

    Args:
        said: What, with its verb.
        newest: How far it goes, aware.
        now: The clock, aware.
        more: What follows from it.
    """
    hours = (newest - now) / timedelta(hours=1)
    ahead = f"{hours:,.1f} h" if hours < 48 else f"{hours / 24:,.0f} days"
    text = f"{said} {ahead} ahead of this machine's clock{more}"
    return Alert(FUTURE, "firing", "warning", text, now, hours)


def ahead_of(connection: DuckDBPyConnection, known: Sequence[Life], now: datetime) -> Ahead | None:
    """Return the requests ahead of the clock, where others are in the present: some version, or most of the traffic.

    Args:
        connection: A cursor of this thread.
        known: All versions.
        now: The clock, naive UTC.
    """
    limit = now + TOLERANCE
    if all(life.last <= limit for life in known):
        return None
    ahead, newest, usual = row(
        connection,
        f"""SELECT SUM(n) FILTER (bucket > $limit), MAX(last_ts),
            COALESCE(MAX(last_ts) FILTER (bucket <= $now), MAX(last_ts) FILTER (bucket <= $limit))
        FROM {rollups.TRAFFIC.table(MINUTE)}""",
        {"now": now, "limit": limit},
    )
    if not ahead or usual is None:
        return None
    (before,) = row(
        connection,
        f"""SELECT SUM(n) FROM {rollups.TRAFFIC.table(MINUTE)}
        WHERE bucket <= $limit AND bucket > $usual - $length""",
        {"limit": limit, "usual": usual, "length": newest - limit},
    )
    others = any(now - TOLERANCE <= life.last <= limit for life in known)
    if not others and ahead > FEWER * (before or 0):
        return None
    shown = {life.pair.model for life in known if life.first <= usual}
    whole = sorted({life.pair.model for life in known} - shown)
    return Ahead(int(ahead), newest, usual + timedelta(microseconds=1), tuple(whole))


def end_now(connection: DuckDBPyConnection) -> datetime | None:
    """Return the moment, naive UTC, before which records count now: None where all of them do."""
    ahead = ahead_of(connection, lives(connection), now_in_store())
    return None if ahead is None else ahead.until
