"""The end in a tab's process: a source of snapshots and raw rows that asks the owner of the store."""

from __future__ import annotations

import threading
from multiprocessing.connection import Client, Connection
from typing import TYPE_CHECKING, Any

from mlwatch.choice import USUAL, Choice
from mlwatch.errors import InputError
from mlwatch.records.desk import Desk
from mlwatch.serve.owner import Answer, Question
from mlwatch.serve.wire import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from mlwatch.records import detail, paging, rejects
    from mlwatch.records.desk import Answer as Rows
    from mlwatch.silences import Word
    from mlwatch.snapshot.types import Alert, Snapshot

EVERY_S = 0.3
"""Time between two looks at the owner's generation."""


class Line:
    """Connections to the owner, one a thread, so that a slow question holds up no other."""

    def __init__(self, address: str, key: bytes, ticket: str) -> None:
        self._address, self._key, self._ticket = address, key, ticket
        self._local = threading.local()

    def ask(self, method: str, *given: Any, **named: Any) -> Any:
        """Return the owner's answer.

        Raises:
            MlwatchError: What the owner raised.
            OSError: The owner has gone.
        """
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = Client(self._address, family="AF_UNIX", authkey=self._key)
        connection.send_bytes(packed(Question(self._ticket, method, given, tuple(named.items()))))
        try:
            answer: Answer = unpacked(connection.recv_bytes())
        except EOFError as error:
            raise ConnectionError("the server has ended") from error
        if answer.error is not None:
            raise answer.error
        return answer.value


class RemoteDesk(Desk):
    """A desk whose questions are answered elsewhere."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.writable = bool(line.ask("writable"))

    def page(self, question: paging.Question) -> paging.Page:
        """Return one page of records."""
        found: paging.Page = self._line.ask("page", question)
        return found

    def detail(self, row: int) -> detail.Detail | None:
        """Return one record in full."""
        found: detail.Detail | None = self._line.ask("detail", row)
        return found

    def names(self) -> tuple[str, ...]:
        """Return the names that a filter may use."""
        found: tuple[str, ...] = self._line.ask("names")
        return found

    def rejects(self, page: int = 0, containing: str = "") -> rejects.Rejects:
        """Return one page of the quarantine."""
        found: rejects.Rejects = self._line.ask("rejects", page, containing)
        return found

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of every table."""
        found: dict[str, tuple[str, ...]] = self._line.ask("tables")
        return found

    def query(self, sql: str) -> Rows:
        """Run one SELECT over the store."""
        found: Rows = self._line.ask("query", sql)
        return found

    def export(self, question: paging.Question, target: str, *, replace: bool = False) -> int:
        """Write the records of a question to a file on the server's machine."""
        return int(self._line.ask("export", question, target, replace=replace))

    def export_query(self, sql: str, target: str, *, replace: bool = False) -> int:
        """Write all rows of a SELECT to a file on the server's machine."""
        return int(self._line.ask("export_query", sql, target, replace=replace))

    def cancel(self, what: str) -> bool:
        """End a running question."""
        return bool(self._line.ask("cancel", what))


class RemoteSource:
    """What the app of a tab is shown.

    Args:
        title: What is watched.
        line: To the owner.
        on_lost: Called, in a thread, when the owner has gone.
    """

    def __init__(self, title: str, line: Line, on_lost: Callable[[], object]) -> None:
        self.title = title
        self._line, self._on_lost = line, on_lost
        self._generation = 0
        self._stopping = threading.Event()
        self.desk: Desk | None = None

    def start(self) -> None:
        """Connect, and begin to look for news.

        Raises:
            InputError: The owner cannot be reached.
        """
        try:
            self.desk = RemoteDesk(self._line)
            self._generation = int(self._line.ask("generation"))
        except OSError as error:
            raise InputError("the server cannot be reached", self.title) from error
        threading.Thread(target=self._look, name="mlwatch-look", daemon=True).start()

    def stop(self) -> None:
        """Look no longer."""
        self._stopping.set()

    @property
    def generation(self) -> int:
        """A number that grows when there is something new."""
        return self._generation

    def together(self, span: timedelta | None = None, at: datetime | None = None) -> dict[str, Any]:
        """Return how far all features together moved."""
        found: dict[str, Any] = self._line.ask("together", span, at)
        return found

    def snapshot(
        self, span: timedelta | None = None, at: datetime | None = None, choice: Choice = USUAL
    ) -> Snapshot:
        """Return what to show."""
        found: Snapshot = self._line.ask("snapshot", span, at, choice)
        return found

    def silence(self, alert: Alert, word: Word, length: timedelta | None = None) -> None:
        """Mute or acknowledge an alert, where this tab may write."""
        self._line.ask("silence", alert, word, length)

    def _look(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                self._generation = int(self._line.ask("generation"))
            except (OSError, InputError):
                if not self._stopping.is_set():
                    self._on_lost()
                return
