"""Fold the items of rankings: a query's numbers need all of its items, labelled or not, whenever they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, is_there, number
from mlwatch.errors import one_line
from mlwatch.sources.sql import identifier, literal
from mlwatch.store import notices
from mlwatch.store import output_rollups as rollups
from mlwatch.store.adding import add
from mlwatch.store.outputs import known_in, raw_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.config import OutputSettings
    from mlwatch.store.registry import Registry

_ITEMS = "model, version, query, ts, position, relevance"
_SCORED = "scored"
_SUSPECTS = "CREATE TEMP TABLE IF NOT EXISTS suspects (model VARCHAR, version VARCHAR, query VARCHAR)"


def requests_statements(
    registry: Registry,
    settings: OutputSettings,
    relation: str,
    numbers: Collection[int] | None = None,
    within: str = "",
) -> Iterator[str]:
    """Yield a SELECT of the items of rankings a model, labelled or not, in the columns of `ranked`.

    Args:
        registry: Features and tasks.
        settings: What the configuration says of outputs.
        relation: A `requests` relation.
        numbers: Features that it has columns for; None for all.
        within: SQL for what is to be added to the name of a query.
    """
    every = [row.number for row in registry.features.values()]
    have = {raw_name(number) for number in (every if numbers is None else numbers)}
    for model in registry.models:
        known, _ = known_in(have, registry, model, settings)
        if known.query is not None and known.position is not None:
            yield f"""
                SELECT model, version, CAST({known.query} AS VARCHAR){within} AS query, ts,
                    CAST({known.position} AS DOUBLE) AS position, CAST(NULL AS DOUBLE) AS relevance, 1 AS weight
                FROM {relation} WHERE model = {literal(model)} AND NOT failed
                    AND {known.query} IS NOT NULL AND {known.position} IS NOT NULL"""


def scored_statements(
    registry: Registry, settings: OutputSettings, have: Collection[str], within: str = ""
) -> Iterator[str]:
    """Yield a SELECT of what labels say of items a model: each as one that is labelled, and no more as one without.

    Args:
        registry: Features and tasks.
        settings: What the configuration says of outputs.
        have: Columns of `scored`.
        within: SQL for what is to be added to the name of a query.
    """
    relevance = "COALESCE(TRY_CAST(label AS DOUBLE), 0)"
    for model in registry.models:
        known, columns = known_in(have, registry, model, settings)
        if known.query is not None and known.position is not None:
            query, position = columns[known.query], columns[known.position]
            for label, weight in ((relevance, "weight"), ("CAST(NULL AS DOUBLE)", "-weight")):
                yield f"""
                    SELECT model, version, CAST({query} AS VARCHAR){within} AS query, ts,
                        CAST({position} AS DOUBLE) AS position, {label} AS relevance, {weight} AS weight
                    FROM {_SCORED} WHERE model = {literal(model)}
                        AND {query} IS NOT NULL AND {position} IS NOT NULL"""


def fold(
    connection: DuckDBPyConnection,
    registry: Registry,
    settings: OutputSettings,
    requests: str | None = None,
    numbers: Collection[int] | None = None,
    *,
    scored: bool = True,
) -> None:
    """Take items and their labels in, and count the rankings again that they belong to.

    What the rankings were is taken back, what they are is added.

    Args:
        connection: Inside the ingest transaction.
        registry: Features and tasks.
        settings: What the configuration says of outputs.
        requests: Requests that are new; None for labels alone.
        numbers: Features that these have columns for; None for all.
        scored: Whether `scored` holds labels that are new.
    """
    if not _lay_out(connection, registry, settings, requests, numbers, scored=scored):
        return
    # a ranking without a label does not count yet: labels come later mostly, and a query may have come a thousand times
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE asked AS SELECT r.* FROM ranked AS r
        JOIN (SELECT DISTINCT model, version, query FROM placed) AS mine USING (model, version, query)
        WHERE EXISTS (
            SELECT 1 FROM (FROM ranked UNION ALL FROM placed) AS every WHERE every.relevance IS NOT NULL
                AND every.model = r.model AND every.version = r.version AND every.query = r.query)"""
    )
    _count(connection, -1)
    for table in ("asked", "ranked"):
        connection.execute(f"INSERT INTO {table} FROM placed")
    _count(connection, 1)
    if requests is not None:
        _suspect(connection)


def _lay_out(
    connection: DuckDBPyConnection,
    registry: Registry,
    settings: OutputSettings,
    requests: str | None,
    numbers: Collection[int] | None = None,
    *,
    scored: bool = True,
) -> bool:
    """Put items and their labels into `placed`, and tell whether there is any model with rankings; see `fold`."""
    parts = [] if requests is None else [*requests_statements(registry, settings, requests, numbers)]
    if scored:
        described = connection.execute(f"SELECT column_name FROM (DESCRIBE {_SCORED})").fetchall()
        parts += scored_statements(registry, settings, {name for (name,) in described})
    if not parts:
        return False
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE placed AS
        SELECT {_ITEMS}, CAST(SUM(weight) AS INTEGER) AS weight FROM ({" UNION ALL ".join(parts)}) AS every
        GROUP BY {_ITEMS} HAVING SUM(weight) <> 0"""
    )
    return True


def _count(connection: DuckDBPyConnection, weight: int) -> None:
    if is_there(connection, "asked WHERE relevance IS NOT NULL"):
        add(connection, rollups.RANKINGS, rollups.rankings_sql("asked", weight))


def place_stored(connection: DuckDBPyConnection, registry: Registry, settings: OutputSettings) -> None:
    """Take the stored requests and labels in, and count all of `ranked`, of which nothing is counted.

    Args:
        connection: Inside a transaction; `scored` holds all stored labels.
        registry: Features and tasks.
        settings: What the configuration says of outputs.
    """
    if _lay_out(connection, registry, settings, "predictions"):
        connection.execute("INSERT INTO ranked FROM placed")
    add(connection, rollups.RANKINGS, rollups.rankings_sql("ranked", 1))


def borrow(connection: DuckDBPyConnection, registry: Registry, settings: OutputSettings, store: str) -> None:
    """Let the items of an excerpt take their places among all that were logged, those without a label here.

    Args:
        connection: On the excerpt, whose `ranked` is empty.
        registry: Features and tasks.
        settings: What the configuration says of outputs.
        store: Name of the database that the excerpt is of.
    """
    mine = [*requests_statements(registry, settings, "predictions")]
    if mine:
        connection.execute(f"""
            INSERT INTO ranked
            SELECT model, version, query, ts, position, CAST(NULL AS DOUBLE), SUM(weight)
            FROM {identifier(store)}.ranked
            JOIN (SELECT DISTINCT model, version, query FROM ({" UNION ALL ".join(mine)}))
                USING (model, version, query)
            GROUP BY model, version, query, ts, position HAVING SUM(weight) > 0""")


def _suspect(connection: DuckDBPyConnection) -> None:
    """Remember which queries of `asked` have a ranking that holds a position several times."""
    twice = "(SELECT 1 FROM asked GROUP BY model, version, query, position HAVING SUM(weight) > 1) AS twice"
    if is_there(connection, twice):
        connection.execute(_SUSPECTS)
        connection.execute(f"INSERT INTO suspects SELECT model, version, query FROM ({_mixed('asked')})")


def _mixed(items: str) -> str:
    return f"""SELECT model, version, query FROM ({rollups.told_apart_sql(items)}) AS apart
        GROUP BY model, version, query, turn, position HAVING SUM(n) > 1"""


def tell_mixed(connection: DuckDBPyConnection) -> None:
    """Tell once of models whose rankings hold a position several times: nothing tells which one an item is of then.

    Args:
        connection: Outside a transaction, of the thread that takes logs in, when all there is was read: of a ranking
            that has come in part it is not known yet.
    """
    connection.execute(_SUSPECTS)
    if not is_there(connection, "suspects"):
        return
    mine = """(SELECT r.* FROM ranked AS r
        JOIN (SELECT DISTINCT model, version, query FROM suspects) AS s USING (model, version, query))"""
    found = connection.execute(
        f"SELECT model, MIN(query) FROM ({_mixed(mine)}) AS mixed GROUP BY model"
    ).fetchall()
    with all_or_nothing(connection):
        connection.execute("DELETE FROM suspects")
        for model, query in found:
            topic = f"rankings of {model}"
            if number(connection, "SELECT COUNT(*) FROM notices WHERE topic = ?", [topic]):
                continue
            message = (
                f"{one_line(model)}: items of one ranking have the same position, such as of query {one_line(query)}:"
                " where a query comes again, name the column that tells its rankings apart as [outputs] query"
            )
            notices.post(connection, "warning", topic, message)
