"""The seventh screen: the raw predictions, filtered, sorted and paged by the store."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from mlwatch.app.drawing import clean
from mlwatch.app.filterline import FilterLine
from mlwatch.app.panels.recorddetail import RecordDetail
from mlwatch.app.panels.recordtable import RecordTable
from mlwatch.app.screens.base import WatchScreen
from mlwatch.app.screens.export import ExportScreen
from mlwatch.errors import MlwatchError
from mlwatch.records.lexing import FilterError
from mlwatch.records.paging import Page, Question
from widgets.fasttable import FastTable

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mlwatch.app.view import Status, View
    from mlwatch.records.desk import Desk
    from mlwatch.records.detail import Detail

EXAMPLE = "filter: version = v2 and latency > 200ms and not correct"


class RecordsScreen(WatchScreen):
    """Browse the raw predictions."""

    MODE = "records"
    HELP = (
        "Which requests are behind the numbers? / filters, < > and r sort, n and p turn pages; tab goes to the record "
        "itself, c copies it as JSON, e writes all rows that pass to a file."
    )
    CSS_PATH = "../styles/records.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", tooltip="Type a filter"),
        Binding("n", "page(1)", "Next page", tooltip="Show the next page"),
        Binding("p", "page(-1)", "Page before", show=False, tooltip="Show the page before"),
        Binding("c", "copy", "Copy", tooltip="Copy the record as JSON"),
        Binding("e", "export", "Export", tooltip="Write the rows that pass to a file"),
    ]

    class PageReady(Message):
        """The store answered with a page."""

        def __init__(self, page: Page) -> None:
            super().__init__()
            self.page = page

    class PageFailed(Message):
        """The store refused; the reason may be hostile text."""

        def __init__(self, question: Question, reason: str, position: int | None) -> None:
            super().__init__()
            self.question, self.reason, self.position = question, reason, position

    class DetailReady(Message):
        """The store answered with a record."""

        def __init__(self, detail: Detail | None, names: tuple[str, ...] = ()) -> None:
            super().__init__()
            self.detail, self.names = detail, names

    def __init__(self) -> None:
        super().__init__()
        self._question = Question()
        self._page: Page | None = None
        self._detail: Detail | None = None

    def panels(self) -> ComposeResult:
        """Yield filter, table and the chosen record."""
        yield FilterLine(EXAMPLE)
        yield Static("", id="said", classes="with-first", markup=False)
        with Container(id="rows"):
            yield self.bound(RecordTable(ascii_only=self.ascii))
            yield self.bound(RecordDetail(ascii_only=self.ascii))

    @property
    def _desk(self) -> Desk | None:
        return self.mlwatch.source.desk

    # --- asking --------------------------------------------------------------------------------------------

    def watch_view(self, view: View | None) -> None:
        """Ask again where news may change the first page; a page further back stands still."""
        if view is not None:
            wanted = self._within(self._question, view)
            if wanted != self._question or self._question.page == 0:
                self._ask(wanted)

    def watch_status(self, status: Status) -> None:
        """Keep to what is shown once it is frozen: no new view comes then."""
        if status.frozen_at is not None:
            self.watch_view(self.view)

    def _within(self, question: Question, view: View) -> Question:
        """Return a question for the time range and model on show; what came after a picture of then is not in it."""
        shown = view.snapshot.range
        stands = view.at is not None or self.status.frozen_at is not None
        bounded = stands or view.range.span is not None
        return replace(
            question,
            since=shown.start if shown and bounded else None,
            until=(shown.end if shown else view.at) if bounded else None,
            model=view.model_name if len(view.snapshot.models) > 1 else None,
            versions=view.choice.versions,
            within=view.choice.filter,
        )

    def _ask(self, question: Question) -> None:
        self._question = question
        if self._desk is None:
            self._say("There is no store to read from yet.")
        else:
            self._fetch(self._desk, question)

    @work(thread=True, exclusive=True, group="page", exit_on_error=False)
    def _fetch(self, desk: Desk, question: Question) -> None:
        try:
            found = desk.page(replace(question, now=self.mlwatch.options.clock()))
        except FilterError as error:
            self.post_message(self.PageFailed(question, f"{error.what}: {error.todo}", error.position))
        except Exception as error:  # noqa: BLE001 - whatever the store raises is shown, never a traceback
            self.post_message(self.PageFailed(question, str(error), None))
        else:
            self.post_message(self.PageReady(replace(found, question=question)))

    @on(PageReady)
    def _take_page(self, message: PageReady) -> None:
        if message.page.question != self._question:
            return
        self._page = message.page
        table = self.query_one(RecordTable)
        table.show_page(message.page, self.mlwatch.zone)
        self._say(self._summary(message.page))
        if table.cursor_key is None:
            self._show_detail(None)
        else:
            self._ask_detail(table.cursor_key)  # its outcome or events may have come

    @on(PageFailed)
    def _fail(self, message: PageFailed) -> None:
        if message.question != self._question:
            return
        mark = "" if message.position is None else f"at character {message.position + 1}, "
        self._say(mark + message.reason, bad=True)
        if message.position is not None:
            self.query_one(FilterLine).cursor_position = message.position

    def _summary(self, page: Page) -> str:
        question = page.question
        if not page.total:
            if question.filter or question.within:
                return "No record passes this filter in this time range."
            return "No predictions yet in this time range: ] shows a longer one."
        what = f"{page.total:,} records" + (" pass" if question.filter or question.within else "")
        order = "newest first" if question.reverse else "oldest first"
        if question.sort != "time":
            order = f"by {question.sort}, {'largest' if question.reverse else 'smallest'} first"
        said = f"{what}, {order}; page {question.page + 1} of {page.pages:,}"
        return f"{said}; model {clean(question.model, 30)}" if question.model is not None else said

    def _say(self, text: str, *, bad: bool = False) -> None:
        style = "$bad" if bad else "$quiet"
        self.query_one("#said", Static).update(
            Content.styled(clean(text, max(self.size.width - 2, 20)), style)
        )

    # --- the chosen record ---------------------------------------------------------------------------------

    @on(FastTable.RowHighlighted, "#records")
    def _highlight(self, message: FastTable.RowHighlighted) -> None:
        self._ask_detail(message.key)

    def _ask_detail(self, key: str) -> None:
        if self._desk is not None:
            self._fetch_detail(self._desk, int(key))

    @work(thread=True, exclusive=True, group="detail", exit_on_error=False)
    def _fetch_detail(self, desk: Desk, row: int) -> None:
        try:
            self.post_message(self.DetailReady(desk.detail(row), desk.names()))
        except MlwatchError:
            self.post_message(self.DetailReady(None))

    @on(DetailReady)
    def _take_detail(self, message: DetailReady) -> None:
        self.query_one(FilterLine).completion.learn(message.names)
        self._show_detail(message.detail)

    def _show_detail(self, detail: Detail | None) -> None:
        if detail is not None and detail == self._detail:
            return
        self._detail = detail
        self.query_one(RecordDetail).show_detail(detail, self.mlwatch.zone)

    # --- keys ----------------------------------------------------------------------------------------------

    @on(RecordTable.FilterWanted)
    def action_filter(self) -> None:
        """Type a filter."""
        self.set_focus(self.query_one(FilterLine))

    @on(Input.Submitted, "#filter")
    def _submit(self, message: Input.Submitted) -> None:
        self._ask(replace(self._question, filter=message.value.strip(), page=0))
        self._back()

    @on(FilterLine.Left)
    def _back(self) -> None:
        self.set_focus(self.query_one(RecordTable))

    @on(FastTable.SortWanted, "#records")
    def _sort(self, message: FastTable.SortWanted) -> None:
        self._ask(replace(self._question, sort=message.key or "time", reverse=message.reverse, page=0))

    @on(FastTable.RowSelected, "#records")
    def _select(self) -> None:
        self.action_next_panel(1)

    def action_page(self, by: int) -> None:
        """Turn to another page."""
        last = self._page.pages - 1 if self._page else 0
        wanted = min(max(self._question.page + by, 0), last)
        if wanted != self._question.page:
            self._ask(replace(self._question, page=wanted))

    def action_copy(self) -> None:
        """Copy the record as JSON, through the terminal: that works over SSH too."""
        if self._detail is None:
            self.notify("There is no record to copy.", markup=False)
            return
        self.app.copy_to_clipboard(json.dumps(self._detail.document(), ensure_ascii=True))
        self.notify("The record is copied as JSON, if the terminal allows it (OSC 52).", markup=False)

    def action_export(self) -> None:
        """Write all rows that pass to a file."""
        desk, question = self._desk, self._question
        if desk is None or self._page is None or not self._page.total:
            self.notify("There is nothing to export.", markup=False)
            return
        if not desk.writable:
            self.notify("This view is read-only: nothing is written.", markup=False)
            return

        def write(target: str, *, replace: bool) -> int:
            return desk.export(question, target, replace=replace)

        name = f"records-{self.mlwatch.options.clock():%Y%m%dT%H%M%S}.parquet"
        self.app.push_screen(ExportScreen(f"{self._page.total:,} records", name, write), self._exported)

    def _exported(self, said: str | None) -> None:
        if said:
            self.notify(said, markup=False)
