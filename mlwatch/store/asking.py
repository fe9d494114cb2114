"""Ask the store for one row, or for one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def row(connection: DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    """Return the row of aggregates that a statement yields."""
    found = connection.execute(sql).fetchone()
    if found is None:
        raise AssertionError("an aggregate returns a row")
    return found


def number(connection: DuckDBPyConnection, sql: str) -> int:
    """Return the number that a statement yields."""
    return int(row(connection, sql)[0])
