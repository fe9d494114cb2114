"""What is wrong at a moment is told with the time of the first look that found it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from logfiles import lines, prediction

from mlwatch.firstseen import FORGOTTEN_S, FirstSeen
from mlwatch.session import Options, Session
from mlwatch.snapshot.types import Alert

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def alert(rule: str, second: int, about: str = "") -> Alert:
    return Alert(rule, "firing", "warning", "it is so", NOON + timedelta(seconds=second), about=about)


def looked(*rules: tuple[str, str], gap: float = 5.0) -> list[list[float]]:
    """Look four times, the third time at nothing; return how long after noon each alert holds each time."""
    times = iter([0.0, gap, 2 * gap, 3 * gap])
    seen = FirstSeen(lambda: next(times))
    found = []
    for look in range(4):
        alerts = [alert(rule, look, about) for rule, about in rules] if look != 2 else []
        found.append([(one.since - NOON).total_seconds() for one in seen.dated(alerts)])
    return found


def test_what_is_of_the_moment_holds_since_it_was_first_seen() -> None:
    rules = (
        ("host: memory", ""),
        ("endpoint: api", "certificate"),
        ("quality: future timestamps", "m v1"),
    )
    assert looked(*rules) == [[0, 0, 0], [0, 0, 0], [], [3, 3, 3]]


def test_what_knows_since_when_it_holds_says_so() -> None:
    rules = (("endpoint: api", ""), ("rollout", "m v2"), ("endpoint: api: status == 200", ""))
    assert looked(*rules) == [[0, 0, 0], [1, 1, 1], [], [3, 3, 3]]


def test_of_the_time_between_looks_that_are_far_apart_nothing_is_known() -> None:
    assert looked(("host: memory", ""), gap=FORGOTTEN_S) == [[0], [1], [], [3]]


def test_a_session_dates_what_it_saw_before(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    begin = datetime.now(UTC) + timedelta(hours=2)
    ahead = (prediction(n, timestamp=(begin + timedelta(seconds=n)).isoformat()) for n in range(60))
    (logs / "a.jsonl").write_text(lines(ahead))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        first, second = (
            [alert.since for alert in session.snapshot().alerts if alert.rule == "quality: future timestamps"]
            for _ in range(2)
        )
    assert len(first) == 1
    assert second == first
