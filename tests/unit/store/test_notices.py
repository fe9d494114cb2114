"""Notices: so many are kept, and what is new, or bad and not over, is among them."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING

from mlwatch.config.settings import RolloutSettings
from mlwatch.following import CONFIGURATION
from mlwatch.hooks import WEBHOOK
from mlwatch.notify import topic_of
from mlwatch.snapshot.state import alerts_of
from mlwatch.store import notices

if TYPE_CHECKING:
    import pytest
    from duckdb import DuckDBPyConnection


def say(store: DuckDBPyConnection, *topics: str, severity: str = "warning") -> None:
    for topic in topics:
        notices.post(store, severity, topic, f"{topic} is not read")


def topics(store: DuckDBPyConnection) -> list[str]:
    """Return what there are notices about, oldest first."""
    return [topic for (topic,) in store.execute("SELECT topic FROM notices ORDER BY said_at").fetchall()]


def foreign(first: int, last: int) -> list[str]:
    return [f"{number}.bin" for number in range(first, last)]


def test_something_new_is_told_after_as_many_notices_as_are_kept(store: DuckDBPyConnection) -> None:
    say(store, *foreign(0, notices.LIMIT + 20))
    assert topics(store) == foreign(20, notices.LIMIT + 20)
    say(store, "log directory", severity="critical")
    assert topics(store) == [*foreign(21, notices.LIMIT + 20), "log directory"]


def test_a_topic_that_is_told_of_again_needs_no_room(store: DuckDBPyConnection) -> None:
    say(store, *foreign(0, notices.LIMIT))
    say(store, "7.bin")
    assert topics(store) == [*foreign(0, 7), *foreign(8, notices.LIMIT), "7.bin"]


def test_what_is_over_makes_room_first_and_what_is_critical_last(
    store: DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "LIMIT", 4)
    say(store, "kafka", severity="critical")
    say(store, "a", "b")
    say(store, "root", severity="critical")
    notices.resolve(store, "root")
    notices.resolve(store, "b")
    said = []
    for topic in ("c", "d", "e"):
        say(store, topic, severity="critical")
        said.append(topics(store))
    assert said == [
        ["kafka", "a", "root", "c"],
        ["kafka", "a", "c", "d"],
        ["kafka", "c", "d", "e"],
    ]
    say(store, "f")
    assert topics(store) == ["c", "d", "e", "f"]


def test_a_store_with_too_many_comes_down_to_what_is_kept(store: DuckDBPyConnection) -> None:
    store.execute(
        """INSERT INTO notices SELECT TIMESTAMP '2026-01-01' + to_seconds(i), 'info', i || '.bin', 'old', FALSE
        FROM range(?) AS t(i)""",
        [notices.LIMIT + 100],
    )
    say(store, "new")
    assert topics(store) == [*foreign(101, notices.LIMIT + 100), "new"]


def test_of_many_notices_the_bad_ones_are_shown_in_the_order_of_time(store: DuckDBPyConnection) -> None:
    say(store, "kafka", severity="critical")
    say(store, *foreign(0, 4))
    say(store, "log directory", severity="critical")
    say(store, *foreign(4, 8))
    for over in ("log directory", "7.bin"):
        notices.resolve(store, over)
    shown = [(alert.rule.removeprefix("ingest: "), alert.state) for alert in alerts_of(store, limit=4)]
    assert shown == [(name, "firing") for name in ("6.bin", "5.bin", "4.bin", "kafka")]
    whole = [alert.rule.removeprefix("ingest: ") for alert in alerts_of(store)]
    assert whole == [*reversed(foreign(4, 8)), "log directory", *reversed(foreign(0, 4)), "kafka"]
    fewer = [alert.rule.removeprefix("ingest: ") for alert in alerts_of(store, limit=9)]
    assert fewer == ["7.bin", *reversed(foreign(4, 7)), *reversed(foreign(0, 4)), "kafka"]


def test_what_is_said_later_is_not_said_of_the_past(store: DuckDBPyConnection) -> None:
    say(store, "early", "late")
    moment = datetime(2026, 1, 2)  # noqa: DTZ001  as the store's times
    for topic, day in (("early", 1), ("late", 3)):
        store.execute(
            "UPDATE notices SET said_at = make_timestamp(2026, 1, ?, 0, 0, 0) WHERE topic = ?", [day, topic]
        )
    assert [alert.rule for alert in alerts_of(store)] == ["ingest: late", "ingest: early"]
    assert [alert.rule for alert in alerts_of(store, moment)] == ["ingest: early"]


def test_of_many_alerts_the_bad_ones_are_shown_and_what_is_not_over_first(store: DuckDBPyConnection) -> None:
    rows = [
        ("old and bad", "firing", "critical", 1),
        ("old", "firing", "warning", 2),
        ("bad but over", "resolved", "critical", 3),
        ("soon", "pending", "warning", 4),
        ("new", "firing", "warning", 5),
        ("over", "resolved", "warning", 6),
    ]
    for rule, state, severity, day in rows:
        store.execute(
            """INSERT INTO alerts SELECT ?, 'm', 'v1', ?, ?, 'said', NULL, make_timestamp(2026, 1, ?, 0, 0, 0),
            make_timestamp(2026, 1, 7, 0, 0, 0), NULL""",
            [rule, state, severity, day],
        )
    every = ["new", "soon", "old", "old and bad", "over", "bad but over"]
    shown = {limit: [alert.rule for alert in alerts_of(store, limit=limit)] for limit in (1, 3, 5, 6)}
    assert shown == {1: ["old and bad"], 3: ["new", "soon", "old and bad"], 5: every[:5], 6: every}


def test_what_was_done_later_is_not_said_of_a_moment_before_the_store_was_begun(
    store: DuckDBPyConnection,
) -> None:
    """What logs hold is: all of it was read later. Of hooks and messages the time is when they ran."""
    hooks = [each.name for each in fields(RolloutSettings) if each.name.startswith("on_")]
    done = [*hooks, WEBHOOK, "notify", topic_of(1), topic_of(12), "rules", CONFIGURATION]
    assert len(hooks) == 3
    say(store, *done, "a.bin", severity="info")
    notices.resolve(store, *done)
    store.execute("INSERT INTO batches (batch, taken_at) VALUES (1, TIMESTAMP '2026-11-30 12:00:00')")
    past = datetime(2026, 11, 5)  # noqa: DTZ001  as the store's times
    assert {alert.rule for alert in alerts_of(store)} == {f"ingest: {each}" for each in (*done, "a.bin")}
    assert [alert.rule for alert in alerts_of(store, past)] == ["ingest: a.bin"]
