"""The fixtures of log formats, taken in by a real session."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.session import Options, Session
from mlwatch.sources.formats import halves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMATS = Path(__file__).parents[2] / "fixtures" / "formats"

Row = dict[str, Any]


class Taken:
    """What a log directory came to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.totals = session.snapshot().ingest
        assert self.totals.rows + self.totals.rejected + self.totals.duplicates == self.totals.records

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._session.connection.execute(sql).fetchall()

    def predictions(self, *columns: str, order: str = "ts, id") -> list[tuple[Any, ...]]:
        """Return columns of the predictions; a feature goes by its name."""
        named = dict(self.rows("SELECT name, column_name FROM features"))
        chosen = ", ".join(f'"{named[column]}"' if column in named else column for column in columns)
        return self.rows(f"SELECT {chosen} FROM predictions ORDER BY {order}")

    def quarantined(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT file, line, reason FROM quarantine ORDER BY file, line")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files for complete as soon as they are written, where halves of requests wait for the other."""
    monkeypatch.setattr(halves, "QUIET", timedelta(seconds=-60))
    monkeypatch.setattr(halves, "SOON", timedelta(seconds=-60))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """An empty log directory."""
    directory = tmp_path / "logs"
    directory.mkdir()
    return directory


@pytest.fixture
def take(tmp_path: Path, logs: Path) -> Callable[[], Any]:
    """Take in what is there, in a session of its own on one database file."""

    @contextmanager
    def run() -> Iterator[Taken]:
        with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
            session.ingest_all()
            yield Taken(session)

    return run


@pytest.fixture
def given(logs: Path) -> Callable[[str], None]:
    """Copy the files of a format to the log directory."""

    def copy(name: str) -> None:
        shutil.copytree(FORMATS / name, logs, dirs_exist_ok=True)

    return copy
