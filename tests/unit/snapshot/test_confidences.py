"""Scores that turn out to be confidences in the predicted class once their columns are decided."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics

from mlwatch.metrics.curves import CONFIDENCES
from mlwatch.session import Options, Session
from mlwatch.snapshot.quality_alerts import RULE
from mlwatch.snapshot.undecided import FOREIGN

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

FIRST, ROWS = 6, 400
"""Records at the first look, which are too few to tell, and all."""


def followed(tmp_path: Path, scores: np.ndarray, positive: np.ndarray, truth: np.ndarray) -> Snapshot:
    """Return what is known after a first look at a few records and a second one at all of them."""
    logs = tmp_path / "logs"
    logs.mkdir()
    lines = [
        json.dumps({
            "timestamp": f"2026-11-03T{i // 60:02d}:{i % 60:02d}:00Z",
            "request_id": f"r{i}",
            "version": "v1",
            "prediction": "SPAM" if positive[i] else "HAM",
            "score": float(scores[i]),
            "true_label": "SPAM" if truth[i] else "HAM",
        })
        for i in range(ROWS)
    ]  # fmt: skip
    for until in (FIRST, ROWS):
        (logs / "log.jsonl").write_text("\n".join(lines[:until]) + "\n")
        with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
            session.ingest_all()
            found = session.snapshot()
    return found


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_they_are_left_out_and_that_is_said(tmp_path: Path, share: float) -> None:
    random = np.random.default_rng(7)
    positive = random.random(ROWS) < share
    truth = np.where(random.random(ROWS) < 0.9, positive, ~positive)
    found = followed(tmp_path, random.uniform(0.5, 1, ROWS), positive, truth)
    (model,) = found.models.values()
    version = model.versions["v1"]
    for name in ("roc_auc", "pr_auc", "log_loss", "brier", "ece"):
        assert (version.performance[name].value, version.performance[name].reason) == (None, CONFIDENCES)
    assert version.performance["accuracy"].value == metrics.accuracy_score(truth, positive)
    assert version.estimated == {}
    assert version.scores is None
    assert all(not {"roc_auc", "log_loss"} & window.performance.keys() for window in version.windows)
    (alert,) = (one for one in found.alerts if one.rule == f"{RULE}confidences")
    assert alert.message.startswith("the scores of v1 are the confidence in the predicted class")


def test_probabilities_of_the_positive_class_stay(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    scores = random.uniform(0.5, 1, ROWS)
    truth = random.random(ROWS) < scores
    found = followed(tmp_path, scores, scores >= 0.8, truth)
    (model,) = found.models.values()
    area = model.versions["v1"].performance["roc_auc"].value
    assert area == pytest.approx(metrics.roc_auc_score(truth, scores), abs=5e-3)
    assert not [one for one in found.alerts if one.rule == f"{RULE}confidences"]


@pytest.mark.parametrize(("names", "said"), [(("legit", "fraud"), None), (("a", "b"), "a")])
def test_scores_are_judged_by_labels_in_words_which_no_code_can_match(
    tmp_path: Path, names: tuple[str, str], said: str | None
) -> None:
    random = np.random.default_rng(3)
    scores = random.random(ROWS)
    truth = random.random(ROWS) < (1 - scores if said else scores)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "log.jsonl").write_text(
        "".join(
            json.dumps({
                "timestamp": f"2026-11-03T{i // 60:02d}:{i % 60:02d}:00Z",
                "version": "v1",
                "score": float(scores[i]),
                "true_label": names[int(truth[i])],
            })
            + "\n"
            for i in range(ROWS)
        )
    )  # fmt: skip
    if said:
        (tmp_path / "mlwatch.toml").write_text(f'[roles]\npositive_class = "{said}"\n')
    options = Options(tmp_path / "logs", db=":memory:", config=tmp_path / "mlwatch.toml" if said else None)
    with Session(options) as session:
        session.ingest_all()
        found = session.snapshot()
    (model,) = found.models.values()
    assert model.positive_class == (said or names[1])
    version, positive = model.versions["v1"], truth if said is None else ~truth
    brier, area = (version.performance[name].value for name in ("brier", "roc_auc"))
    assert brier == pytest.approx(metrics.brier_score_loss(positive, scores), rel=1e-9)
    assert area == pytest.approx(metrics.roc_auc_score(positive, scores), abs=5e-3)
    judged = [version.performance, *(one.performance for one in version.windows if one.labelled)]
    for performance in judged:
        assert (performance["accuracy"].value, performance["accuracy"].reason) == (None, FOREIGN)
    (alert,) = (one for one in found.alerts if one.rule == f"{RULE}classes")
    assert alert.message.startswith("no accuracy of v1: its predictions are 1 and 0")
