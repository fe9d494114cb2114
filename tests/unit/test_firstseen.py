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
        ("quality: new features", "m v2"),
    )
    assert looked(*rules) == [[0] * 4, [0] * 4, [], [3] * 4]


def test_what_knows_since_when_it_holds_says_so() -> None:
    rules = (("endpoint: api", ""), ("rollout", "m v2"), ("endpoint: api: status == 200", ""))
    assert looked(*rules) == [[0, 0, 0], [1, 1, 1], [], [3, 3, 3]]


def test_of_the_time_between_looks_that_are_far_apart_nothing_is_known() -> None:
    assert looked(("host: memory", ""), gap=FORGOTTEN_S) == [[0], [1], [], [3]]


def test_looks_at_other_ranges_take_nothing_from_one_another() -> None:
    seen = FirstSeen(lambda: 0.0)
    found = {}
    for second, asked in enumerate(["hour", "day", "some records", "hour", "day", "some records"]):
        alerts = [alert("host: memory", second)]
        alerts += [alert("quality: new features", second)] if asked != "some records" else []
        found[asked] = [(one.since - NOON).total_seconds() for one in seen.dated(alerts, asked)]
    assert found == {"hour": [0, 0], "day": [0, 1], "some records": [0]}


def test_ranges_that_nobody_looks_at_any_more_are_forgotten() -> None:
    times = iter([0.0, FORGOTTEN_S - 1, FORGOTTEN_S + 1])
    seen = FirstSeen(lambda: next(times))
    for asked in ("hour", "day", "day"):
        seen.dated([alert("quality: new features", 0)], asked)
    assert sorted(map(str, seen._looks)) == ["(False, None)", "(True, 'day')"]


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


def test_a_session_dates_what_is_odd_about_its_data(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(map(prediction, range(300))))
    found = []
    with Session(Options(logs, db=":memory:")) as session:
        for look in range(2):
            begin = 300 + 120 * look
            wild = [{"user": n, "timestamp": "yesterday"} for n in range(60)]
            (logs / f"{look}.jsonl").write_text(lines([*map(prediction, range(begin, begin + 120)), *wild]))
            session.ingest_all()
            found += [one for one in session.snapshot().alerts if one.rule == "quality: rejected records"]
    assert found[0].message != found[1].message
    assert found[0].since == found[1].since
