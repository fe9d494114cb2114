"""A rollup lake: the rollups of a store as Parquet files by day, which open like logs and need no raw rows.

    LAKE/manifest.json              what is in it, and of which schema
    LAKE/tables/features.parquet    the small tables: features, bins, the reference …
    LAKE/r_traffic/2026-11-03.parquet

A day's file is replaced in one step, and only where its rows have changed: writing again is idempotent, and late labels
change the days of their predictions alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlwatch.errors import InputError, reason_of
from mlwatch.sources.sql import identifier, literal
from mlwatch.store import rollups, schema
from mlwatch.store.asking import row

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.store.rollups import Rollup

SCHEMA = "mlwatch.rollups/1"
MANIFEST = "manifest.json"
SMALL = {
    "features": "TRUE",
    "model_features": "TRUE",
    "models": "TRUE",
    "bins": "TRUE",
    "categories": "TRUE",
    "reference": "TRUE",
    "reference_labels": "TRUE",
    "batches": "TRUE",
    "meta": "key LIKE 'reference%' OR key LIKE 'segments%'",
}
"""Tables that a lake carries besides its rollups, and which of their rows."""
CURRENCY = "lake_currency"
"""Key of what the values are in: the events that say it stay with the logs."""


def is_lake(path: Path) -> bool:
    """Tell whether a directory is a rollup lake, of whatever version."""
    try:
        return path.is_dir() and b'"mlwatch.rollups/' in (path / MANIFEST).open("rb").read(4096)
    except OSError:
        return False


def write(connection: DuckDBPyConnection, lake: Path) -> int:
    """Write the rollups of a store; return how many files of days were written.

    Args:
        connection: Of the store; nobody may write to it meanwhile.
        lake: Directory, made where it is missing.

    Raises:
        InputError: when the directory is none of ours, or cannot be written.
    """
    before = _manifest(lake) if is_lake(lake) else None
    if before is None and lake.exists() and any(lake.iterdir()):
        raise InputError("not an empty directory, and no rollups", str(lake), "give another one with -o")
    known: dict[str, str] = before["days"] if before is not None else {}
    try:
        (lake / "tables").mkdir(parents=True, exist_ok=True)
        for table, where in SMALL.items():
            _copy(connection, f"SELECT * FROM {table} WHERE {where}", lake / "tables" / f"{table}.parquet")
        days = dict(known)
        written = 0
        for rollup in rollups.ALL:
            (lake / rollup.name).mkdir(exist_ok=True)
            for day, state in _days(connection, rollup).items():
                name = f"{rollup.name}/{day}"
                if known.get(name) != state:
                    _copy(connection, _of_day(rollup, day), lake / f"{name}.parquet")
                    days[name] = state
                    written += 1
        _replace(lake / MANIFEST, json.dumps(_made(connection, days), indent=1) + "\n")
    except OSError as error:
        raise InputError(
            f"cannot write ({error.strerror})", str(lake), "give another place with -o"
        ) from error
    return written


def _made(connection: DuckDBPyConnection, days: dict[str, str]) -> dict[str, Any]:
    (currency,) = connection.execute(
        "SELECT MAX(currency) FROM events WHERE currency IS NOT NULL"
    ).fetchone() or (None,)
    return {
        "schema": SCHEMA,
        "store": schema.VERSION,
        "currency": currency,
        "days": dict(sorted(days.items())),
    }


def _days(connection: DuckDBPyConnection, rollup: Rollup) -> dict[str, str]:
    """Return a fingerprint of each day's rows, whatever pieces they are in."""
    merged = rollup.merged(rollup.table(rollup.levels[0]))
    rows = connection.execute(
        f"""SELECT strftime(bucket, '%Y-%m-%d') AS day, COUNT(*), bit_xor(hash(each)) FROM ({merged}) AS each
        GROUP BY day"""
    ).fetchall()
    return {day: f"{count}:{mark:x}" for day, count, mark in rows}


def _of_day(rollup: Rollup, day: str) -> str:
    where = f"WHERE bucket >= TIMESTAMP '{day}' AND bucket < TIMESTAMP '{day}' + INTERVAL 1 DAY"
    return f"{rollup.merged(rollup.table(rollup.levels[0]), where=where)} ORDER BY ALL"


def _copy(connection: DuckDBPyConnection, select: str, target: Path) -> None:
    part = target.with_suffix(".part")
    connection.execute(f"COPY ({select}) TO {literal(str(part))} (FORMAT parquet, COMPRESSION zstd)")
    part.replace(target)


def _replace(target: Path, text: str) -> None:
    part = target.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(target)


def _manifest(lake: Path) -> dict[str, Any]:
    try:
        found = json.loads((lake / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"the rollups are damaged ({error})", str(lake), "write them again") from error
    if not isinstance(found, dict) or not isinstance(found.get("days"), dict):
        raise InputError("the rollups are damaged", str(lake), "write them again with mlwatch rollup")
    if found.get("schema") != SCHEMA or found.get("store") != schema.VERSION:
        todo = "write them again with this version of mlwatch"
        raise InputError("the rollups are of another version", str(lake), todo)
    return found


def load(connection: DuckDBPyConnection, lake: Path) -> None:
    """Put a lake in the place of what a store counted.

    Args:
        connection: Of a store that nobody reads meanwhile, or in one transaction.
        lake: Directory.

    Raises:
        InputError: when the lake is damaged, or of another version.
    """
    import duckdb  # noqa: PLC0415

    found = _manifest(lake)
    connection.execute("BEGIN")
    try:
        for table, where in SMALL.items():
            connection.execute(f"DELETE FROM {table} WHERE {where}")
            _insert(connection, table, lake / "tables" / f"{table}.parquet")
        for rollup in rollups.ALL:
            _load_rollup(connection, rollup, lake, found["days"])
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [CURRENCY, found.get("currency")])
        connection.execute("COMMIT")
    except (duckdb.Error, OSError) as error:
        connection.execute("ROLLBACK")
        raise InputError(
            f"the rollups are damaged ({reason_of(error)})", str(lake), "write them again"
        ) from error


class Lake:
    """A lake that is looked at, and read again when it is written anew.

    Args:
        path: Directory.
    """

    NOTE = "these are rollups: the records themselves are where the logs are"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0

    def open(self, connection: DuckDBPyConnection, *, reference: Path | None) -> None:
        """Read it for the first time.

        Raises:
            InputError: when it is damaged, of another version, or another reference is asked for.
        """
        if reference is not None:
            todo = "leave the reference out, or give it to mlwatch rollup"
            raise InputError("rollups are counted against their own reference", str(reference), todo)
        self._seen = self._written()
        load(connection, self._path)

    def renew(self, connection: DuckDBPyConnection) -> bool:
        """Read it again if it has been written since; return whether it has."""
        written = self._written()
        if written == self._seen:
            return False
        load(connection, self._path)
        self._seen = written
        return True

    def _written(self) -> int:
        return (self._path / MANIFEST).stat().st_mtime_ns


def _load_rollup(connection: DuckDBPyConnection, rollup: Rollup, lake: Path, days: dict[str, str]) -> None:
    finest, *wider = rollup.levels
    for level in rollup.levels:
        connection.execute(f"DELETE FROM {rollup.table(level)}")
    names = [name for name in days if name.startswith(f"{rollup.name}/")]
    if not names:
        return
    files = ", ".join(literal(str(lake / f"{name}.parquet")) for name in names)
    connection.execute(f"INSERT INTO {rollup.table(finest)} BY NAME SELECT * FROM read_parquet([{files}])")
    for level in wider:
        merged = rollup.merged(rollup.table(finest), rollups.bucket(level, "bucket"))
        connection.execute(f"INSERT INTO {rollup.table(level)} BY NAME {merged}")


def _insert(connection: DuckDBPyConnection, table: str, path: Path) -> None:
    columns = [
        name for (name,) in connection.execute(f"SELECT column_name FROM (DESCRIBE {table})").fetchall()
    ]
    listed = ", ".join(identifier(name) for name in columns)
    connection.execute(
        f"INSERT INTO {table} ({listed}) SELECT {listed} FROM read_parquet({literal(str(path))})"
    )


def size(lake: Path, connection: DuckDBPyConnection) -> tuple[int, int]:
    """Return how many rows of rollups a lake has, and their bytes on disk."""
    files = [path for rollup in rollups.ALL for path in (lake / rollup.name).glob("*.parquet")]
    if not files:
        return 0, 0
    listed = ", ".join(literal(str(path)) for path in files)
    (rows,) = row(connection, f"SELECT SUM(num_rows) FROM parquet_file_metadata([{listed}])")
    return int(rows), sum(path.stat().st_size for path in files)
