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
            assert found.range.end <= now
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
