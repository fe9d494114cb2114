"""What programs that export records write around them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = "timestamp;request_id;prediction;score\n2026-11-20T10:00:00Z;r0;1;0,75\nwhen;r1;0;0,25\n"


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
