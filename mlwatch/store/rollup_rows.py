"""Rollup rows that another engine writes, such as a job of Flink: JSON lines below a directory a rollup.

    DIRECTORY/r_traffic/…/part-0-0      {"bucket": "2026-11-03T10:00:00", "model": …, "version": …, "n": 12, …}
    DIRECTORY/r_outcomes/…/part-0-1

There is no manifest: files come as the engine goes on, and those that it has not finished are hidden. Rows are sums, so
that several for one bucket are as good as one. What an engine does not count is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.sources.sql import identifier, literal
from mlwatch.store import rollups
from mlwatch.store.fold import task_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.store.rollup import Rollup

NUMBERED = frozenset({"feature", "bin"})
"""Without these keys a row cannot be counted; a class or label may be missing."""


def are_rows(path: Path) -> bool:
    """Tell whether a directory holds rollup rows: traffic at least, and nothing that mlwatch wrote."""
    return path.is_dir() and any(_files(path, rollups.TRAFFIC))


def state(path: Path) -> tuple[tuple[str, int], ...]:
    """Return what changes when rows are added."""
    files = (file for rollup in rollups.ALL for file in _files(path, rollup))
    return tuple((str(file), file.stat().st_size) for file in files)


def add(connection: DuckDBPyConnection, path: Path) -> None:
    """Add all rows to the rollups of a store, and learn the models from them.

    Args:
        connection: In a transaction, of a store that nobody else writes to.
        path: The directory.
    """
    for rollup in rollups.ALL:
        files = [str(file) for file in _files(path, rollup)]
        if files:
            _take(connection, rollup, files)
    _learn(connection)


def _files(path: Path, rollup: Rollup) -> Iterator[Path]:
    """Yield the finished files of a rollup; hidden ones are still written."""
    below = path / rollup.name
    for file in sorted(below.rglob("*")):
        if file.is_file() and not any(part.startswith((".", "_")) for part in file.relative_to(below).parts):
            yield file


def _take(connection: DuckDBPyConnection, rollup: Rollup, files: list[str]) -> None:
    columns = {
        "bucket": "TIMESTAMP",
        "model": "VARCHAR",
        "version": "VARCHAR",
        **rollup.keys,
        **rollup.measures,
    }
    given = ", ".join(f"{identifier(name)}: {literal(kind)}" for name, kind in columns.items())
    needed = ("bucket", "model", "version", *(NUMBERED & rollup.keys.keys()))
    known = " AND ".join(f"{name} IS NOT NULL" for name in needed)
    listed = ", ".join(f"{_filled(name, kind)} AS {identifier(name)}" for name, kind in columns.items())
    read = f"[{', '.join(map(literal, files))}], columns = {{{given}}}"
    connection.execute(
        f"""INSERT INTO {rollup.table(rollup.levels[0])} BY NAME SELECT {listed}
        FROM read_json({read}, format = 'newline_delimited', hive_partitioning = false) WHERE {known}"""
    )


def _filled(name: str, kind: str) -> str:
    """Return a column with what stands for it where it is not counted."""
    if name in {"first_ts", "last_ts"}:
        return f"COALESCE({name}, bucket)"
    return f"COALESCE({identifier(name)}, 0)" if kind == "BIGINT" else identifier(name)


def _learn(connection: DuckDBPyConnection) -> None:
    """Learn which models there are, what they predict, and how much was counted."""
    traffic, outcomes = (one.table(one.levels[0]) for one in (rollups.TRAFFIC, rollups.OUTCOMES))
    answers = f"(SELECT model, prediction, FALSE AS failed FROM {outcomes})"
    new = f"SELECT DISTINCT model FROM {traffic} WHERE model NOT IN (SELECT model FROM models) ORDER BY model"
    for (model,) in connection.execute(new).fetchall():
        connection.execute(
            "INSERT INTO models VALUES (?, ?, NULL)", [model, task_of(connection, answers, model)]
        )
    connection.execute(
        f"""INSERT INTO batches BY NAME
        SELECT 0 AS batch, COUNT(*) AS records, COUNT(*) AS rows, SUM(n) AS predictions, MAX(last_ts) AS newest,
            COALESCE((SELECT SUM(n) FROM {outcomes}), 0) AS outcomes, 0 AS events, 0 AS bytes, 0 AS rejected,
            0 AS duplicates, 0 AS outcomes_unmatched, 0 AS events_unmatched, now()::TIMESTAMP AS taken_at
        FROM {traffic}"""
    )
