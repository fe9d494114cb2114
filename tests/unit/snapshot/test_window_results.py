"""Losses, curves and amounts window by window, against scikit-learn and pandas on the raw rows of each window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics

import mlwatch
from mlwatch.metrics import intervals

if TYPE_CHECKING:
    from logfiles import SampleStore

    from mlwatch.snapshot.types import Model, Version, Window

SAMPLES = Path(__file__).parents[3] / "sample_logs"
START = pd.Timestamp("2026-11-03", tz="UTC")
CLASSES = ("cat", "dog", "emu")
BY_SCORES = {"roc_auc", "pr_auc", "log_loss", "brier", "spread"}


def inside(rows: pd.DataFrame, window: Window) -> pd.DataFrame:
    return rows[(rows.ts >= window.start) & (rows.ts < window.end)]


def only(logs: Path) -> Version:
    with mlwatch.open(logs, db=":memory:") as opened:
        (model,) = opened.snapshot().models.values()
    (version,) = model.versions.values()
    return version


def written(logs: Path, rows: pd.DataFrame) -> Path:
    logs.mkdir()
    rows.to_json(logs / "log.jsonl", orient="records", lines=True, date_format="iso", date_unit="us")
    return logs


def scored(sample_store: SampleStore) -> tuple[Model, pd.DataFrame]:
    """Return the model of the samples, and its labelled scores."""
    with mlwatch.open(SAMPLES, db=sample_store()) as opened:
        (model,) = opened.snapshot().models.values()
        names, rows = opened.query("""
            SELECT version, p.ts, CAST(score AS DOUBLE) AS score, o.label = '1' AS label
            FROM predictions AS p JOIN outcomes AS o USING (id) WHERE NOT failed AND score IS NOT NULL""")
    table = pd.DataFrame(rows, columns=names)
    table["ts"] = pd.to_datetime(table.ts, utc=True)
    return model, table


def test_a_binary_model_has_its_losses_and_curves_in_each_window(sample_store: SampleStore) -> None:
    model, table = scored(sample_store)
    looked = 0
    for name, version in model.versions.items():
        for window in version.windows:
            mine = inside(table[table.version == name], window)
            if mine.label.nunique() < 2:
                continue
            found, looked = window.performance, looked + 1
            assert found["roc_auc"].n == found["log_loss"].n == len(mine)
            assert found["log_loss"].value == pytest.approx(
                metrics.log_loss(mine.label, mine.score), rel=1e-9
            )
            assert found["brier"].value == pytest.approx(
                metrics.brier_score_loss(mine.label, mine.score), rel=1e-9
            )
            near = 3e-3  # a window has some hundred rows: one pair that shares a bin is 1e-4 of it
            assert found["roc_auc"].value == pytest.approx(
                metrics.roc_auc_score(mine.label, mine.score), abs=near
            )
            assert found["pr_auc"].value == pytest.approx(
                metrics.average_precision_score(mine.label, mine.score), abs=near
            )
    assert looked > 80


def test_the_losses_of_each_window_have_intervals(sample_store: SampleStore) -> None:
    """Against Student's t of SciPy on the losses of the raw rows; the spread is that of the score bins."""
    model, table = scored(sample_store)
    looked = 0
    for name, version in model.versions.items():
        for window in version.windows:
            mine = inside(table[table.version == name], window)
            if len(mine) < 30:
                continue
            looked += 1
            loss = -np.log(np.where(mine.label, mine.score, 1 - mine.score))
            square = (mine.label - mine.score) ** 2
            log_loss, brier = window.performance["log_loss"], window.performance["brier"]
            low, high = stats.t.interval(0.95, len(loss) - 1, loss.mean(), stats.sem(loss))
            assert log_loss.method == "Student's t"
            assert (log_loss.low, log_loss.high) == pytest.approx((max(0.0, low), high), rel=0.02, abs=0.002)
            expected = intervals.score_interval(len(square), square.mean(), (square**2).mean())
            assert expected is not None
            assert (brier.low, brier.high) == pytest.approx(expected, rel=0.02, abs=0.002)
    assert looked > 40


def test_many_classes_and_amounts_have_theirs(tmp_path: Path) -> None:
    random, n = np.random.default_rng(3), 1200
    chances = random.dirichlet(np.ones(len(CLASSES)), n)
    truth = np.array([random.choice(CLASSES, p=row) for row in chances])
    rows = pd.DataFrame({
        "ts": START + pd.to_timedelta(np.arange(n) * 6, unit="s"),
        "request_id": [f"r{i}" for i in range(n)],
        "version": "v1",
        "prediction": np.array(CLASSES)[chances.argmax(axis=1)],
        "label": truth,
        "probabilities": [dict(zip(CLASSES, row, strict=True)) for row in chances.tolist()],
        "cost_usd": random.gamma(2.0, 0.01, n).round(6),
    })  # fmt: skip
    version = only(written(tmp_path / "logs", rows))
    for start in pd.date_range(START, periods=8, freq="15min"):
        end = start + pd.Timedelta("15min")
        held = [window for window in version.windows if start <= window.start < end and window.labelled]
        mine = rows[(rows.ts >= start) & (rows.ts < end)]
        assert held
        expected: dict[str, Any] = {
            "log_loss": metrics.log_loss(mine.label, chances[mine.index], labels=CLASSES),
            "top_2_accuracy": metrics.top_k_accuracy_score(
                mine.label, chances[mine.index], k=2, labels=CLASSES
            ),
        }
        auc = metrics.roc_auc_score(mine.label, chances[mine.index], multi_class="ovr", labels=CLASSES)
        for window in held:
            for name, value in expected.items():
                assert window.performance[name].value == pytest.approx(value, rel=1e-9), (start, name)
            assert window.performance["roc_auc"].value == pytest.approx(auc, abs=5e-3)
            assert window.measures["cost"].value == pytest.approx(mine.cost_usd.mean(), rel=1e-9)
            assert window.measures["cost"].n == len(mine)


def test_the_document_has_them(tmp_path: Path) -> None:
    rows = pd.DataFrame({
        "ts": START + pd.to_timedelta(np.arange(200) * 20, unit="s"),
        "request_id": [f"r{i}" for i in range(200)],
        "version": "v1",
        "score": np.linspace(0.01, 0.99, 200),
        "label": np.arange(200) % 3 == 0,
        "cost_usd": 0.5,
    })  # fmt: skip
    with mlwatch.open(written(tmp_path / "logs", rows), db=":memory:") as opened:
        document = json.loads(json.dumps(opened.snapshot().to_dict()))
    (model,) = document["models"].values()
    window = model["versions"]["v1"]["windows"][0]
    assert {"roc_auc", "pr_auc", "log_loss", "brier"} == set(window["performance"]) & BY_SCORES
    assert window["latency_ms"]["reasons"]["quantiles"] == "no latencies in the logs"
    assert window["outputs"]["cost"]["value"] == pytest.approx(0.5)
