"""Lists of class probabilities, as `predict_proba` gives them: the same numbers as columns of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from sklearn import metrics

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Model, Snapshot

ROWS = 900


def written(logs: Path, chances: list[list[float]], name: str, extra: str = "") -> list[int]:
    random = np.random.default_rng(5)
    truth = [int(random.choice(len(row), p=np.array(row) / sum(row))) for row in chances]
    lines = [
        json.dumps({
            "timestamp": f"2026-11-03T{i // 60 % 24:02d}:{i % 60:02d}:00Z",
            "request_id": f"r{i}",
            "version": "v1",
            "prediction": int(np.argmax(row)),
            name: row,
            "label": truth[i],
        })
        for i, row in enumerate(chances)
    ]  # fmt: skip
    logs.mkdir()
    (logs / "log.jsonl").write_text("\n".join(lines) + "\n" + extra)
    return truth


def chances_of(classes: int) -> list[list[float]]:
    rows: list[list[float]] = (
        np.random.default_rng(classes).dirichlet(np.ones(classes), ROWS).round(4).tolist()
    )
    return rows


def seen(logs: Path) -> tuple[Snapshot, Model]:
    with mlwatch.open(logs, db=":memory:") as opened:
        snapshot = opened.snapshot()
    (model,) = snapshot.models.values()
    return snapshot, model


def value(model: Model, name: str) -> float | None:
    return model.versions["v1"].performance[name].value


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", ["probabilities", "predict_proba", "y_prob"])
@pytest.mark.parametrize("damaged", [False, True])
def test_two_probabilities_give_the_score(tmp_path: Path, name: str, damaged: bool) -> None:
    chances = chances_of(2)
    truth = written(tmp_path / "logs", chances, name, "no JSON\n" if damaged else "")
    snapshot, model = seen(tmp_path / "logs")
    scores = [row[1] for row in chances]
    assert (snapshot.ingest.rows, snapshot.ingest.rejected) == (ROWS, int(damaged))
    assert model.task == "binary"
    assert value(model, "brier") == pytest.approx(metrics.brier_score_loss(truth, scores), rel=1e-9)
    assert value(model, "roc_auc") == pytest.approx(metrics.roc_auc_score(truth, scores), abs=5e-4)


def test_more_of_them_give_the_losses_of_many_classes(tmp_path: Path) -> None:
    chances = chances_of(4)
    truth = written(tmp_path / "logs", chances, "probabilities")
    _, model = seen(tmp_path / "logs")
    assert model.task == "multiclass"
    rows = np.array(chances)
    loss = -np.log(np.clip(rows[np.arange(ROWS), truth], 2.2e-16, 1)).mean()
    assert value(model, "log_loss") == pytest.approx(loss, rel=1e-9)
    assert value(model, "top_2_accuracy") == pytest.approx(metrics.top_k_accuracy_score(truth, rows, k=2))


def test_parquet_has_them_as_lists(tmp_path: Path) -> None:
    chances = chances_of(2)
    truth = written(tmp_path / "lines", chances, "probabilities")
    logs = tmp_path / "logs"
    logs.mkdir()
    duckdb.execute(f"COPY (FROM read_json('{tmp_path}/lines/log.jsonl')) TO '{logs}/log.parquet'")
    _, model = seen(logs)
    expected = metrics.brier_score_loss(truth, [row[1] for row in chances])
    assert value(model, "brier") == pytest.approx(expected, rel=1e-9)


@pytest.mark.usual(1)
@pytest.mark.parametrize("values", [[0.2, 0.5], [3.0, -1.0], ["0.4", "0.6"], [1.0], {"[0]": 0.4, "[1]": 0.6}])
def test_other_values_are_left_out_and_lose_no_record(tmp_path: Path, values: Any) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    record = {"request_id": "r", "prediction": 1, "label": 1, "probabilities": values}
    lines = (
        json.dumps({**record, "timestamp": f"2026-11-03T00:{i:02d}:00Z", "request_id": f"r{i}"})
        for i in range(60)
    )
    (logs / "log.jsonl").write_text("\n".join(lines) + "\n")
    snapshot, model = seen(logs)
    (version,) = model.versions.values()
    assert (snapshot.ingest.rows, snapshot.ingest.rejected) == (60, 0)
    assert version.quality.features == {}
    assert version.performance["roc_auc"].value is None
