"""When the newest events of each model came: that tells how long its requests have had for theirs.

The events themselves stay with the logs: a lake keeps these times alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection

NEWEST_EVENTS = "lake_newest_events"
"""Key of the times that a lake keeps."""
WITNESSES = 5
"""So many events must say that time has gone on: the clock of one may be wrong."""


def newest_sql(relation: str) -> str:
    """Return the newest events of each model, which is empty where they name none.

    Args:
        relation: Has `model` and `ts`, a row an event; no more than is to be believed.
    """
    return f"""
        SELECT model, micros FROM (
            SELECT model, epoch_us(ts) AS micros, row_number() OVER (PARTITION BY model ORDER BY ts DESC) AS place
            FROM {relation}) AS placed
        WHERE place <= {WITNESSES}"""


def newest_of(connection: DuckDBPyConnection, relation: str, values: dict[str, object]) -> dict[str, int]:
    """Return up to when events of each model came, in microseconds since 1970; none of what has too few.

    Args:
        connection: Any.
        relation: See `newest_sql`.
        values: What its parameters stand for.
    """
    rows = connection.execute(
        f"SELECT model, MIN(micros) FROM ({newest_sql(relation)}) GROUP BY model HAVING COUNT(*) = {WITNESSES}",
        values,
    ).fetchall()
    return dict(rows)


def newest_of_all(connection: DuckDBPyConnection, clock: datetime) -> dict[str, int]:
    """Return the same of all stored events but those that are ahead of a clock, naive UTC."""
    return newest_of(connection, "(FROM events WHERE ts <= $clock) AS past", {"clock": clock})
