"""Open rollup lakes, one or several, as what a store counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, first_row, is_there, meta_value, number
from mlwatch.errors import InputError, reason_of
from mlwatch.sources.pathnames import file_literal
from mlwatch.sources.sql import identifier, literal
from mlwatch.store import currencies, loss_trees, rollup_rows, rollups
from mlwatch.store.lake import MANIFEST, SMALL, can_go_on, is_lake, manifest, names_of
from mlwatch.store.newest_events import NEWEST_EVENTS
from mlwatch.store.reference import must_be
from mlwatch.store.registry import HEARD
from mlwatch.store.rollup import bucket

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.store.rollup import Rollup


OUTPUTS = f"SELECT unnest([{', '.join(map(str, rollups.COUNTED))}]) AS number, number"
"""The pseudo-features have the same numbers everywhere."""


OF_MODELS = frozenset({"models", "model_features"})
"""Small tables that name models."""


class Lakes:
    """Lakes that are looked at as one, and read again when one of them is written anew.

    Args:
        paths: Directories, at least one.
        apart: Show each one's models as models of their own, named after its directory.
    """

    NOTE = "these are rollups: the records themselves are where the logs are"

    def __init__(self, paths: Sequence[Path], *, apart: bool = False) -> None:
        self._paths = paths
        self._apart = apart
        self._seen: list[object] = []

    def open(self, connection: DuckDBPyConnection, *, reference: Path | None) -> None:
        """Read them for the first time.

        Args:
            connection: Of a store that nobody else writes to.
            reference: What they must have been counted against; None where it does not matter.

        Raises:
            InputError: when one is damaged, of another version or cut otherwise, or another reference is asked for.
        """
        self._seen = self._written()
        load(connection, self._paths, apart=self._apart)
        if reference is not None:
            must_be(connection, reference)

    def renew(self, connection: DuckDBPyConnection) -> bool:
        """Read them again if one has been written since; return whether it has."""
        written = self._written()
        if written == self._seen:
            return False
        load(connection, self._paths, apart=self._apart)
        self._seen = written
        return True

    def _written(self) -> list[object]:
        """Return what changes with each writing."""
        return [
            (path / MANIFEST).stat().st_mtime_ns if is_lake(path) else rollup_rows.state(path)
            for path in self._paths
        ]


def load(connection: DuckDBPyConnection, lakes: Sequence[Path], *, apart: bool = False) -> None:
    """Put lakes in the place of what a store counted, in one transaction.

    Args:
        connection: Of a store that nobody else writes to.
        lakes: Directories.
        apart: Keep their models apart.

    Raises:
        InputError: when one is damaged, of another version, or counts a feature in other bins than the first.
    """
    import duckdb  # noqa: PLC0415

    lake = lakes[0]
    names = names_of(lakes) if apart else [None] * len(lakes)
    try:
        with all_or_nothing(connection):
            _clear(connection)
            for lake, name in zip(lakes, names, strict=True):
                if is_lake(lake):
                    _add(connection, lake, name, first=lake is lakes[0])
                else:
                    _add_rows(connection, lake, name)
            for rollup in rollups.ALL:
                _widen(connection, rollup)
    except (duckdb.Error, OSError) as error:
        todo = "write them again"
        raise InputError(f"the rollups are damaged ({reason_of(error)})", str(lake), todo) from error


def load_tables(connection: DuckDBPyConnection, lake: Path) -> None:
    """Take the small tables of a lake into an empty store, so that more is counted as it was: in the same bins.

    Args:
        connection: Of a store that nobody else writes to.
        lake: A directory.

    Raises:
        InputError: when it is damaged, or of another version.
    """
    import duckdb  # noqa: PLC0415

    manifest(lake)
    try:
        for table in SMALL:
            _insert(connection, table, _small(lake, table))
    except duckdb.Error as error:
        todo = "write them again"
        raise InputError(f"the rollups are damaged ({reason_of(error)})", str(lake), todo) from error
    # the bins are those of the lake, whichever models come
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, 'null')", [HEARD])
    for column, kind in connection.execute("SELECT column_name, kind FROM features").fetchall():
        sql_type = "DOUBLE" if kind == "numeric" else "VARCHAR"
        connection.execute(f"ALTER TABLE predictions ADD COLUMN {identifier(column)} {sql_type}")


def carry_on(connection: DuckDBPyConnection, lake: Path) -> None:
    """Let a new store number and cut features as a lake does, whose days of earlier times it does not know.

    Args:
        connection: Of a store that nobody else writes to; one that has counted before stays as it is.
        lake: Where its rollups go; there need not be one yet, and one that is damaged is no example.
    """
    if not can_go_on(lake) or any(is_there(connection, table) for table in ("files", "features", "models")):
        return
    with all_or_nothing(connection):
        load_tables(connection, lake)
        connection.execute("DELETE FROM batches")  # these are of what is read from now on


def _clear(connection: DuckDBPyConnection) -> None:
    for table, where in SMALL.items():
        connection.execute(f"DELETE FROM {table} WHERE {where}")
    connection.execute("DELETE FROM meta WHERE key IN (?, ?)", [NEWEST_EVENTS, currencies.OF_LAKES])
    for rollup in rollups.ALL:
        for level in rollup.levels:
            connection.execute(f"DELETE FROM {rollup.table(level)}")


def _add(connection: DuckDBPyConnection, lake: Path, name: str | None, *, first: bool) -> None:
    found = manifest(lake)
    _add_newest_events(connection, found.get("newest_events", {}), name)
    said = currencies.of_manifest(connection, found, _small(lake, "models"))
    _add_currencies(connection, said, name)
    if first:
        for table in SMALL:
            _insert(connection, table, _small(lake, table, name if table in OF_MODELS else None))
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE numbers AS SELECT feature, feature AS mine FROM features"
        )
    else:
        _join(connection, lake, name)
    connection.execute(f"INSERT INTO numbers {OUTPUTS}")
    for rollup in rollups.ALL:
        days = [day for day in found["days"] if day.startswith(f"{rollup.name}/")]
        if days:
            _take(connection, rollup, ", ".join(file_literal(lake / f"{day}.parquet") for day in days), name)


def _add_currencies(connection: DuckDBPyConnection, said: currencies.Said, name: str | None) -> None:
    """Keep what the amounts of each model are in, in whichever lake."""
    own = said if name is None else {f"{model} @ {name}": names for model, names in said.items()}
    known = currencies.together(currencies.of_lakes(connection), own)
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [currencies.OF_LAKES, json.dumps(known)])


def _add_newest_events(connection: DuckDBPyConnection, times: dict[str, int], name: str | None) -> None:
    """Keep up to when there are events of each model: the latest of what the lakes say.

    Where models are kept apart, those of events that name no model are left out: they would speak of other lakes too.
    """
    known: dict[str, int] = json.loads(meta_value(connection, NEWEST_EVENTS) or "{}")
    for model, at in times.items():
        if model or name is None:
            own = model if name is None else f"{model} @ {name}"
            known[own] = max(at, known.get(own, at))
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [NEWEST_EVENTS, json.dumps(known)])


def _add_rows(connection: DuckDBPyConnection, lake: Path, name: str | None) -> None:
    if name is not None:
        raise InputError("rows of another engine are not shown apart", str(lake), "leave --apart out")
    rollup_rows.add(connection, lake)


def _small(lake: Path, table: str, name: str | None = None) -> str:
    read = f"read_parquet({file_literal(lake / 'tables' / f'{table}.parquet')})"
    return read if name is None else f"(SELECT * REPLACE ({_model(name)}) FROM {read})"


def _model(name: str | None) -> str:
    """Return the item that names a lake's models after it, where they are kept apart."""
    return "model AS model" if name is None else f"model || {literal(f' @ {name}')} AS model"


def _insert(connection: DuckDBPyConnection, table: str, relation: str) -> None:
    described = connection.execute(f"SELECT column_name FROM (DESCRIBE {table})").fetchall()
    listed = ", ".join(identifier(name) for (name,) in described)
    connection.execute(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {relation}")


def _join(connection: DuckDBPyConnection, lake: Path, name: str | None) -> None:
    """Number a further lake's features as they are numbered here, and learn what is new in it."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE numbers AS
        SELECT t.feature, COALESCE(f.feature, (SELECT COALESCE(MAX(feature), -1) FROM features)
            + row_number() OVER (PARTITION BY f.feature IS NULL ORDER BY t.feature)) AS mine, f.feature IS NULL AS fresh
        FROM {_small(lake, "features")} AS t LEFT JOIN features AS f USING (name, kind)""")
    _check_bins(connection, lake, name)
    known = "FROM {} AS t JOIN numbers AS n ON n.feature = t.feature AND n.fresh"
    for table in ("features", "bins", "categories"):
        fresh = known.format(_small(lake, table))
        connection.execute(f"INSERT INTO {table} BY NAME SELECT t.* REPLACE (n.mine AS feature) {fresh}")
    connection.execute(f"""
        INSERT INTO model_features BY NAME
        SELECT DISTINCT t.model, n.mine AS feature
        FROM {_small(lake, "model_features", name)} AS t JOIN numbers AS n USING (feature)
        EXCEPT SELECT model, feature FROM model_features""")
    connection.execute(f"""
        INSERT INTO models BY NAME
        FROM {_small(lake, "models", name)} AS t WHERE t.model NOT IN (SELECT model FROM models)""")
    _insert(connection, "batches", _small(lake, "batches"))
    connection.execute("ALTER TABLE numbers DROP COLUMN fresh")


def _check_bins(connection: DuckDBPyConnection, lake: Path, name: str | None) -> None:
    """Make sure that what both count is counted in the same bins."""
    shared = f"""SELECT n.feature, n.mine FROM numbers AS n WHERE NOT n.fresh
        UNION ALL {OUTPUTS}"""
    other = number(
        connection,
        f"""WITH shared AS ({shared}), theirs AS (
            SELECT b.mine AS feature, t.kind, t.edges
            FROM {_small(lake, "bins")} AS t JOIN shared AS b USING (feature)),
        names AS (
            SELECT b.mine AS feature, t.category, t.bin FROM {_small(lake, "categories")} AS t
            JOIN shared AS b USING (feature)),
        ours AS (SELECT c.feature, c.category, c.bin FROM categories AS c JOIN shared AS b ON b.mine = c.feature)
        SELECT (SELECT COUNT(*) FROM theirs AS t JOIN bins AS o USING (feature)
                WHERE (t.kind, t.edges) <> (o.kind, o.edges))
            + (SELECT COUNT(*) FROM ((FROM names EXCEPT FROM ours) UNION ALL (FROM ours EXCEPT FROM names)))
            + (SELECT COUNT(*) FROM {_small(lake, "features")} AS t
                JOIN {_small(lake, "model_features", name)} AS m USING (feature)
                JOIN (FROM features JOIN model_features USING (feature)) AS o
                ON o.model = m.model AND o.name = t.name AND o.kind <> t.kind)""",
    )
    if other or not _same_tree(connection, lake):
        todo = "give all of them the same --reference, such as one profile"
        raise InputError("these rollups count features in other bins than the first", str(lake), todo)


def _same_tree(connection: DuckDBPyConnection, lake: Path) -> bool:
    """Tell whether a lake counts predictions of regressions by the leaves that are counted here, if by any."""
    ours, key = loss_trees.recall(connection), literal(loss_trees.KEY)
    theirs = first_row(connection, f"SELECT value FROM {_small(lake, 'meta')} WHERE key = {key}")
    return ours is None or theirs is None or loss_trees.of_text(theirs[0]).root == ours.root


def _take(connection: DuckDBPyConnection, rollup: Rollup, files: str, name: str | None) -> None:
    read = f"(SELECT * REPLACE ({_model(name)}) FROM read_parquet([{files}])) AS t"
    mapped = "SELECT t.*"
    if rollup.keys.get("feature") == rollups.FEATURES.keys["feature"]:  # constraints name theirs
        mapped, read = (
            "SELECT t.* REPLACE (n.mine AS feature)",
            f"{read} JOIN numbers AS n ON n.feature = t.feature",
        )
    connection.execute(f"INSERT INTO {rollup.table(rollup.levels[0])} BY NAME {mapped} FROM {read}")


def _widen(connection: DuckDBPyConnection, rollup: Rollup) -> None:
    """Sum the finest buckets up to wider ones."""
    finest, *wider = rollup.levels
    for level in wider:
        merged = rollup.merged(rollup.table(finest), bucket(level, "bucket"))
        connection.execute(f"INSERT INTO {rollup.table(level)} BY NAME {merged}")
