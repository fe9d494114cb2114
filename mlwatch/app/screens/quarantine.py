"""The overlay with the quarantine: lines that could not be taken in, with file, line, reason and text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from mlwatch.app.drawing import clean
from mlwatch.app.scrolling import plain_bars
from mlwatch.app.units import counted, show_moment
from widgets.fasttable import Column, FastTable, Row

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mlwatch.app.units import Zone
    from mlwatch.records.desk import Desk
    from mlwatch.records.rejects import Reject, Rejects

COLUMNS = (
    Column("reason", "reason", least=20),
    Column("file", "file", least=12),
    Column("line", "line", "right", least=6),
    Column("seen", "seen", least=16),
)
LONGEST = 200


class QuarantineScreen(ModalScreen[None]):
    """Browse the rejected lines."""

    CSS_PATH = "../styles/overlays.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Close"),
        Binding("n", "page(1)", "Next page"),
        Binding("p", "page(-1)", "Page before"),
        Binding("c", "copy", "Copy"),
    ]

    class Ready(Message):
        """The store answered."""

        def __init__(self, rejects: Rejects) -> None:
            super().__init__()
            self.rejects = rejects

    class Failed(Message):
        """The store refused."""

        def __init__(self, reason: str) -> None:
            super().__init__()
            self.reason = reason

    def __init__(self, desk: Desk | None, zone: Zone) -> None:
        super().__init__()
        self._desk, self._zone = desk, zone
        self._rejects: Rejects | None = None

    def compose(self) -> ComposeResult:
        """Yield the table of lines, and the chosen one in full."""
        ascii_only = bool(getattr(getattr(self.app, "options", None), "ascii", False))
        with Vertical(classes="overlay quarantine") as box:
            box.border_title = "Quarantine"
            yield Static("", id="said", markup=False)
            yield FastTable(COLUMNS, ascii_only=ascii_only, id="rejects")
            with VerticalScroll(id="line"):
                yield Static("", id="raw", markup=False)

    def on_mount(self) -> None:
        """Ask for the newest lines."""
        if self.app.has_class("-ascii"):
            plain_bars(self.query_one("#line"))
        self._ask(0)

    def _ask(self, page: int) -> None:
        if self._desk is None:
            self._say("There is no store to read from yet.")
        else:
            self._fetch(self._desk, page)

    @work(thread=True, exclusive=True, group="rejects", exit_on_error=False)
    def _fetch(self, desk: Desk, page: int) -> None:
        try:
            self.post_message(self.Ready(desk.rejects(page)))
        except Exception as error:  # noqa: BLE001 - whatever the store raises is shown, never a traceback
            self.post_message(self.Failed(str(error)))

    @on(Ready)
    def _take(self, message: Ready) -> None:
        self._rejects = found = message.rejects
        if not found.total:
            self._say("Nothing is in quarantine: every line could be taken in.")
        else:
            reasons = "; ".join(f"{n:,} × {clean(reason, 60)}" for reason, n in found.reasons[:3])
            self._say(f"{counted(found.total, 'line')}, page {found.page + 1} of {found.pages}. {reasons}")
        table = self.query_one(FastTable)
        table.update([self._row(at, reject) for at, reject in enumerate(found.rejects)])
        self._show(table.cursor_key)

    @on(Failed)
    def _fail(self, message: Failed) -> None:
        self._say(message.reason)

    def _say(self, text: str) -> None:
        self.query_one("#said", Static).update(Content.styled(clean(text), "$quiet"))

    def _row(self, at: int, reject: Reject) -> Row:
        seen = show_moment(reject.seen_at, self._zone) if reject.seen_at else ""
        line = "" if reject.line is None else f"{reject.line}"
        return Row(str(at), (reject.reason[:LONGEST], reject.file[-LONGEST:], line, seen))

    @on(FastTable.RowHighlighted)
    def _highlight(self, message: FastTable.RowHighlighted) -> None:
        self._show(message.key)

    def _show(self, key: str | None) -> None:
        reject = self._chosen(key)
        shown = Content("")
        if reject is not None:
            where = f"{clean(reject.file)}, line {reject.line}: {clean(reject.reason)}"
            shown = Content.assemble((where, "$heading"), "\n", clean(reject.raw))
        self.query_one("#raw", Static).update(shown)

    def _chosen(self, key: str | None) -> Reject | None:
        rejects = self._rejects.rejects if self._rejects else ()
        return rejects[int(key)] if key is not None and int(key) < len(rejects) else None

    def action_page(self, by: int) -> None:
        """Turn to another page."""
        if self._rejects is not None and 0 <= self._rejects.page + by < self._rejects.pages:
            self._ask(self._rejects.page + by)

    def action_copy(self) -> None:
        """Copy the line under the cursor, in escapes, as JSON."""
        reject = self._chosen(self.query_one(FastTable).cursor_key)
        if reject is not None:
            where = {"file": reject.file, "line": reject.line, "reason": reject.reason, "raw": reject.raw}
            self.app.copy_to_clipboard(json.dumps(where, ensure_ascii=True))
            self.notify("The line is copied as JSON, if the terminal allows it (OSC 52).", markup=False)
