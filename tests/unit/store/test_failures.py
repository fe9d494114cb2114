"""A batch that cannot be taken in is read again: nothing twice, nothing lost, and no spool file left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from logfiles import without_ids

from mlwatch.session import Options, Session
from mlwatch.store import feeding
from mlwatch.store.transaction import Transaction

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usual(1)
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("failing", [{1}, {2}, {1, 2, 3, 4, 5, 6}])
def test_a_batch_that_fails_is_read_again(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: bool, failing: set[int]
) -> None:
    monkeypatch.setattr(feeding, "QUIET_BYTES", 0 if ahead else 1 << 20)
    monkeypatch.setattr(feeding, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(feeding, "FIRST_BYTES", 5000)
    monkeypatch.setattr(feeding, "BATCH_BYTES", 5000)
    (logs / "a.jsonl").write_text(without_ids(0, 200))
    (logs / "b.jsonl").write_text(without_ids(200, 230, extra=1))
    (logs / "c.jsonl").write_text(without_ids(230, 250, other="x"))
    take, calls = Transaction.take, 0

    def sometimes(self: Transaction, *rest: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls in failing:
            raise OSError("no space left")
        return take(self, *rest)

    monkeypatch.setattr(Transaction, "take", sometimes)
    with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
        ingest = session._ingest
        for _ in range(len(failing)):
            with pytest.raises(OSError, match="no space left"):
                ingest.run_once()
        while ingest.run_once():
            pass
        assert session.snapshot().ingest.predictions == 250
        made = len(list(ingest._spool.path.glob("*.spool")))
    assert made <= 8


def test_that_the_directory_is_gone_is_said_until_it_is_back(logs: Path, tmp_path: Path) -> None:
    (logs / "a.jsonl").write_text(without_ids(0, 20))

    def told(session: Session) -> list[tuple[str, str]]:
        session._ingest.run_once()
        return [(alert.state, alert.message) for alert in session.snapshot().alerts]

    message = f"{logs} is gone: what it held is shown, nothing new is read"
    with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
        assert told(session) == []
        logs.rename(tmp_path / "elsewhere")
        assert told(session) == [("firing", message)]
        (tmp_path / "elsewhere").rename(logs)
        assert told(session) == [("resolved", message)]
        logs.rename(tmp_path / "elsewhere")
        assert told(session) == [("firing", message)]
    (tmp_path / "elsewhere").rename(logs)
    with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
        assert told(session) == [("resolved", message)]
        assert session.snapshot().ingest.predictions == 20
