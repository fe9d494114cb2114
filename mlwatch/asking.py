"""Ask DuckDB for one row, or for one number; change a store wholly or not at all.

A result that is not read to its end leaves its transaction open for as long as the cursor does nothing else. The engine
keeps what such a transaction could still see, and does not checkpoint meanwhile: its log and its memory would grow.
Therefore nothing here, nor elsewhere, takes a single row from a result and leaves the rest.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    Values = Sequence[object] | Mapping[str, object]


def first_row(connection: DuckDBPyConnection, sql: str, values: Values = ()) -> tuple[Any, ...] | None:
    """Return the first row that a statement yields, None where it yields none, and leave nothing to be read.

    Args:
        connection: Any.
        sql: Yields few rows.
        values: What its parameters stand for, in order or by name.
    """
    rows = connection.execute(sql, values or None).fetchall()
    return rows[0] if rows else None


def row(connection: DuckDBPyConnection, sql: str, values: Values = ()) -> tuple[Any, ...]:
    """Return the row of aggregates that a statement yields; for the arguments see `first_row`."""
    found = first_row(connection, sql, values)
    if found is None:
        raise AssertionError("an aggregate returns a row")
    return found


def number(connection: DuckDBPyConnection, sql: str, values: Values = ()) -> int:
    """Return the number that a statement yields, 0 for NULL; for the arguments see `first_row`."""
    return int(row(connection, sql, values)[0] or 0)


def is_there(connection: DuckDBPyConnection, rows: str) -> bool:
    """Tell whether there is any row.

    Args:
        connection: Any.
        rows: A table, perhaps with a WHERE.
    """
    return first_row(connection, f"SELECT 1 FROM {rows} LIMIT 1") is not None


def meta_value(connection: DuckDBPyConnection, key: str) -> str | None:
    """Return what the table `meta` of a store says under a key; None where it says nothing."""
    found = first_row(connection, "SELECT value FROM meta WHERE key = ?", [key])
    return found[0] if found else None


def meta_values(connection: DuckDBPyConnection, *keys: str) -> dict[str, str]:
    """Return what `meta` says under several keys, those left out under which it says nothing; see `meta_value`."""
    asked = "SELECT key, value FROM meta WHERE list_contains(?::VARCHAR[], key)"
    return dict(connection.execute(asked, [keys]).fetchall())


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
