"""Which class is the positive one, where its name does not tell: the one that the scores are of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from logfiles import lines, prediction
from sklearn import metrics

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Model


def records(names: tuple[str, str], first: int, n: int, *, turned: bool = False, **more: Any) -> list[Any]:
    """Return predictions whose scores are of the second class, or of the first where they are turned."""
    random = np.random.default_rng(first)
    found = []
    for number, (score, luck) in enumerate(random.random((n, 2)).round(6).tolist(), first):
        given = {
            "prediction": names[score >= 0.5],
            "label": names[luck < score],
            "score": 1 - score if turned else score,
        }
        found.append(prediction(number, **given, **more))
    return found


def model_of(logs: Path) -> Model:
    with mlwatch.open(logs, db=":memory:") as watch:
        (model,) = watch.snapshot().models.values()
    return model


@pytest.mark.usual(1)
@pytest.mark.parametrize("names", [("normal", "anomaly"), ("1", "2"), ("retained", "churned"), ("b", "a")])
def test_scores_are_the_probability_of_the_positive_class(tmp_path: Path, names: tuple[str, str]) -> None:
    given = records(names, 0, 400)
    (tmp_path / "a.jsonl").write_text(lines(given))
    model = model_of(tmp_path)
    truth, scores = [one["label"] == names[1] for one in given], [one["score"] for one in given]
    assert (model.task, model.positive_class) == ("binary", names[1])
    auc = model.versions["v1"].performance["roc_auc"]
    assert auc.value == pytest.approx(metrics.roc_auc_score(truth, scores), abs=5e-4)


def test_a_telling_name_counts_more_than_scores(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines(records(("fraud", "legit"), 0, 400)))
    assert model_of(tmp_path).positive_class == "fraud"


def test_a_later_version_with_scores_of_the_other_class_turns_nothing_round(tmp_path: Path) -> None:
    names = ("normal", "anomaly")
    later = records(names, 400, 900, turned=True, version="v2")
    for at, one in enumerate(later):
        one["timestamp"] = f"2026-11-05T10:{at // 60:02d}:{at % 60:02d}Z"
    (tmp_path / "a.jsonl").write_text(lines(records(names, 0, 400) + later))
    model = model_of(tmp_path)
    assert model.positive_class == "anomaly"
    aucs = [model.versions[name].performance["roc_auc"].value or 0 for name in ("v1", "v2")]
    assert aucs[0] > 0.7
    assert aucs[1] < 0.3
