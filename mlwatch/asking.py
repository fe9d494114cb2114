"""Ask DuckDB for one row, or for one number; change a store wholly or not at all.

A result that is not read to its end leaves its transaction open for as long as the cursor does nothing else. The engine
keeps what such a transaction could still see, and does not checkpoint meanwhile: its log and its memory would grow.
Therefore nothing here, nor elsewhere, takes a single row from a result and leaves the rest.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection


def first_of(result: DuckDBPyConnection) -> tuple[Any, ...] | None:
    """Return the first row of a small result, None where it has none, and leave nothing to be read."""
    rows = result.fetchall()
    return rows[0] if rows else None


def meta_value(connection: DuckDBPyConnection, key: str) -> str | None:
    """Return what the table `meta` of a store says under a key; None where it says nothing."""
    found = first_of(connection.execute("SELECT value FROM meta WHERE key = ?", [key]))
    return found[0] if found else None


def row(connection: DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    """Return the row of aggregates that a statement yields."""
    found = first_of(connection.execute(sql))
    if found is None:
        raise AssertionError("an aggregate returns a row")
    return found


def number(connection: DuckDBPyConnection, sql: str) -> int:
    """Return the number that a statement yields."""
    return int(row(connection, sql)[0])


@contextmanager
def all_or_nothing(connection: DuckDBPyConnection) -> Iterator[None]:
    """Do what is inside in one transaction: on a full disk, say, nothing of it stays, and the next one can begin."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        import duckdb  # noqa: PLC0415

        with suppress(duckdb.TransactionException):  # a failed COMMIT has rolled back already
            connection.execute("ROLLBACK")
        raise
