"""A classifier of many classes whose logs have no labels: what its probabilities are worth is learnt beforehand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn import metrics

import mlwatch
from mlwatch.cli import main
from mlwatch.metrics.estimation import MULTICLASS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.types import Version

CLASSES = ("cat", "dog", "emu", "fox")
Records = list[dict[str, Any]]


def pets(n: int, seed: int, tilt: float = 0.0) -> Records:
    """Return labelled predictions whose probabilities are too sure of themselves."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(n, 4)) + tilt * np.arange(4)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (random.random(n)[:, None] > np.cumsum(chances, axis=1)).sum(axis=1)
    said = chances**2 / (chances**2).sum(axis=1, keepdims=True)
    return [
        {
            "ts": f"2026-11-03T{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}Z",
            "request_id": f"r{at}",
            "model": "pets",
            "version": "v1",
            "prediction": CLASSES[int(row.argmax())],
            "label": CLASSES[min(3, int(label))],
            "probabilities": dict(zip(CLASSES, row.round(12).tolist(), strict=True)),
        }
        for at, (row, label) in enumerate(zip(said, truth, strict=True))
    ]


def write(path: Path, records: Records) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Six thousand predictions that move away from the reference, none with a label."""
    found = tmp_path / "logs"
    write(found / "a.jsonl", [{**one, "label": None} for one in pets(6000, 2, 0.3)])
    write(tmp_path / "training.jsonl", pets(6000, 1))
    return found


def version_of(*paths: Path, **asked: Any) -> Version:
    with mlwatch.open(*paths, **asked) as watch:
        model = watch.snapshot().models["pets"]
    assert model.estimated_from is not None
    assert model.estimated_from.startswith("training")
    return model.versions["v1"]


def test_all_is_estimated_from_the_labels_of_the_reference(logs: Path, tmp_path: Path) -> None:
    version = version_of(logs, db=":memory:", reference=tmp_path / "training.jsonl")
    rows = pets(6000, 2, 0.3)
    true, guess = ([one[name] for one in rows] for name in ("label", "prediction"))
    expected = {
        "accuracy": metrics.accuracy_score(true, guess),
        "balanced_accuracy": metrics.balanced_accuracy_score(true, guess),
        "macro_precision": metrics.precision_score(true, guess, average="macro"),
        "macro_f1": metrics.f1_score(true, guess, average="macro"),
        "weighted_f1": metrics.f1_score(true, guess, average="weighted"),
        "roc_auc": metrics.roc_auc_score(
            true, [list(one["probabilities"].values()) for one in rows], multi_class="ovr"
        ),
    }
    assert version.estimated.keys() == set(MULTICLASS)
    assert version.performance["accuracy"].reason == "no labels yet"
    for name, realised in expected.items():
        found = version.estimated[name]
        assert found.value == pytest.approx(realised, abs=0.02), name
        assert found.low is not None
        assert found.high is not None
        assert found.low < realised < found.high
        assert found.n == 6000
    over = [window.estimated["accuracy"] for window in version.windows if window.predictions]
    mean = np.average([each.value for each in over], weights=[each.n for each in over])
    assert mean == pytest.approx(version.estimated["accuracy"].value, abs=1e-3)


@pytest.mark.deep
def test_a_profile_and_a_lake_estimate_the_same(logs: Path, tmp_path: Path) -> None:
    of_rows = version_of(logs, db=":memory:", reference=tmp_path / "training.jsonl").estimated
    profile, lake = tmp_path / "training.json", tmp_path / "lake"
    assert main(["profile", str(tmp_path / "training.jsonl"), "-o", str(profile)]) == 0
    asked = ["--reference", str(profile), "--db", str(tmp_path / "s.duckdb"), "-o", str(lake)]
    assert main(["rollup", str(logs), *asked]) == 0
    same(version_of(logs, db=":memory:", reference=profile).estimated, of_rows)
    same(version_of(lake, db=":memory:").estimated, of_rows)


def same(one: Mapping[str, Estimate], other: Mapping[str, Estimate]) -> None:
    assert one.keys() == other.keys()
    for name, found in one.items():
        assert found.value == pytest.approx(other[name].value, rel=1e-9), name


@pytest.mark.deep
def test_a_profile_of_labelled_logs_teaches_what_they_teach(logs: Path, tmp_path: Path) -> None:
    labelled, profile = tmp_path / "labelled", tmp_path / "training.json"
    write(labelled / "a.jsonl", pets(6000, 1))
    assert main(["profile", str(labelled), "--db", str(tmp_path / "s.duckdb"), "-o", str(profile)]) == 0
    of_rows = version_of(logs, db=":memory:", reference=tmp_path / "training.jsonl").estimated
    of_logs = version_of(logs, db=":memory:", reference=profile).estimated
    same(of_logs, of_rows)


def test_a_reference_of_two_classes_has_no_classes_of_its_own(logs: Path, tmp_path: Path) -> None:
    pair = [one for one in pets(3000, 1) if {one["label"], one["prediction"]} <= {"cat", "dog"}]
    write(tmp_path / "two.jsonl", pair)
    with mlwatch.open(logs, db=":memory:", reference=tmp_path / "two.jsonl") as watch:
        assert watch.query("SELECT COUNT(*) FROM reference_classes")[1] == [(0,)]
        assert watch.query("SELECT SUM(n) FROM reference_labels")[1] == [(len(pair),)]
