"""What importers of log formats remember from one run to the next, kept in the ingest transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.sources.formats.types import Memory
from mlwatch.sources.sql import literal
from mlwatch.store import adding, notices, rollups

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.formats.types import Carried


def recall(connection: DuckDBPyConnection) -> Memory:
    """Return what is known of requests that wait for their other half, and of the numbers that models answer."""
    scored = connection.execute("SELECT DISTINCT model FROM predictions WHERE score IS NOT NULL").fetchall()
    valued = connection.execute("SELECT model FROM models WHERE task = 'regression'").fetchall()
    sides = connection.execute("SELECT (format, model, side), newest FROM sides").fetchall()
    answers = {**dict.fromkeys(_names(valued), False), **dict.fromkeys(_names(scored), True)}
    return Memory("waiting", dict(sides), answers)


def _names(rows: list[tuple[str]]) -> list[str]:
    return [name for (name,) in rows]


def carry(connection: DuckDBPyConnection, changes: Iterable[Carried]) -> None:
    """Keep the halves of requests that wait from now on, and forget those that found their other half.

    Args:
        connection: Inside the ingest transaction.
        changes: In the order in which they came about.
    """
    for change in changes:
        connection.execute(
            """DELETE FROM waiting
            WHERE format = ? AND key IN (SELECT UNNEST(from_json(?, '["VARCHAR"]')))""",
            [change.form, change.gone],
        )
        connection.execute(
            """INSERT INTO waiting SELECT ?, UNNEST(from_json(?,
                '[{"key": "VARCHAR", "side": "VARCHAR", "record": "VARCHAR"}]'), recursive := TRUE)""",
            [change.form, change.come],
        )
        connection.execute(
            """CREATE OR REPLACE TEMP TABLE seen AS
            SELECT ? AS format, UNNEST(from_json(?,
                '[{"model": "VARCHAR", "side": "VARCHAR", "newest": "TIMESTAMP"}]'), recursive := TRUE)""",
            [change.form, change.newest],
        )
        connection.execute(
            "DELETE FROM sides WHERE (format, model, side) IN (SELECT (format, model, side) FROM seen)"
        )
        connection.execute("INSERT INTO sides FROM seen")


def count_unseen(connection: DuckDBPyConnection, counts: Iterable[str]) -> None:
    """Add the requests that samples stand for to their rollup, and say that there are any.

    Args:
        connection: Inside the ingest transaction.
        counts: See `Rewritten.sampled`.
    """
    for text in counts:
        kinds = '[{"bucket": "TIMESTAMP", "model": "VARCHAR", "version": "VARCHAR", "unseen": "DOUBLE"}]'
        given = f"SELECT UNNEST(from_json({literal(text)}, '{kinds}'), recursive := TRUE)"
        adding.add(connection, rollups.SAMPLING, given)
        new = connection.execute(f"""
            SELECT DISTINCT model FROM ({given})
            WHERE 'sampling of ' || model NOT IN (SELECT topic FROM notices)""").fetchall()
        for model in _names(new):
            message = (
                f"{model}: the logs hold a sample of the requests: throughput is scaled up by its fraction"
            )
            notices.post(
                connection, "info", f"sampling of {model}", f"{message}, other counts are the sample's"
            )
