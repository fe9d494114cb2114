"""What the store says about itself: totals of the ingest, notices, where the numbers come from."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from mlwatch import __version__
from mlwatch.snapshot.types import Alert, Ingest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config


def ingest_totals(connection: DuckDBPyConnection) -> Ingest:
    """Sum up everything that was read."""
    row = connection.execute("""
        SELECT SUM(bytes), SUM(records), SUM(rows), SUM(predictions), SUM(outcomes), SUM(events),
            SUM(rejected), SUM(duplicates), SUM(outcomes_unmatched), SUM(events_unmatched)
        FROM batches""").fetchone()
    files = connection.execute(
        "SELECT COUNT(DISTINCT path) FROM files WHERE state <> 'replaced' AND records > 0"
    ).fetchone()
    values = [int(value or 0) for value in row or [0] * 10]
    return Ingest(int(files[0]) if files else 0, *values)


def alerts_of(connection: DuckDBPyConnection, limit: int = 50) -> tuple[Alert, ...]:
    """Return notices about the ingest, newest first."""
    rows = connection.execute(
        "SELECT said_at, severity, topic, message, resolved FROM notices ORDER BY said_at DESC LIMIT ?",
        [limit],
    ).fetchall()
    return tuple(
        Alert(
            f"ingest: {topic}",
            "resolved" if resolved else "firing",
            severity,
            message,
            at.replace(tzinfo=UTC),
        )
        for at, severity, topic, message, resolved in rows
    )


def provenance_of(connection: DuckDBPyConnection, config: Config) -> Mapping[str, str | None]:
    """Return which program, configuration and reference made the numbers."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'reference_sha256'").fetchone()
    return {
        "mlwatch": __version__,
        "config_sha256": config.sha256 if config.path is not None else None,
        "reference_sha256": row[0] if row else None,
        "git": None,
        "data": None,
        "registry": None,
    }
