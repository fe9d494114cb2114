"""What began at the same moment is in the same order whenever it is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from logfiles import lines, prediction

import mlwatch
from mlwatch.snapshot.read import lives
from mlwatch.snapshot.state import alerts_of
from mlwatch.store import notices

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

MOMENT = datetime(2026, 11, 3, tzinfo=UTC)
NAMES = [f"m{n:02}" for n in range(12)]


def test_models(tmp_path: Path) -> None:
    records = (prediction(n, model=name, version="v1") for n in range(50) for name in reversed(NAMES))
    (tmp_path / "a.jsonl").write_text(lines(records))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        assert [life.pair.model for life in lives(watch.connection)] == NAMES
        assert list(watch.snapshot().models) == NAMES


def test_alerts(store: DuckDBPyConnection) -> None:
    for name in reversed(NAMES):
        store.execute(
            "INSERT INTO alerts VALUES ('slow', ?, 'v1', 'firing', 'warning', 'is slow', 1, ?, NULL, NULL)",
            [name, MOMENT.replace(tzinfo=None)],
        )
        notices.post(store, "warning", name, "is odd")
    store.execute("UPDATE notices SET said_at = ?", [MOMENT.replace(tzinfo=None)])
    found = alerts_of(store)
    assert [alert.about for alert in found if alert.rule == "slow"] == [f"{name} v1" for name in NAMES]
    assert [alert.rule for alert in found if alert.rule != "slow"] == [f"ingest: {name}" for name in NAMES]
    assert {alert.since for alert in found} == {MOMENT}
