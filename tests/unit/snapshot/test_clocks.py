"""A few records that are ahead of the clock do not say what time it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path

N = 1200


def rollout(start: datetime, spacing: timedelta) -> list[dict[str, Any]]:
    """Return labelled requests of v1 and of v2, which is often wrong."""
    random = np.random.default_rng(2)
    rows = []
    for i in range(N):
        version, label = f"v{1 + i % 2}", int(random.random() < 0.5)
        right = random.random() < (0.9 if version == "v1" else 0.5)
        rows.append({
            "timestamp": (start + i * spacing).isoformat(), "request_id": f"r{i}", "model": "m",
            "version": version, "prediction": label if right else 1 - label, "label": label,
        })  # fmt: skip
    return rows


def write(logs: Path, rows: list[dict[str, Any]]) -> None:
    logs.mkdir()
    (logs / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.usual(1)
@pytest.mark.parametrize("ahead", [timedelta(minutes=20), timedelta(hours=7), timedelta(days=26_000)])
def test_a_record_of_the_future_is_left_out_and_said(tmp_path: Path, ahead: timedelta) -> None:
    now = datetime.now(UTC)
    rows = rollout(now - timedelta(hours=1), timedelta(seconds=3))
    write(
        tmp_path / "logs", [*rows, rows[0] | {"request_id": "late", "timestamp": (now + ahead).isoformat()}]
    )
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        for span in (None, timedelta(minutes=15)):
            found = watch.snapshot(span)
            assert found.range is not None
            assert found.range.end <= now + timedelta(minutes=1)
            (judged,) = found.rollouts
            assert (judged.verdict, judged.baseline, judged.candidate) == ("rollback", "v1", "v2")
            (alert,) = [one for one in found.alerts if one.rule == "quality: future timestamps"]
            assert alert.message.startswith("1 request is up to ")
        version = watch.snapshot().models["m"].versions["v1"]
    assert (version.predictions, found.ingest.predictions) == (N / 2, N + 1)
    assert version.last is not None
    assert version.last <= now


def test_where_all_are_ahead_the_clock_is_wrong_and_they_count(tmp_path: Path) -> None:
    write(tmp_path / "logs", rollout(datetime.now(UTC) + timedelta(days=1), timedelta(seconds=3)))
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        found = watch.snapshot()
    assert sum(version.predictions for version in found.models["m"].versions.values()) == N
    assert "ahead of this machine's clock" in " ".join(alert.message for alert in found.alerts)


def test_harm_that_was_shown_is_not_forgotten_when_the_baseline_falls_silent(tmp_path: Path) -> None:
    start = datetime(2026, 11, 3, 10, tzinfo=UTC)
    rows = rollout(start, timedelta(seconds=6))
    later = [
        row
        for row in rows
        if row["version"] == "v2" or row["timestamp"] < (start + timedelta(hours=1)).isoformat()
    ]
    write(tmp_path / "logs", later)
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        (judged,) = watch.snapshot().rollouts
    assert judged.verdict == "rollback"
    assert judged.reasons[0].startswith("accuracy of v2 is ")


def served(
    version: str, start: datetime, minutes: float, every_s: float, ahead: timedelta = timedelta(), **more: Any
) -> list[dict[str, Any]]:
    """Return requests whose times are ahead of when they were served."""
    count = int(60 * minutes / every_s)
    return [
        {
            "timestamp": (start + timedelta(seconds=every_s * i) + ahead).isoformat(),
            "request_id": f"{version}-{start.isoformat()}-{ahead}-{i}", "model": "m", "version": version,
            "prediction": 1, "status": 200, **more,
        }
        for i in range(count)
    ]  # fmt: skip


HOUR = timedelta(hours=1)


def test_a_version_whose_clock_is_ahead_does_not_move_the_present(tmp_path: Path) -> None:
    """However much of the traffic it gets."""
    now = datetime.now(UTC)
    start = now - timedelta(minutes=20)
    write(tmp_path / "logs", [*served("v1", start, 20, 2), *served("v2", start, 20, 0.5, HOUR)])
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        found = watch.snapshot(HOUR)
    assert found.range is not None
    assert now - timedelta(seconds=10) < found.range.end <= now
    assert list(found.models["m"].versions) == ["v1"]
    assert [a.message for a in found.alerts] == [
        "2,400 requests are up to 1.0 h ahead of this machine's clock and left out"
    ]


def test_a_pod_whose_clock_is_ahead_does_not_move_the_present(tmp_path: Path) -> None:
    """Its version has traffic in the present, too; that of an hour ago may be its own."""
    now = datetime.now(UTC)
    start = now - timedelta(hours=3)
    write(tmp_path / "logs", [*served("v1", start, 180, 3), *served("v1", start, 180, 10, HOUR, status=500)])
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        found = watch.snapshot(HOUR)
    assert found.range is not None
    assert found.range.end <= now + timedelta(minutes=1)
    assert "requests are up to 1.0 h ahead of this machine's clock and left out" in " ".join(
        alert.message for alert in found.alerts
    )


@pytest.mark.usual(1)
@pytest.mark.parametrize("days", [0.1, 10.0])
def test_a_service_whose_zone_is_wrong_is_shown_up_to_its_own_present(tmp_path: Path, days: float) -> None:
    now = datetime.now(UTC)
    start = now - timedelta(days=days)
    write(tmp_path / "logs", served("v1", start, 1440 * days, 60, 2 * HOUR))
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        found = watch.snapshot()
    assert found.range is not None
    assert found.range.end > now + timedelta(minutes=110)
    assert "the newest record of v1 is" in " ".join(alert.message for alert in found.alerts)


def test_a_model_that_is_ahead_as_a_whole_is_named_where_others_are_not(tmp_path: Path) -> None:
    start = datetime.now(UTC) - timedelta(minutes=20)
    other = served("v1", start, 20, 2, HOUR, model="[red]o\x1b")
    write(tmp_path / "logs", [*served("v1", start, 20, 2), *other])
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        found = watch.snapshot()
    assert "clock and left out, with all of [red]o\\x1b" in " ".join(a.message for a in found.alerts)


def test_of_old_logs_a_record_of_the_future_is_left_out_too(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    old = served("v1", now - timedelta(days=9), 120, 10)
    write(tmp_path / "logs", [*old, old[0] | {"request_id": "x", "timestamp": (now + 2 * HOUR).isoformat()}])
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        found = watch.snapshot()
    assert found.range is not None
    assert found.range.end < now - timedelta(days=8)
