"""A session ends in good order while another thread still asks it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from mlwatch.session import Options, Session

if TYPE_CHECKING:
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
