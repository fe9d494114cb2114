"""Scores without a prediction that tell no class: no metric of decided classes, and no verdict by one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn import metrics

import mlwatch
from mlwatch.snapshot.families import OF_SCORES, OVER
from mlwatch.snapshot.undecided import GRADES, NO_PREDICTION, NO_PROBABILITIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlwatch.snapshot.types import Model, Snapshot

START = datetime(2026, 11, 3, 10, tzinfo=UTC)
Record = dict[str, Any]


def scored(n: int, seed: int = 1, *, first: int = 0, **more: Any) -> list[Record]:
    """Return labelled margins: the log odds of the label, at which 0 is the border between classes."""
    random = np.random.default_rng(seed)
    truth = random.random(n) < 0.4
    margins = random.normal(np.where(truth, 1.0, -1.0), 1.5).round(4)
    return [
        {
            "timestamp": (START + timedelta(seconds=20 * at)).isoformat(),
            "request_id": f"r{at}",
            "model": "m",
            "version": "v1" if at < n // 3 or at % 2 else "v2",
            "score": margin,
            "label": int(label),
            "age": at % 7,
            "latency_ms": 5.0 + at % 9,
            **more,
        }
        for at, (margin, label) in enumerate(zip(margins.tolist(), truth.tolist(), strict=True), first)
    ]


def chance(margin: float) -> float:
    return float(1 / (1 + np.exp(-margin)))


def taken(logs: Path, records: Sequence[Record], config: str = "") -> Snapshot:
    (logs / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (logs / "mlwatch.toml").write_text(config)
    with mlwatch.open(logs, db=":memory:") as watch:
        return watch.snapshot()


def model_of(snapshot: Snapshot) -> Model:
    (model,) = snapshot.models.values()
    return model


def assert_undecided(model: Model, why: str) -> None:
    for version in model.versions.values():
        parts = [version.performance, *(each.performance for each in version.windows if each.labelled)]
        for found in parts:
            assert {name: found[name].reason for name in OVER["binary"]} == dict.fromkeys(OVER["binary"], why)
        assert version.labelled > 0
        assert version.confusion is None
        assert (version.segments, version.segment_pairs, version.fall) == ((), (), None)
        assert version.answers is not None
        assert version.answers.reason == why


def test_margins_are_no_classes(tmp_path: Path) -> None:
    records = scored(900)
    snapshot = taken(tmp_path, records, '[segments]\nprotected = ["age"]\n')
    model = model_of(snapshot)
    assert (model.task, model.positive_class) == ("binary", "1")
    assert_undecided(model, NO_PROBABILITIES)
    found = model.versions["v2"]
    mine = [one for one in records if one["version"] == "v2"]
    auc = metrics.roc_auc_score([one["label"] for one in mine], [one["score"] for one in mine])
    assert found.performance["roc_auc"].value == pytest.approx(auc, abs=5e-4)
    assert found.labels is not None
    assert found.labels.value == pytest.approx(np.mean([one["label"] for one in mine]))
    assert found.quality.score_drift is not None
    (rollout,) = snapshot.rollouts
    assert "accuracy" not in rollout.metrics
    assert f"accuracy is not judged, because {NO_PROBABILITIES}" in rollout.reasons


def test_probabilities_are_cut_as_before_and_so_are_those_that_rounding_brought_beyond(
    tmp_path: Path,
) -> None:
    records = [{**one, "score": chance(one["score"])} for one in scored(900)]
    records[3]["score"], records[4]["score"] = 1.0000001, -0.0000001
    model = model_of(taken(tmp_path, records))
    for name, version in model.versions.items():
        mine = [one for one in records if one["version"] == name]
        right = np.mean([(one["score"] >= 0.5) == one["label"] for one in mine])
        assert version.performance["accuracy"].value == pytest.approx(right, abs=1e-12)
        assert version.performance["accuracy"].n == len(mine)


def test_a_log_that_begins_with_probabilities_is_judged_by_all_of_its_scores(tmp_path: Path) -> None:
    """What lies between 0 and 1 among margins is of a class for itself, and says nothing of the others."""
    early = [{**one, "score": chance(one["score"])} for one in scored(1200)]
    late = scored(1800, 2, first=1200)
    snapshot = taken(tmp_path, [*early, *late])
    found = model_of(snapshot).versions["v2"].performance
    assert {found[name].reason for name in OVER["binary"]} == {NO_PROBABILITIES}
    (rollout,) = snapshot.rollouts
    assert f"accuracy is not judged, because {NO_PROBABILITIES}" in rollout.reasons


def test_a_few_scores_that_stand_for_none_are_left_out(tmp_path: Path) -> None:
    records = [{**one, "score": chance(one["score"])} for one in scored(900)]
    for one in records[7::50]:
        one["score"] = -1.0
    snapshot = taken(tmp_path, records)
    version = model_of(snapshot).versions["v1"]
    mine = [one for one in records if one["version"] == "v1" and one["score"] >= 0]
    right = np.mean([(one["score"] >= 0.5) == one["label"] for one in mine])
    assert version.performance["accuracy"].value == pytest.approx(right, abs=1e-12)
    assert version.performance["accuracy"].n == len(mine) < version.labelled
    (rollout,) = snapshot.rollouts
    judged = [one for one in records[300:] if one["version"] == "v2" and one["score"] >= 0]
    share = np.mean([(one["score"] >= 0.5) == one["label"] for one in judged])
    assert rollout.metrics["accuracy"].candidate == pytest.approx(share, abs=1e-12)


def test_predictions_that_are_logged_count_whatever_the_scores_are(tmp_path: Path) -> None:
    records = [{**one, "prediction": int(one["score"] > 0)} for one in scored(900)]
    snapshot = taken(tmp_path, records)
    right = np.mean([one["prediction"] == one["label"] for one in records if one["version"] == "v1"])
    assert model_of(snapshot).versions["v1"].performance["accuracy"].value == pytest.approx(right)
    assert "accuracy" in snapshot.rollouts[0].metrics


@pytest.mark.usual(1)
@pytest.mark.parametrize("margins", [True, False])
def test_a_ranking_has_the_metrics_of_rankings_alone(tmp_path: Path, margins: bool) -> None:
    random = np.random.default_rng(5)
    records = scored(800)
    for at, one in enumerate(records):
        one["score"] = one["score"] if margins else chance(one["score"])
        one |= {"query_id": f"q{at // 8}", "position": at % 8 + 1, "version": "v1"}
        one["label"] = int(random.integers(0, 4))
    model = model_of(taken(tmp_path, records))
    found = model.versions["v1"].performance
    assert model.positive_class is None
    assert {found[name].reason for name in OVER["binary"]} == {NO_PROBABILITIES if margins else NO_PREDICTION}
    assert {found[name].reason for name in OF_SCORES} == {GRADES}
    assert model.versions["v1"].labels is not None
    assert model.versions["v1"].labels.reason == GRADES
    grades = np.array([one["label"] for one in records]).reshape(-1, 8)
    relevant = grades[grades.any(axis=1)]
    ndcg = metrics.ndcg_score(relevant, [list(range(8, 0, -1))] * len(relevant), k=10)
    assert found["ndcg_10"].value == pytest.approx(ndcg, rel=1e-9)


def test_clicks_of_a_ranking_have_an_area_under_the_curve(tmp_path: Path) -> None:
    records = [{**one, "score": chance(one["score"]), "version": "v1"} for one in scored(800)]
    for at, one in enumerate(records):
        one |= {"query_id": f"q{at // 8}", "position": at % 8 + 1}
    model = model_of(taken(tmp_path, records))
    assert_undecided(model, NO_PREDICTION)
    found, truth = model.versions["v1"].performance, [one["label"] for one in records]
    scores = [one["score"] for one in records]
    assert found["roc_auc"].value == pytest.approx(metrics.roc_auc_score(truth, scores), abs=5e-4)
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(truth, scores), rel=1e-9)
    assert found["mrr"].value is not None


def test_a_shadow_without_classes_is_not_judged_pair_by_pair(tmp_path: Path) -> None:
    records = [{**one, "version": version} for one in scored(600) for version in ("v1", "v2")]
    for one in records[1::2]:
        one["score"] += 1.0
    (rollout,) = taken(tmp_path, records).rollouts
    assert rollout.mode == "shadow"
    assert f"who is right is not judged pair by pair, because {NO_PROBABILITIES}" in rollout.reasons
    assert "accuracy" not in rollout.metrics
    assert rollout.shadow is not None
    assert (rollout.shadow.pairs, rollout.shadow.labelled) == (600, 0)
    assert (rollout.shadow.disagreement_rate, rollout.shadow.confusion) == (None, None)


def test_what_decisions_earn_is_unknown_without_classes(tmp_path: Path) -> None:
    model = model_of(taken(tmp_path, scored(300), "[business]\npayoff = {tp = 5, fp = -1}\n"))
    earned = model.versions["v1"].business.decisions
    assert earned is not None
    assert earned.reason == NO_PROBABILITIES


def test_where_some_requests_have_no_prediction_it_is_said_how_many(tmp_path: Path) -> None:
    records = [
        {**one, "score": chance(one["score"]), "prediction": None if at % 4 == 0 else int(one["score"] > 0)}
        for at, one in enumerate(scored(900))
    ]
    model = model_of(taken(tmp_path, records))
    for version in model.versions.values():
        share = np.mean([one["prediction"] is None for one in records if one["version"] == version.name])
        why = f"{100 * share:.1f} % of these requests have no prediction"
        assert version.performance["accuracy"].reason == why
