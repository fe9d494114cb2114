"""The end that owns the store: answers the tabs' questions over a socket that only this user can reach."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import tempfile
import threading
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwatch.errors import InputError, MlwatchError
from mlwatch.records.desk import Desk
from mlwatch.serve.wire import packed, unpacked

if TYPE_CHECKING:
    from mlwatch.session import Session

DESK_METHODS = frozenset(
    {"page", "detail", "names", "rejects", "tables", "query", "export", "export_query", "cancel"}
)
"""What a tab may ask the desk; a read-only tab's desk refuses the exports."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a tab asks."""

    ticket: str
    """Which tab."""
    method: str
    given: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What it gets: a value, or an error."""

    value: Any = None
    error: MlwatchError | None = None


class Owner:
    """Listen for tabs and answer each connection in a thread of its own.

    Args:
        session: Open and following; stays open.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._folder = tempfile.TemporaryDirectory(prefix="mlwatch-serve-")  # mode 0700
        self.address = str(Path(self._folder.name) / "owner")
        self.key = secrets.token_bytes(32)
        self._listener = Listener(self.address, family="AF_UNIX", authkey=self.key)
        self._desks: dict[str, Desk] = {}
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._accept, name="mlwatch-owner", daemon=True).start()

    def admit(self, *, writable: bool) -> str:
        """Return a ticket for a new tab."""
        ticket = secrets.token_urlsafe(16)
        with self._lock:
            self._desks[ticket] = Desk(self._session.connect, writable=writable)
        return ticket

    def dismiss(self, ticket: str) -> None:
        """Answer a tab no longer, and end what it still asks."""
        with self._lock:
            desk = self._desks.pop(ticket, None)
        if desk is not None:
            for what in ("query", "page", "export"):
                desk.cancel(what)

    def close(self) -> None:
        """Hang up on all tabs."""
        self._closed = True
        with contextlib.suppress(OSError):
            Client(self.address, family="AF_UNIX", authkey=self.key).close()  # wakes `accept`
        self._listener.close()
        with self._lock:
            waiting = list(self._connections)
        for connection in waiting:
            _hang_up(connection)
        self._folder.cleanup()

    def _accept(self) -> None:
        from multiprocessing import AuthenticationError  # noqa: PLC0415

        while True:
            try:
                connection = self._listener.accept()
            except (OSError, EOFError, AuthenticationError):
                if self._closed:
                    return
                continue
            if self._closed:  # it was only woken, and late in its life a process starts no thread
                connection.close()
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: Connection) -> None:
        with self._lock:
            self._connections.add(connection)
        try:
            while not self._closed:
                connection.send_bytes(self._reply(connection.recv_bytes()))
        except (OSError, EOFError):
            pass  # the tab has gone
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _reply(self, message: bytes) -> bytes:
        try:
            return packed(Answer(self._value(unpacked(message))))
        except MlwatchError as error:
            return packed(Answer(error=error))
        except Exception as error:  # noqa: BLE001  the tab is told in words; a foreign error may not travel
            return packed(Answer(error=InputError(str(error) or type(error).__name__)))

    def _value(self, question: Question) -> Any:
        with self._lock:
            desk = self._desks.get(question.ticket)
        if desk is None:
            raise InputError("this tab is no longer answered")
        if question.method == "generation":
            return self._session.generation
        if question.method == "snapshot":
            return self._session.snapshot(*question.given)
        if question.method == "together":
            return self._session.together(*question.given)
        if question.method == "silence" and desk.writable:
            return self._session.silence(*question.given)
        if question.method == "writable":
            return desk.writable
        if question.method not in DESK_METHODS:
            raise InputError("there is no such question", question.method)
        return getattr(desk, question.method)(*question.given, **dict(question.named))


def _hang_up(connection: Connection) -> None:
    """End a connection that another thread may be reading from; that thread closes it then."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
