"""Estimates without labels on the sample logs, against scikit-learn's isotonic regression on the raw rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.isotonic import IsotonicRegression

import mlwatch
from mlwatch.rule_values import value_of, window_value
from mlwatch.snapshot import estimated
from mlwatch.snapshot.read import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.session import Session
    from mlwatch.snapshot.types import Model

SAMPLES = Path(__file__).parents[3] / "sample_logs"


@pytest.fixture(scope="module")
def watch() -> Iterator[Session]:
    with mlwatch.open(SAMPLES, db=":memory:") as opened:
        yield opened


@pytest.fixture(scope="module")
def model(watch: Session) -> Model:
    return watch.snapshot().models["flight-delay"]


@pytest.fixture(scope="module")
def chances(watch: Session) -> pd.DataFrame:
    """Each successful request with the chance that its flight is late, learnt from the first half of v1."""
    names, found = watch.query(
        """SELECT p.ts, p.version, p.prediction, p.score, COALESCE(o.label, p.label) AS label
        FROM predictions AS p LEFT JOIN outcomes AS o ON o.id = p.id WHERE NOT p.failed"""
    )
    rows = pd.DataFrame(found, columns=names)
    of_v1 = rows[rows.version == "v1"]
    taught = of_v1[(of_v1.ts < of_v1.ts.min() + pd.Timedelta(hours=12)) & of_v1.label.notna()]
    learner = IsotonicRegression(out_of_bounds="clip").fit(taught.score, taught.label == "1")
    chances: pd.DataFrame = rows.assign(chance=learner.predict(rows.score), positive=rows.prediction == "1")
    return chances


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_estimates_follow_from_the_calibrated_scores_of_all_rows(
    model: Model, chances: pd.DataFrame, version: str
) -> None:
    rows = chances[chances.version == version]
    right = np.where(rows.positive, rows.chance, 1 - rows.chance)
    found = model.versions[version].estimated
    assert found["accuracy"].n == len(rows)
    assert found["accuracy"].value == pytest.approx(right.mean(), abs=0.005)
    assert found["precision"].value == pytest.approx(rows.chance[rows.positive].mean(), abs=0.01)
    expected_recall = rows.chance[rows.positive].sum() / rows.chance.sum()
    assert found["recall"].value == pytest.approx(expected_recall, abs=0.01)


def test_a_good_version_is_as_expected_and_the_faulty_one_is_not(model: Model) -> None:
    for version, honest in (("v1", True), ("v2", False)):
        expected, realised = (
            each["accuracy"]
            for each in (model.versions[version].estimated, model.versions[version].performance)
        )
        assert expected.low is not None
        assert realised.value is not None
        assert (realised.value > expected.low) is honest


def test_windows_add_up_to_the_range(model: Model) -> None:
    version = model.versions["v2"]
    parts = [window.estimated["accuracy"] for window in version.windows if window.estimated]
    total = sum((part.value or 0.0) * part.n for part in parts) / sum(part.n for part in parts)
    assert total == pytest.approx(version.estimated["accuracy"].value, abs=1e-3)
    assert "roc_auc" not in version.windows[-1].estimated


def test_rules_can_name_estimates(model: Model) -> None:
    version = model.versions["v2"]
    assert value_of(version, "estimated.accuracy") == version.estimated["accuracy"].value
    assert window_value(version.windows[3], "estimated.f1") == version.windows[3].estimated["f1"].value


def test_whose_labels_it_rests_on_is_said(model: Model) -> None:
    assert model.estimated_from == "the first 12 h of v1"


def scored(rows: list[tuple[str, str, int, int]]) -> Table:
    label, prediction, bins, n = zip(*rows, strict=True)
    count = np.array(n)
    middle = 1 / (1 + np.exp(-0.02 * (np.array(bins) + 0.5)))
    return Table(
        {
            "label": np.array(label, dtype=object),
            "prediction": np.array(prediction, dtype=object),
            "bin": np.array(bins),
            "n": count,
            "sum_score": middle * count,
            "w": np.zeros(len(rows), dtype=int),
        }
    )


def test_too_few_labels_teach_nothing() -> None:
    assert estimated.learn(scored([("1", "1", 50, 199)]), "1", "the start") is None
    assert estimated.of_range(None, scored([("1", "1", 50, 199)])) == {}


def test_of_many_classes_accuracy_alone_follows_from_the_predicted_class_score() -> None:
    """A score of 0.73 was right in 60 % of the cases, one of 0.88 in 90 %."""
    taught = scored([("a", "a", 50, 300), ("b", "a", 50, 200), ("c", "c", 100, 450), ("a", "c", 100, 50)])
    teacher = estimated.learn(taught, None, "the start")
    now = scored([("", "a", 50, 100), ("", "b", 50, 100), ("", "c", 100, 200)])
    found = estimated.of_range(teacher, now)
    assert found["accuracy"].value == pytest.approx(0.5 * 0.6 + 0.5 * 0.9)
    assert found["macro_f1"].reason == "the logs carry the score of the predicted class only"
    assert estimated.by_window(teacher, now, 2)[0]["accuracy"].value == pytest.approx(0.75)
    assert estimated.by_window(teacher, now, 2)[1] == {}
