"""What a session keeps from snapshot to snapshot never shows: every snapshot is that of a store read anew."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch import answers
from mlwatch.session import Options, Session
from mlwatch.snapshot import reader, rollout_course, rollout_memory, tables
from mlwatch.snapshot.build import Memory, Question, snapshot
from mlwatch.snapshot.read import read
from mlwatch.snapshot.rollout import Dear
from mlwatch.snapshot.rollout_course import Course
from mlwatch.snapshot.tables import Tables
from mlwatch.store.rollups import OUTCOMES, TRAFFIC
from mlwatch.store.touched import ALL_TIME, Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

START = datetime(2026, 3, 2, 9, 20, 30, tzinfo=UTC)
SPANS = (timedelta(hours=1), None)


class Logs:
    """A log directory that grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._random, self._count = path, random.Random(7), 0
        self._file = 0

    def write(self, records: list[dict[str, Any]]) -> None:
        """Add a file of records."""
        self._file += 1
        text = "".join(json.dumps(record) + "\n" for record in records)
        (self._path / f"{self._file:03d}.jsonl").write_text(text)

    def requests(self, begin: datetime, end: datetime, every_s: float) -> list[dict[str, Any]]:
        """Return predictions of two versions, some with their label."""
        found = []
        for step in range(int((end - begin).total_seconds() / every_s)):
            self._count += 1
            score = self._random.random()
            record = {
                "timestamp": (begin + timedelta(seconds=step * every_s)).isoformat(),
                "request_id": f"r{self._count}",
                "version": "v2" if self._random.random() < 0.4 else "v1",
                "prediction": int(score > 0.5),
                "score": round(score, 4),
                "latency_ms": round(20 * self._random.lognormvariate(0, 0.5), 3),
                "status": 500 if self._random.random() < 0.02 else 200,
                "features": {"age": self._random.gauss(40, 9), "city": self._random.choice("abcd")},
            }
            if self._random.random() < 0.3:
                record["label"] = int(self._random.random() < score)
            found.append(record)
        return found

    def labels(self, first: int, last: int, at: datetime) -> list[dict[str, Any]]:
        """Return the labels of some requests, as they come later."""
        return [
            {"timestamp": at.isoformat(), "request_id": f"r{n}", "label": self._random.randrange(2)}
            for n in range(first, last)
        ]

    def events(self, first: int, last: int, at: datetime) -> list[dict[str, Any]]:
        """Return purchases that some requests led to."""
        return [
            {"timestamp": at.isoformat(), "request_id": f"r{n}", "event": "purchase", "value": 9.5 + n % 7}
            for n in range(first, last)
        ]


def growing(logs: Logs) -> Iterator[str]:
    """Let a directory grow in every way, and say how."""
    now = START + timedelta(hours=3)
    logs.write(logs.requests(START, now, 8.0))
    yield "the beginning"
    for seconds in (60, 907):
        begin, now = now, now + timedelta(seconds=seconds)
        logs.write(logs.requests(begin, now, 3.0))
        yield f"{seconds} s more"
    logs.write(logs.labels(900, 1350, now))
    yield "labels of the last hour"
    logs.write(logs.events(100, 300, now))
    logs.write(logs.labels(50, 120, now + timedelta(seconds=1)))
    yield "events of long ago, and other labels of the first minutes"
    logs.write(logs.requests(START - timedelta(minutes=50), START, 30.0))
    newer = logs.requests(now, now + timedelta(minutes=5), 2.0)
    logs.write([record | {"version": "v3"} for record in newer])
    yield "requests from before the beginning, and a third version"


def test_every_snapshot_is_that_of_a_store_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout_memory, "PACE", -1.0)  # nothing may be a little old here
    monkeypatch.setattr(rollout_memory, "ENOUGH_S", math.inf)
    monkeypatch.setattr(rollout_course, "course_of", lambda _: Course())  # dear, and in no document
    memory = Memory(rollouts=Dear(lambda _: Course()))
    (tmp_path / "logs").mkdir()
    logs, session = Logs(tmp_path / "logs"), None
    for step in growing(logs):
        session = session or Session(Options(tmp_path / "logs", db=":memory:"))
        session.ingest_all()
        for span in SPANS:
            kept = session.snapshot(span).to_dict()
            asked = (session.connection, session.config, Question(span))
            anew = snapshot(*asked, now=datetime.now(UTC), memory=memory).to_dict()
            for part in ("range", "models", "rollouts"):
                assert not apart(kept[part], anew[part]), (step, span)
    assert session is not None
    session.stop()


@pytest.mark.deep
def test_of_months_nothing_is_counted_twice(tmp_path: Path) -> None:
    """What is kept of days, and what is read again, meet within a day."""
    (tmp_path / "logs").mkdir()
    logs = Logs(tmp_path / "logs")
    logs.write(logs.requests(START - timedelta(days=40), START, 900.0))
    with Session(Options(tmp_path / "logs", db=":memory:")) as session:
        for _ in range(3):
            session.ingest_all()
            kept = session.snapshot().to_dict()
            asked = (session.connection, session.config, Question())
            anew = snapshot(*asked, now=datetime.now(UTC)).to_dict()
            for part in ("performance", "confusion", "windows"):
                own, other = (
                    [found["models"]["logs"]["versions"][name][part] for name in ("v1", "v2")]
                    for found in (kept, anew)
                )
                assert not apart(own, other), part
            logs.write(logs.requests(START, START + timedelta(minutes=10), 10.0))


def test_what_is_kept_does_not_grow_with_a_young_log(tmp_path: Path) -> None:
    """What it is compared with is its first half in whole quarters, which is another one each half hour."""
    (tmp_path / "logs").mkdir()
    logs = Logs(tmp_path / "logs")
    logs.write(logs.requests(START, START + timedelta(hours=1), 20.0))
    compared, sizes = set(), []
    with Session(Options(tmp_path / "logs", db=":memory:")) as session:
        for minute in range(60, 180, 30):
            begin = START + timedelta(minutes=minute)
            logs.write(logs.requests(begin, begin + timedelta(minutes=30), 20.0))
            session.ingest_all()
            compared.add(session.snapshot(SPANS[0]).models["logs"].reference)
            shelf = session._answers._remembered._shelf
            assert shelf is not None
            sizes.append(len(shelf._kept))
    assert len(compared) == len(sizes)
    assert sizes[-1] == sizes[1]


def apart(one: Any, other: Any) -> list[tuple[str, Any, Any]]:
    """Return the leaves in which two documents differ by more than rounding."""
    left, right = flat(one), flat(other)
    return [
        (path, left.get(path, "absent"), right.get(path, "absent"))
        for path in {**left, **right}
        if not alike(left.get(path, "absent"), right.get(path, "absent"))
    ]


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def flat(document: Any, path: str = "") -> Mapping[str, Any]:
    """Return the leaves of a document by path."""
    if isinstance(document, dict | list):
        pairs = document.items() if isinstance(document, dict) else enumerate(document)
        return {at: leaf for key, value in pairs for at, leaf in flat(value, f"{path}/{key}").items()}
    return {path: document}


def test_the_journal_tells_what_came_after_a_batch() -> None:
    journal, hour = Journal(), timedelta(hours=1)
    noon = datetime(2026, 3, 2, 12)  # noqa: DTZ001  naive UTC, as in the store
    journal.note(1, {TRAFFIC.name: (noon, noon + hour)})
    journal.note(2, {OUTCOMES.name: (noon - 5 * hour, noon), TRAFFIC.name: (noon + hour, noon + 2 * hour)})
    journal.note(3, {})
    assert journal.since(0, TRAFFIC) == (noon, noon + 2 * hour)
    assert journal.since(1, TRAFFIC) == (noon + hour, noon + 2 * hour)
    assert journal.since(1, OUTCOMES) == (noon - 5 * hour, noon)
    assert journal.since(2, TRAFFIC) is None
    journal.note(4, None)
    assert journal.since(3, OUTCOMES) == ALL_TIME
    assert journal.since(4, OUTCOMES) is None


def test_of_batches_too_long_ago_the_journal_knows_nothing() -> None:
    journal, noon = Journal(), datetime(2026, 3, 2, 12)  # noqa: DTZ001  naive UTC, as in the store
    for number in range(1, 2000):
        journal.note(number, {TRAFFIC.name: (noon, noon)})
    assert journal.since(1, TRAFFIC) == ALL_TIME
    assert journal.since(1998, TRAFFIC) == (noon, noon)


def test_a_snapshot_is_of_one_moment_and_a_failed_one_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logs").mkdir()
    logs = Logs(tmp_path / "logs")
    logs.write(logs.requests(START, START + timedelta(hours=1), 8.0))
    tables = Tables.read
    with Session(Options(tmp_path / "logs", db=":memory:")) as session:
        session.ingest_all()
        logs.write(logs.requests(START, START + timedelta(hours=1), 9.0))

        def between(*given: Any, **named: Any) -> Tables:
            assert session._ingest.run_once() == 1
            return tables(*given, **named)

        def never(*_: Any, **__: Any) -> Tables:
            raise RuntimeError

        with monkeypatch.context() as patched:
            patched.setattr(Tables, "read", between)
            assert counted(session) == [450, 450]
        with monkeypatch.context() as patched:
            patched.setattr(Tables, "read", never)
            with pytest.raises(RuntimeError):
                session.snapshot(None, START + timedelta(minutes=30))
        assert counted(session) == [850, 850]


def test_a_range_that_holds_everything_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules look at the last day: where there is no more, a report of everything needs to read nothing again."""
    (tmp_path / "logs").mkdir()
    logs, asked = Logs(tmp_path / "logs"), []
    logs.write(logs.requests(START, START + timedelta(minutes=40), 8.0))

    def counting(*given: Any, **named: Any) -> Any:
        asked.append(given)
        return read(*given, **named)

    with Session(Options(tmp_path / "logs", db=":memory:")) as session:
        session.ingest_all()
        monkeypatch.setattr(reader, "read", counting)
        assert counted(session) == [300, 300]
        assert not asked
        session.snapshot(timedelta(minutes=20))
        assert asked


@pytest.mark.deep
def test_the_busiest_minute_of_long_ago_is_looked_for_where_something_came_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logs").mkdir()
    logs, looked, busiest = Logs(tmp_path / "logs"), [], tables._busiest
    begin = START.replace(second=0)

    def looking(*given: Any) -> Any:
        looked.append(given)
        return busiest(*given)

    def add(minutes: float, requests: int) -> float:
        """Add requests of one version to a minute, and return how many the busiest whole minute has."""
        at = begin + timedelta(minutes=minutes)
        logs.write(
            [one | {"version": "v1"} for one in logs.requests(at, at + timedelta(minutes=1), 60 / requests)]
        )
        session.ingest_all()
        peak = session.snapshot().models["logs"].versions["v1"].throughput.peak
        return 60 * (peak or 0)

    monkeypatch.setattr(tables, "_busiest", looking)
    with Session(Options(tmp_path / "logs", db=":memory:")) as session:
        monkeypatch.setattr(session._keeper, "evaluate", lambda: None)  # rules look, too
        add(0, 4)
        assert [add(60, 20), add(400, 10)] == pytest.approx([4, 20])  # the last minute is not over
        before = len(looked)
        assert [add(401, 12), add(402, 2), add(402, 30), add(403, 2)] == pytest.approx([20, 20, 20, 32])
        assert len(looked) == before
        assert add(61, 40) == pytest.approx(40)
        assert add(61.5, 10) == pytest.approx(45)
        assert len(looked) == before + 2
        assert add(500, 2) == pytest.approx(45)


def counted(session: Session) -> list[int]:
    """Return the predictions that a snapshot knows of, and those in the windows that it shows."""
    found = session.snapshot()
    windows = (window for version in found.models["logs"].versions.values() for window in version.windows)
    return [found.ingest.predictions, sum(window.predictions for window in windows)]


@pytest.mark.deep
def test_what_was_ahead_of_the_clock_is_counted_once_the_clock_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No batch touches it then."""
    (tmp_path / "logs").mkdir()
    logs, now = Logs(tmp_path / "logs"), datetime.now(UTC)
    logs.write(logs.requests(now - timedelta(hours=3), now, 10.0))
    logs.write(logs.requests(now + timedelta(minutes=30), now + timedelta(minutes=50), 60.0))
    logs.write(logs.requests(now + timedelta(minutes=90), now + timedelta(minutes=91), 60.0))
    counted = []
    with Session(Options(tmp_path / "logs", db=":memory:")) as session:
        session.ingest_all()
        for minutes in (0, 28, 45, 70):
            clock = now + timedelta(minutes=minutes)
            monkeypatch.setattr(answers, "datetime", Clock(clock))
            kept = session.snapshot().to_dict()
            anew = snapshot(session.connection, session.config, Question(), now=clock).to_dict()
            for part in ("predictions", "performance", "windows"):
                own, other = (
                    [found["models"]["logs"]["versions"][name][part] for name in ("v1", "v2")]
                    for found in (kept, anew)
                )
                assert not apart(own, other), (minutes, part)
            counted.append(
                sum(version["predictions"] for version in kept["models"]["logs"]["versions"].values())
            )
    assert counted[0] == counted[1] == 1080 < counted[2] < counted[3] == 1100


class Clock:
    """Stands for `datetime` where only the present is asked for."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self, zone: object) -> datetime:
        """Return a fixed moment."""
        return self._now.astimezone(UTC) if zone else self._now
