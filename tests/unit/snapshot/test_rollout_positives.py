"""Rollouts of models whose positives are rare: accuracy hardly tells of them, so recall is judged too."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_score, recall_score

import mlwatch
from mlwatch.snapshot.build import Question
from mlwatch.snapshot.rollout_history import subjects
from mlwatch.snapshot.rollout_split import calibrate_baseline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.snapshot.types import Rollout, RolloutMetric

START = datetime(2026, 11, 3, 10, tzinfo=UTC)
NEVER = {"v1": 0.8, "v2": 0.0}
ALIKE = {"v1": 0.8, "v2": 0.8}


def requests(
    recall: dict[str, float],
    rows: int = 12_000,
    positives: float = 0.02,
    begin: datetime = START,
    *,
    shadow: bool = False,
) -> list[dict[str, Any]]:
    """Return requests that both versions share, or answer both, of which few are positive; two a second."""
    random = np.random.default_rng(5)
    records = []
    for number in range(rows):
        label = int(random.random() < positives)
        versions = list(recall) if shadow else [list(recall)[number % len(recall)]]
        for version in versions:
            answer = random.random() < (recall[version] if label else 0.002)
            records.append(
                {
                    "timestamp": (begin + timedelta(seconds=number / 2)).isoformat(),
                    "id": f"{begin:%H%M}-{number}",
                    "version": version,
                    "prediction": int(answer),
                    "label": label,
                }
            )
    return records


def judge(
    directory: Path, records: list[dict[str, Any]], config: str = "", **sources: list[dict[str, Any]]
) -> Rollout:
    directory.mkdir(exist_ok=True)
    for name, lines in {"log": records, **sources}.items():
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (directory / "mlwatch.toml").write_text(config)
    with mlwatch.open(directory, db=":memory:") as watch:
        (rollout,) = watch.snapshot().rollouts
    return rollout


def assert_of_sklearn(
    score: Callable[..., float], records: list[dict[str, Any]], metric: RolloutMetric
) -> None:
    """Compare with the score of all requests; a verdict leaves out the minutes that one version has none in."""
    rows = pd.DataFrame(records)
    for version, value in (("v1", metric.baseline), ("v2", metric.candidate)):
        mine = rows[rows["version"] == version]
        assert value == pytest.approx(score(mine["label"], mine["prediction"]), abs=0.02)


@pytest.mark.usual(1)
@pytest.mark.parametrize("shadow", [False, True])
def test_a_candidate_that_never_says_yes_is_rolled_back(tmp_path: Path, shadow: bool) -> None:
    records = requests(NEVER, rows=12_000, positives=0.008, shadow=shadow)
    found = judge(tmp_path / "logs", records)
    accuracy = found.metrics["accuracy"]
    assert abs(accuracy.difference or 1) < (accuracy.margin or 0), "it is right 99 times of 100"
    assert found.metrics["recall"].status == "worse"
    assert found.verdict == "rollback"
    said = "labelled pairs of positives recall of v2" if shadow else "recall of v2 is 8"
    assert any(said in reason for reason in found.reasons[: 1 + shadow]), found.reasons
    assert_of_sklearn(recall_score, records, found.metrics["recall"])


def test_a_candidate_alike_waits_for_enough_positives(tmp_path: Path) -> None:
    few = judge(tmp_path / "few", requests(ALIKE, rows=12_000, positives=0.01))
    assert (few.verdict, few.metrics["recall"].status) == ("hold", "inconclusive")
    assert "more labelled positives needed" in few.reasons[0]
    config = "[rollout]\nmargins = {recall = 0.1}"
    many = judge(tmp_path / "many", requests(ALIKE, rows=24_000, positives=0.06), config)
    assert (many.verdict, many.metrics["recall"].status) == ("promote", "non_inferior")


def alike_pairs() -> list[dict[str, Any]]:
    """Return a shadow whose versions find the same positives but for a few."""
    records = requests(ALIKE, rows=12_000, positives=0.05, shadow=True)
    for old, new in zip(records[::2], records[1::2], strict=True):
        new["prediction"] = old["prediction"] if int(old["id"].split("-")[1]) % 20 else new["prediction"]
    return records


def test_a_shadow_alike_needs_few_positives_as_both_versions_answered_the_same(tmp_path: Path) -> None:
    records = alike_pairs()
    found = judge(tmp_path / "logs", records)
    rows = pd.DataFrame(records)
    rows["right"] = rows["prediction"] == rows["label"]
    pairs = rows[rows["label"] == 1].pivot_table(index="id", columns="version", values="right")
    recall = found.metrics["recall"]
    assert (recall.baseline, recall.candidate) == pytest.approx((pairs["v1"].mean(), pairs["v2"].mean()))
    assert recall.n_baseline == len(pairs)
    assert (recall.status, found.verdict) == ("non_inferior", "promote")
    assert found.course is not None
    assert found.course.metrics["recall"].difference[-1] == pytest.approx(recall.difference)


def test_a_limit_on_recall_of_a_shadow_is_on_the_candidate_alone(tmp_path: Path) -> None:
    found = judge(tmp_path / "logs", alike_pairs(), "[rollout]\nlimits = {recall = 0.95}")
    assert (found.verdict, found.state) == ("rollback", "hard_limit")
    assert found.metrics["recall"].status == "non_inferior"


def test_recall_of_common_positives_is_left_to_accuracy(tmp_path: Path) -> None:
    found = judge(tmp_path / "logs", requests(NEVER, rows=4000, positives=0.2))
    assert "recall" not in found.metrics
    assert found.metrics["accuracy"].status == "worse"


@pytest.mark.usual(1)
@pytest.mark.parametrize("before", [True, False])
def test_positives_that_are_known_late_are_waited_for_where_the_baseline_had_them(
    tmp_path: Path, before: bool
) -> None:
    """As charge-backs are: what was no fraud is known earlier than what was."""
    past = requests({"v1": 0.8}, rows=4000, begin=START - timedelta(hours=5), positives=0.02 if before else 0)
    now = [one for one in requests(ALIKE, rows=16_000) if not one["label"]]
    found = judge(tmp_path / "logs", [*past, *now], '[roles]\npositive_class = "1"')
    late = "recall: n/a, because the rollout has no labels of positives of v1 and v2 yet"
    never = "recall is not judged, because no label is positive yet"
    assert (late in found.reasons, never in found.reasons) == (before, not before)
    assert found.verdict == ("hold" if before else "promote")


@pytest.mark.deep
def test_what_is_judged_does_not_change_as_the_rollout_goes_on(tmp_path: Path) -> None:
    """Near a tenth the share of positives crosses it again and again: the first labels say what is judged."""
    judge(directory := tmp_path / "logs", requests(ALIKE, rows=6000, positives=0.1))
    with mlwatch.open(directory, db=":memory:") as watch:
        judged = [
            "recall" in watch.snapshot(at=START + timedelta(minutes=minutes)).rollouts[0].metrics
            for minutes in range(2, 51, 4)
        ]
    assert judged[0] is False, "too few labels to tell"
    assert len(set(judged[2:])) == 1


def test_an_hour_without_a_positive_is_no_stale_label(tmp_path: Path) -> None:
    records = requests(ALIKE, rows=12_000, positives=0.01)
    until = (START + timedelta(minutes=30)).isoformat()
    late = [one for one in records if not one["label"] or one["timestamp"] < until]
    found = judge(tmp_path / "logs", late, '[rollout]\nlabel_delay = "10m"')
    assert found.state == "undecided"


def test_precision_is_judged_where_it_is_asked_for(tmp_path: Path) -> None:
    records = requests(ALIKE, rows=20_000, positives=0.05)
    config = '[rollout]\nmetrics = ["accuracy", "precision"]\nmargins = {precision = 0.3}'
    found = judge(tmp_path / "logs", records, config)
    precision = found.metrics["precision"]
    assert precision.margin == 0.3
    assert_of_sklearn(precision_score, records, precision)
    assert found.verdict == "promote"


def test_a_limit_on_recall_rolls_back(tmp_path: Path) -> None:
    records = requests({"v1": 0.8, "v2": 0.3}, rows=8000, positives=0.3)
    found = judge(tmp_path / "logs", records, "[rollout]\nmetrics = ['error_rate']\nlimits = {recall = 0.6}")
    assert (found.verdict, found.state) == ("rollback", "hard_limit")


def test_a_limit_on_recall_means_nothing_for_three_classes(tmp_path: Path) -> None:
    records = requests(ALIKE, rows=3000, positives=0.3)
    for number, one in enumerate(records):
        one["label"] = one["prediction"] = "abc"[number % 3]
    found = judge(tmp_path / "logs", records, "[rollout]\nlimits = {recall = 0.6}")
    said = "the hard limit on recall is not judged, because there are more than two classes"
    assert said in found.reasons


@pytest.mark.deep
def test_users_who_resemble_each_other_widen_the_interval_of_recall(tmp_path: Path) -> None:
    records = requests(ALIKE, rows=12_000, positives=0.05)
    for number, one in enumerate(records):
        user = number // 50
        one["user"] = f"u{user}"
        one["version"] = ("v1", "v2")[user % 2]
        one["prediction"] = int(one["label"] and user % 5 > 0)  # found of all of a user's, or of none
    config = '[rollout]\nmetrics = ["recall"]\n{}[roles]\nunit = "user"'
    alone, together = (
        judge(tmp_path / name, records, config.format(unit))
        for name, unit in (("alone", ""), ("together", 'unit = "user"\n'))
    )
    assert alone.metrics["recall"].design_effect == 1
    assert together.metrics["recall"].design_effect > 1.5


@pytest.mark.deep
def test_a_calibration_measures_recall(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    past = requests({"v1": 0.8}, rows=20_000, positives=0.05, begin=START - timedelta(hours=3))
    judge(directory, [*past, *requests(ALIKE, rows=2000)])
    with mlwatch.open(directory, db=":memory:") as watch:
        (subject,) = subjects(watch.connection, watch.config, Question(), None)
        found = calibrate_baseline(watch.connection, subject, watch.config, 20)
    assert 1 <= found.result.inflation["recall"] < 1.5, "requests are independent"
