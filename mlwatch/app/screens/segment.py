"""The overlay that chooses the records of which everything is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from mlwatch.app.drawing import clean
from mlwatch.app.filterline import FilterLine
from mlwatch.app.panels.wrapping import Hints
from mlwatch.app.units import show_count
from mlwatch.choice import Choice
from mlwatch.errors import MlwatchError
from mlwatch.records.lexing import FilterError
from mlwatch.records.paging import Question
from mlwatch.records.writing import filter_of
from mlwatch.snapshot.segments import Segment
from widgets.fasttable import Cell, Column, FastTable, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import ComposeResult

    from mlwatch.app.view import View
    from mlwatch.records.desk import Desk
    from mlwatch.snapshot.types import Version

COLUMNS = (
    Column("column", "Feature", least=12),
    Column("value", "Value", least=12),
    Column("n", "Predictions", "right", width=11),
    Column("labelled", "Labelled", "right", width=9),
)
EXAMPLE = "carrier = UA and version in (v1, v3)"
KEYS = ("enter only these", "down to the list", "empty: everything", "escape close")
NONE = (
    "Segments are listed here once predictions with features have labels, or requests fail in some more often; "
    "any filter can be typed above."
)


class SegmentScreen(ModalScreen[Choice | None]):
    """Take a filter, or a segment out of those that are followed."""

    CSS_PATH = "../styles/overlays.tcss"
    AUTO_FOCUS = "#filter"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Close", priority=True)]

    class Checked(Message):
        """The store understood the filter, or says why not."""

        def __init__(self, text: str, records: int, reason: str = "", position: int | None = None) -> None:
            super().__init__()
            self.text, self.records, self.reason, self.position = text, records, reason, position

    class Named(Message):
        """The names that a filter may use."""

        def __init__(self, names: tuple[str, ...]) -> None:
            super().__init__()
            self.names = names

    def __init__(self, desk: Desk, view: View) -> None:
        super().__init__()
        self._desk, self._view = desk, view
        version = view.candidate or view.baseline
        self._siblings = tuple(_siblings(version)) if version is not None else ()
        self._listed = tuple(_listed(version)) if version is not None else ()

    def compose(self) -> ComposeResult:
        """Yield the line for the filter, and the segments."""
        with Vertical(classes="overlay choices") as box:
            box.border_title = "Show only a segment"
            line = FilterLine(EXAMPLE)
            line.value = self._view.choice.filter
            yield line
            yield Static("" if self._listed else NONE, id="said", markup=False, classes="paragraph")
            rows = [_row(place, *one) for place, one in enumerate(self._listed)]
            yield FastTable(COLUMNS, rows, ascii_only=self._view.glyphs.ascii, id="segments")
            yield Hints(KEYS)

    def on_mount(self) -> None:
        """Learn the names that can be completed."""
        self._learn()

    @work(thread=True, exit_on_error=False)
    def _learn(self) -> None:
        self.post_message(self.Named(self._desk.names()))

    @on(Named)
    def _take_names(self, message: Named) -> None:
        self.query_one(FilterLine).completion.learn(message.names)

    @on(FilterLine.Left)
    def _to_segments(self) -> None:
        self.set_focus(self.query_one(FastTable))

    @on(FastTable.RowSelected)
    def _select(self, message: FastTable.RowSelected) -> None:
        parts, _ = self._listed[int(message.key)]
        text = " and ".join(filter_of(part, self._siblings) for part in parts)
        self.query_one(FilterLine).value = text
        self._check(text)

    @on(Input.Submitted)
    def _submit(self, message: Input.Submitted) -> None:
        text = message.value.strip()
        if text:
            self._check(text)
        else:
            self.dismiss(replace(self._view.choice, filter=""))

    @work(thread=True, exclusive=True, group="check", exit_on_error=False)
    def _check(self, text: str) -> None:
        """Ask the store how many records pass; that tells also whether it understands the filter."""
        try:
            found = self._desk.page(Question(text))
        except FilterError as error:
            self.post_message(self.Checked(text, 0, f"{error.what}: {error.todo}", error.position))
        except MlwatchError as error:
            self.post_message(self.Checked(text, 0, str(error)))
        else:
            reason = "" if found.total else "no record passes this filter"
            self.post_message(self.Checked(text, found.total, reason))

    @on(Checked)
    def _take(self, message: Checked) -> None:
        if not message.reason:
            self.dismiss(replace(self._view.choice, filter=message.text))
            return
        where = "" if message.position is None else f"At character {message.position + 1}: "
        self.query_one("#said", Static).update(clean(where + message.reason, max(self.size.width - 10, 20)))
        line = self.query_one(FilterLine)
        self.set_focus(line)
        if message.position is not None:
            line.cursor_position = message.position


def _listed(version: Version) -> Iterator[tuple[tuple[Segment, ...], int]]:
    """Yield what can be chosen, with its labelled predictions; those in trouble first, where there are no labels."""
    yield from ((pair.parts, pair.labelled) for pair in version.segment_pairs)
    known = {(segment.column, segment.value) for segment in version.segments}
    troubled = {
        (found.segment.column, found.segment.value): found.segment for found in version.request_segments
    }
    yield from (((segment,), 0) for place, segment in troubled.items() if place not in known)
    yield from (((segment,), segment.labelled) for segment in version.segments)


def _siblings(version: Version) -> Iterator[Segment]:
    """Yield the segments, and the categories beside which there are only others, where those are in trouble."""
    yield from version.segments
    for found in version.request_segments:
        yield from (Segment(found.segment.column, name, 0, 0) for name in found.named)


def _row(place: int, parts: tuple[Segment, ...], labelled: int) -> Row:
    """Return a segment, or a combination of two: how many predictions are in both is not counted without labels."""
    alone = parts[0].predictions if len(parts) == 1 else None
    return Row(
        str(place),
        (
            Cell(clean(" and ".join(part.column for part in parts), 60)),
            Cell(clean(" and ".join(part.value for part in parts), 60)),
            Cell("n/a" if alone is None else show_count(alone), "", alone or 0),
            Cell(show_count(labelled), "muted", labelled),
        ),
    )
