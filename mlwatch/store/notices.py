"""Notices about the ingest itself: files that are not read, a full disk. Each is said once until it changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LIMIT = 500
"""Notices that are kept; of a directory with ten thousand foreign files a few say enough."""


def post(connection: DuckDBPyConnection, severity: str, topic: str, message: str) -> None:
    """Store a notice; an equal one about the same topic replaces the former.

    Args:
        connection: Of the ingest thread.
        severity: `info`, `warning` or `critical`.
        topic: What it is about, such as a path.
        message: One plain sentence.
    """
    connection.execute("DELETE FROM notices WHERE topic = ?", [topic])
    connection.execute(
        f"""INSERT INTO notices SELECT ?, ?, ?, ?, FALSE
        WHERE (SELECT COUNT(*) FROM notices) < {LIMIT}""",
        [datetime.now(UTC).replace(tzinfo=None), severity, topic, message],
    )


def resolve(connection: DuckDBPyConnection, topic: str) -> None:
    """Mark what was said about a topic as over."""
    connection.execute("UPDATE notices SET resolved = TRUE WHERE topic = ? AND NOT resolved", [topic])
