"""How late labels are and how busy the minutes, on the sample logs against pandas on the raw rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import mlwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logfiles import SampleStore

    from mlwatch.session import Session
    from mlwatch.snapshot.types import Model

SAMPLES = Path(__file__).parents[3] / "sample_logs"
START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def watch(sample_store: SampleStore) -> Iterator[Session]:
    with mlwatch.open(SAMPLES, db=sample_store()) as opened:
        yield opened


@pytest.fixture(scope="module")
def model(watch: Session) -> Model:
    return watch.snapshot().models["flight-delay"]


def frame(watch: Session, sql: str) -> pd.DataFrame:
    names, rows = watch.query(sql)
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_lags_are_those_of_the_raw_rows(watch: Session, model: Model, version: str) -> None:
    rows = frame(
        watch,
        """SELECT p.version, o.ts - p.ts AS lag FROM predictions AS p JOIN outcomes AS o USING (id)
        WHERE NOT p.failed""",
    )
    seconds = rows[rows.version == version].lag.dt.total_seconds()
    found = model.versions[version].label_lag
    assert found.n == len(seconds)
    expected = np.quantile(seconds, [0.5, 0.9, 0.99], method="inverted_cdf")
    assert [found.p50_s, found.p90_s, found.p99_s] == pytest.approx(expected, rel=0.011)


def test_a_corrected_label_counts_once_with_its_latest_time(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()

    def write(name: str, *records: dict[str, object]) -> None:
        (logs / name).write_text("".join(json.dumps(record) + "\n" for record in records))

    write(
        "predictions.jsonl",
        *({"timestamp": START.isoformat(), "request_id": f"r{i}", "prediction": i % 2} for i in range(40)),
    )

    def labels(after: timedelta) -> list[dict[str, object]]:
        at = (START + after).isoformat()
        return [{"timestamp": at, "request_id": f"r{i}", "label": 1} for i in range(40)]

    write("labels-1.jsonl", *labels(timedelta(minutes=5)))
    with mlwatch.open(logs, db=":memory:") as opened:
        write("labels-2.jsonl", *labels(timedelta(hours=2)))
        opened.ingest_all()
        (model,) = opened.snapshot().models.values()
    (version,) = model.versions.values()
    assert (version.label_lag.n, version.labelled) == (40, 40)
    assert version.label_lag.p50_s == pytest.approx(7200, rel=0.011)


def test_throughput_is_that_of_whole_minutes(watch: Session, model: Model) -> None:
    rows = frame(watch, "SELECT ts, version FROM predictions")
    by_minute = rows[rows.version == "v1"].groupby(rows.ts.dt.floor("min")).size()
    end = rows.ts.max().floor("min")
    found = model.versions["v1"].throughput
    assert found.peak == pytest.approx(by_minute[by_minute.index < end].max() / 60)
    inside = by_minute[(by_minute.index >= end - pd.Timedelta(minutes=5)) & (by_minute.index < end)]
    assert found.five_minutes == pytest.approx(inside.sum() / 300)


def test_the_tail_of_latency_and_apdex(watch: Session, model: Model) -> None:
    rows = frame(watch, "SELECT latency_ms FROM predictions WHERE version = 'v2' AND latency_ms IS NOT NULL")
    latency = model.versions["v2"].latency
    expected = np.quantile(rows.latency_ms, 0.999, method="inverted_cdf")
    assert latency.p999 == pytest.approx(expected, rel=0.011)
    satisfied, tolerated = (rows.latency_ms <= 500).mean(), (rows.latency_ms <= 2000).mean()
    assert latency.apdex is not None
    assert latency.apdex.value == pytest.approx((satisfied + tolerated) / 2, abs=1e-3)


def test_each_window_has_its_apdex(tmp_path: Path) -> None:
    """Half of the second hour's requests satisfy and a third is tolerated; by the definition that is two thirds."""
    (tmp_path / "mlwatch.toml").write_text('[slo]\nlatency = "150ms"\n')
    records = [
        {
            "timestamp": (START + timedelta(minutes=minute)).isoformat(),
            "prediction": 1,
            "latency_ms": 100 if minute < 60 else (100, 300, 100, 1000, 100, 300)[minute % 6],
        }
        for minute in range(120)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    with mlwatch.open(tmp_path, db=":memory:") as opened:
        opened.ingest_all()
        (model,) = opened.snapshot().models.values()
    (version,) = model.versions.values()
    scores: dict[bool, list[tuple[float, int]]] = {False: [], True: []}
    for window in version.windows:
        apdex = window.latency.apdex
        assert apdex is not None
        assert apdex.value is not None
        scores[window.start >= START + timedelta(hours=1)].append((apdex.value, apdex.n))
    for late, expected in ((False, 1.0), (True, 2 / 3)):
        n = sum(n for _, n in scores[late])
        assert n == 60
        assert sum(value * n for value, n in scores[late]) / n == pytest.approx(expected)
