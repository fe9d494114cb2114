"""One page of records: filtered, sorted and cut by the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from mlwatch.asking import number
from mlwatch.errors import InputError
from mlwatch.records.compiling import condition
from mlwatch.records.fields import ROLES, read_fields
from mlwatch.sources.sql import identifier
from mlwatch.store.outcomes import label_joins

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.records.fields import Fields

PAGE = 100
"""Records of a page."""
COLUMNS = (
    "time", "model", "version", "id", "prediction", "label", "score", "latency", "status", "error", "correct"
)  # fmt: skip
"""Fields that a page shows; the last by the colour of the label."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which records are wanted, in which order."""

    filter: str = ""
    """In the language of `filters`."""
    sort: str = "time"
    """Name of a field."""
    reverse: bool = True
    """Whether the newest, or largest, comes first."""
    page: int = 0
    since: datetime | None = None
    """Earliest time, aware; None for no bound."""
    until: datetime | None = None
    """Time before which records are wanted, aware; None for no bound."""
    model: str | None = None
    """Only this model; None for all."""
    versions: tuple[str, ...] = ()
    """Only these; empty for all."""
    now: datetime | None = None
    """What times such as `-1h` count from."""
    within: str = ""
    """A second filter, which records must pass too."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a page."""

    row: int
    """Number of the row in the store."""
    values: tuple[Any, ...]
    """One a column of `COLUMNS`; times are UTC without a zone."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records that pass, with how many pass in all."""

    question: Question
    records: tuple[Record, ...]
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PAGE))


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of a statement from FROM to WHERE, and its values."""

    sql: str
    values: tuple[Any, ...]
    fields: Fields


def selection(connection: DuckDBPyConnection, question: Question) -> Selection:
    """Return what chooses the records of a question.

    Raises:
        FilterError: The filter cannot be understood.
        InputError: The field to sort by is not there.
    """
    fields = read_fields(connection)
    wanted = condition(question.filter, fields, question.now)
    also = condition(question.within, fields, question.now)
    order = fields.find(question.sort)
    if order is None:
        raise InputError("cannot sort", question.sort, "there is no such field")
    bounds, values = _bounds(question)
    joins = label_joins("p", "p.model") if wanted.joined or also.joined or order.joined else ""
    sql = f"FROM predictions AS p{joins} WHERE {' AND '.join([*bounds, wanted.sql, also.sql])}"
    return Selection(sql, (*values, *wanted.values, *also.values), fields)


def _bounds(question: Question) -> tuple[list[str], list[datetime | str | tuple[str, ...]]]:
    pairs = (("p.ts >= ?", question.since), ("p.ts < ?", question.until))
    kept: list[tuple[str, datetime | str | tuple[str, ...]]] = [
        (sql, moment.astimezone(UTC).replace(tzinfo=None)) for sql, moment in pairs if moment is not None
    ]
    kept += [("p.model = ?", question.model)] if question.model is not None else []
    kept += [("p.version IN ?", question.versions)] if question.versions else []
    return [sql for sql, _ in kept], [value for _, value in kept]


def page(connection: DuckDBPyConnection, question: Question) -> Page:
    """Return one page of records.

    Raises:
        FilterError: The filter cannot be understood.
        InputError: The field to sort by is not there.
    """
    chosen = selection(connection, question)
    total = number(connection, f"SELECT COUNT(*) {chosen.sql}", chosen.values)
    keys = (
        f"SELECT p.rowid AS r, row_number() OVER ({ordering(chosen.fields, question)}) AS place {chosen.sql}"
    )
    roles = {field.name: field.sql for field in ROLES}
    shown = ", ".join(roles[name] for name in COLUMNS)
    rows = connection.execute(
        f"""WITH chosen AS MATERIALIZED ({keys} QUALIFY place > ? AND place <= ?)
        SELECT p.rowid, {shown} FROM chosen JOIN predictions AS p ON p.rowid = chosen.r
        {label_joins("p", "p.model")} ORDER BY chosen.place""",
        [*chosen.values, question.page * PAGE, (question.page + 1) * PAGE],
    ).fetchall()
    return Page(question, tuple(Record(int(row), tuple(rest)) for row, *rest in rows), total)


def ordering(fields: Fields, question: Question) -> str:
    """Return the ORDER BY of a question; equal rows go by their place in the store."""
    field = fields.find(question.sort)
    expression = field.sql if field is not None else identifier("ts")
    way = "DESC" if question.reverse else "ASC"
    return f"ORDER BY {expression} {way} NULLS LAST, p.rowid {way}"
