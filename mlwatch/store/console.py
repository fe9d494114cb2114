"""Run a person's SQL over the store: read-only, without access to anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.errors import InputError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def run(connection: DuckDBPyConnection, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT and return its column names and rows.

    External access is switched off for the whole database and its configuration locked, so the statement can reach no
    file and no network; call it on a connection that ingests nothing afterwards.

    Raises:
        InputError: when it is not a single SELECT, or DuckDB refuses it.
    """
    import duckdb  # noqa: PLC0415

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise InputError("cannot read the SQL", "query", first_line(error)) from error
    allowed = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
    if len(statements) != 1 or statements[0].type not in allowed:
        raise InputError("only one SELECT is allowed", "query", "the store is read-only here")
    reader = connection.cursor()
    reader.execute("SET TimeZone = 'UTC'")
    reader.execute("SET enable_external_access = false")
    reader.execute("SET lock_configuration = true")
    try:
        reader.execute("BEGIN TRANSACTION READ ONLY")
        result = reader.execute(statements[0])
        names = [column[0] for column in result.description or []]
        return names, result.fetchall()
    except duckdb.Error as error:
        raise InputError("the query failed", "query", first_line(error)) from error
    finally:
        reader.close()


def first_line(error: Exception) -> str:
    """Return the first line of an engine's message, without its class."""
    text = str(error).strip().splitlines()
    return text[0].partition("Error: ")[2] or text[0] if text else type(error).__name__
