from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from mlwatch.metrics import performance
from mlwatch.metrics.performance import (
    BINARY,
    MULTICLASS,
    Confusion,
    ScoreSums,
    binary,
    multiclass,
    per_class,
)
from mlwatch.metrics.scores import ScoreHistogram

if TYPE_CHECKING:
    from mlwatch.metrics.estimate import Estimate


def confusion_of(true: np.ndarray, predicted: np.ndarray) -> Confusion:
    return Confusion.from_rows([(str(t), str(p), 1) for t, p in zip(true, predicted, strict=True)])


def sums_of(label: np.ndarray, score: np.ndarray) -> ScoreSums:
    loss = -np.log(np.where(label, score, 1 - score))
    square = (score - label) ** 2
    return ScoreSums(len(label), loss.sum(), square.sum(), (loss**2).sum(), (square**2).sum())


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    z = rng.normal(size=4000)
    label = (rng.random(4000) < 1 / (1 + np.exp(1 - 1.3 * z))).astype(int)
    return label, 1 / (1 + np.exp(0.5 - z))


def test_binary_values_equal_scikit_learns(scored: tuple[np.ndarray, np.ndarray]) -> None:
    label, score = scored
    guess = (score > 0.5).astype(int)
    found = binary(
        confusion_of(label, guess), "1", sums_of(label, score), ScoreHistogram.from_scores(label, score)
    )
    expected = {
        "accuracy": sk.accuracy_score(label, guess),
        "precision": sk.precision_score(label, guess),
        "recall": sk.recall_score(label, guess),
        "f1": sk.f1_score(label, guess),
        "specificity": sk.recall_score(label, guess, pos_label=0),
        "mcc": sk.matthews_corrcoef(label, guess),
        "balanced_accuracy": sk.balanced_accuracy_score(label, guess),
        "log_loss": sk.log_loss(label, score),
        "brier": sk.brier_score_loss(label, score),
    }
    assert tuple(found) == BINARY
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name
    assert found["roc_auc"].value == pytest.approx(sk.roc_auc_score(label, score), abs=5e-4)
    assert found["pr_auc"].value == pytest.approx(sk.average_precision_score(label, score), abs=5e-4)
    for estimate in found.values():
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.value is not None
        assert estimate.low < estimate.value < estimate.high
        assert estimate.method


@pytest.mark.parametrize("k", [3, 10])
def test_multiclass_values_equal_scikit_learns(k: int) -> None:
    rng = np.random.default_rng(k)
    true = rng.integers(0, k, 3000)
    predicted = np.where(rng.random(3000) < 0.6, true, rng.integers(0, k + 1, 3000))
    found = multiclass(confusion_of(true, predicted))
    assert tuple(found) == MULTICLASS
    expected = {
        "accuracy": sk.accuracy_score(true, predicted),
        "macro_precision": sk.precision_score(true, predicted, average="macro", zero_division=0),
        "macro_f1": sk.f1_score(true, predicted, average="macro"),
        "weighted_f1": sk.f1_score(true, predicted, average="weighted"),
        "mcc": sk.matthews_corrcoef(true, predicted),
        "kappa": sk.cohen_kappa_score(true, predicted),
        "balanced_accuracy": float(np.mean([np.mean(predicted[true == c] == c) for c in range(k)])),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name


def test_one_vs_rest_auc_equals_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    true = rng.integers(0, 3, 5000)
    logits = rng.normal(size=(5000, 3)) + 1.5 * np.eye(3)[true]
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    histograms = {str(c): ScoreHistogram.from_scores(true == c, share[:, c]) for c in range(3)}
    loss = -np.log(share[np.arange(5000), true])
    found = multiclass(confusion_of(true, share.argmax(axis=1)), ScoreSums(5000, loss.sum()), histograms)
    assert found["roc_auc"].value == pytest.approx(sk.roc_auc_score(true, share, multi_class="ovr"), abs=5e-4)
    assert found["log_loss"].value == pytest.approx(sk.log_loss(true, share), abs=1e-9)


def test_per_class_equals_scikit_learns() -> None:
    rng = np.random.default_rng(2)
    true, predicted = rng.choice(list("xyz"), 500), rng.choice(list("xyzw"), 500)
    found = per_class(confusion_of(true, predicted))
    expected = sk.classification_report(true, predicted, output_dict=True, zero_division=0)
    for label in "xyz":
        assert found[label]["precision"].value == pytest.approx(expected[label]["precision"], abs=1e-12)
        assert found[label]["recall"].value == pytest.approx(expected[label]["recall"], abs=1e-12)
        assert found[label]["f1"].value == pytest.approx(expected[label]["f1-score"], abs=1e-12)
        assert found[label]["recall"].n == expected[label]["support"]
    assert found["w"]["recall"].reason == "the class is not in the labels"


def test_no_labels_is_said_of_every_metric() -> None:
    empty = Confusion.from_rows([])
    assert {found.reason for found in binary(empty).values()} == {"no labels yet", "no labelled scores yet"}
    assert {found.reason for found in multiclass(empty).values()} == {
        "no labels yet",
        "no labelled scores yet",
    }
    assert per_class(empty) == {}


def test_one_class_in_the_labels_is_said() -> None:
    found = binary(Confusion.from_rows([("0", "0", 5), ("0", "1", 2)]), "1")
    assert found["mcc"].reason == found["balanced_accuracy"].reason == "only one class in the labels"
    assert found["recall"].reason == "no positive labels"
    assert found["accuracy"].value == pytest.approx(5 / 7)
    assert found["precision"].value == 0.0
    assert found["f1"].value == 0.0


def test_no_positive_predictions_is_said() -> None:
    found = binary(Confusion.from_rows([("0", "0", 5), ("1", "0", 2)]), "1")
    assert found["precision"].reason == "no positive predictions"
    assert found["mcc"].reason == "only one class in the predictions"
    assert found["f1"].value == 0.0
    single = Confusion.from_rows([("0", "0", 5)])
    assert binary(single, "1")["f1"].reason == "neither positive labels nor positive predictions"
    assert multiclass(single)["kappa"].reason == "only one class in the labels"


def test_positive_class_is_inferred_and_can_be_set() -> None:
    table = Confusion.from_rows([("no", "no", 6), ("yes", "no", 3), ("yes", "yes", 1)])
    assert binary(table)["recall"].value == pytest.approx(1 / 4)
    assert binary(table, "no")["recall"].value == 1.0


def test_score_sums_without_squares_take_the_spread_from_bins(scored: tuple[np.ndarray, np.ndarray]) -> None:
    label, score = scored
    full = sums_of(label, score)
    histogram = ScoreHistogram.from_scores(label, score)
    table = confusion_of(label, (score > 0.5).astype(int))
    exact = binary(table, "1", full, histogram)
    binned = binary(table, "1", ScoreSums(full.n, full.log_loss, full.brier), histogram)
    for name in ("log_loss", "brier"):
        assert binned[name].low == pytest.approx(exact[name].low, abs=1e-4)
    assert binary(table, "1", ScoreSums(full.n, full.log_loss, full.brier))["brier"].low is None


def drawn(n: int, rng: np.random.Generator) -> dict[str, Estimate]:
    z = rng.normal(size=n)
    label, score = rng.random(n) < 1 / (1 + np.exp(2 - 2 * z)), 1 / (1 + np.exp(1.5 - 1.6 * z))
    guess = score > 0.5
    cells = [
        [(~label & ~guess).sum(), (~label & guess).sum()],
        [(label & ~guess).sum(), (label & guess).sum()],
    ]
    table = Confusion(("0", "1"), np.array(cells))
    return binary(table, "1", sums_of(label, score), ScoreHistogram.from_scores(label, score))


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    truth = drawn(1_000_000, rng)
    hits = dict.fromkeys(truth, 0)
    for _ in range(400):
        for name, found in drawn(500, rng).items():
            low, value, high = found.low, truth[name].value, found.high
            hits[name] += low is not None and value is not None and high is not None and low <= value <= high
    # The calibration error is biased upwards in samples this small, as its docstring says.
    assert min(count for name, count in hits.items() if name != "ece") >= 366
    assert max(hits.values()) < 400


ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.floats(0.01, 0.99), st.integers(0, 2)), min_size=1, max_size=40
)


@given(ROWS)
def test_any_partition_gives_the_same(rows: list[tuple[int, float, int]]) -> None:
    label, score, part = (np.array(column) for column in zip(*rows, strict=True))

    def sums(mask: np.ndarray) -> tuple[Confusion, ScoreSums, ScoreHistogram]:
        return (
            confusion_of(label[mask], (score[mask] > 0.5).astype(int)),
            sums_of(label[mask], score[mask]),
            ScoreHistogram.from_scores(label[mask], score[mask]),
        )

    first, *others = (sums(part == which) for which in (1, 2, 0))
    table, losses, histogram = first
    for other in others:
        table, losses, histogram = table + other[0], losses + other[1], histogram + other[2]
    merged = binary(table, "1", losses, histogram)
    whole_table, whole_losses, whole_histogram = sums(np.ones(len(label), dtype=bool))
    whole = binary(whole_table, "1", whole_losses, whole_histogram)
    for name, found in whole.items():
        assert merged[name].reason == found.reason
        assert found.value is None or merged[name].value == pytest.approx(found.value, abs=1e-9)


def test_score_sums_add_up_and_unknown_squares_stay_unknown() -> None:
    assert performance.ScoreSums(1, 0.5) + performance.ScoreSums(2, 0.25) == performance.ScoreSums(3, 0.75)
