"""A session ends in good order while another thread still asks it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.choice import Choice
from mlwatch.errors import StoreError
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_it_waits_for_a_query_that_runs(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"timestamp": 1762164000, "prediction": 1, "model": "m"}\n')
    session = Session(Options(tmp_path, db=tmp_path / "s.duckdb"))
    running, answers = threading.Event(), list[Any]()

    def ask() -> None:
        def begun(rows: int) -> int:
            running.set()  # called within the query
            return rows

        mine = session.connect()
        mine.create_function("begun", begun, ["BIGINT"], "BIGINT")
        answers.append(
            mine.execute(
                "SELECT SUM(a.range % 7) FROM range(begun(20000)) AS a, range(20000) AS b"
            ).fetchone()
        )

    asking = threading.Thread(target=ask)
    asking.start()
    running.wait()
    session.stop()
    asking.join()
    assert answers[0] == ((20000 // 7) * 20000 * 21,)


def test_what_goes_on_before_the_first_prediction_is_told(tmp_path: Path) -> None:
    size = 0
    for number in range(3):
        line = f'{{"timestamp": {1762164000 + number}, "prediction": 1, "model": "m"}}\n'
        size += (tmp_path / f"{number}.jsonl").write_text(line)
    with Session(Options(tmp_path, db=":memory:")) as session:
        told: list[tuple[str, int, int]] = []
        stands, done = session._meter.stands, threading.Event()

        def listen(stage: str, files: int = 0, size: int = 0) -> None:
            told.append((stage, files, size))
            stands(stage, files, size)  # type: ignore[arg-type]
            if stage == "through":
                done.set()

        session._meter.stands = listen  # type: ignore[method-assign]
        assert session.snapshot().feed.stage == "through"
        session.start()
        assert done.wait(30)
        assert told[:3] == [("looking", 0, 0), ("reading", 3, size), ("through", 0, 0)]
        assert session.snapshot().feed.stage == "through"


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "asked",
    [
        lambda session: session.snapshot(),
        lambda session: session.snapshot(at=datetime(2026, 11, 3, tzinfo=UTC)),
        lambda session: session.snapshot(choice=Choice(filter="age > 1")),
        lambda session: session.frame("predictions"),
        lambda session: session.frame("windows"),
        lambda session: session.query("SELECT 1"),
        lambda session: session.desk.rejects(),
        lambda session: session.together(),
        lambda session: session.ingest_all(),
        lambda session: session.look_around(),
        lambda session: session.start(),
    ],
)
def test_a_session_that_was_stopped_says_so(tmp_path: Path, asked: Callable[[Session], object]) -> None:
    (tmp_path / "a.jsonl").write_text('{"timestamp": 1762164000, "prediction": 1, "model": "m", "age": 3}\n')
    session = Session(Options(tmp_path, db=":memory:"))
    session.ingest_all()
    session.snapshot(choice=Choice(filter="age > 1"))
    for _ in range(2):
        session.stop()
    with pytest.raises(StoreError, match="the session is closed"):
        asked(session)
