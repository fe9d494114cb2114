"""What programs that export records write around them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = "timestamp;request_id;prediction;score\n2026-11-20T10:00:00Z;r0;1;0,75\nwhen;r1;0;0,25\n"


@pytest.mark.usual(1)
@pytest.mark.parametrize("told", ["sep=;\n", "\ufeffsep=;\r\n", '"sep=;"\n', ""])
def test_the_separator_that_excel_tells_is_no_header(told: str, logs: Path, take: Callable[[], Any]) -> None:
    rows = ROWS.replace("\n", "\r\n") if "\r" in told else ROWS
    (logs / "log.csv").write_bytes((told + rows).encode())
    with take() as taken:
        assert taken.predictions("id", "prediction", "score") == [("r0", "1", 0.75)]
        assert taken.quarantined() == [("log.csv", 4 if told else 3, "no usable time")]
    with (logs / "log.csv").open("a", encoding="utf-8") as log:
        log.write("2026-11-20T10:00:02Z;r2;0;0,5\n")
    with take() as taken:
        assert taken.predictions("id", "prediction", "score") == [("r0", "1", 0.75), ("r2", "0", 0.5)]


def test_what_a_document_says_once_is_each_records(logs: Path, take: Callable[[], Any]) -> None:
    said = {"model": "credit", "model_version": "v7", "timestamp": "2026-11-20T10:00:00Z", "count": 2}
    records = [{"request_id": f"r{n}", "prediction": 1, "ts": f"2026-11-20T10:00:0{n}Z"} for n in (1, 2)]
    (logs / "a.json").write_text(json.dumps({**said, "predictions": records}, indent=1), encoding="utf-8")
    records = [{"request_id": "r3", "prediction": 1, "version": "v8"}, {"request_id": "r4", "prediction": 1}]
    (logs / "b.json").write_text(json.dumps({**said, "predictions": records}, indent=1), encoding="utf-8")
    with take() as taken:
        assert taken.predictions("id", "model", "version", "strftime(ts, '%S')", order="id") == [
            ("r1", "credit", "v7", "01"),
            ("r2", "credit", "v7", "02"),
            ("r3", "credit", "v8", "00"),
            ("r4", "credit", "-", "00"),
        ]
        assert taken.rows("SELECT name FROM features") == []
