"""Records that are ahead of this machine's clock: a few of them do not say what time it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.asking import row
from mlwatch.snapshot.read import lives
from mlwatch.snapshot.types import Alert
from mlwatch.store import rollups
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.read import Life

TOLERANCE = timedelta(minutes=5)
"""How far clocks may be apart."""
FEW = 0.01
"""Share of the requests up to which those ahead of the clock are left out: of more, it is the clock that is wrong."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """The requests that are ahead of the clock, and where the others end."""

    n: int
    newest: datetime
    """Of those ahead; naive UTC, as is the next."""
    until: datetime
    """Just after the newest of the others."""

    def alert(self, now: datetime) -> Alert:
        """Say that they are left out; the clock is aware."""
        said = "1 request is up to" if self.n == 1 else f"{self.n:,} requests are up to"
        return alert_of(said, self.newest.replace(tzinfo=UTC), now, " and left out")


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
    return Alert("quality: future timestamps", "firing", "warning", text, now, hours)


def ahead_of(connection: DuckDBPyConnection, known: Sequence[Life], now: datetime) -> Ahead | None:
    """Return the requests ahead of the clock, where they are few.

    Args:
        connection: A cursor of this thread.
        known: All versions.
        now: The clock, naive UTC.
    """
    limit = now + TOLERANCE
    if all(life.last <= limit for life in known):
        return None
    ahead, total, newest, usual = row(
        connection,
        f"""SELECT SUM(n) FILTER (bucket > $limit), SUM(n), MAX(last_ts), MAX(last_ts) FILTER (bucket <= $limit)
        FROM {rollups.TRAFFIC.table(rollups.MINUTE)}""",
        {"limit": limit},
    )
    if not ahead or usual is None or ahead > FEW * total:
        return None
    return Ahead(int(ahead), newest, usual + timedelta(microseconds=1))


def end_now(connection: DuckDBPyConnection) -> datetime | None:
    """Return the moment, naive UTC, before which records count now: None where all of them do."""
    ahead = ahead_of(connection, lives(connection), now_in_store())
    return None if ahead is None else ahead.until
