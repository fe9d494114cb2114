"""Join requests to their responses by key, across blocks and files.

A half whose other half is not there yet waits in a temporary table. What comes and goes is handed on with the
records, so that the store can keep it in the same transaction and a restart goes on from there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.asking import first_row
from mlwatch.sources.formats.types import ENVELOPE, Carried
from mlwatch.sources.sql import literal
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.formats.types import Importer, Memory

PATIENCE = timedelta(seconds=60)
"""How much later, in event time, the counterparts must be that show that a half waits in vain."""
QUIET = timedelta(seconds=60)
"""How long its file must have been left alone by then, on the clock: files may come one by one, in any order."""
SOON = timedelta(seconds=5)
"""The same where no counterpart came at all."""

_COLUMNS = ", ".join(ENVELOPE)
_OTHER = {"request": "response", "response": "request"}


class Halves:
    """The halves of one log directory that wait.

    Args:
        connection: Used by the reading thread alone.
        memory: What is known from former runs.
    """

    def __init__(self, connection: DuckDBPyConnection, memory: Memory) -> None:
        self._connection = connection
        self._newest = dict(memory.sides)
        columns = ", ".join(f"{name} {kind}" for name, kind in ENVELOPE.items())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE unpaired (format VARCHAR, {columns})")
        connection.execute(f"""
            INSERT INTO unpaired
            SELECT format, {_COLUMNS} FROM (
                SELECT format, UNNEST(from_json(record, {literal(json.dumps(ENVELOPE))})) FROM {memory.waiting})""")

    def pair(self, form: str, written: datetime) -> Carried | None:
        """Put pairs in place of the halves in the table `envelopes`.

        Args:
            form: Name of the format.
            written: When their file was written or put there, naive UTC.

        Returns:
            Which halves wait from now on, and which do no longer; None where there are no halves.
        """
        run = self._connection.execute
        run(f"""
            CREATE OR REPLACE TEMP TABLE fresh AS
            SELECT {_COLUMNS} FROM (
                SELECT * REPLACE (TIMESTAMP '{written}' AS seen) FROM envelopes
                WHERE side IS NOT NULL AND reason IS NULL)
            QUALIFY row_number() OVER (PARTITION BY key, side ORDER BY n) = 1""")
        latest = run("SELECT COALESCE(model, ''), side, MAX(ts) FROM fresh GROUP BY ALL").fetchall()
        if not latest:
            return None
        newest = self._note(form, latest)
        run(
            f"""
            CREATE OR REPLACE TEMP TABLE halves AS
            SELECT {_COLUMNS}, TRUE AS known FROM (SELECT * REPLACE (0 AS n) FROM unpaired)
            WHERE format = ? AND key IN (SELECT key FROM fresh)
            UNION ALL
            SELECT {_COLUMNS}, FALSE FROM fresh
            WHERE (key, side) NOT IN (SELECT (key, side) FROM unpaired WHERE format = ?)""",
            [form, form],
        )
        run("DELETE FROM envelopes WHERE side IS NOT NULL AND reason IS NULL")
        run(_PAIRS)
        run("INSERT INTO envelopes BY NAME SELECT * EXCLUDE (key) FROM pairs")
        return replace(self._settle(form), newest=newest)

    def _note(self, form: str, latest: Sequence[tuple[str, str, datetime]]) -> str:
        """Note how new the halves are, and return it for the store."""
        noted = []
        for model, side, ts in latest:
            newest = max(ts, self._newest.get((form, model, side), ts))
            self._newest[form, model, side] = newest
            noted.append({"model": model, "side": side, "newest": str(newest)})
        return json.dumps(noted)

    def _settle(self, form: str) -> Carried:
        """Let pairs go and the other halves wait."""
        run = self._connection.execute
        gone = first_row(
            self._connection,
            """SELECT CAST(to_json(list(DISTINCT key)) AS VARCHAR) FROM halves
            WHERE known AND key IN (SELECT key FROM pairs)""",
        )
        run("DELETE FROM unpaired WHERE format = ? AND key IN (SELECT key FROM pairs)", [form])
        run(f"""
            CREATE OR REPLACE TEMP TABLE late AS
            SELECT {_COLUMNS} FROM halves WHERE NOT known AND key NOT IN (SELECT key FROM pairs)""")
        run(f"INSERT INTO unpaired SELECT ?, {_COLUMNS} FROM late", [form])
        come = first_row(
            self._connection,
            """SELECT CAST(to_json(list({'key': key, 'side': side, 'record': to_json(late)})) AS VARCHAR)
            FROM late""",
        )
        return Carried(form, _text(come), _text(gone))

    def release(self, importer: Importer) -> Carried | None:
        """Fill the table `envelopes` with the halves that wait in vain, as requests of their own.

        A half does when its counterparts of a later time have come; or when none came at all, where the format may log
        one side only. In either case nothing must have come lately.

        Returns:
            Which halves wait no longer; None where there are none.
        """
        now = now_in_store()
        vain = " OR ".join(self._vain(importer, now)) or "FALSE"
        self._connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE envelopes AS
            SELECT {_COLUMNS} FROM (SELECT * REPLACE (0 AS n) FROM unpaired)
            WHERE format = {literal(importer.name)} AND ts < TIMESTAMP '{now - PATIENCE}' AND ({vain})""")
        gone = first_row(self._connection, "SELECT CAST(to_json(list(key)) AS VARCHAR) FROM envelopes")
        if gone is None or gone[0] is None:
            return None
        self._connection.execute(
            "DELETE FROM unpaired WHERE format = ? AND key IN (SELECT key FROM envelopes)", [importer.name]
        )
        return Carried(importer.name, "[]", gone[0])

    def _vain(self, importer: Importer, now: datetime) -> list[str]:
        """Return conditions on halves, one for each model and side that wait."""
        waiting = self._connection.execute(
            "SELECT DISTINCT model, side FROM unpaired WHERE format = ?", [importer.name]
        ).fetchall()
        conditions = []
        for model, side in waiting:
            named = f"side = '{side}' AND model IS NOT DISTINCT FROM {literal(model) if model is not None else 'NULL'}"
            other = self._newest.get((importer.name, model or "", _OTHER[side]))
            if other is not None:
                late = f"ts < TIMESTAMP '{other - PATIENCE}'"
                conditions.append(f"{named} AND {late} AND {_old(now - QUIET)}")
            elif side in importer.alone:
                conditions.append(f"{named} AND {_old(now - SOON)}")
        return conditions


_PAIRS = """
    CREATE OR REPLACE TEMP TABLE pairs AS
    SELECT q.key, GREATEST(q.n, a.n) AS n, q.id, q.ts, COALESCE(q.model, a.model) AS model,
        COALESCE(NULLIF(a.version, '-'), q.version) AS version,
        COALESCE(q.latency_ms, a.latency_ms,
            CASE WHEN a.clock >= q.clock THEN (epoch_us(a.clock) - epoch_us(q.clock)) / 1000 END) AS latency_ms,
        COALESCE(q.status, a.status) AS status, COALESCE(a.error, q.error) AS error,
        COALESCE(q.fraction, a.fraction) AS fraction, q.request, a.response
    FROM halves AS q JOIN halves AS a ON q.key = a.key AND q.side = 'request' AND a.side = 'response'"""


def _old(moment: datetime) -> str:
    return f"(seen IS NULL OR seen < TIMESTAMP '{moment}')"


def _text(row: tuple[str | None] | None) -> str:
    return (row[0] if row else None) or "[]"
