"""A session over a small log directory on a real database file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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
def take(opened: Callable[[], Any]) -> Take:
    """Take in what is there in a session of its own, and return the snapshot."""

    def run() -> Snapshot:
        with opened() as session:
            found: Snapshot = session.snapshot()
        total = found.ingest
        assert total.rows + total.rejected + total.duplicates == total.records
        return found

    return run
