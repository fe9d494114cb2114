"""Append what a batch counts to a rollup, at every bucket width, and take out what is to be counted again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import first_of
from mlwatch.store import touched
from mlwatch.store.rollup import bucket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    row = first_of(connection.execute("SELECT MIN(bucket), MAX(bucket) FROM delta"))
    if row is None or row[0] is None:
        return
    touched.note(rollup, row)
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
    gone = 0
    for level in rollup.levels:
        row = first_of(connection.execute(f"DELETE FROM {rollup.table(level)} WHERE {where}", list(values)))
        gone += row[0] if row is not None else 0
    if gone:
        touched.note(rollup, touched.ALL_TIME)
