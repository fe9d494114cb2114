"""The overlay that asks where rows are to be written, and writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from mlwatch.app.drawing import clean
from mlwatch.errors import MlwatchError
from mlwatch.records.export import ExistsError

if TYPE_CHECKING:
    from textual.app import ComposeResult


class Write(Protocol):
    """Writes rows to a file."""

    def __call__(self, target: str, *, replace: bool) -> int:
        """Return how many rows were written; raise ExistsError or InputError."""


class ExportScreen(ModalScreen[str | None]):
    """Ask for a path; a file that is there is replaced only by a key of its own."""

    CSS_PATH = "../styles/overlays.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close", priority=True),
        Binding("ctrl+r", "replace", "Replace", priority=True),
    ]

    class Done(Message):
        """The rows are written."""

        def __init__(self, target: str, rows: int) -> None:
            super().__init__()
            self.target, self.rows = target, rows

    class Failed(Message):
        """They are not; `exists` tells that a file is in the way."""

        def __init__(self, target: str, reason: str, *, exists: bool) -> None:
            super().__init__()
            self.target, self.reason, self.exists = target, reason, exists

    def __init__(self, what: str, proposed: str, write: Write) -> None:
        super().__init__()
        self._what, self._proposed, self._write = what, proposed, write
        self._in_the_way: str | None = None

    def compose(self) -> ComposeResult:
        """Yield the question and the line for the path."""
        with Vertical(classes="overlay") as box:
            box.border_title = "Export"
            yield Static(f"Write {self._what} to a .parquet or .csv file:", markup=False)
            yield Input(self._proposed, id="path", classes="paragraph", compact=True, select_on_focus=False)
            yield Static(_HINT, id="said", markup=False, classes="paragraph")

    @on(Input.Changed)
    def _forget(self, message: Input.Changed) -> None:
        if message.value != self._in_the_way:
            self._in_the_way = None

    @on(Input.Submitted)
    def _submit(self, message: Input.Submitted) -> None:
        self._begin(message.value.strip(), replace=False)

    def action_replace(self) -> None:
        """Replace the file that was in the way."""
        if self._in_the_way is not None:
            self._begin(self._in_the_way, replace=True)

    def _begin(self, target: str, *, replace: bool) -> None:
        if not target:
            return
        self._say("Writing…")
        self._run(target, replace=replace)

    @work(thread=True, exclusive=True, group="export", exit_on_error=False)
    def _run(self, target: str, *, replace: bool) -> None:
        try:
            rows = self._write(target, replace=replace)
        except ExistsError as error:
            self.post_message(self.Failed(target, str(error), exists=True))
        except (MlwatchError, OSError) as error:
            self.post_message(self.Failed(target, str(error), exists=False))
        else:
            self.post_message(self.Done(target, rows))

    @on(Done)
    def _done(self, message: Done) -> None:
        self.dismiss(f"{message.rows:,} rows written to {clean(message.target)}")

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        if message.exists:
            self._in_the_way = message.target
            self._say(
                f"There is a file already: {clean(message.target)}. ctrl+r replaces it; or change the name."
            )
        else:
            self._say(clean(message.reason))

    def _say(self, text: str) -> None:
        self.query_one("#said", Static).update(text)


_HINT = "enter writes the file, escape closes this"
