"""One page of raw records; the store filters, sorts and cuts it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from textual.message import Message

from mlwatch.app.panels.base import Viewed
from mlwatch.app.units import show
from widgets.fasttable import Cell, Column, FastTable, Row

if TYPE_CHECKING:
    from mlwatch.app.units import Zone
    from mlwatch.app.view import View
    from mlwatch.records.paging import Page, Record

COLUMNS = (
    Column("time", "time", width=19),
    Column("version", "version", least=7),
    Column("prediction", "predicted", least=9),
    Column("label", "label", least=5),
    Column("score", "score", "right", least=5),
    Column("latency", "latency", "right", least=7),
    Column("status", "status", "right", least=6),
    Column("id", "id", least=8),
    Column("error", "error", least=5),
    Column("model", "model", least=5),
)
LONGEST = 120
"""Characters of a cell; the detail shows more."""


class RecordTable(Viewed, FastTable):
    """List raw predictions; sorting and filtering are asked for, not done here."""

    can_focus = True
    HELP_TEXT = (
        "Raw predictions, newest first. < and > choose the column to sort by, r turns the order round, n and p turn "
        "pages. / goes to the filter, such as version = v2 and latency > 200ms and not correct. A test about a "
        "value that is missing is neither true nor false; ask for it with: label is missing."
    )

    class FilterWanted(Message):
        """The filter wants typing."""

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__(
            COLUMNS, sort="time", reverse=True, sorted_elsewhere=True, ascii_only=ascii_only,
            id="records", classes="boxed first-focus",
        )  # fmt: skip

    def take(self, view: View) -> None:
        """Wait for the page: the screen asks for it."""

    def show_page(self, page: Page, zone: Zone) -> None:
        """Show the records of a page."""
        self.update([_row(record, zone) for record in page.records])

    def action_type_filter(self) -> None:
        """Leave the filter to the line above."""
        self.post_message(self.FilterWanted())


def _row(record: Record, zone: Zone) -> Row:
    time, model, version, identity, prediction, label, score, latency, status, error, correct = record.values
    failed = bool(status and status >= 400) or error is not None
    cells = (
        _time(time, zone),
        _text(version),
        _text(prediction),
        Cell(_text(label) if label is not None else "n/a", "$bad" if correct is False else ""),
        show(score, "score") if score is not None else "n/a",
        show(latency, "ms") if latency is not None else "n/a",
        Cell(_text(status), "$bad" if failed else ""),
        _text(identity),
        Cell(_text(error), "$bad"),
        _text(model),
    )
    return Row(str(record.row), cells)


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:LONGEST]


def _time(moment: datetime | None, zone: Zone) -> str:
    return f"{moment.replace(tzinfo=UTC).astimezone(zone):%Y-%m-%d %H:%M:%S}" if moment else ""
