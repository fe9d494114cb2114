"""Append what a batch counts to a rollup, at every bucket width, and take out what is to be counted again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import number, row
from mlwatch.store import touched
from mlwatch.store.rollup import bucket

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.store.rollup import Rollup


def add(
    connection: DuckDBPyConnection, rollup: Rollup, select: str, values: Mapping[str, object] | None = None
) -> None:
    """Append the rows of a rollup statement to its table, at every bucket width.

    Args:
        connection: Inside the ingest transaction.
        rollup: Which.
        select: A statement of `rollups`, at the finest width.
        values: What its named parameters stand for.
    """
    connection.execute(f"CREATE OR REPLACE TEMP TABLE delta AS {select}", values)
    begin, end = row(connection, "SELECT MIN(bucket), MAX(bucket) FROM delta")
    if begin is None:
        return
    touched.note(rollup, (begin, end))
    finest, *wider = rollup.levels
    connection.execute(f"INSERT INTO {rollup.table(finest)} BY NAME FROM delta")
    for level in wider:
        merged = rollup.merged("delta", bucket(level, "bucket"))
        connection.execute(f"INSERT INTO {rollup.table(level)} BY NAME {merged}")


def remove(
    connection: DuckDBPyConnection, rollup: Rollup, where: str = "TRUE", values: Sequence[object] = ()
) -> None:
    """Delete rows of a rollup, at every bucket width.

    Args:
        connection: Inside a transaction of the thread that takes logs in.
        rollup: Which.
        where: A condition on its keys, of our own making.
        values: What its parameters stand for.
    """
    tables = [rollup.table(level) for level in rollup.levels]
    if sum(number(connection, f"DELETE FROM {table} WHERE {where}", values) for table in tables):
        touched.note(rollup, touched.ALL_TIME)


def remove_features(connection: DuckDBPyConnection, rollup: Rollup, features: Collection[int]) -> None:
    """Delete the rows of some features, by their numbers; see `remove`."""
    if features:
        remove(connection, rollup, f"feature IN ({', '.join(map(str, features))})")
