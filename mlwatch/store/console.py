"""Run a person's SQL over the store: read-only, without access to anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.asking import row
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

ZONED = "TIMESTAMP WITH TIME ZONE"


def run(connection: DuckDBPyConnection, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT and return its column names and rows.

    External access is switched off for the whole database and its configuration locked, so the statement can reach no
    file and no network; call it on a connection that ingests nothing afterwards.

    Raises:
        InputError: when it is not a single SELECT, or DuckDB refuses it.
    """
    import duckdb  # noqa: PLC0415

    try:
        sql.encode()
        statements = duckdb.extract_statements(sql)
    except UnicodeEncodeError:
        raise InputError("cannot read the SQL", "query", "it is not UTF-8") from None
    except duckdb.Error as error:
        raise InputError("cannot read the SQL", "query", first_line(error)) from error
    allowed = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
    if len(statements) != 1 or statements[0].type not in allowed:
        raise InputError("only one SELECT is allowed", "query", "the store is read-only here")
    reader = connection.cursor()
    (locked,) = row(reader, "SELECT current_setting('lock_configuration')")
    if not locked:  # the lock holds for the whole database: an earlier query has set it all
        reader.execute("SET GLOBAL TimeZone = 'UTC'")
        reader.execute("SET TimeZone = 'UTC'")
        reader.execute("SET enable_external_access = false")
        reader.execute("SET lock_configuration = true")
    try:
        reader.execute("BEGIN TRANSACTION READ ONLY")
        result = reader.execute(statements[0])
        columns = list(result.description or [])
        if any(str(column[1]) == ZONED for column in columns):
            result = reader.execute(
                without_zones(statements[0].query, [str(kind) for _, kind, *_ in columns])
            )
        return [column[0] for column in columns], result.fetchall()
    except duckdb.Error as error:
        raise InputError("the query failed", "query", first_line(error)) from error
    finally:
        reader.close()


def without_zones(sql: str, kinds: Sequence[str]) -> str:
    """Wrap a SELECT so that times with a zone come as UTC, like all others: Python would need pytz for them."""
    names = [f"c{number}" for number in range(len(kinds))]
    shown = (
        f"CAST({name} AS TIMESTAMP)" if kind == ZONED else name
        for name, kind in zip(names, kinds, strict=True)
    )
    inner = sql.strip().rstrip(";")
    return f"SELECT {', '.join(shown)} FROM (\n{inner}\n) AS t({', '.join(names)})"


def first_line(error: Exception) -> str:
    """Return the first line of an engine's message, without its class."""
    text = str(error).strip().splitlines()
    return text[0].partition("Error: ")[2] or text[0] if text else type(error).__name__
