"""The newest rows of a rollup as they stand, read once a look for all that asks of them, and added up here.

A statement that groups takes longer to plan than so few rows take to be read and added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlwatch.snapshot.read import Table
from mlwatch.snapshot.span import EPOCH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.store.rollup import Merge, Rollup

    Name = tuple[str | None, str | None]
    """A model and its version."""

MOST = 8_000
"""Rows that are read so; of more, the engine has added up sooner what is asked for."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The rows of the finest buckets from a moment on."""

    begin: datetime
    """Naive UTC."""
    names: Sequence[Name]
    """The versions, by their numbers here."""
    rows: Table
    """By `minute` since 1970 and number, `name`, with the keys and measures."""

    def numbered(self, numbers: Mapping[Name, int], begin: datetime, end: datetime) -> Table:
        """Return the rows of some versions and of the buckets that begin between two moments.

        Args:
            numbers: Of the versions, which come as `who`.
            begin: Naive UTC, no earlier than that of all rows.
            end: The same, excluded.
        """
        who = np.array([numbers.get(name, -1) for name in self.names], dtype=np.int32).take(self.rows["name"])
        second = 60 * self.rows["minute"]
        first, last = ((moment - EPOCH).total_seconds() for moment in (begin, end))
        return Table({**self.rows.columns, "who": who}).where(
            (who >= 0) & (second >= first) & (second < last)
        )


def read_latest(connection: DuckDBPyConnection, rollup: Rollup, begin: datetime) -> Latest | None:
    """Read the rows of the finest buckets from a moment on; None where they are too many.

    Args:
        connection: A cursor of this thread.
        rollup: Which.
        begin: The first bucket, naive UTC.
    """
    listed = ", ".join(("bucket", "model", "version", *rollup.keys, *rollup.measures))
    columns: dict[str, Any] = connection.execute(
        f"SELECT {listed} FROM {rollup.table(rollup.levels[0])} WHERE bucket >= $begin LIMIT {MOST + 1}",
        {"begin": begin},
    ).fetchnumpy()
    if len(columns["bucket"]) > MOST:
        return None
    known: dict[Name, int] = {}
    pairs = zip(columns.pop("model").tolist(), columns.pop("version").tolist(), strict=True)
    name = np.array([known.setdefault(pair, len(known)) for pair in pairs], dtype=np.int32)
    minute = columns.pop("bucket").astype("datetime64[m]").astype(np.int64)
    rows = Table({"minute": minute, "name": name, **columns})
    return Latest(begin, list(known), rows)


def added_up(rows: Table, keys: Sequence[str], measures: Sequence[str], rollup: Rollup) -> Table:
    """Merge rows of equal key, as the engine does it: sums of whole numbers are floats, what is unknown is 0.

    Args:
        rows: Of the rollup.
        keys: Whole numbers.
        measures: Of the rollup.
        rollup: Says how they merge.

    Returns:
        One row a key, in the order of the keys.
    """
    order = np.lexsort([rows[key] for key in reversed(keys)])
    sorted_keys = {key: rows[key].take(order) for key in keys}
    changes = np.zeros(len(rows), dtype=bool)
    changes[:1] = True
    for column in sorted_keys.values():
        changes[1:] |= column[1:] != column[:-1]
    starts = np.flatnonzero(changes)
    columns = {key: column.take(starts) for key, column in sorted_keys.items()}
    for name in measures:
        columns[name] = _merged(rows[name].take(order), starts, rollup.merge.get(name, "SUM"))
    return Table(columns)


def _merged(column: Any, starts: NDArray[np.intp], how: Merge) -> NDArray[Any]:
    """Merge the values from each start up to the next."""
    if how == "SUM":
        plain = np.ma.filled(column, 0).astype(float)
        with np.errstate(invalid="ignore", over="ignore"):  # as the engine adds up what is too large
            return np.add.reduceat(plain, starts) if len(starts) else plain
    merge = np.minimum if how == "MIN" else np.maximum
    if not np.ma.is_masked(column):
        plain = np.ma.getdata(column)
        return merge.reduceat(plain, starts) if len(starts) else plain
    known = np.logical_or.reduceat(~np.ma.getmaskarray(column), starts)
    least = np.ma.minimum_fill_value(column) if how == "MIN" else np.ma.maximum_fill_value(column)
    return np.where(known, merge.reduceat(column.filled(least), starts), np.zeros(1, column.dtype))
