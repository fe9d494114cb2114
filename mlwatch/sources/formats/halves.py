"""Join requests to their responses by key, across blocks and files.

A half whose other half is not there yet waits in a temporary table. What comes and goes is handed on with the
records, so that the store can keep it in the same transaction and a restart goes on from there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlwatch.sources.formats.types import ENVELOPE, Carried
from mlwatch.sources.sql import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLUMNS = ", ".join(ENVELOPE)


def load(connection: DuckDBPyConnection, waiting: str) -> None:
    """Fill the temporary table `unpaired` with the halves that wait since a former run.

    Args:
        connection: Used by the reading thread alone.
        waiting: Relation with columns `format` and `record`.
    """
    columns = ", ".join(f"{name} {kind}" for name, kind in ENVELOPE.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE unpaired (format VARCHAR, {columns})")
    connection.execute(f"""
        INSERT INTO unpaired
        SELECT format, {_COLUMNS} FROM (
            SELECT format, UNNEST(from_json(record, {literal(json.dumps(ENVELOPE))})) FROM {waiting})""")


def pair(connection: DuckDBPyConnection, form: str) -> Carried | None:
    """Put pairs in place of the halves in `envelopes`.

    Args:
        connection: Has the temporary tables `envelopes` and `unpaired`.
        form: Name of the format.

    Returns:
        Which halves wait from now on, and which do no longer; None where there are no halves.
    """
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE fresh AS
        SELECT {_COLUMNS} FROM envelopes WHERE side IS NOT NULL AND reason IS NULL
        QUALIFY row_number() OVER (PARTITION BY key, side ORDER BY n) = 1""")
    if not _count(connection, "fresh"):
        return None
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE halves AS
        SELECT {_COLUMNS}, TRUE AS known FROM unpaired WHERE format = ? AND key IN (SELECT key FROM fresh)
        UNION ALL
        SELECT {_COLUMNS}, FALSE FROM fresh
        WHERE (key, side) NOT IN (SELECT (key, side) FROM unpaired WHERE format = ?)""",
        [form, form],
    )
    connection.execute("DELETE FROM envelopes WHERE side IS NOT NULL AND reason IS NULL")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE pairs AS
        SELECT q.key, GREATEST(q.n, a.n) AS n, q.id, q.ts, COALESCE(q.model, a.model) AS model,
            COALESCE(NULLIF(a.version, '-'), q.version) AS version,
            CASE WHEN a.clock >= q.clock THEN (epoch_us(a.clock) - epoch_us(q.clock)) / 1000 END AS latency_ms,
            a.status, a.error, q.request, a.response
        FROM halves AS q JOIN halves AS a ON q.key = a.key AND q.side = 'request' AND a.side = 'response'""")
    connection.execute("INSERT INTO envelopes BY NAME SELECT * EXCLUDE (key) FROM pairs")
    return _settle(connection, form)


def _settle(connection: DuckDBPyConnection, form: str) -> Carried:
    gone = connection.execute("""
        SELECT CAST(to_json(list(DISTINCT key)) AS VARCHAR) FROM halves
        WHERE known AND key IN (SELECT key FROM pairs)""").fetchone()
    connection.execute("DELETE FROM unpaired WHERE format = ? AND key IN (SELECT key FROM pairs)", [form])
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE left_over AS
        SELECT {_COLUMNS} FROM halves WHERE NOT known AND key NOT IN (SELECT key FROM pairs)"""
    )
    connection.execute(f"INSERT INTO unpaired SELECT ?, {_COLUMNS} FROM left_over", [form])
    come = connection.execute(
        "SELECT CAST(to_json(list({'key': key, 'side': side, 'record': to_json(left_over)})) AS VARCHAR) FROM left_over"
    ).fetchone()
    return Carried(form, _text(come), _text(gone))


def _text(row: tuple[str | None] | None) -> str:
    return (row[0] if row else None) or "[]"


def _count(connection: DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0
