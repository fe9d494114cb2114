"""A rollup lake: the rollups of a store as Parquet files by day, which open like logs and need no raw rows.

    LAKE/manifest.json              what is in it, and of which schema
    LAKE/tables/features.parquet    the small tables: features, bins, the reference …
    LAKE/r_traffic/2026-11-03.parquet

A day's file is replaced in one step, and only where its rows have changed: writing again is idempotent, and late labels
change the days of their predictions alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlwatch.asking import is_there, row
from mlwatch.errors import InputError, reason_of
from mlwatch.foreign import loads
from mlwatch.regular import open_regular
from mlwatch.sources.pathnames import file_literal
from mlwatch.store import currencies, lake_days, lake_files, rollup_rows, rollups, schema
from mlwatch.store.lake_files import day_of
from mlwatch.store.newest_events import newest_of_all
from mlwatch.store.reference_tables import NAMES
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.store.rollup import Rollup

SCHEMA = "mlwatch.rollups/1"
MANIFEST = "manifest.json"
_PART = "manifest.part"
"""What a disk without room leaves of it."""
SMALL = {
    "features": "TRUE",
    "model_features": "TRUE",
    "models": "TRUE",
    "bins": "TRUE",
    "categories": "TRUE",
    **dict.fromkeys(NAMES, "TRUE"),
    "batches": "TRUE",
    "meta": "key LIKE 'reference%' OR key LIKE 'segments%' OR key LIKE 'engagement%' OR key = 'categories_left_out'",
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


@dataclass(frozen=True, slots=True)
class Written:
    """What was done to a lake."""

    files: int
    """Files of days that were written."""
    kept: tuple[str, ...] = ()
    """Days that stay as they were: the store has fewer of their requests, labels or events."""
    fewer: tuple[str, ...] = ()
    """Days that were written with more in all than before, and without some of what was counted before."""
    dropped: tuple[str, ...] = ()
    """Files of days that were missing and cannot be counted again: the lake goes on without them."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What a lake holds before it is written."""

    days: dict[str, str]
    """Fingerprints by the names of days; empty ones where the manifest does not say."""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    unread: InputError | None = None
    """Why its days cannot be read beside those of this version."""
    new: bool = False


@dataclass(frozen=True, slots=True)
class _Day:
    """What a store has counted of a day."""

    rollup: Rollup
    day: str
    mark: str
    """Fingerprint of its rows."""


def write(
    connection: DuckDBPyConnection,
    lake: Path,
    more: Mapping[str, Any] | None = None,
    again: Collection[str] | None = None,
) -> Written:
    """Write the rollups of a store into a lake, mending what of it is missing, damaged or of another version.

    Args:
        connection: Of the store; nobody may write to it meanwhile.
        lake: Directory, made where it is missing.
        more: What its manifest is to keep besides.
        again: Days that were counted again from all of their logs, so what the store has not of them is not; None where
            the store has counted all that it found, which may be a part of what the lake was counted from.

    Raises:
        InputError: when the directory is none of ours, has days that were counted otherwise or are damaged and cannot
            be counted again, somebody else writes it, or it cannot be written.
    """
    more = more or {}
    with lake_files.alone(lake):
        before, here = _before(lake), _here(connection)
        sound = {name for name in before.days if lake_files.is_sound(lake / f"{name}.parquet")}
        parts = lake_days.Parts()
        if again is None:
            parts = _parts(connection, lake, before, here, sound, more.get("settings"))
        counted = ({each.day for each in here.values()} | set(again or ())) - parts.kept
        stay = {name: mark for name, mark in before.days.items() if day_of(name) not in counted}
        dropped = _check_staying(connection, lake, before, stay, sound)
        if before.new:
            _replace(lake / MANIFEST, _made(connection, {}, {}) | {"unfinished": True})
        (lake / "tables").mkdir(exist_ok=True)
        for table, where in SMALL.items():
            _copy(connection, f"SELECT * FROM {table} WHERE {where}", lake / "tables" / f"{table}.parquet")
        days = {name: mark for name, mark in stay.items() if name not in dropped}
        fresh = {name: each for name, each in here.items() if each.day in counted}
        same = {name for name in sound & fresh.keys() if before.days[name] == fresh[name].mark}
        for name in (each for each in fresh if each not in same):
            (lake / name).parent.mkdir(exist_ok=True)
            _copy(connection, _of_day(fresh[name]), lake / f"{name}.parquet")
        days |= {name: each.mark for name, each in fresh.items()}
        # where days stay, this store may come to know a part of one
        mine = {} if stay else {"writer": lake_days.writer(connection)}
        said = currencies.of_manifest(connection, before.manifest, "models") if stay else {}
        _replace(lake / MANIFEST, _made(connection, days, said) | mine | dict(more))
        lake_files.sweep(lake, set(days))
    written = len(fresh) - len(same)
    return Written(written, tuple(sorted(parts.kept)), tuple(sorted(parts.fewer)), dropped)


def _here(connection: DuckDBPyConnection) -> dict[str, _Day]:
    """Return what a store has counted, by the names of days."""
    return {
        f"{rollup.name}/{day}": _Day(rollup, day, mark)
        for rollup in rollups.ALL
        for day, mark in _days(connection, rollup).items()
    }


def _parts(
    connection: DuckDBPyConnection,
    lake: Path,
    before: _Before,
    here: Mapping[str, _Day],
    sound: Collection[str],
    settings: str | None,
) -> lake_days.Parts:
    """Return the days of which the store lacks something that the lake has."""
    if lake_days.goes_on(connection, lake, before.manifest.get("writer")):
        return lake_days.Parts()
    marks = {name: each.mark for name, each in here.items()}
    parts = lake_days.parts(connection, lake, before.days, marks, sound)
    if before.manifest.get("settings", settings) != settings:
        return parts.all_counted()  # there may be fewer of the same records
    return parts


def _before(lake: Path) -> _Before:
    """Return what a lake holds; where its manifest cannot be read, the files of days that are there tell.

    Raises:
        InputError: when the directory holds something else.
    """
    if not is_lake(lake):
        if any(each.name != _PART for each in lake.iterdir()):
            raise InputError("not an empty directory, and no rollups", str(lake), "give another one with -o")
        return _Before({}, new=True)
    try:
        found = manifest(lake)
    except UnfinishedError:
        return _Before({}, new=True)
    except InputError as error:
        return _Before(dict.fromkeys(lake_files.names_on_disk(lake), ""), unread=error)
    days = {name: mark for name, mark in found["days"].items() if lake_files.is_name(name)}
    return _Before(days, found)


def _check_staying(
    connection: DuckDBPyConnection,
    lake: Path,
    before: _Before,
    stay: Mapping[str, str],
    sound: Collection[str],
) -> tuple[str, ...]:
    """Make sure that the days which stay as they are can be read beside those that are written.

    Returns:
        Those whose files are missing.

    Raises:
        InputError: when there are some that cannot be read.
    """
    if not stay:
        return ()
    if before.unread is not None:
        days = ", ".join(sorted({day_of(name) for name in stay})[:5])
        todo = "give another directory with -o; or delete this one, and these days are lost"
        raise InputError(f"{before.unread.what}, and logs of its days are gone ({days})", str(lake), todo)
    dropped = []
    for name in sorted(stay):
        if name not in sound:
            file = lake / f"{name}.parquet"
            if file.exists():
                what = "damaged, and logs of its day are gone, so it cannot be counted again"
                raise InputError(what, str(file), "delete it, and write again: what it counted is lost")
            dropped.append(name)
    _check_alike(connection, lake)
    return tuple(dropped)


def _check_alike(connection: DuckDBPyConnection, lake: Path) -> None:
    """Make sure that the days which stay as they are can be read with the small tables of this store.

    Raises:
        InputError: when they cannot.
    """
    import duckdb  # noqa: PLC0415

    try:
        kept = {
            table: f"read_parquet({file_literal(lake / 'tables' / f'{table}.parquet')})" for table in NUMBERED
        }
        differ = any(
            is_there(
                connection, f"(SELECT {columns} FROM {kept[table]} EXCEPT SELECT {columns} FROM {table})"
            )
            for table, columns in NUMBERED.items()
        )
    except duckdb.Error as error:
        todo = "give another directory with -o; or delete this one, and days whose logs are gone are lost"
        raise InputError(f"the rollups are damaged ({reason_of(error)})", str(lake), todo) from error
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


def _of_day(one: _Day) -> str:
    where = f"WHERE bucket >= TIMESTAMP '{one.day}' AND bucket < TIMESTAMP '{one.day}' + INTERVAL 1 DAY"
    return f"{one.rollup.merged(one.rollup.table(one.rollup.levels[0]), where=where)} ORDER BY ALL"


def _copy(connection: DuckDBPyConnection, select: str, target: Path) -> None:
    part = target.with_suffix(".part")
    connection.execute(f"COPY ({select}) TO {file_literal(part)} (FORMAT parquet, COMPRESSION zstd)")
    part.replace(target)


def _replace(target: Path, found: Mapping[str, Any]) -> None:
    part = target.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    part.replace(target)


class UnfinishedError(InputError):
    """A lake whose first writing was cut short."""


def can_go_on(lake: Path) -> bool:
    """Tell whether there is a lake whose numbers and bins those that write it next can go on with."""
    try:
        manifest(lake)
    except InputError:
        return False
    return all(lake_files.is_sound(lake / "tables" / f"{table}.parquet") for table in SMALL)


def broken(lake: Path) -> list[str]:
    """Return the days of a lake whose files are missing or not whole, as the manifest names them.

    Raises:
        InputError: when the manifest is damaged, not finished, or of another version.
    """
    names = filter(lake_files.is_name, manifest(lake)["days"])
    return [name for name in names if not lake_files.is_sound(lake / f"{name}.parquet")]


def manifest(lake: Path) -> dict[str, Any]:
    """Return what is in a lake.

    Raises:
        InputError: when it is damaged, not finished, or of another version.
    """
    try:
        found = loads((lake / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"the rollups are damaged ({error})", str(lake), "write them again") from error
    if not isinstance(found, dict) or not (
        isinstance(found.get("days"), dict) and currencies.are_said(found)
    ):
        raise InputError("the rollups are damaged", str(lake), "write them again with mlwatch rollup")
    if found.get("schema") != SCHEMA or found.get("store") != schema.VERSION:
        todo = "write them again with this version of mlwatch"
        raise InputError("the rollups are of another version", str(lake), todo)
    if found.get("unfinished"):
        raise UnfinishedError(
            "the rollups are not finished", str(lake), "write them again with mlwatch rollup"
        )
    return found


def size(lake: Path, connection: DuckDBPyConnection) -> tuple[int, int]:
    """Return how many rows of rollups a lake has, and their bytes on disk."""
    files = [path for rollup in rollups.ALL for path in (lake / rollup.name).glob("*.parquet")]
    if not files:
        return 0, 0
    listed = ", ".join(file_literal(path) for path in files)
    (rows,) = row(connection, f"SELECT SUM(num_rows) FROM parquet_file_metadata([{listed}])")
    return int(rows), sum(path.stat().st_size for path in files)
