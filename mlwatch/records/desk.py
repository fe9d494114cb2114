"""Where the screens ask for raw rows: every question on a cursor of its own, and a running one can be cancelled."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwatch.errors import InputError
from mlwatch.records import detail as details
from mlwatch.records import export, paging, rejects, statement
from mlwatch.records.fields import read_fields
from mlwatch.store.console import ZONED, first_line, without_zones
from mlwatch.store.database import cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection

MOST_ROWS = 1000
"""Rows of a statement's answer that are fetched; an export writes them all."""
LONGEST_CELL = 500
"""Characters of a cell of such an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a statement, as text."""

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    """Whether a column holds numbers."""
    rows: tuple[tuple[str | None, ...], ...]
    cut: bool
    """Whether there are more rows than were fetched."""


class Cancelled(InputError):  # noqa: N818  nothing went wrong: the user wanted it
    """The user has ended a running question."""


class Desk:
    """Questions about the raw rows of a store; each may be asked from any thread.

    Args:
        connect: Returns a connection of the store.
        writable: Whether exports may be written.
    """

    def __init__(self, connect: Callable[[], DuckDBPyConnection], *, writable: bool = True) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._running: dict[str, DuckDBPyConnection] = {}
        self.writable = writable

    def page(self, question: paging.Question) -> paging.Page:
        """Return one page of records; raises FilterError or InputError."""
        with self._reading("page") as reader:
            return paging.page(reader, question)

    def detail(self, row: int) -> details.Detail | None:
        """Return one record in full; None when it is no longer stored."""
        with self._reading("detail") as reader:
            return details.detail(reader, row)

    def names(self) -> tuple[str, ...]:
        """Return the names that a filter may use."""
        with self._reading("names") as reader:
            return read_fields(reader).names

    def rejects(self, page: int = 0, containing: str = "") -> rejects.Rejects:
        """Return one page of the quarantine."""
        with self._reading("rejects") as reader:
            return rejects.rejects(reader, page, containing)

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of every table."""
        with self._reading("tables") as reader:
            rows = reader.execute(
                """SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns()
                WHERE NOT internal AND database_name = current_database() GROUP BY 1 ORDER BY 1"""
            ).fetchall()
        return {str(table): tuple(map(str, columns)) for table, columns in rows}

    def query(self, sql: str) -> Answer:
        """Run one SELECT over the store.

        Raises:
            InputError: The statement is not allowed, or fails.
            Cancelled: `cancel("query")` ended it.
        """
        with self._reading("query") as reader:
            statement.check(reader, sql)
            return _answer(reader, sql)

    def rows(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one SELECT over the store and return its column names and all rows, as values; raises like `query`."""
        with self._reading("query") as reader:
            statement.check(reader, sql)
            columns, result = _run(reader, sql)
            return [name for name, _ in columns], result.fetchall()

    def export(self, question: paging.Question, target: str, *, replace: bool = False) -> int:
        """Write the records of a question to a file; return how many.

        Raises:
            ExistsError: There is a file already and `replace` is not set.
            InputError: This desk is read-only, or the file cannot be written.
        """
        self._need_writable()
        with self._cursor("export") as writer:
            return export.export_records(writer, question, Path(target), replace=replace)

    def export_query(self, sql: str, target: str, *, replace: bool = False) -> int:
        """Write all rows of a SELECT to a file; return how many. Raises like `export`."""
        self._need_writable()
        with self._cursor("export") as writer:
            statement.check(writer, sql)
            return export.write(writer, sql.strip().rstrip(";"), (), Path(target), replace=replace)

    def cancel(self, what: str) -> bool:
        """End a running question, such as `query`; tell whether there was one."""
        with self._lock:
            running = self._running.get(what)
            if running is not None:
                running.interrupt()
        return running is not None

    def _need_writable(self) -> None:
        if not self.writable:
            raise InputError(
                "nothing is written here", "read-only", "export from the first tab or another run"
            )

    @contextmanager
    def _reading(self, what: str) -> Iterator[DuckDBPyConnection]:
        with self._cursor(what) as reader:
            reader.execute("BEGIN TRANSACTION READ ONLY")
            yield reader

    @contextmanager
    def _cursor(self, what: str) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor of its own, and say what DuckDB complains of in one line."""
        import duckdb  # noqa: PLC0415

        mine = cursor(self._connect())
        with self._lock:
            self._running[what] = mine
        try:
            yield mine
        except duckdb.InterruptException as error:
            raise Cancelled(f"the {what} was cancelled") from error
        except duckdb.Error as error:
            raise InputError(f"the {what} failed", "store", first_line(error)) from error
        finally:
            with self._lock:
                if self._running.get(what) is mine:
                    del self._running[what]
                mine.close()


def _run(reader: DuckDBPyConnection, sql: str) -> tuple[list[tuple[str, str]], DuckDBPyConnection]:
    """Run a statement that was checked; return the names and types of its columns, and what has its rows."""
    result = reader.execute(sql)
    columns = [(str(name), str(kind)) for name, kind, *_ in result.description or ()]
    if any(kind == ZONED for _, kind in columns):
        result = reader.execute(without_zones(sql, [kind for _, kind in columns]))
    return columns, result


def _answer(reader: DuckDBPyConnection, sql: str) -> Answer:
    columns, result = _run(reader, sql)
    rows = result.fetchmany(MOST_ROWS + 1)
    return Answer(
        columns=tuple(name for name, _ in columns),
        numeric=tuple(kind in _NUMBERS or kind.startswith("DECIMAL") for _, kind in columns),
        rows=tuple(tuple(map(_shown, row)) for row in rows[:MOST_ROWS]),
        cut=len(rows) > MOST_ROWS,
    )


_NUMBERS = frozenset(
    {"NUMBER", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
     "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE"}
)  # fmt: skip


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)[:LONGEST_CELL]
