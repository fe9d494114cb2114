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
from mlwatch.store.transaction import Transaction

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.session import Session
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


@pytest.mark.usual(1)
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


@pytest.mark.usual(1)
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


def of_two_models(predictions: Records) -> Records:
    """Return the same predictions with a third of them by another model; events name none."""
    return [each | {"model": "m" if i % 3 else "other"} for i, each in enumerate(predictions)]


def pieces(predictions: Records, events: Records, seed: int) -> list[list[tuple[str, dict[str, Any]]]]:
    """Return all records in a random order, in six batches."""
    records = [("p", each) for each in predictions] + [("e", each) for each in events]
    dice = np.random.default_rng(seed)
    return [[records[k] for k in batch] for batch in np.array_split(dice.permutation(len(records)), 6)]


def append(root: Path, batch: list[tuple[str, dict[str, Any]]]) -> None:
    for name in "pe":
        with (root / f"{name}.jsonl").open("a") as file:
            file.writelines(json.dumps(record) + "\n" for of, record in batch if of == name)


SUMS = {
    "r_business_60": "class, SUM(n_events), SUM(n_first), SUM(value), SUM(value_sq)",
    "r_worth_60": "bin, SUM(n), SUM(value), SUM(value_sq)",
    "r_event_values_60": "kind, bin, SUM(n), SUM(value), SUM(value_sq)",
    "r_event_lags_3600": "bin, SUM(n)",
}


def sums(watch: Session) -> list[Any]:
    """Return all that events brought, by version and bucket, without what was taken back."""
    found = []
    for table, items in SUMS.items():
        keys = [name for name in items.split(", ") if not name.startswith("SUM")]
        n = items.split("SUM(")[1].split(")")[0]
        by = f"bucket, model, version, {', '.join(keys)}"
        rows = watch.query(
            f"""SELECT CAST(bucket AS VARCHAR), model, version, {items} FROM {table}
            GROUP BY {by} HAVING SUM({n}) <> 0 ORDER BY {by}"""
        )[1]
        found += [value for row in rows for value in (table, *row)]
    return found


@pytest.mark.usual(1)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("restarts", [False, True])
def test_an_event_leaves_its_prediction_for_a_later_one_that_is_read_later(
    tmp_path: Path, seed: int, restarts: bool
) -> None:
    predictions, events = logs()
    predictions = of_two_models(predictions)
    for event in events[::2]:
        del event["event_id"]
    events += events[:40:2]  # alike in everything, each counts
    root, db = tmp_path / "logs", tmp_path / "store.duckdb" if restarts else ":memory:"
    root.mkdir()
    (root / "mlwatch.toml").write_text(CONFIG)
    watch = mlwatch.open(root, db=db)
    for batch in pieces(predictions, events, seed):
        append(root, batch)
        watch.ingest_all()
        if restarts:
            watch.close()
            watch = mlwatch.open(root, db=db)
    step_by_step, brought = watch.snapshot(), sums(watch)
    watch.close()
    with mlwatch.open(root, db=":memory:") as fresh:
        fresh.ingest_all()
        assert brought == pytest.approx(sums(fresh), abs=1e-9)
        assert fresh.snapshot().ingest.events_unmatched == step_by_step.ingest.events_unmatched
    for model, found in step_by_step.models.items():
        expected = joined([each for each in predictions if each["model"] == model], events)
        assert expected.request_id.notna().sum() > 50
        for name, version in found.versions.items():
            paid = expected[(expected.event == "purchase") & (expected.version == name)]
            n = sum(each["version"] == name and each["model"] == model for each in predictions)
            assert version.predictions == n
            assert version.business.revenue.total == pytest.approx(paid.value.sum())
            assert version.business.conversion.value == pytest.approx(paid.request_id.nunique() / n)


def test_events_are_looked_at_again_after_a_run_that_ended_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions, events = logs()
    root, db = tmp_path / "logs", tmp_path / "store.duckdb"
    root.mkdir()
    (root / "mlwatch.toml").write_text(CONFIG)
    first, second, *_ = pieces(predictions, events, 0)
    with mlwatch.open(root, db=db) as watch:
        append(root, first)
        watch.ingest_all()
        append(root, second)
        with monkeypatch.context() as broken:
            broken.setattr(Transaction, "join_by_unit", lambda _self: False)
            watch.ingest_all()
    with mlwatch.open(root, db=db) as watch, mlwatch.open(root, db=":memory:") as fresh:
        for each in (watch, fresh):
            each.ingest_all()
        assert sums(watch) == pytest.approx(sums(fresh), abs=1e-9)


def test_what_was_counted_by_another_rule_stays_where_it_is(tmp_path: Path) -> None:
    root, db = tmp_path / "logs", tmp_path / "store.duckdb"
    root.mkdir()

    def at(minute: int, user: int, **more: Any) -> dict[str, Any]:
        moment = (START + timedelta(minutes=minute)).isoformat()
        return {"timestamp": moment, "user_id": f"u{user}", **more}

    def asked(version: str, minute: int, users: int) -> Records:
        of_all: dict[str, Any] = {"model": "m", "version": version, "prediction": 1}
        return [at(minute, user, request_id=f"{version}-{user}", **of_all) for user in range(users)]

    config = '[business]\nby_unit = "1d"\nattribution = "{}"\n'
    for attribution, records in (
        ("10m", [*asked("v1", 0, 20), *(at(30, user, event="purchase", value=5.0) for user in range(20))]),
        ("1d", asked("v2", 25, 10)),
    ):
        (root / "mlwatch.toml").write_text(config.format(attribution))
        write(root, f"{attribution}.jsonl", records)
        with mlwatch.open(root, db=db) as watch:
            watch.ingest_all()
            versions = watch.snapshot().models["m"].versions
    told = {name: (one.predictions, one.business.conversion.value) for name, one in versions.items()}
    assert told == {"v1": (20, None), "v2": (10, None)}  # no conversion was counted
