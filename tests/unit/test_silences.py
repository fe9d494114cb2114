"""What people say about alerts, in a real store."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import mlwatch
from mlwatch import silences
from mlwatch.snapshot.types import Alert
from mlwatch.store.database import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from duckdb import DuckDBPyConnection

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
LOUD = Alert("accuracy < 0.9", "firing", "warning", "accuracy is 0.85", NOW, 0.85, "m v2")
OTHER = Alert("accuracy < 0.9", "firing", "warning", "accuracy is 0.84", NOW, 0.84, "m v1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBPyConnection]:
    opened = open_store(tmp_path, ":memory:")
    yield opened.connection
    opened.close()


def said(store: DuckDBPyConnection, now: datetime = NOW) -> list[str | None]:
    return [alert.silence for alert in silences.marked(store, (LOUD, OTHER), now)]


def test_a_mute_is_of_one_alert_and_ends(store: DuckDBPyConnection) -> None:
    silences.say(store, LOUD, "mute", NOW, timedelta(hours=1))
    assert said(store) == ["mute", None]
    assert said(store, NOW + timedelta(minutes=61)) == [None, None]


def test_the_last_word_holds(store: DuckDBPyConnection) -> None:
    silences.say(store, LOUD, "mute", NOW)
    silences.say(store, LOUD, "acknowledge", NOW)
    assert said(store) == ["acknowledge", None]
    silences.say(store, LOUD, "lift", NOW)
    assert said(store) == [None, None]


def test_what_is_muted_is_loud_when_it_gets_worse(store: DuckDBPyConnection) -> None:
    silences.say(store, LOUD, "mute", NOW)
    worse, lesser = replace(LOUD, severity="critical"), replace(LOUD, severity="info")
    found = silences.marked(store, [worse, LOUD, lesser], NOW)
    assert [alert.silence for alert in found] == [None, "mute", "mute"]


def test_what_was_said_before_severities_were_kept_is_of_any(store: DuckDBPyConnection) -> None:
    store.execute("INSERT INTO silences VALUES (?, ?, 'acknowledge', ?, NULL)", [LOUD.rule, LOUD.about, NOW])
    (found,) = silences.marked(store, [replace(LOUD, severity="critical")], NOW)
    assert found.silence == "acknowledge"


def test_what_was_said_until_it_is_over_ends_with_the_alert(store: DuckDBPyConnection) -> None:
    silences.say(store, LOUD, "acknowledge", NOW)
    silences.say(store, OTHER, "mute", NOW, timedelta(hours=1))
    silences.tidy(store, [LOUD, OTHER], NOW)
    assert said(store) == ["acknowledge", "mute"]
    silences.tidy(store, [], NOW)
    assert said(store) == [None, "mute"], "a mute for an hour lasts an hour"
    silences.tidy(store, [LOUD, OTHER], NOW + timedelta(hours=1))
    assert store.execute("SELECT COUNT(*) FROM silences").fetchone() == (0,)


def test_it_outlives_the_session(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    times = ((NOW + timedelta(seconds=i)).isoformat() for i in range(60))
    (logs / "log.jsonl").write_text(
        "".join(
            json.dumps(
                {"timestamp": at, "request_id": f"r{i}", "prediction": i % 2, "label": 1, "version": "v1"}
            )
            + "\n"
            for i, at in enumerate(times)
        )
    )
    (logs / "mlwatch.toml").write_text('[[rule]]\nmetric = "accuracy"\nwhen = "< 0.9"\n')
    with mlwatch.open(logs, db=tmp_path / "store.duckdb") as opened:
        (alert,) = (alert for alert in opened.snapshot().alerts if alert.rule == "accuracy < 0.9")
        assert (alert.state, alert.silence, alert.about) == ("firing", None, "logs v1")
        opened.silence(alert, "acknowledge")
    with mlwatch.open(logs, db=tmp_path / "store.duckdb") as opened:
        found = [each.silence for each in opened.snapshot().alerts if each.rule == "accuracy < 0.9"]
        assert found == ["acknowledge"]
        assert opened.snapshot().to_dict()["alerts"][0]["silence"] == "acknowledge"
