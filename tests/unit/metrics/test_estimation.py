from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.isotonic import IsotonicRegression

from mlwatch.metrics import estimation
from mlwatch.metrics.confusion import Confusion
from mlwatch.metrics.estimation import BinaryReference, calibrate
from mlwatch.metrics.scores import ScoreHistogram


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def sample(n: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, overconfident scores and decisions; `shift` moves the inputs, not the relation."""
    rng = np.random.default_rng(seed)
    z = rng.normal(shift, 1.0, n)
    label = rng.random(n) < sigmoid(1.2 * z - 0.5)
    score = sigmoid(2.5 * z)
    return label, score, score >= 0.5


def learned(n: int = 40_000) -> BinaryReference:
    label, score, guess = sample(n, 0)
    table = Confusion.from_rows([(str(int(t)), str(int(p)), 1) for t, p in zip(label, guess, strict=True)])
    return BinaryReference.learn(ScoreHistogram.from_scores(label, score), table, "1")


def row_level(shift: float) -> dict[str, float]:
    """CBPE row by row with scikit-learn's isotonic regression, as NannyML computes it."""
    label, score, _ = sample(40_000, 0)
    model = IsotonicRegression(out_of_bounds="clip").fit(score, label)
    _, score, guess = sample(30_000, 1, shift)
    p = model.predict(score)
    tp, fp, fn, tn = p[guess].sum(), (1 - p[guess]).sum(), p[~guess].sum(), (1 - p[~guess]).sum()
    both = np.concatenate([score, score]), np.repeat([1, 0], len(p)), np.concatenate([p, 1 - p])
    return {
        "accuracy": (tp + tn) / len(p),
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "specificity": tn / (tn + fp),
        "roc_auc": float(sk.roc_auc_score(both[1], both[0], sample_weight=both[2])),
    }


@pytest.mark.parametrize("shift", [0.0, -1.0, 1.5])
def test_estimates_are_within_0_005_of_the_row_level_ones(shift: float) -> None:
    _, score, guess = sample(30_000, 1, shift)
    found = estimation.binary(learned(), ScoreHistogram.from_scores(guess, score))
    assert tuple(found) == estimation.BINARY
    for name, value in row_level(shift).items():
        assert found[name].value == pytest.approx(value, abs=5e-3), name


@pytest.mark.parametrize("shift", [0.0, -0.7, 1.0])
def test_bands_hold_the_realised_performance_while_the_relation_stays(shift: float) -> None:
    label, score, guess = sample(4000, 2, shift)
    found = estimation.binary(learned(), ScoreHistogram.from_scores(guess, score))
    realised = {
        "accuracy": sk.accuracy_score(label, guess),
        "precision": sk.precision_score(label, guess),
        "recall": sk.recall_score(label, guess),
        "f1": sk.f1_score(label, guess),
        "roc_auc": sk.roc_auc_score(label, score),
    }
    for name, value in realised.items():
        low, high = found[name].low, found[name].high
        assert low is not None
        assert high is not None
        assert low < value < high, name
        assert high - low < 0.12


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 50)), min_size=1, max_size=60))
def test_isotonic_equals_scikit_learns(rows: list[tuple[float, int]]) -> None:
    values, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    expected = IsotonicRegression().fit_transform(np.arange(len(values)), values, sample_weight=weights)
    np.testing.assert_allclose(estimation.isotonic(values, weights), expected, atol=1e-9)


def test_calibration_mends_an_overconfident_score_and_leaves_a_good_one() -> None:
    rng = np.random.default_rng(4)
    chance = sigmoid(rng.normal(size=20_000))
    label = rng.random(20_000) < chance
    good, bad = (ScoreHistogram.from_scores(label, score) for score in (chance, chance**3))
    mended = calibrate(bad)(chance**3)
    assert np.mean(np.abs(mended - chance)) < 0.02
    assert np.mean(np.abs(calibrate(good)(chance) - chance)) < 0.02


def test_margins_beyond_zero_and_one_are_calibrated_too() -> None:
    rng = np.random.default_rng(5)
    z = rng.normal(size=20_000)
    label = rng.random(20_000) < sigmoid(2 * z)
    found = calibrate(ScoreHistogram.from_scores(label, 2 * z))([-100.0, 0.0, 100.0])
    assert found == pytest.approx([0.0, 0.5, 1.0], abs=0.05)


def test_no_scores_says_so() -> None:
    empty = ScoreHistogram.from_rows([], [], [])
    assert {found.reason for found in estimation.binary(learned(100), empty).values()} == {
        "no scores in the logs"
    }
    assert {found.reason for found in estimation.multiclass({}, {}).values()} == {"no scores in the logs"}
    assert calibrate(empty)([0.3, 7.0]).tolist() == [0.3, 1.0]


def test_no_positive_predictions_leave_precision_without_a_value() -> None:
    found = estimation.binary(learned(2000), ScoreHistogram.from_scores([False] * 50, [0.1] * 50))
    assert found["precision"].value is None
    assert found["accuracy"].value is not None


def multiclass_sample(n: int, seed: int, tilt: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5 + tilt * np.array([1.0, 0.0, -1.0])
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = (rng.random(n)[:, None] > np.cumsum(chance, axis=1)).sum(axis=1)
    sharp = chance**2 / (chance**2).sum(axis=1, keepdims=True)
    return label, sharp


@pytest.mark.parametrize("tilt", [0.0, 0.8])
def test_multiclass_estimates_are_near_the_realised_performance(tilt: float) -> None:
    label, score = multiclass_sample(30_000, 0, 0.0)
    calibrators = {str(c): calibrate(ScoreHistogram.from_scores(label == c, score[:, c])) for c in range(3)}
    label, score = multiclass_sample(30_000, 1, tilt)
    guess = score.argmax(axis=1)
    decided = {
        str(k): {
            str(c): ScoreHistogram.from_scores(np.ones((guess == k).sum(), bool), score[guess == k, c])
            for c in range(3)
        }
        for k in range(3)
    }
    found = estimation.multiclass(calibrators, decided)
    assert tuple(found) == estimation.MULTICLASS
    assert found["accuracy"].value == pytest.approx(sk.accuracy_score(label, guess), abs=0.02)
    assert found["macro_f1"].value == pytest.approx(sk.f1_score(label, guess, average="macro"), abs=0.02)
    precision = sk.precision_score(label, guess, average="macro")
    assert found["macro_precision"].value == pytest.approx(precision, abs=0.02)
    expected = sk.roc_auc_score(label, score, multi_class="ovr")
    assert found["roc_auc"].value == pytest.approx(expected, abs=0.02)
    assert found["accuracy"].n == 30_000
