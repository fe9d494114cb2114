"""Notices about the ingest itself: files that are not read, a full disk. Each is said once until it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import number
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LIMIT = 500
"""Notices that are kept; of a directory with ten thousand foreign files the last ones say enough."""

DONE = ("on_rollback", "on_promote", "on_verdict", "webhook", "notify", "rules", "configuration")
NUMBERED = "notify address "
"""Topics of what was done or set at its time, and not of what logs hold; what those begin with that are numbered."""


def post(connection: DuckDBPyConnection, severity: str, topic: str, message: str) -> None:
    """Store a notice in the place of the former one about the same topic, or of the one that is missed least.

    Args:
        connection: Of the ingest thread.
        severity: `info`, `warning` or `critical`.
        topic: What it is about, such as a path.
        message: One plain sentence.
    """
    connection.execute("DELETE FROM notices WHERE topic = ?", [topic])
    _make_room(connection)
    connection.execute(
        "INSERT INTO notices VALUES (?, ?, ?, ?, FALSE)",
        [now_in_store(), severity, topic, message],
    )


def _make_room(connection: DuckDBPyConnection) -> None:
    """Leave room for one more: what is over goes first, what is critical last, of these the oldest."""
    over = number(connection, "SELECT COUNT(*) FROM notices") + 1 - LIMIT
    if over > 0:
        connection.execute(
            """DELETE FROM notices WHERE rowid IN (SELECT rowid FROM notices
            ORDER BY NOT resolved, NOT resolved AND severity = 'critical', said_at LIMIT ?)""",
            [over],
        )


def resolve(connection: DuckDBPyConnection, *topics: str) -> None:
    """Mark what was said about some topics as over."""
    connection.execute(
        "UPDATE notices SET resolved = TRUE WHERE list_contains(?::VARCHAR[], topic) AND NOT resolved",
        [topics],
    )


def standing(connection: DuckDBPyConnection, beginning: str) -> list[str]:
    """Return the topics of what is not over and is said in a sentence that begins so."""
    rows = connection.execute(
        "SELECT topic FROM notices WHERE NOT resolved AND starts_with(message, ?)", [beginning]
    ).fetchall()
    return [topic for (topic,) in rows]
