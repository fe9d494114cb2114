"""A real store as the source of the app."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driving import settle, text_of
from logfiles import lines, prediction

from mlwatch.choice import USUAL, Choice
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from textual.pilot import Pilot

    from mlwatch.records.desk import Desk
    from mlwatch.silences import Word
    from mlwatch.snapshot.types import Alert, Snapshot

HOSTILE = "[bold red]x[/] \x1b[31m\x1b]0;title\x07\u202eevil\u2066\u200b\u200d\nline\r\ttab\x9b2J"
LONG = HOSTILE + "é" * 10_000


class StoreSource:
    """A session that has read everything; the app's threads may ask it."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self.title = directory.name
        taken = store_of(directory)
        self._own = Path(shutil.copy(taken, tempfile.mkdtemp())) if taken.exists() else None
        self._session = Session(Options(directory, db=self._own or ":memory:", read_only=read_only))
        self._session.ingest_all()
        self.desk: Desk | None = self._session.desk

    def start(self) -> None:
        """Everything is read already."""

    def stop(self) -> None:
        self._session.stop()
        if self._own is not None:
            shutil.rmtree(self._own.parent)

    def ingest(self) -> None:
        """Read what came meanwhile."""
        self._session.ingest_all()

    @property
    def generation(self) -> int:
        return self._session.generation

    def silence(self, alert: Alert, word: Word, length: timedelta | None = None) -> None:
        self._session.silence(alert, word, length)

    def together(self, span: timedelta | None = None, at: datetime | None = None) -> dict[str, Any]:
        return self._session.together(span, at)

    def snapshot(
        self, span: timedelta | None = None, at: datetime | None = None, choice: Choice = USUAL
    ) -> Snapshot:
        return self._session.snapshot(span, at, choice)


def store_of(directory: Path) -> Path:
    """Return where `take_in` puts the store of a directory."""
    return directory.with_suffix(".duckdb")


def take_in(directory: Path) -> Path:
    """Take logs in once, for many sessions that each begin with a copy of the store."""
    with Session(Options(directory, db=store_of(directory))) as session:
        session.ingest_all()
    return directory


def write_logs(directory: Path, count: int = 250) -> Path:
    """Write predictions of two versions, late labels for the first 200, an event, a reference, two broken lines."""
    directory.mkdir()
    records = [prediction(number, version=f"v{1 + number % 2}") for number in range(count)]
    broken = 'not json [red]\x1b[31m\u202e\n{"request_id": "r", "prediction": 1}\n'
    (directory / "a.jsonl").write_text(lines(records) + broken)
    outcomes = [
        {"request_id": f"r{n}", "label": int(n % 3 == 0), "timestamp": "2026-11-03T12:00:00Z"}
        for n in range(200)
    ]
    (directory / "b.jsonl").write_text(lines(outcomes))
    event = {"request_id": "r8", "event": "purchase", "value": 12.5, "timestamp": "2026-11-03T11:00:00Z"}
    (directory / "c.jsonl").write_text(lines([event]))
    (directory / "reference.jsonl").write_text(lines(prediction(n)["features"] for n in range(120)))
    return directory


def write_hostile_logs(directory: Path) -> Path:
    """Write a few predictions whose every text is hostile, some 10 kB long, and rejected lines that are."""
    directory.mkdir()
    hostile = {
        "model": HOSTILE, "version": HOSTILE, "request_id": HOSTILE, "error": HOSTILE,
        "features": {HOSTILE: 1.0, "city": LONG, LONG[:150]: LONG},
    }  # fmt: skip
    records: list[dict[str, Any]] = [prediction(number, **hostile) for number in range(3)]
    for number, record in enumerate(records):
        record["request_id"] = f"{number}{HOSTILE}"
    event = {"request_id": records[2]["request_id"], "event": HOSTILE, "timestamp": "2026-11-03T12:00:00Z"}
    text = lines([*records, event]) + json.dumps({"timestamp": HOSTILE, "prediction": 1}) + "\n"
    (directory / "a.jsonl").write_text(text + LONG.replace("\n", "\x1b[2J") + "\n")
    return directory


def assert_harmless(drawn: str) -> None:
    """Fail where a character that acts on a terminal, or hides, reached the screen."""
    assert not {char for char in drawn if char != "\n" and not char.isprintable()}
    assert not set(drawn) & set("\x1b\x9b\u202e\u2066\u200b\u200d\x07")


async def shows(pilot: Pilot[None], text: str, within_s: float = 10.0) -> str:
    """Wait until a text is on the screen and return what is drawn."""
    return await until(pilot, lambda drawn: text in drawn, text, within_s)


async def until(pilot: Pilot[None], holds: Callable[[str], bool], what: str, within_s: float = 10.0) -> str:
    """Wait until something holds of what is drawn, and return that."""
    from mlwatch.app.app import MlwatchApp

    assert isinstance(pilot.app, MlwatchApp)
    deadline = time.monotonic() + within_s
    while True:
        await settle(pilot)
        drawn = text_of(pilot.app)
        if holds(drawn):
            return drawn
        assert time.monotonic() < deadline, f"{what!r} does not come:\n{drawn}"
