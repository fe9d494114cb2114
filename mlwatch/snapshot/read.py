"""Read rollups as NumPy tables: sums over a range by window, version and key."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

import numpy as np

from mlwatch.asking import all_or_nothing, first_row
from mlwatch.snapshot.span import floor
from mlwatch.store import rollups
from mlwatch.store.rollup import HOUR, MINUTE, bucket

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.snapshot.span import Grid
    from mlwatch.snapshot.types import Task
    from mlwatch.store.rollup import Rollup


@dataclass(frozen=True, slots=True)
class Pair:
    """One version of one model."""

    model: str
    version: str


@dataclass(frozen=True, slots=True)
class Life:
    """When a version had traffic."""

    pair: Pair
    predictions: int
    first: datetime
    last: datetime
    silent: timedelta = timedelta.max
    """The hours since `last` in which the model had traffic, together: nights and times between batches do not count.

    At most `MOST_SILENT`, or where it is not known the greatest there is.
    """


MOST_SILENT = timedelta(hours=30)
"""Up to which hours without requests are counted."""


class Table:
    """Columns of equal length, sliced by version and window.

    Args:
        columns: By name; `who` numbers the version and `w` the window.
    """

    def __init__(self, columns: Mapping[str, NDArray[Any]]) -> None:
        self.columns = columns

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return one column."""
        return self.columns[name]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())))

    def where(self, mask: NDArray[np.bool_]) -> Table:
        """Return the rows that a mask selects."""
        chosen = np.flatnonzero(mask)  # found once for all columns
        return Table({name: column.take(chosen) for name, column in self.columns.items()})

    def first(self, count: int) -> Table:
        """Return so many of the first rows."""
        return Table({name: column[:count] for name, column in self.columns.items()})

    def by(self, name: str) -> Table:
        """Return the rows in the order of a column."""
        order = np.argsort(self[name], kind="stable")
        return Table({name: column.take(order) for name, column in self.columns.items()})

    def of(self, who: int) -> Table:
        """Return one version's rows."""
        return self.where(self["who"] == who)

    def parted(self) -> tuple[Table, dict[int, slice]]:
        """Return the rows in the order of their windows, and where those of each window are that has any."""
        ordered = self.by("w")
        window = ordered["w"]
        starts = np.flatnonzero(np.r_[len(window) > 0, window[1:] != window[:-1]]).tolist()
        ends = [*starts[1:], len(window)]
        return ordered, {int(window[a]): slice(a, b) for a, b in zip(starts, ends, strict=False)}

    def windows(self) -> dict[int, Table]:
        """Return the rows of each window that has any."""
        ordered, places = self.parted()
        return {
            window: Table({name: column[place] for name, column in ordered.columns.items()})
            for window, place in places.items()
        }

    def sum(self, name: str) -> float:
        """Return a column's sum; 0 without rows."""
        return float(self[name].sum())

    def whole(self, name: str) -> int:
        """Return a count column's sum."""
        return int(self[name].sum())


def fetch(
    connection: DuckDBPyConnection, sql: str, values: Sequence[object] | Mapping[str, object] = ()
) -> Table:
    """Run a query into a table; nulls of numbers are 0."""
    columns = connection.execute(sql, values if isinstance(values, dict) else list(values)).fetchnumpy()
    return Table({name: _plain(column) for name, column in columns.items()})


def _plain(column: Any) -> NDArray[Any]:
    if isinstance(column, np.ma.MaskedArray):
        return np.asarray(column.filled("" if column.dtype == object else 0))
    return np.asarray(column)


def stored_task(connection: DuckDBPyConnection, model: str) -> Task:
    """Return what kind of predictions a model makes, as its first ones told."""
    found = first_row(connection, "SELECT task FROM models WHERE model = ?", [model])
    return cast("Task", found[0] if found else "unknown")


def lives(connection: DuckDBPyConnection, until: datetime | None = None) -> list[Life]:
    """Return when each version of each model had traffic.

    Args:
        connection: A cursor of this thread.
        until: As it was known at this moment, naive UTC: what came later is unknown. None for all time.
    """
    relation, values = rollups.TRAFFIC.table(HOUR), dict[str, object]()
    if until is not None:
        relation, times = between(rollups.TRAFFIC, HOUR, datetime.min, until)  # noqa: DTZ901  naive UTC
        values |= times
    rows = connection.execute(
        f"""SELECT model, version, SUM(n), MIN(first_ts), MAX(last_ts) FROM {relation}
        GROUP BY model, version ORDER BY MIN(first_ts), version, model""",
        values,
    ).fetchall()
    known = [
        Life(Pair(model or "-", version or "-"), int(n), first, last)
        for model, version, n, first, last in rows
    ]
    ends = {life.pair.model: life.last for life in sorted(known, key=lambda life: life.last)}
    if all(ends[life.pair.model] - life.last <= timedelta(hours=1) for life in known):
        return known
    busy = _busy_hours(connection, relation, values)
    return [
        replace(life, silent=timedelta(hours=sum(last > life.last for last in busy[life.pair.model])))
        for life in known
    ]


def requests_since(
    connection: DuckDBPyConnection, model: str, since: datetime, until: datetime | None = None
) -> dict[str, int]:
    """Return how many requests each version of a model has had from the minute of a moment on.

    Args:
        connection: A cursor of this thread.
        model: The model.
        since: The moment, naive UTC.
        until: As in `lives`.
    """
    rows = connection.execute(
        f"""SELECT COALESCE(NULLIF(version, ''), '-'), SUM(n) FROM {rollups.TRAFFIC.table(MINUTE)}
        WHERE COALESCE(NULLIF(model, ''), '-') = ? AND bucket >= ? AND bucket < COALESCE(?, 'infinity'::TIMESTAMP)
        GROUP BY ALL""",
        [model, since.replace(second=0, microsecond=0), until],
    ).fetchall()
    return {version: int(n) for version, n in rows}


def _busy_hours(
    connection: DuckDBPyConnection, relation: str, values: Mapping[str, object]
) -> dict[str, list[datetime]]:
    """Return the last request of each of the newest hours in which a model had any, by model."""
    rows = connection.execute(
        f"""SELECT model, MAX(last_ts) FROM {relation} GROUP BY model, {bucket(HOUR, "bucket")}
        QUALIFY ROW_NUMBER() OVER (PARTITION BY model ORDER BY MAX(last_ts) DESC)
            <= {MOST_SILENT // timedelta(hours=1)}""",
        values,
    ).fetchall()
    found: dict[str, list[datetime]] = {}
    for model, last in rows:
        found.setdefault(model or "-", []).append(last)
    return found


_NUMBERED: WeakKeyDictionary[DuckDBPyConnection, tuple[Pair, ...]] = WeakKeyDictionary()
"""What each connection's table of numbers holds."""


@contextmanager
def one_moment(connection: DuckDBPyConnection) -> Iterator[None]:
    """See the store as it is at one moment, whatever is taken in meanwhile: no query knows a batch that another misses.

    Args:
        connection: A cursor that no other thread uses, outside a transaction.
    """
    try:
        with all_or_nothing(connection):
            yield
    except BaseException:
        _NUMBERED.pop(connection, None)  # the table went with what was undone
        raise


def number_pairs(connection: DuckDBPyConnection, pairs: Sequence[Pair]) -> None:
    """Give each version its number for the queries that follow."""
    wanted = tuple(pairs)
    if _NUMBERED.get(connection) == wanted:
        return
    connection.execute("CREATE OR REPLACE TEMP TABLE who (model VARCHAR, version VARCHAR, who INTEGER)")
    connection.executemany(
        "INSERT INTO who VALUES (?, ?, ?)", [(p.model, p.version, number) for number, p in enumerate(wanted)]
    )
    _NUMBERED[connection] = wanted


def numbers_of(connection: DuckDBPyConnection) -> dict[tuple[str | None, str | None], int]:
    """Return the numbers that `number_pairs` gave to models and their versions."""
    return {(pair.model, pair.version): number for number, pair in enumerate(_NUMBERED[connection])}


def between(rollup: Rollup, level: int, begin: datetime, end: datetime) -> tuple[str, dict[str, datetime]]:
    """Return the buckets of a stretch of time as a relation, with its parameters.

    They are narrower at the end, so that nothing of the time behind it is counted: of what lies behind a moment of
    the past, the widest bucket that begins before it would know a day.

    Args:
        rollup: Which.
        level: Width of the buckets in seconds.
        begin: Start of the first one, naive UTC.
        end: Where they end, naive UTC; only the finest may reach beyond it.
    """
    parts: list[str] = []
    values: dict[str, datetime] = {}
    finest = rollup.levels[0]
    for width in sorted((width for width in rollup.levels if width <= level), reverse=True):
        until = end if width == finest else floor(end, width)
        if until <= begin and (parts or width != finest):
            continue
        parts.append(f"FROM {rollup.table(width)} WHERE bucket >= $from_{width} AND bucket < $until_{width}")
        values |= {f"from_{width}": begin, f"until_{width}": until}
        begin = until
    return f"({' UNION ALL BY NAME '.join(parts)})", values


def read(
    connection: DuckDBPyConnection,
    rollup: Rollup,
    grid: Grid,
    where: str = "TRUE",
    keys: Sequence[str] | None = None,
    *,
    whole: bool = False,
    together: int = 1,
    windows: tuple[int, int] | None = None,
) -> Table:
    """Sum a rollup over a range, by window, version and key.

    Args:
        connection: Where `number_pairs` was called.
        rollup: Which.
        grid: Range and windows.
        where: A further condition of our own making.
        keys: Only these of the rollup's keys; None for all.
        whole: Sum over the windows too.
        together: Bins of the key `bin` that are read as one; the first of them names it.
        windows: The first and the last window to read; None for all.
    """
    names = list(rollup.keys) if keys is None else list(keys)
    measures = ", ".join(f"{rollup.merge.get(name, 'SUM')}(r.{name}) AS {name}" for name in rollup.measures)
    merged = {"bin": f"CAST(FLOOR(r.bin / {together}) * {together} AS INTEGER)"} if together > 1 else {}
    listed = "".join(f", {merged.get(name, f'r.{name}')} AS {name}" for name in names)
    level = grid.level(rollup, whole=whole)
    window = "0" if whole else f"date_diff('second', $start, GREATEST(r.bucket, $start)) // {grid.width_s}"
    first, last = windows or (0, grid.count - 1)
    begin = grid.edge(first) if first else floor(grid.start, level)
    relation, times = between(rollup, level, begin, min(grid.end, grid.edge(last + 1)))
    return fetch(
        connection,
        f"""SELECT CAST({window} AS INTEGER) AS w, v.who{listed}, {measures}
        FROM {relation} AS r JOIN who AS v ON v.model = r.model AND v.version = r.version
        WHERE {where} GROUP BY ALL""",
        times if whole else times | {"start": grid.start},
    )
