from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import calibration as sk_calibration
from sklearn import metrics as sk

from mlwatch.metrics import curves
from mlwatch.metrics.scores import ScoreHistogram, score_bin

SHAPES = ["even", "rare", "sharp", "below_0.001", "margin", "wide", "rounded", "tree", "near_1", "hard"]


def sample(shape: str, n: int = 50_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    z = rng.normal(size=n)
    label = rng.random(n) < sigmoid(1.5 * z - 1)
    score = {
        "even": sigmoid(z - 1),
        "rare": sigmoid(z - 9),
        "sharp": sigmoid(6 * z),
        "below_0.001": 1e-4 * sigmoid(z),
        "margin": z,
        "wide": np.exp(3 * z),
        "rounded": np.round(sigmoid(z), 2),
        "tree": np.digitize(z, [-1, 0, 1]) / 4,
        "near_1": 1 - 1e-4 * sigmoid(z),
        "hard": (z > 0).astype(float),
    }[shape]
    return label, score


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [500, 50_000])
def test_auc_is_within_5e_4_of_scikit_learns(shape: str, n: int) -> None:
    label, score = sample(shape, n)
    found = curves.roc_auc(ScoreHistogram.from_scores(label, score))
    assert found.value == pytest.approx(sk.roc_auc_score(label, score), abs=5e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_average_precision_is_within_5e_4_of_scikit_learns(shape: str) -> None:
    label, score = sample(shape)
    found = curves.average_precision(ScoreHistogram.from_scores(label, score))
    assert found.value == pytest.approx(sk.average_precision_score(label, score), abs=5e-4)


@pytest.mark.parametrize(("n", "roc", "pr"), [(100, 3e-3, 2e-2), (1000, 5e-4, 3e-3), (4000, 5e-4, 5e-4)])
def test_areas_are_the_less_exact_the_fewer_the_labels(n: int, roc: float, pr: float) -> None:
    rng, errors = np.random.default_rng(6), []
    for _ in range(60):
        label = rng.permutation(np.arange(n) % 2 == 0)
        score = np.clip(0.5 + 0.05 * rng.normal(size=n) + 0.03 * label, 0, 1)  # many share a bin
        histogram = ScoreHistogram.from_scores(label, score)
        found = curves.roc_auc(histogram).value, curves.average_precision(histogram).value
        expected = sk.roc_auc_score(label, score), sk.average_precision_score(label, score)
        errors.append(np.abs(np.array(found, dtype=float) - np.array(expected)))
    worst = np.max(errors, axis=0)
    assert worst[0] < roc
    assert worst[1] < pr
    if n == 100:
        assert min(worst) > 5e-4, "then more may be promised of few labels"


@pytest.mark.parametrize("shape", ["tree", "rounded", "hard"])
def test_tied_scores_are_exact(shape: str) -> None:
    label, score = sample(shape)
    histogram = ScoreHistogram.from_scores(label, score)
    assert curves.roc_auc(histogram).value == pytest.approx(sk.roc_auc_score(label, score), abs=1e-12)
    expected = sk.average_precision_score(label, score)
    assert curves.average_precision(histogram).value == pytest.approx(expected, abs=1e-12)


def test_delong_width_agrees_with_the_bootstrap() -> None:
    label, score = sample("even", 1500)
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(label), len(label)) for _ in range(500)]
    sd = float(np.std([sk.roc_auc_score(label[draw], score[draw]) for draw in draws]))
    found = curves.roc_auc(ScoreHistogram.from_scores(label, score))
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(sd, rel=0.1)


def test_perfect_separation_is_not_certain() -> None:
    found = curves.roc_auc(ScoreHistogram.from_scores([True] * 5 + [False] * 20, [0.9] * 5 + [0.1] * 20))
    assert found.value == 1.0
    assert found.high == 1.0
    assert found.low is not None
    assert found.low < 0.7


def test_scores_too_close_for_the_bins_are_pointed_out() -> None:
    rng = np.random.default_rng(0)
    label = rng.random(1000) < 0.5
    found = curves.roc_auc(ScoreHistogram.from_scores(label, 0.5 + 0.001 * rng.random(1000)))
    assert found.method is not None
    assert "too close together" in found.method


def test_undefined_says_why() -> None:
    empty = ScoreHistogram.from_rows([], [], [])
    one_class = ScoreHistogram.from_scores([True, True], [0.2, 0.4])
    for metric in (curves.roc_auc, curves.average_precision):
        assert metric(empty).reason == "no labelled scores yet"
        assert metric(one_class).reason == "only one class in the labels"
        assert metric(one_class).n == 2
    assert curves.ece(empty).reason == "no labelled scores yet"
    assert curves.ece(ScoreHistogram.from_scores([True], [3.0])).reason == "the scores are not probabilities"
    assert curves.calibration(empty) is None


def test_sweep_equals_scikit_learns_at_tied_scores() -> None:
    label, score = sample("tree", 2000)
    histogram = ScoreHistogram.from_scores(label, score)
    fpr, tpr, _ = sk.roc_curve(label, score, drop_intermediate=False)
    found = curves.roc_curve(histogram)
    np.testing.assert_allclose(found, (fpr, tpr), atol=1e-12)
    precision, recall, _ = sk.precision_recall_curve(label, score)
    np.testing.assert_allclose(curves.pr_curve(histogram), (recall[-2::-1], precision[-2::-1]), atol=1e-12)
    sweep = curves.threshold_sweep(histogram)
    f1 = [sk.f1_score(label, score >= threshold) for threshold in np.unique(score)[::-1]]
    np.testing.assert_allclose(sweep.f1, f1, atol=1e-12)


def test_calibration_curve_equals_scikit_learns() -> None:
    label, score = sample("even")
    found = curves.calibration(ScoreHistogram.from_scores(label, score))
    assert found is not None
    share, mean = sk_calibration.calibration_curve(label, score, n_bins=10)
    np.testing.assert_allclose(found.mean_score, mean, atol=5e-3)
    np.testing.assert_allclose(found.positive_share, share, atol=5e-3)
    assert np.all((found.low <= found.positive_share) & (found.positive_share <= found.high))


@pytest.mark.parametrize("shape", ["even", "rounded", "hard", "below_0.001"])
def test_ece_equals_its_definition_on_raw_scores(shape: str) -> None:
    label, score = sample(shape)
    place = np.minimum((score * 10).astype(int), 9)
    expected = sum(
        abs(label[place == b].mean() - score[place == b].mean()) * np.mean(place == b)
        for b in np.unique(place)
    )
    assert curves.ece(ScoreHistogram.from_scores(label, score)).value == pytest.approx(expected, abs=2e-3)


def test_brier_from_bins_is_close_to_the_raw_one() -> None:
    label, score = sample("even")
    histogram = ScoreHistogram.from_scores(label, score)
    assert curves.brier_from_bins(histogram) == pytest.approx(sk.brier_score_loss(label, score), abs=1e-4)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=40))
def test_every_value_stays_in_the_unit_interval(rows: list[tuple[bool, float]]) -> None:
    label, score = (np.array(column) for column in zip(*rows, strict=True))
    histogram = ScoreHistogram.from_scores(label, score)
    for found in (curves.roc_auc(histogram), curves.average_precision(histogram), curves.ece(histogram)):
        if found.value is not None and found.low is not None and found.high is not None:
            assert -1e-12 <= found.low <= found.value + 1e-12
            assert found.value <= found.high + 1e-12 <= 1 + 1e-9


@pytest.mark.parametrize(
    ("high", "low", "told"),
    [
        ([0.5, 0.93, 0.7], [0.1, 0.49, 0.2], "anomaly"),
        ([0.02, 0.3, 0.05], [0.001, 0.019, 0.01], "anomaly"),
        ([0.1, 0.4, 0.2], [0.8, 0.5, 0.9], "normal"),
        ([0.9, 0.6, 0.7], [0.8, 0.5, 0.75], None),
    ],
)
def test_scores_are_of_the_answer_that_is_given_where_they_are_high(
    high: list[float], low: list[float], told: str | None
) -> None:
    scores = np.array(high + low)
    answers = ["anomaly"] * 3 + ["normal"] * 3
    bins = score_bin(scores)
    assert curves.class_of_scores(answers, bins, np.full(6, 20), 20 * scores) == told
    assert curves.class_of_scores(answers, bins, np.full(6, 3), 3 * scores) is None
    assert curves.class_of_scores(answers[:3], bins[:3], np.full(3, 20), 20 * scores[:3]) is None


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ([0.5, 0.93, 0.7], [0.6, 0.99, 0.8], True),
        ([0.5, 0.93, 0.7], [0.6, 0.49, 0.8], False),
        ([0.9, 0.93, 0.99], [0.6, 0.5, 0.8], False),
        ([5.0, 9.3, 7.0], [6.0, 9.9, 8.0], False),
    ],
)
def test_scores_of_both_answers_from_a_half_up_that_no_threshold_parts_are_confidences(
    one: list[float], other: list[float], told: bool
) -> None:
    scores = np.array(one + other)
    answers, bins = ["HAM"] * 3 + ["SPAM"] * 3, score_bin(scores)
    assert curves.are_confidences(answers, bins, np.full(6, 20), 20 * scores) is told
    assert not curves.are_confidences(answers, bins, np.full(6, 3), 3 * scores)
    assert not curves.are_confidences(answers[:3], bins[:3], np.full(3, 20), 20 * scores[:3])
