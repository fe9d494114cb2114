"""What is old goes: rankings with their records, alerts that are over in any case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from logfiles import lines, prediction

from mlwatch.store import retention

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from duckdb import DuckDBPyConnection

NOW = datetime(2026, 11, 3, 12)  # noqa: DTZ001  naive UTC, as in the store


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def place(store: DuckDBPyConnection, query: str, *days: float, model: str = "m", version: str = "v1") -> None:
    """Add the labelled items of a query, each so many days old."""
    for position, each in enumerate(days):
        store.execute(
            "INSERT INTO ranked VALUES (?, ?, ?, ?, ?, 1, 1)", [model, version, query, ago(each), position]
        )


def test_a_query_goes_when_its_newest_item_is_old(store: DuckDBPyConnection) -> None:
    store.execute("INSERT INTO predictions (ts) VALUES (?)", [NOW])
    place(store, "old", 9, 8.5)
    place(store, "old in part", 9, 7.5)
    place(store, "at the limit", 8)
    place(store, "old in part", 9, model="another")
    place(store, "old in part", 9, version="v2")
    place(store, "new", 1)
    assert retention.apply(store, None) == 0
    assert store.execute("SELECT COUNT(*) FROM ranked").fetchone() == (8,)
    assert retention.apply(store, timedelta(days=8)) == 0  # its records are young
    kept = store.execute("SELECT model, version, query, COUNT(*) FROM ranked GROUP BY ALL ORDER BY query")
    assert kept.fetchall() == [
        ("m", "v1", "at the limit", 1),
        ("m", "v1", "new", 1),
        ("m", "v1", "old in part", 2),
    ]


@pytest.mark.parametrize("keep", [None, timedelta(days=1), timedelta(days=365)])
def test_alerts_that_were_over_a_month_ago_go(store: DuckDBPyConnection, keep: timedelta | None) -> None:
    rows = [
        ("long over", "resolved", 90, 31, 30.5),
        ("over", "resolved", 90, 30, 29.5),
        ("fires on", "firing", 90, 0, None),
        ("is pending", "pending", 40, 31, None),
    ]
    for rule, state, since, breached, resolved in rows:
        store.execute(
            "INSERT INTO alerts VALUES (?, 'm', 'v1', ?, 'warning', 'said', NULL, ?, ?, ?)",
            [rule, state, ago(since), ago(breached), None if resolved is None else ago(resolved)],
        )
    retention.apply(store, keep)
    left = [rule for (rule,) in store.execute("SELECT rule FROM alerts ORDER BY rule").fetchall()]
    assert left == ["fires on", "is pending", "over"]


def test_a_record_ahead_of_the_clock_drops_no_others(store: DuckDBPyConnection) -> None:
    ahead = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=365)
    for moment in (NOW, ago(0.5), ago(3), ahead):
        store.execute("INSERT INTO predictions (ts) VALUES (?)", [moment])
    assert retention.apply(store, timedelta(days=1)) == 1
    kept = store.execute("SELECT ts FROM predictions ORDER BY ts").fetchall()
    assert kept == [(ago(0.5),), (NOW,), (ahead,)]


def test_requests_older_than_what_is_kept_are_told(logs: Path, opened: Callable[[], Any]) -> None:
    def of_day(day: int, first: int, last: int) -> str:
        return lines(prediction(n, timestamp=f"2026-11-{day:02d}T10:00:00Z") for n in range(first, last))

    def said(session: Any) -> list[str]:
        alerts = session.snapshot().alerts
        return [one.message for one in alerts if one.rule == "ingest: late requests"]

    (logs / "mlwatch.toml").write_text('[store]\nkeep = "3d"\n')
    (logs / "a.jsonl").write_text(of_day(1, 0, 40) + of_day(9, 40, 80))
    with opened() as session:
        assert said(session) == []
        assert session.query("SELECT COUNT(*) FROM predictions")[1] == [(40,)]
        (logs / "b.jsonl").write_text(of_day(8, 80, 90))  # younger than what is kept: nothing is lost
        session.ingest_all()
        assert said(session) == []
        (logs / "c.jsonl").write_text(of_day(1, 0, 7) + of_day(9, 40, 45))
        session.ingest_all()
        told = (
            " came after [store] keep had dropped the records of their time:"
            " one that repeats any is counted again"
        )
        assert said(session) == [f"7 requests{told}"]
    (logs / "d.jsonl").write_text(of_day(1, 0, 3))
    with opened() as session:
        assert said(session) == [f"10 requests{told}"]
        found = session.snapshot()
    assert (found.ingest.predictions, found.ingest.duplicates) == (100, 5)
