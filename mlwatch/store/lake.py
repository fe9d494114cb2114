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

from mlwatch.asking import is_there, row
from mlwatch.errors import InputError, reason_of
from mlwatch.foreign import loads
from mlwatch.regular import open_regular
from mlwatch.sources.pathnames import engine_name
from mlwatch.sources.sql import literal
from mlwatch.store import currencies, rollup_rows, rollups, schema
from mlwatch.store.newest_events import newest_of_all
from mlwatch.store.reference_tables import NAMES
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
    **dict.fromkeys(NAMES, "TRUE"),
    "batches": "TRUE",
    "meta": "key LIKE 'reference%' OR key LIKE 'segments%' OR key LIKE 'engagement%'",
}
"""Tables that a lake carries besides its rollups, and which of their rows."""
NUMBERED = {
    "features": "feature, name, kind",
    "bins": "feature, kind, edges",
    "categories": "feature, category, bin",
    "models": "model",
}
"""What must be as it was, so that days of earlier times can be read beside those that are written now."""
CONFIGURATION = "mlwatch.toml"


def is_lake(path: Path) -> bool:
    """Tell whether a directory is a rollup lake, of whatever version."""
    try:
        with open_regular(path / MANIFEST) as file:
            return b'"mlwatch.rollups/' in file.read(4096)
    except OSError:
        return False


def lakes_in(path: Path) -> list[Path]:
    """Return a lake, or the lakes of which a directory holds nothing else; none where it holds logs."""
    if is_lake(path) or rollup_rows.are_rows(path):
        return [path]
    try:
        below = sorted(each for each in path.iterdir() if not each.name.startswith("."))
    except OSError:
        return []
    data = [each for each in below if each.name != CONFIGURATION]
    return data if data and all(is_lake(each) for each in data) else []  # rows of other engines open alone


def lakes_of(path: Path, others: Sequence[Path]) -> list[Path]:
    """Return the lakes of one path or several; none where there is one, and it holds logs.

    Raises:
        InputError: when there are several, and not all are rollups.
    """
    places = {each.resolve(): each for each in (path, *others)}  # one that is named twice counts once
    found = {each: lakes_in(each) for each in places.values()}
    wrong = next((each for each, lakes in found.items() if not lakes), None)
    if others and wrong is not None:
        todo = "give one directory of logs, or several that mlwatch rollup wrote"
        raise InputError("not rollups, and only these are shown together", str(wrong), todo)
    return [lake for lakes in found.values() for lake in lakes]


def names_of(lakes: Sequence[Path]) -> list[str]:
    """Return names that tell lakes apart: the last parts of their paths, as few as do."""
    parts = [lake.resolve().parts for lake in lakes]
    names = [each[-1] for each in parts]
    for depth in range(2, max(map(len, parts)) + 1):
        if len(set(names)) == len(names):
            break
        names = ["/".join(each[-depth:]) for each in parts]
    return names


def write(connection: DuckDBPyConnection, lake: Path, more: Mapping[str, Any] | None = None) -> int:
    """Write the rollups of a store; return how many files of days were written.

    Args:
        connection: Of the store; nobody may write to it meanwhile.
        lake: Directory, made where it is missing.
        more: What its manifest is to keep besides.

    Raises:
        InputError: when the directory is none of ours, has days that were counted otherwise, or cannot be written.
    """
    before = manifest(lake) if is_lake(lake) else None
    if before is None and lake.exists() and any(lake.iterdir()):
        raise InputError("not an empty directory, and no rollups", str(lake), "give another one with -o")
    known: dict[str, str] = before["days"] if before is not None else {}
    here = [
        (rollup, day, state) for rollup in rollups.ALL for day, state in _days(connection, rollup).items()
    ]
    kept: currencies.Said = {}
    if before is not None and known.keys() - {f"{rollup.name}/{day}" for rollup, day, _ in here}:
        _check_alike(connection, lake)
        kept = currencies.of_manifest(connection, before, "models")
    try:
        (lake / "tables").mkdir(parents=True, exist_ok=True)
        for table, where in SMALL.items():
            _copy(connection, f"SELECT * FROM {table} WHERE {where}", lake / "tables" / f"{table}.parquet")
        days = dict(known)
        written = 0
        for rollup in rollups.ALL:
            (lake / rollup.name).mkdir(exist_ok=True)
        for rollup, day, state in here:
            name = f"{rollup.name}/{day}"
            if known.get(name) != state:
                _copy(connection, _of_day(rollup, day), lake / f"{name}.parquet")
                days[name] = state
                written += 1
        _replace(
            lake / MANIFEST, json.dumps(_made(connection, days, kept) | dict(more or {}), indent=1) + "\n"
        )
    except OSError as error:
        raise InputError(
            f"cannot write ({error.strerror})", str(lake), "give another place with -o"
        ) from error
    return written


def _check_alike(connection: DuckDBPyConnection, lake: Path) -> None:
    """Make sure that the days which stay as they are can be read with the small tables of this store.

    Raises:
        InputError: when they cannot.
    """
    import duckdb  # noqa: PLC0415

    try:
        kept = {
            table: f"read_parquet({literal(str(lake / 'tables' / f'{table}.parquet'))})" for table in NUMBERED
        }
        differ = any(
            is_there(
                connection, f"(SELECT {columns} FROM {kept[table]} EXCEPT SELECT {columns} FROM {table})"
            )
            for table, columns in NUMBERED.items()
        )
    except duckdb.Error as error:
        raise InputError(
            f"the rollups are damaged ({reason_of(error)})", str(lake), "give another directory with -o"
        ) from error
    if differ:
        todo = "give another directory with -o: several of them open as one"
        raise InputError(
            "these rollups hold days of another store, which counts features otherwise", str(lake), todo
        )


def _made(connection: DuckDBPyConnection, days: dict[str, str], kept: currencies.Said) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "store": schema.VERSION,
        "currencies": currencies.together(kept, currencies.of_all(connection)),
        "newest_events": newest_of_all(connection, now_in_store()),
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


def manifest(lake: Path) -> dict[str, Any]:
    """Return what is in a lake.

    Raises:
        InputError: when it is damaged, or of another version.
    """
    try:
        found = loads((lake / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"the rollups are damaged ({error})", str(lake), "write them again") from error
    if not isinstance(found, dict) or not isinstance(found.get("days"), dict):
        raise InputError("the rollups are damaged", str(lake), "write them again with mlwatch rollup")
    if found.get("schema") != SCHEMA or found.get("store") != schema.VERSION:
        todo = "write them again with this version of mlwatch"
        raise InputError("the rollups are of another version", str(lake), todo)
    return found


def size(lake: Path, connection: DuckDBPyConnection) -> tuple[int, int]:
    """Return how many rows of rollups a lake has, and their bytes on disk."""
    files = [path for rollup in rollups.ALL for path in (lake / rollup.name).glob("*.parquet")]
    if not files:
        return 0, 0
    listed = ", ".join(literal(engine_name(path)) for path in files)
    (rows,) = row(connection, f"SELECT SUM(num_rows) FROM parquet_file_metadata([{listed}])")
    return int(rows), sum(path.stat().st_size for path in files)
