"""Append what a batch counts to a rollup, at every bucket width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.store.rollup import bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    finest, *wider = rollup.levels
    connection.execute(f"INSERT INTO {rollup.table(finest)} BY NAME FROM delta")
    for level in wider:
        merged = rollup.merged("delta", bucket(level, "bucket"))
        connection.execute(f"INSERT INTO {rollup.table(level)} BY NAME {merged}")
