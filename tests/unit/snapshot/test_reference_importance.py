"""Which features matter before the logs have labels: told by those of the reference, else by predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway

import mlwatch
from mlwatch.cli import main
from mlwatch.metrics.importance import importance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

N = 3000


def rows_of(task: str) -> pd.DataFrame:
    rng = np.random.default_rng(21)
    city, hour = rng.choice(["a", "b", "c"], N, p=[0.5, 0.3, 0.2]), rng.integers(0, 5, N)
    times = pd.date_range("2026-11-03", periods=N, freq="s", tz="UTC").as_unit("us")
    found = pd.DataFrame({"timestamp": times, "city": city, "hour": hour})
    if task == "regression":
        found["label"] = np.where(city == "a", 10.0, 14.0) + rng.normal(0, 2, N).round(3)
        found["prediction"] = 12.5 + hour / 2 + rng.normal(0, 1, N).round(3)
    else:
        found["label"] = (rng.random(N) < np.where(city == "a", 0.2, 0.7)).astype(int)
        found["prediction"] = (rng.random(N) < 0.2 + hour / 10).astype(int)
    return found


def expected_of(task: str, rows: pd.DataFrame, column: str, told: str) -> float:
    if task == "classes":
        return importance(pd.crosstab(rows[column], rows[told]).to_numpy())
    groups = [part[told].to_numpy() for _, part in rows.groupby(column)]
    f, k = f_oneway(*groups).statistic, len(groups)
    return max(0.0, float((f - 1) * (k - 1) / ((k - 1) * f + N - k)))


def importances(
    logs: Path, reference: Path | None, db: Path | str = ":memory:"
) -> Mapping[str, float | None]:
    with mlwatch.open(logs, db=db, reference=reference) as watch:
        (model,) = watch.snapshot().models.values()
    (version,) = model.versions.values()
    return {name: feature.importance for name, feature in version.quality.features.items()}


@pytest.mark.deep
@pytest.mark.parametrize("task", ["classes", "regression"])
@pytest.mark.parametrize("told", ["label", "prediction"])
def test_it_is_that_of_the_rows_of_the_reference(tmp_path: Path, task: str, told: str) -> None:
    rows, logs = rows_of(task), tmp_path / "logs"
    logs.mkdir()
    rows.drop(columns="label").to_parquet(logs / "a.parquet")
    reference, profile = tmp_path / "training.parquet", tmp_path / "p.json"
    (rows if told == "label" else rows.drop(columns="label")).to_parquet(reference)
    assert main(["profile", str(reference), "-o", str(profile)]) == 0
    for one in (reference, profile):
        found = importances(logs, one)
        assert found.keys() == {"city", "hour"}
        for column, value in found.items():
            assert value == pytest.approx(expected_of(task, rows, column, told), rel=1e-6, abs=1e-9), column


@pytest.mark.deep
def test_labels_of_the_logs_win_and_a_reference_of_before_lingers_not(tmp_path: Path) -> None:
    rows, logs = rows_of("classes"), tmp_path / "logs"
    logs.mkdir()
    rows.drop(columns="label").to_parquet(logs / "a.parquet")
    rows.to_parquet(tmp_path / "training.parquet")
    store = tmp_path / "s.duckdb"
    taught = importances(logs, tmp_path / "training.parquet", store)["city"]
    assert taught == pytest.approx(expected_of("classes", rows, "city", "label"), abs=1e-9)
    own = importances(logs, None, store)["city"]
    assert own == pytest.approx(expected_of("classes", rows, "city", "prediction"), abs=1e-9)
    later = rows.assign(
        timestamp=rows["timestamp"] + pd.Timedelta(hours=2),
        label=rows["label"].sample(frac=1, random_state=1),
    )
    later["label"] = later["label"].to_numpy()[::-1]
    later.to_parquet(logs / "b.parquet")
    found = importances(logs, tmp_path / "training.parquet", store)["city"]
    assert found == pytest.approx(expected_of("classes", later, "city", "label"), abs=1e-9)


@pytest.mark.usual(1)
@pytest.mark.parametrize("task", ["classes", "regression"])
def test_without_labels_and_reference_it_is_that_of_the_predictions(tmp_path: Path, task: str) -> None:
    rows, logs = rows_of(task).drop(columns="label"), tmp_path / "logs"
    logs.mkdir()
    rows.to_parquet(logs / "a.parquet")
    for column, value in importances(logs, None).items():
        assert value == pytest.approx(expected_of(task, rows, column, "prediction"), rel=1e-6, abs=1e-9)


def test_few_predictions_teach_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    rows_of("classes").drop(columns="label").head(150).to_parquet(tmp_path / "logs" / "a.parquet")
    assert set(importances(tmp_path / "logs", None).values()) == {None}


def test_sums_that_overflow_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of("regression")
    rows.loc[0, "label"] = 1e200
    rows.to_parquet(tmp_path / "training.parquet")
    assert main(["profile", str(tmp_path / "training.parquet")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("mlwatch: the sums of some values are infinite: ")
    assert said.endswith(": leave labels and predictions beyond 1e150 out\n")
