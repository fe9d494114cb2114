"""Which days of a rollup lake a store has only a part of, because logs that were counted are gone.

No file is remembered: what was counted of a day tells. Logs that are renamed, compressed or longer than before hold at
least as many requests, labels and events in each minute; where there are fewer in any, something is gone.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.asking import is_there, meta_value, row
from mlwatch.sources.pathnames import file_literal
from mlwatch.store import rollups
from mlwatch.store.lake_files import day_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.store.rollup import Rollup

COUNTS = ((rollups.TRAFFIC, "n - failed"), (rollups.OUTCOMES, "n"), (rollups.BUSINESS, "n_events"))
"""What tells how much of a day was counted: answers, labels, events. What failed may be answered in another minute."""
WRITER = "lake_writer"
"""Key of what a store goes by in the lakes that it writes."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Days of which a store lacks something that a lake has counted."""

    kept: frozenset[str] = frozenset()
    """Those of which the lake has more in all, and what it has can be read."""
    fewer: frozenset[str] = frozenset()
    """The others."""

    def all_counted(self) -> Parts:
        """Return these days as those that are counted from what the store has."""
        return Parts(fewer=self.kept | self.fewer)


def writer(connection: DuckDBPyConnection) -> str:
    """Return what a store goes by."""
    name = meta_value(connection, WRITER)
    if name is None:
        name = uuid.uuid4().hex
        connection.execute("INSERT INTO meta VALUES (?, ?)", [WRITER, name])
    return name


def goes_on(connection: DuckDBPyConnection, lake: Path, before: object) -> bool:
    """Tell whether the store that wrote a lake last writes it again: it forgets nothing that it has counted.

    A copy of the store of an earlier time has not read all that the lake was counted from.

    Args:
        connection: Of the store.
        lake: A directory.
        before: What the store goes by that wrote the lake last.
    """
    import duckdb  # noqa: PLC0415

    if before != writer(connection):
        return False
    file = file_literal(lake / "tables" / "batches.parquet")
    try:
        return not is_there(connection, f"(FROM read_parquet({file}) EXCEPT FROM batches)")
    except duckdb.Error:
        return False


def parts(
    connection: DuckDBPyConnection,
    lake: Path,
    there: Mapping[str, str],
    here: Mapping[str, str],
    sound: Collection[str],
) -> Parts:
    """Compare the days of which both have something.

    Args:
        connection: Of the store.
        lake: A directory.
        there: Fingerprints of the lake's days, by name.
        here: Those of the store.
        sound: The names of the days whose files in the lake can be read.
    """
    days = {day_of(name) for name in here}
    more: dict[str, list[tuple[int, int]]] = defaultdict(list)
    less: set[str] = set()
    unread: set[str] = set()
    for rollup, count in COUNTS:
        for name, mark in there.items():
            day = day_of(name)
            if not name.startswith(f"{rollup.name}/") or day not in days or here.get(name) == mark:
                continue
            file = lake / f"{name}.parquet"
            compared = _compared(connection, rollup, count, file, day) if name in sound else None
            if compared is None:
                unread.add(day)
                continue
            gone, theirs, ours = compared
            more[day].append((theirs, ours))
            if gone:
                less.add(day)
    requests = f"{rollups.TRAFFIC.name}/"
    kept = {day for day in less - unread if requests + day in there and not _is_larger(more[day])}
    return Parts(frozenset(kept), frozenset((less | unread) - kept))


def _is_larger(counts: Collection[tuple[int, int]]) -> bool:
    """Tell whether the store has as much in all: as much is a repeated request that has moved."""
    return sum(ours for _, ours in counts) >= sum(theirs for theirs, _ in counts)


def _compared(
    connection: DuckDBPyConnection, rollup: Rollup, count: str, file: Path, day: str
) -> tuple[int, int, int] | None:
    """Return how many of a day the lake has that the store lacks, and how many each has; None of a damaged file."""
    import duckdb  # noqa: PLC0415

    keyed = f"SELECT bucket, model, version, SUM({count}) AS n FROM"
    within = f"bucket >= TIMESTAMP '{day}' AND bucket < TIMESTAMP '{day}' + INTERVAL 1 DAY"
    compared = f"""
        WITH theirs AS ({keyed} read_parquet({file_literal(file)}) GROUP BY ALL),
        ours AS ({keyed} {rollup.table(rollup.levels[0])} WHERE {within} GROUP BY ALL)
        SELECT SUM(greatest(COALESCE(t.n, 0) - COALESCE(o.n, 0), 0))::BIGINT,
            SUM(COALESCE(t.n, 0))::BIGINT, SUM(COALESCE(o.n, 0))::BIGINT
        FROM theirs AS t FULL JOIN ours AS o USING (bucket, model, version)"""
    try:
        gone, theirs, ours = row(connection, compared)
    except duckdb.Error:
        return None
    return gone or 0, theirs or 0, ours or 0
