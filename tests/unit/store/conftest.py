"""A session over a small log directory on a real database file."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logfiles import Take

    from mlwatch.snapshot.types import Snapshot


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """An empty log directory."""
    directory = tmp_path / "logs"
    directory.mkdir()
    return directory


@pytest.fixture
def opened(tmp_path: Path, logs: Path) -> Callable[[], Any]:
    """Open a session over `logs` on one database file, which outlives the session."""

    @contextmanager
    def open_session() -> Iterator[Session]:
        with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
            session.ingest_all()
            yield session

    return open_session


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Let no file and no directory of a name be opened.

    Permissions do not bind the superuser, so the refusal is put where the operating system would say it.
    """
    real_open, real_scan = Path.open, os.scandir

    def put(file: str, directory: str) -> None:
        def refuse_open(self: Path, *given: Any, **named: Any) -> Any:
            if self.name == file:
                raise PermissionError(errno.EACCES, "Permission denied", str(self))
            return real_open(self, *given, **named)

        def refuse_scan(path: Any) -> Any:
            if str(path).endswith(directory):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real_scan(path)

        monkeypatch.setattr(Path, "open", refuse_open)
        monkeypatch.setattr(os, "scandir", refuse_scan)

    return put


@pytest.fixture
def take(opened: Callable[[], Any]) -> Take:
    """Take in what is there in a session of its own, and return the snapshot."""

    def run() -> Snapshot:
        with opened() as session:
            found: Snapshot = session.snapshot()
        total = found.ingest
        assert total.rows + total.rejected + total.duplicates == total.records
        return found

    return run
