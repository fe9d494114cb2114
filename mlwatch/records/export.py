"""Write rows to a file: Parquet or CSV by its ending, never over another file unless told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlwatch.asking import number
from mlwatch.errors import InputError
from mlwatch.records.fields import CORRECT, LABEL
from mlwatch.records.paging import Question, ordering, selection
from mlwatch.store.console import first_line
from mlwatch.store.outcomes import label_joins

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

ENDINGS = (".parquet", ".csv")


class ExistsError(InputError):
    """There is a file already; the user may want to replace it."""


def export_records(connection: DuckDBPyConnection, question: Question, target: Path, *, replace: bool) -> int:
    """Write every record of a question, with its label and all features; return how many.

    Raises:
        ExistsError: There is a file already and `replace` is not set.
        InputError: The filter cannot be understood, or the file cannot be written.
    """
    chosen = selection(connection, question)
    joins = "" if "AS own" in chosen.sql else label_joins("p", "p.model")
    source, _, where = chosen.sql.partition(" WHERE ")
    sql = (
        f"SELECT p.* EXCLUDE (h, invalid) REPLACE ({LABEL.sql} AS label), {CORRECT.sql} AS correct "
        f"{source}{joins} WHERE {where} {ordering(chosen.fields, question)}"
    )
    return write(connection, sql, chosen.values, target, replace=replace)


def write(
    connection: DuckDBPyConnection, sql: str, values: Sequence[Any], target: Path, *, replace: bool
) -> int:
    """Write a statement's rows; return how many.

    Args:
        connection: Outside a read-only transaction.
        sql: A SELECT that is known to be safe.
        values: One for each `?`.
        target: The file; its ending tells the format.
        replace: Whether a file that is there may be replaced.

    Raises:
        ExistsError: There is a file already and `replace` is not set.
        InputError: The file cannot be written, or the statement fails.
    """
    import duckdb  # noqa: PLC0415

    path = target.expanduser()
    if path.suffix.lower() not in ENDINGS:
        raise InputError("the file's ending says no format", str(path), "use .parquet or .csv")
    part = path.with_name(f".{path.name[:100]}.{uuid4().hex[:8]}.part")
    reserved = _reserve(path, replace=replace)
    try:
        rows = connection.sql(sql, params=list(values))
        if path.suffix.lower() == ".parquet":
            rows.write_parquet(str(part))
        else:
            rows.write_csv(str(part), header=True)
        part.chmod(0o600)
        part.replace(path)
    except (duckdb.Error, OSError) as error:
        part.unlink(missing_ok=True)
        if reserved:
            path.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else first_line(error)
        raise InputError("cannot export", str(path), reason or type(error).__name__) from error
    return _count(connection, sql, values)


def _reserve(path: Path, *, replace: bool) -> bool:
    """Create the file in one step, so that none that appears meanwhile is lost; tell whether it is new."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        if path.is_dir() or not replace:
            raise ExistsError("there is a file already", str(path), "replace it, or give another") from error
        return False
    except OSError as error:
        raise InputError("cannot export", str(path), error.strerror or "give another file") from error
    return True


def _count(connection: DuckDBPyConnection, sql: str, values: Sequence[Any]) -> int:
    return number(connection, f"SELECT COUNT(*) FROM ({sql})", values)
