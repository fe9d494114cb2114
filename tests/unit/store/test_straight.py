"""Large batches take a short way into the store; what they hold besides plain predictions is not lost by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from logfiles import Take, lines, prediction

from mlwatch.store import feeding, straight
from mlwatch.store.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let small batches go the short way, in batches of some kilobytes; tell which ones did."""
    taken: list[bool] = []
    original = Transaction._take_straight

    def spy(self: Transaction, *given: Any) -> Any:
        found = original(self, *given)
        taken.append(found is not None)
        return found

    monkeypatch.setattr(Transaction, "_take_straight", spy)
    monkeypatch.setattr(straight, "LEAST_BYTES", 1000)
    monkeypatch.setattr(feeding, "FIRST_BYTES", 20_000)
    monkeypatch.setattr(feeding, "BATCH_BYTES", 20_000)
    monkeypatch.setattr(feeding, "BLOCK_BYTES", 4_000)
    return taken


def numbers(found: Snapshot) -> tuple[Any, ...]:
    version = found.models["m"].versions["v1"]
    return (
        *(version.predictions, version.errors.count, version.labelled, version.latency.mean),
        version.quality.features["age"].missing,
        *(found.ingest.records, found.ingest.rejected, found.ingest.duplicates, found.ingest.outcomes),
        sum(window.predictions for window in version.windows),
    )


def test_both_ways_give_the_same_numbers(logs: Path, take: Take, short: list[bool]) -> None:
    records = [
        prediction(n, label=n % 2, status=503 if n % 50 == 0 else 200, latency_ms=float(n % 7))
        for n in range(1000)
    ]
    (logs / "a.jsonl").write_text(lines(records))
    found = numbers(take())
    assert short[0] is False  # the features have no columns yet
    assert sum(short) == len(short) - 1 > 5
    assert found == (
        1000,
        20,
        980,
        pytest.approx(sum(n % 7 for n in range(1000)) / 1000),
        0,
        1000,
        0,
        0,
        1000,
        1000,
    )


def test_a_latency_that_cannot_be_read_is_told_of_in_large_batches_too(
    logs: Path, take: Take, short: list[bool]
) -> None:
    records = [prediction(n, latency_ms="1,234" if n == 450 else "20.5") for n in range(600)]
    (logs / "a.jsonl").write_text(lines(records))
    found = take()
    assert any(short)
    assert found.models["m"].versions["v1"].latency.n == 599
    assert [alert.message for alert in found.alerts] == [
        'latencies that cannot be read are left out: 1 so far, such as "1,234" in a.jsonl'
    ]


@pytest.mark.usual(1)
@pytest.mark.parametrize("odd", ["duplicate", "broken", "outcome", "event", "no time"])
def test_what_is_not_plain_is_taken_the_careful_way(
    logs: Path, opened: Callable[[], Any], take: Take, short: list[bool], odd: str
) -> None:
    records = lines(prediction(n) for n in range(600)).splitlines(keepends=True)
    more = {
        "duplicate": lines([prediction(5)]),
        "broken": '{"timestamp": "2026-11-03T10:00:00Z", "bro\n',
        "outcome": lines([{"request_id": "r5", "label": 1, "timestamp": "2026-11-03T12:00:00Z"}]),
        "event": lines([{"request_id": "r5", "event": "purchase", "timestamp": "2026-11-03T12:00:00Z"}]),
        "no time": lines([prediction(9999, timestamp="soon")]),
    }[odd]
    records.insert(400, more)
    (logs / "a.jsonl").write_text("".join(records))
    total = take().ingest
    assert any(short)
    assert not all(short[1:])
    rejected, duplicates = int(odd in {"broken", "no time"}), int(odd == "duplicate")
    assert (total.predictions, total.rejected, total.duplicates) == (600, rejected, duplicates)
    assert (total.outcomes, total.events) == (int(odd == "outcome"), int(odd == "event"))
    with opened() as session:
        rows = session.connection.execute("SELECT COUNT(*), COUNT(DISTINCT id) FROM predictions").fetchone()
    assert rows == (600, 600)


def test_a_copy_of_known_predictions_is_recognised(logs: Path, take: Take, short: list[bool]) -> None:
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(500)))
    take()
    short.clear()
    (logs / "b.jsonl").write_text(lines(prediction(n) for n in range(499, -1, -1)))
    total = take().ingest
    assert (total.predictions, total.duplicates) == (500, 500)
    assert not any(short)


def test_answers_of_a_shadow_are_taken_after_a_batch_of_labels(
    logs: Path, opened: Callable[[], Any], short: list[bool]
) -> None:
    """What was tried the short way and rolled back leaves the table of the batch before."""
    with opened() as session:
        (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(300)))
        session.ingest_all()
        outcomes = [
            {"request_id": f"r{n}", "label": 1, "timestamp": "2026-11-03T12:00:00Z"} for n in range(300)
        ]
        (logs / "b.jsonl").write_text(lines(outcomes))
        session.ingest_all()
        short.clear()
        (logs / "c.jsonl").write_text(lines(prediction(n, version="v2") for n in range(300)))
        session.ingest_all()
        assert short[0] is False
        rows = session.connection.execute("SELECT version, COUNT(*) FROM predictions GROUP BY ALL ORDER BY 1")
        assert rows.fetchall() == [("v1", 300), ("v2", 300)]
        assert session.connection.execute(
            "SELECT COUNT(*) FROM files WHERE state = 'damaged'"
        ).fetchone() == (0,)


def test_labels_that_came_first_meet_their_predictions(logs: Path, take: Take, short: list[bool]) -> None:
    outcomes = [{"request_id": f"r{n}", "label": 1, "timestamp": "2026-11-03T12:00:00Z"} for n in range(300)]
    (logs / "labels.jsonl").write_text(lines(outcomes))
    take()
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(500)))
    found = take()
    assert any(short)
    assert found.models["m"].versions["v1"].labelled == 300
    assert found.ingest.outcomes_unmatched == 0


def test_a_short_way_that_fails_again_and_again_leaves_no_trace(
    logs: Path, take: Take, short: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undone, it finds the table of the batch before in the place of its view."""
    monkeypatch.setattr(straight, "PATIENCE", 1)
    records = [prediction(n) for n in range(500)]
    (logs / "a.jsonl").write_text(lines(records * 3))
    total = take().ingest
    assert (total.predictions, total.duplicates, total.records) == (500, 1000, 1500)
    assert short.count(False) > 4
