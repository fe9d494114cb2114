"""Means are winsorised at the baseline's frozen 99.9th percentile, against NumPy on the raw rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.metrics.latency import GAMMA

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Rollout

COMES = datetime(2026, 11, 3, 12, tzinfo=UTC)
CONFIG = "[rollout]\nmetrics = ['revenue', 'latency_mean']\n"
Record = dict[str, Any]


def logs(before: int = 6_000, during: int = 6_000) -> tuple[list[Record], list[Record]]:
    """Return requests and events: one version alone, then two; a twentieth buys, now and then for a fortune."""
    rng = np.random.default_rng(4)
    requests, events = [], []
    for i in range(before + during):
        alone = i < before
        time = COMES + timedelta(seconds=(i - before) * (2 if alone else 1))
        version = "v1" if alone or i % 2 else "v2"
        key = f"r{i}"
        fortune = 400.0 if i in {before + 700, before + 900} else 1.0
        latency = float(rng.lognormal(2, 0.4)) * (1_000.0 if i == before + 300 else 1.0)
        requests.append(
            {"timestamp": time.isoformat(), "id": key, "model": "m", "version": version, "prediction": 1,
             "latency_ms": latency, "status": 200}
        )  # fmt: skip
        if rng.random() < 0.05 or fortune > 1:
            sold = {"id": key, "event": "purchase", "timestamp": (time + timedelta(minutes=5)).isoformat()}
            events.append({**sold, "value": float(np.round(rng.lognormal(3, 1), 2)) * fortune})
            if i % 3 == 0:
                events.append({**sold, "event": "refund", "value": 5.0})
    return requests, events


def judged(directory: Path, requests: list[Record], events: list[Record], pieces: int = 1) -> Rollout:
    directory.mkdir(exist_ok=True)
    (directory / "mlwatch.toml").write_text(CONFIG)
    with mlwatch.open(directory, db=":memory:") as watch:
        for piece in range(pieces):  # events first: what a prediction is worth must not depend on the order
            for name, records in (("e", events), ("p", requests)):
                text = "".join(json.dumps(record) + "\n" for record in records[piece::pieces])
                (directory / f"{name}{piece}.jsonl").write_text(text)
            watch.ingest_all()
        (found,) = watch.snapshot().rollouts
    return found


def rows_of(requests: list[Record], events: list[Record]) -> pd.DataFrame:
    money = pd.DataFrame(events)
    money["net"] = money.value.where(money.event == "purchase", -money.value)
    rows = pd.DataFrame(requests).set_index("id")
    rows["net"] = money.groupby("id").net.sum()
    rows["net"] = rows["net"].fillna(0.0)
    rows["during"] = pd.to_datetime(rows.timestamp) >= COMES
    return rows


@pytest.mark.usual(1)
@pytest.mark.parametrize("pieces", [1, 5])
def test_money_is_cut_at_the_frozen_percentile(tmp_path: Path, pieces: int) -> None:
    requests, events = logs()
    found = judged(tmp_path, requests, events, pieces).metrics["revenue"]
    rows = rows_of(requests, events)
    past = rows[~rows.during].net
    assert found.cap is not None
    assert 0 <= np.log(found.cap / np.quantile(past, 0.999, method="inverted_cdf")) < np.log(GAMMA) + 1e-9
    now = rows[rows.during]
    assert now.net.max() > 10 * found.cap
    cut = now.net.clip(upper=found.cap).groupby(now.version).mean()
    assert found.baseline == pytest.approx(cut["v1"], rel=1e-9)
    assert found.candidate == pytest.approx(cut["v2"], rel=1e-9)
    assert found.status == "inconclusive"
    assert any("values above" in note for note in found.notes)


def test_two_fortunes_would_have_widened_the_interval(tmp_path: Path) -> None:
    requests, events = logs()
    cut = judged(tmp_path / "past", requests, events).metrics["revenue"]
    raw = judged(tmp_path / "none", requests[6_000:], events).metrics["revenue"]
    assert raw.cap is None  # nothing is known of before
    assert cut.low is not None
    assert cut.high is not None
    assert raw.low is not None
    assert raw.high is not None
    assert cut.high - cut.low < 0.5 * (raw.high - raw.low)


def test_a_timeout_counts_as_the_limit(tmp_path: Path) -> None:
    requests, events = logs()
    found = judged(tmp_path, requests, events).metrics["latency_mean"]
    rows = rows_of(requests, events)
    now = rows[rows.during]
    assert found.cap is not None
    assert now.latency_ms.max() > 10 * found.cap
    cut = now.latency_ms.clip(upper=found.cap).groupby(now.version).mean()
    assert found.baseline == pytest.approx(cut["v1"], rel=1e-3)  # by bins where a latency is beyond the limit
    assert found.candidate == pytest.approx(cut["v2"], rel=1e-3)


@pytest.mark.deep
def test_a_calibration_judges_means_that_are_cut_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = judged(tmp_path, *logs()).metrics
    arguments = ["calibrate", str(tmp_path), "--db", ":memory:", "--splits", "3", "--format", "json"]
    assert main(arguments) == 0
    (calibrated,) = json.loads(capsys.readouterr().out)
    assert calibrated["before_candidate"] is True
    for name in ("revenue", "latency_mean"):
        assert found[name].cap is not None
        assert calibrated["metrics"][name]["winsorised_at"] == found[name].cap


def test_a_short_past_cuts_nothing(tmp_path: Path) -> None:
    requests, events = logs(before=1_500)
    found = judged(tmp_path, requests, events).metrics
    assert (found["revenue"].cap, found["latency_mean"].cap) == (None, None)
    rows = rows_of(requests, events)
    raw = rows[rows.during].groupby("version").net.mean()
    assert found["revenue"].candidate == pytest.approx(raw["v2"], rel=1e-9)
