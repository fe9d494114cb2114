"""Ask the store for one row, or for one number; change it wholly or not at all."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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
