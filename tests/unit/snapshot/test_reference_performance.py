"""How well the model did on the reference, against scikit-learn on its rows: a file, a profile, a window of logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

import mlwatch
from mlwatch.cli import main
from mlwatch.faces.footnotes import footnotes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlwatch.snapshot.types import Model

N = 1200
WINDOW = '[reference]\nwindow = "2026-11-03T00:00Z/2026-11-03T08:00Z"\n'
GIVEN = ("table", "profile", "window", "profile of logs")


def rows_of(task: str) -> pd.DataFrame:
    """Twenty hours of predictions; their first eight are the window."""
    rng = np.random.default_rng(3)
    at = pd.date_range("2026-11-03", periods=N, freq="1min", tz="UTC").as_unit("us")
    found = pd.DataFrame({"timestamp": at, "request_id": np.arange(N).astype(str), "x": rng.normal(size=N)})
    found["model"], found["version"] = "m", "v1"
    if task == "binary":
        found["score"] = rng.uniform(0.01, 0.99, N).round(6)
        found["prediction"] = (found["score"] > 0.5).astype(int)
        found["label"] = (rng.random(N) < found["score"]).astype(int)
    elif task == "regression":
        found["prediction"] = rng.normal(50, 10, N).round(4)
        found["label"] = (found["prediction"] + rng.normal(1, 3, N)).round(4)
    else:
        chances = rng.dirichlet(np.ones(4), N).round(9)
        for at_class in range(4):
            found[f"proba_{'abcd'[at_class]}"] = chances[:, at_class]
        found["prediction"] = ["abcd"[k] for k in chances.argmax(axis=1)]
        found["label"] = ["abcd"[rng.choice(4, p=row / row.sum())] for row in chances]
    return found


def expected_of(task: str, rows: pd.DataFrame) -> dict[str, float]:
    true, guess = rows["label"], rows["prediction"]
    if task == "regression":
        return {
            "mae": metrics.mean_absolute_error(true, guess),
            "rmse": metrics.root_mean_squared_error(true, guess),
            "r2": metrics.r2_score(true, guess),
            "mape": metrics.mean_absolute_percentage_error(true, guess),
            "bias": float((guess - true).mean()),
        }
    if task == "binary":
        return {
            "accuracy": metrics.accuracy_score(true, guess),
            "mcc": metrics.matthews_corrcoef(true, guess),
            "log_loss": metrics.log_loss(true, rows["score"]),
            "brier": metrics.brier_score_loss(true, rows["score"]),
        }
    chances = rows[[f"proba_{name}" for name in "abcd"]].to_numpy()
    return {
        "accuracy": metrics.accuracy_score(true, guess),
        "macro_precision": metrics.precision_score(true, guess, average="macro"),
        "log_loss": metrics.log_loss(true, chances),
        "top_2_accuracy": metrics.top_k_accuracy_score(true, chances, k=2),
    }


def model_of(tmp_path: Path, task: str, given: str) -> tuple[Model, pd.DataFrame]:
    """Return the model beside a reference of that kind, and the rows of the reference."""
    rows, logs = rows_of(task), tmp_path / "logs"
    logs.mkdir()
    if given == "window":
        rows.to_parquet(logs / "a.parquet")
        (logs / "mlwatch.toml").write_text(WINDOW)
        with mlwatch.open(logs, db=":memory:") as watch:
            return watch.snapshot().models["m"], rows[:480]
    reference = tmp_path / "training.parquet"
    if given == "profile of logs":
        (tmp_path / "past").mkdir()
        reference = tmp_path / "past"
        rows.to_parquet(reference / "a.parquet")
    else:
        rows.to_parquet(reference)
    if given.startswith("profile"):
        asked = [] if given == "profile" else ["--db", str(tmp_path / "past.duckdb")]
        assert main(["profile", str(reference), *asked, "-o", str(tmp_path / "p.json")]) == 0
        reference = tmp_path / "p.json"
    rows.assign(label=None).to_parquet(logs / "a.parquet")
    with mlwatch.open(logs, db=":memory:", reference=reference) as watch:
        return watch.snapshot().models["m"], rows


@pytest.mark.usual(1)
@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
@pytest.mark.parametrize("given", GIVEN)
def test_its_metrics_are_those_of_scikit_learn(tmp_path: Path, task: str, given: str) -> None:
    model, rows = model_of(tmp_path, task, given)
    assert model.task == task
    found = model.reference_performance
    for name, value in expected_of(task, rows).items():
        assert found[name].value == pytest.approx(value, rel=1e-9), name
        assert found[name].n == len(rows)
    if task == "binary":
        auc = metrics.roc_auc_score(rows["label"], rows["score"])
        assert found["roc_auc"].value == pytest.approx(auc, abs=5e-4)
        assert "ece" in found


def without(profile: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: part for name, part in profile.items() if name not in names}


@pytest.mark.usual(1)
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_profile_of_an_earlier_version_says_what_it_can(tmp_path: Path, task: str) -> None:
    model, rows = model_of(tmp_path, task, "profile")
    path = tmp_path / "p.json"
    path.write_text(
        json.dumps(without(json.loads(path.read_text()), "outcomes", "classes", "ranks", "label_windows"))
    )
    with mlwatch.open(tmp_path / "logs", db=":memory:", reference=path) as watch:
        found = watch.snapshot().models["m"].reference_performance
    known = {"accuracy", "mcc", "roc_auc"} if task == "binary" else {"mae", "rmse", "bias"}
    assert known <= found.keys()
    assert not found.keys() & {"log_loss", "brier", "r2", "mape"}
    for name in known:
        assert found[name].value == pytest.approx(model.reference_performance[name].value, rel=1e-9)
    assert len(rows) == found[min(known)].n


@pytest.mark.usual(1)
@pytest.mark.parametrize("given", ["table", "profile", "profile of logs"])
def test_before_any_label_the_positive_class_is_known_and_all_is_estimated(
    tmp_path: Path, given: str
) -> None:
    model, rows = model_of(tmp_path, "binary", given)
    version = model.versions["v1"]
    assert (model.positive_class, version.labelled) == ("1", 0)
    true, guess = rows["label"], rows["prediction"]
    realised = {
        "accuracy": metrics.accuracy_score(true, guess),
        "precision": metrics.precision_score(true, guess),
        "recall": metrics.recall_score(true, guess),
        "f1": metrics.f1_score(true, guess),
        "specificity": metrics.recall_score(true, guess, pos_label=0),
        "roc_auc": metrics.roc_auc_score(true, rows["score"]),
    }
    assert version.estimated.keys() == realised.keys()
    for name, value in realised.items():
        assert version.estimated[name].value == pytest.approx(value, abs=0.025), name


def test_reports_say_what_the_model_reached_there(tmp_path: Path) -> None:
    model, rows = model_of(tmp_path, "binary", "table")
    accuracy = metrics.accuracy_score(rows["label"], rows["prediction"])
    against, reached, *_ = footnotes(model)
    assert against == "Drift is measured against training.parquet."
    assert reached.startswith(f"On it the model reached: accuracy {accuracy:.4f}, precision ")
