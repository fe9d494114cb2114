"""Events that are dated before their prediction, and those that came twice: against pandas, in any order of arrival."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import mlwatch
from mlwatch.store.event_times import TOLERANCE, midnights

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

START = datetime(2026, 11, 3, 9, 0, 7, tzinfo=UTC)
KINDS = ("purchase", "click", "refund")
LAGS = "SELECT version, bin, SUM(n) FROM r_event_lags_3600 GROUP BY ALL HAVING SUM(n) <> 0 ORDER BY ALL"
Records = list[dict[str, Any]]


def written(at: datetime) -> str:
    return at.isoformat()


def logs(seed: int) -> tuple[Records, Records]:
    """Return predictions of two versions, and events some of which are early, dated by day, or there twice."""
    dice = np.random.default_rng(seed)
    at = [START + timedelta(seconds=int(second)) for second in dice.choice(30_000, 200, replace=False)]
    predictions = [
        {
            "timestamp": written(when),
            "request_id": f"r{i}",
            "model": "m",
            "version": f"v{1 + i % 2}",
            "prediction": 1,
        }
        for i, when in enumerate(at)
    ]
    tolerance = TOLERANCE.total_seconds()
    offsets = [-7200.0, -tolerance - 1, -tolerance, -1.0, 0.0, 60.0, 7200.0, 90_000.0]
    events: Records = []
    for _ in range(500):
        i = int(dice.integers(len(at)))
        when = at[i] + timedelta(seconds=float(dice.choice(offsets)))
        if dice.random() < 0.2:
            when = when.replace(hour=0, minute=0, second=0)  # by day
        kind = str(dice.choice(KINDS))
        event = {"timestamp": written(when), "request_id": f"r{i}", "event": kind}
        events.append(event if kind == "click" else event | {"value": float(dice.integers(1, 90))})
    events += [events[int(k)] for k in dice.choice(len(events), 60, replace=False)]
    return predictions, events


def expected(predictions: Records, events: Records) -> pd.DataFrame:
    """Return events with their predictions, whether they are early, and whether they equal an earlier one."""
    left, right = (
        pd.DataFrame(each).assign(ts=lambda rows: pd.to_datetime(rows.timestamp))
        for each in (events, predictions)
    )
    rows = left.merge(right[["request_id", "version", "ts"]], on="request_id", suffixes=("", "_asked"))
    by_day = rows.ts == rows.ts.dt.normalize()
    until = rows.ts + pd.to_timedelta(by_day.astype(int), unit="D")
    rows["early"] = until < rows.ts_asked - TOLERANCE
    again = rows.duplicated(["request_id", "event", "value", "ts"])
    rows["again"] = again & ~rows.early & (rows.ts != rows.ts.dt.floor("min"))
    return rows


def check(found: Snapshot, predictions: Records, events: Records) -> None:
    rows = expected(predictions, events)
    assert rows.early.sum() > 50
    assert rows.again.sum() > 20
    assert found.ingest.events == len(events)
    for name, version in found.models["m"].versions.items():
        mine = rows[rows.version == name]
        counted, business = mine[~mine.early], version.business
        assert business.early_events == mine.early.sum()
        assert business.repeated_events == mine.again.sum()
        assert business.revenue.gross == pytest.approx(counted[counted.event == "purchase"].value.sum())
        assert business.revenue.refunds == pytest.approx(counted[counted.event == "refund"].value.sum())
        n = sum(record["version"] == name for record in predictions)
        for estimate, kind in ((business.conversion, "purchase"), (business.engagement, "click")):
            assert estimate.value == pytest.approx(counted[counted.event == kind].request_id.nunique() / n)


@pytest.mark.usual(1)
@pytest.mark.parametrize("seed", range(6))
def test_events_before_their_prediction_are_left_out_in_any_order_of_arrival(
    tmp_path: Path, seed: int
) -> None:
    predictions, events = logs(seed)
    pieces = [("p", each) for each in predictions] + [("e", each) for each in events]
    dice = np.random.default_rng(seed)
    order = dice.permutation(len(pieces))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        for batch in np.array_split(order, 7):
            for name in "pe":
                with (tmp_path / f"{name}.jsonl").open("a") as file:
                    file.writelines(json.dumps(pieces[k][1]) + "\n" for k in batch if pieces[k][0] == name)
            watch.ingest_all()
        step_by_step, lags = watch.snapshot(), watch.query(LAGS)
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        at_once, lags_at_once = watch.snapshot(), watch.query(LAGS)
    for found in (step_by_step, at_once):
        check(found, predictions, events)
    assert lags == lags_at_once


def test_early_and_repeated_events_are_told(tmp_path: Path) -> None:
    predictions, events = logs(0)
    for name, records in (("p", predictions), ("e", events)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        said = [alert.message for alert in watch.snapshot().alerts]
    mine = expected(predictions, events).query("version == 'v1'")
    early = f"{mine.early.sum()} events of v1 are dated more than 5m before the request, and left out as not its doing"
    assert early in said
    assert any(
        each.startswith(f"{mine.again.sum()} events of v1 (") and "each is counted" in each for each in said
    )


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo", "Asia/Kolkata"])
def test_days_begin_when_they_do_in_a_zone(zone: str) -> None:
    days = pd.date_range("2026-01-01", "2026-12-31", tz=zone).tz_convert("UTC")
    times = {(day - day.normalize()) // pd.Timedelta(1, "us") for day in days}
    assert times <= set(midnights(zone))


def test_an_event_of_a_day_counts_for_that_day_in_the_zone_of_the_logs(tmp_path: Path) -> None:
    (tmp_path / "mlwatch.toml").write_text('[roles]\ntimezone = "Europe/Oslo"\n')
    asked = [
        {
            "time": f"2026-11-03 {9 + i % 9:02d}:00:30",
            "request_id": f"r{i}",
            "model": "m",
            "version": "v1",
            "prediction": 1,
        }
        for i in range(20)
    ]
    bought = [
        {"time": f"2026-11-0{2 + i % 2} 00:00:00", "request_id": f"r{i}", "event": "purchase", "value": 1.0}
        for i in range(20)
    ]
    for name, records in (("p", asked), ("e", bought)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        (version,) = watch.snapshot().models["m"].versions.values()
    assert (version.business.revenue.gross, version.business.early_events) == (10.0, 10)
