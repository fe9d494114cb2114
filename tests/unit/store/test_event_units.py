"""Events that name a user and no request: joined to the last prediction for that user, against pandas' merge_asof."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

START = datetime(2026, 11, 3, tzinfo=UTC)
WINDOW = timedelta(minutes=30)
CONFIG = '[business]\nby_unit = "30m"\n'
Records = list[dict[str, Any]]


def logs() -> tuple[Records, Records]:
    """Return predictions of two versions for forty users, and what the users did, with an id of its own or without."""
    dice = np.random.default_rng(3)
    predictions = [
        {
            "timestamp": (START + timedelta(seconds=int(second))).isoformat(),
            "request_id": f"r{i}",
            "model": "m",
            "version": f"v{1 + i % 2}",
            "user_id": f"u{dice.integers(40)}",
            "prediction": i % 2,
            "age": float(i % 7),
        }
        for i, second in enumerate(dice.choice(36_000, 600, replace=False))
    ]
    events = [
        {
            "timestamp": (START + timedelta(seconds=int(second))).isoformat(),
            "user_id": f"u{dice.integers(44)}",
            "event": kind,
            "value": float(dice.integers(1, 50)),
            "event_id": f"e{i}",
        }
        for i, (second, kind) in enumerate(
            zip(dice.choice(40_000, 500, replace=False), dice.choice(["purchase", "click"], 500), strict=True)
        )
    ]
    return predictions, events


def write(root: Path, name: str, records: Records) -> None:
    root.mkdir(exist_ok=True)
    (root / name).write_text("".join(json.dumps(record) + "\n" for record in records))


def snapshot(root: Path, config: str = CONFIG) -> Snapshot:
    (root / "mlwatch.toml").write_text(config)
    with mlwatch.open(root, db=":memory:") as watch:
        return watch.snapshot()


def joined(predictions: Records, events: Records) -> pd.DataFrame:
    sides = [
        pd.DataFrame(each).assign(ts=lambda f: pd.to_datetime(f.timestamp)) for each in (events, predictions)
    ]
    left, right = (each.sort_values("ts") for each in sides)
    right = right[["ts", "user_id", "request_id", "version"]]
    return pd.merge_asof(left, right, on="ts", by="user_id", tolerance=WINDOW)


@pytest.mark.usual(2)
@pytest.mark.parametrize("order", ["in turn", "events first", "mixed", "without ids"])
def test_the_last_prediction_for_the_user_gets_the_event(tmp_path: Path, order: str) -> None:
    predictions, events = logs()
    if order == "without ids":
        for event in events:
            del event["event_id"]
    if order == "mixed":
        dice = random.Random(1)
        predictions, events = (dice.sample(each, len(each)) for each in (predictions, events))
        for part in range(3):
            write(tmp_path, f"{2 * part}.jsonl", events[part::3])
            write(tmp_path, f"{2 * part + 1}.jsonl", predictions[part::3])
    else:
        names = ("a", "b") if order != "events first" else ("b", "a")
        for name, records in zip(names, (predictions, events), strict=True):
            write(tmp_path, f"{name}.jsonl", records)
    found = snapshot(tmp_path)
    expected = joined(predictions, events)
    paid = expected[expected.event == "purchase"]
    assert found.ingest.events == len(events)
    assert found.ingest.rejected == 0
    assert found.ingest.events_unmatched == expected.request_id.isna().sum() > 0
    for name, version in found.models["m"].versions.items():
        mine = paid[paid.version == name]
        n = sum(record["version"] == name for record in predictions)
        assert version.business.conversion.value == pytest.approx(mine.request_id.nunique() / n)
        assert version.business.revenue.total == pytest.approx(mine.value.sum())
        clicked = expected[(expected.event == "click") & (expected.version == name)]
        assert version.business.engagement.value == pytest.approx(clicked.request_id.nunique() / n)


def test_an_event_that_waits_finds_a_prediction_that_comes_later(tmp_path: Path) -> None:
    predictions, events = logs()
    write(tmp_path, "a.jsonl", events)
    predictions.sort(key=lambda each: each["timestamp"])
    write(tmp_path, "b.jsonl", [*predictions[:4], *predictions[-4:]])
    (tmp_path / "mlwatch.toml").write_text(CONFIG)
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        watch.snapshot()  # keeps sums that what comes now makes out of date
        write(tmp_path, "c.jsonl", predictions[4:-4])
        watch._ingest.run_once()  # as while following, where nothing else is told what changed
        late = watch.snapshot()
        watch.ingest_all()
        again = watch.snapshot()
    assert late.ingest.events_unmatched == joined(predictions, events).request_id.isna().sum()
    one, other = ([each.business for each in some.models["m"].versions.values()] for some in (late, again))
    assert one == other
    paid = joined(predictions, events).query("event == 'purchase' and request_id.notna()")
    assert sum(each.revenue.total for each in one) == pytest.approx(paid.value.sum())


def test_without_being_asked_for_such_events_are_no_ones(tmp_path: Path) -> None:
    predictions, events = logs()
    for event in events:
        del event["event_id"]
    write(tmp_path, "a.jsonl", predictions)
    write(tmp_path, "b.jsonl", events)
    found = snapshot(tmp_path, "")
    assert found.ingest.rejected == len(events)


@pytest.mark.parametrize("first", ["events", "predictions"])
def test_an_event_that_names_its_request_waits_for_that_one(tmp_path: Path, first: str) -> None:
    """The same user's later prediction is not what the event belongs to, even where it is all that is stored yet."""
    predictions = [
        {
            "timestamp": (START + timedelta(minutes=10 * i + 5 * later)).isoformat(),
            "request_id": f"{'ab'[later]}{i}",
            "model": "m",
            "version": f"v{1 + later}",
            "user_id": f"u{i}",
            "prediction": 0,
        }
        for i in range(20)
        for later in (False, True)
    ]
    events = [
        {
            "timestamp": (START + timedelta(minutes=10 * i + 6)).isoformat(),
            "request_id": f"a{i}",
            "user_id": f"u{i}",
            "event": "purchase",
            "value": 5.0,
        }
        for i in range(10)
    ]
    (tmp_path / "mlwatch.toml").write_text(CONFIG)
    steps = {"predictions": predictions, "events": events}
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        for name in sorted(steps, key=lambda name: name != first):
            write(tmp_path, f"{name}.jsonl", steps[name])
            watch.ingest_all()
        found = watch.snapshot()
    money = {name: each.business.revenue.total for name, each in found.models["m"].versions.items()}
    assert money == {"v1": 50.0, "v2": 0.0}
    assert found.ingest.events_unmatched == 0
