"""The eighth screen: SQL over the store, read-only and without access to anything else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from mlwatch.app.drawing import clean
from mlwatch.app.panels.answertable import PAGE, AnswerTable
from mlwatch.app.screens.base import WatchScreen
from mlwatch.app.screens.export import ExportScreen
from mlwatch.app.sqleditor import SqlEditor
from mlwatch.app.units import counted
from mlwatch.errors import MlwatchError
from mlwatch.records.history import History

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult

    from mlwatch.records.desk import Answer, Desk

HINT = (
    "One SELECT over the store; nothing else can be read or changed. F5 runs it, or enter after a semicolon."
)


class SqlScreen(WatchScreen):
    """Ask the store anything."""

    MODE = "sql"
    HELP = (
        "What no screen shows: one SELECT over the store. F5 runs it, or enter after a semicolon; escape stops it. "
        "right takes the completion, ctrl+up recalls statements; in the answer e exports all rows and c copies one."
    )
    CSS_PATH = "../styles/sql.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "page(1)", "Next page", show=False, tooltip="Show the next page"),
        Binding("p", "page(-1)", "Page before", show=False, tooltip="Show the page before"),
        Binding("c", "copy", "Copy", tooltip="Copy the row as JSON"),
        Binding("e", "export", "Export", tooltip="Write all rows to a file"),
        Binding("i", "edit", "Edit", tooltip="Go to the statement"),
        Binding("f5", "run", "Run", show=False, tooltip="Run the statement"),
    ]

    class AnswerReady(Message):
        """The store answered."""

        def __init__(self, serial: int, sql: str, answer: Answer) -> None:
            super().__init__()
            self.serial, self.sql, self.answer = serial, sql, answer

    class AnswerFailed(Message):
        """The store refused, or was stopped; the reason may be hostile text."""

        def __init__(self, serial: int, reason: str) -> None:
            super().__init__()
            self.serial, self.reason = serial, reason

    class TablesReady(Message):
        """The names for completion are there."""

        def __init__(self, tables: Mapping[str, tuple[str, ...]]) -> None:
            super().__init__()
            self.tables = tables

    def __init__(self) -> None:
        super().__init__()
        self._serial = 0
        self._is_asking = False
        self._answer: Answer | None = None
        self._answered = ""
        self._page = 0
        self._history: History | None = None
        self._place = 0

    def panels(self) -> ComposeResult:
        """Yield the statement above, the answer below."""
        yield SqlEditor()
        yield Static(HINT, id="said", classes="with-first", markup=False)
        yield self.bound(AnswerTable(ascii_only=self.ascii))

    def on_mount(self) -> None:
        """Recall the statements of earlier sessions."""
        self._history = History(self.mlwatch.options.history)
        self._place = len(self._history.statements)
        self.query_one(SqlEditor).border_title = "Statement"
        self.query_one(AnswerTable).border_title = "Answer"

    def on_screen_resume(self) -> None:
        """Learn the names of the store."""
        super().on_screen_resume()
        if self._desk is not None:
            self._fetch_tables(self._desk)

    @property
    def _desk(self) -> Desk | None:
        return self.mlwatch.source.desk

    # --- asking --------------------------------------------------------------------------------------------

    @work(thread=True, exclusive=True, group="tables", exit_on_error=False)
    def _fetch_tables(self, desk: Desk) -> None:
        try:
            self.post_message(self.TablesReady(desk.tables()))
        except MlwatchError:
            return  # without names there is no completion, that is all

    @on(TablesReady)
    def _learn(self, message: TablesReady) -> None:
        self.query_one(SqlEditor).learn(message.tables)

    def action_run(self) -> None:
        """Run the statement from the answer too."""
        self._run()

    @on(SqlEditor.Run)
    def _run(self) -> None:
        sql = self.query_one(SqlEditor).text.strip()
        if self._desk is None:
            self._say("There is no store to read from yet.")
        elif self._is_asking:
            self._say("A statement is running: escape stops it.")
        elif sql:
            self._serial += 1
            self._is_asking = True
            self._remember(sql)
            self._say("Running… escape stops it.")
            self._fetch(self._desk, self._serial, sql)

    @work(thread=True, group="sql", exit_on_error=False)
    def _fetch(self, desk: Desk, serial: int, sql: str) -> None:
        try:
            self.post_message(self.AnswerReady(serial, sql, desk.query(sql)))
        except Exception as error:  # noqa: BLE001 - whatever the store raises is shown, never a traceback
            self.post_message(self.AnswerFailed(serial, str(error) or type(error).__name__))

    @on(AnswerReady)
    def _take_answer(self, message: AnswerReady) -> None:
        self._is_asking = False
        self._answer, self._answered = message.answer, message.sql
        self._show_page(0)

    @on(AnswerFailed)
    def _fail(self, message: AnswerFailed) -> None:
        self._is_asking = False
        self._say(message.reason, bad=True)

    def _show_page(self, page: int) -> None:
        if self._answer is None:
            return
        self._page = page
        self.query_one(AnswerTable).show_answer(self._answer, page)
        count = len(self._answer.rows)
        what = f"first {count:,} rows; e exports all" if self._answer.cut else counted(count, "row")
        pages = -(-count // PAGE)
        self._say(f"{what}; page {page + 1} of {pages}" if pages > 1 else what)

    def _say(self, text: str, *, bad: bool = False) -> None:
        style = "$bad" if bad else "$quiet"
        room = max(2 * (self.size.width - 2), 20)
        self.query_one("#said", Static).update(Content.styled(clean(text, room), style))

    # --- keys ----------------------------------------------------------------------------------------------

    @on(SqlEditor.Left)
    def _leave(self) -> None:
        if self._is_asking and self._desk is not None:
            self._desk.cancel("query")
        else:
            self.set_focus(self.query_one(AnswerTable))

    def action_edit(self) -> None:
        """Go to the statement."""
        self.set_focus(self.query_one(SqlEditor))

    def _remember(self, sql: str) -> None:
        if self._history is not None:
            self._history.add(sql)
            self._place = len(self._history.statements)

    @on(SqlEditor.Recall)
    def _recall(self, message: SqlEditor.Recall) -> None:
        statements = self._history.statements if self._history else []
        self._place = min(max(self._place + message.by, 0), len(statements))
        editor = self.query_one(SqlEditor)
        editor.text = statements[self._place] if self._place < len(statements) else ""
        editor.move_cursor(editor.document.end)

    def action_page(self, by: int) -> None:
        """Turn to another page."""
        pages = -(-len(self._answer.rows) // PAGE) if self._answer else 1
        wanted = min(max(self._page + by, 0), pages - 1)
        if wanted != self._page:
            self._show_page(wanted)

    def action_copy(self) -> None:
        """Copy the row under the cursor as JSON, through the terminal."""
        key = self.query_one(AnswerTable).cursor_key
        if self._answer is None or key is None:
            self.notify("There is no row to copy.", markup=False)
            return
        row = dict(zip(self._answer.columns, self._answer.rows[int(key)], strict=True))
        self.app.copy_to_clipboard(json.dumps(row, ensure_ascii=True))
        self.notify("The row is copied as JSON, if the terminal allows it (OSC 52).", markup=False)

    def action_export(self) -> None:
        """Write all rows of the answer to a file."""
        desk, sql = self._desk, self._answered
        if desk is None or self._answer is None:
            self.notify("There is nothing to export.", markup=False)
            return
        if not desk.writable:
            self.notify("This view is read-only: nothing is written.", markup=False)
            return

        def write(target: str, *, replace: bool) -> int:
            return desk.export_query(sql, target, replace=replace)

        name = f"answer-{self.mlwatch.options.clock():%Y%m%dT%H%M%S}.parquet"
        self.app.push_screen(ExportScreen("all rows of the answer", name, write), self._exported)

    def _exported(self, said: str | None) -> None:
        if said:
            self.notify(said, markup=False)
