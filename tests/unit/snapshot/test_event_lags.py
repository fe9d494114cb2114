"""Conversions that are late: how old their requests are is counted up to the newest record that was read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlwatch
from mlwatch.config import RuleSettings
from mlwatch.faces.footnotes import footnotes
from mlwatch.rules import rulings

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

START = datetime(2025, 11, 3, 8, tzinfo=UTC)
END = START + timedelta(hours=20)
NEXT_WEEK = START + timedelta(days=7)
N = 6000
CONFIG = "[rollout]\nbaseline = 'v1'\ncandidate = 'v2'\nlimits = {conversion = 0.1}\n"
RULE = RuleSettings(metric="conversion", when="< 10%", for_=timedelta(minutes=10))
Record = dict[str, Any]


def requests() -> list[Record]:
    """Return requests of twenty hours, of both versions in turn."""
    every = (END - START) / N
    return [
        {"timestamp": (START + i * every).isoformat(), "id": f"r{i}", "model": "m", "version": f"v{1 + i % 2}",
         "prediction": i // 2 % 2, "latency_ms": 20.0, "status": 200}
        for i in range(N)
    ]  # fmt: skip


def event(number: int, time: datetime, name: str = "click") -> Record:
    return {"timestamp": time.isoformat(), "id": f"r{number}", "event": name}


def conversions(rates: dict[str, float], until: datetime) -> list[Record]:
    """Return conversions that come up to thirty hours after their requests, those before a moment."""
    random = np.random.default_rng(2)
    found = []
    for i, record in enumerate(requests()):
        time = datetime.fromisoformat(record["timestamp"]) + timedelta(hours=random.uniform(0, 30))
        if random.random() < rates[record["version"]] and time < until:
            found.append(event(i, time, "purchase"))
    return found


def seen(directory: Path, events: list[Record], at: datetime | None = None) -> Snapshot:
    (directory / "mlwatch.toml").write_text(CONFIG)
    for name, records in (("a", requests()), ("b", events)):
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    with mlwatch.open(directory, db=":memory:") as session:
        return session.snapshot(at=at)


def maturities(snapshot: Snapshot) -> list[float | None]:
    return [version.maturity for version in snapshot.models["m"].versions.values()]


@pytest.mark.usual(1)
@pytest.mark.parametrize("at", [None, START + timedelta(hours=10)])
def test_events_that_go_on_show_that_all_conversions_had_their_time(
    tmp_path: Path, at: datetime | None
) -> None:
    """Later events are counted in a past range, too."""
    late = [event(i, NEXT_WEEK) for i in range(10)]
    found = seen(tmp_path, [*conversions({"v1": 0.3, "v2": 0.02}, NEXT_WEEK), *late], at)
    assert maturities(found) == [1.0, 1.0]
    assert not any("will still rise" in note for note in footnotes(found.models["m"]))
    (judged,) = found.rollouts
    assert (judged.verdict, judged.state) == ("rollback", "hard_limit")
    assert judged.reasons[0].endswith("below the hard limit of 10 % for at least 5 minutes")
    assert {one.version: one.state for one in rulings(found, [RULE])} == {"v1": "ok", "v2": "breach"}


def test_a_past_range_counts_what_came_of_its_requests_as_long_as_others_came(tmp_path: Path) -> None:
    at = START + timedelta(hours=10)
    found = seen(tmp_path, conversions({"v1": 0.3, "v2": 0.3}, END), at)
    ages = np.linspace(10, 20, 60)
    expected = float(ages.mean()) / 20  # the slowest that came took so many hours
    assert maturities(found) == [pytest.approx(expected, abs=0.03)] * 2


def test_where_events_go_on_for_a_while_older_requests_are_judged(tmp_path: Path) -> None:
    until = END + timedelta(hours=20)
    found = seen(tmp_path, conversions({"v1": 0.3, "v2": 0.02}, until))
    ages = np.linspace(20, 40, 60)
    assert maturities(found) == [pytest.approx(float(np.minimum(1, ages / 30).mean()), abs=0.03)] * 2
    (judged,) = found.rollouts
    assert judged.state == "hard_limit"
    assert judged.reasons[0].endswith(", of requests at least 30 hours old")


@pytest.mark.usual(1)
@pytest.mark.parametrize("ahead", [timedelta(days=3), timedelta(days=20_000)])
def test_one_event_with_a_wrong_clock_makes_nothing_older(tmp_path: Path, ahead: timedelta) -> None:
    rates = {"v1": 0.9, "v2": 0.9}
    usual = seen(tmp_path, conversions(rates, END))
    wrong = seen(tmp_path, [*conversions(rates, END), event(1, END + ahead)])
    assert maturities(wrong) == maturities(usual)
    assert max(one or 0.0 for one in maturities(usual)) < 0.6
    assert wrong.rollouts == usual.rollouts
    assert usual.rollouts[0].state != "hard_limit"
    assert {one.state for one in rulings(wrong, [RULE])} <= {"ok", "no_data"}


def test_events_that_are_ahead_of_the_clock_make_nothing_older(tmp_path: Path) -> None:
    future = datetime.now(UTC) + timedelta(days=400)
    events = conversions({"v1": 0.3, "v2": 0.3}, END)
    usual = maturities(seen(tmp_path, events))
    assert maturities(seen(tmp_path, [*events, *(event(i, future) for i in range(50))])) == usual
