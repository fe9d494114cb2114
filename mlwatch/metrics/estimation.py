"""Performance without labels: confidence-based estimation (CBPE) from binned, calibrated scores.

A calibrated score says how likely the label is positive, so expected confusion counts follow without
labels. The estimate sees a change of the inputs; it is blind to concept drift, a changed relation of inputs
and label. Source: Białek, Kuberski, Perrakis & Bifet 2024, arXiv:2407.08649.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlwatch.metrics import confusion as table
from mlwatch.metrics import curves, intervals
from mlwatch.metrics.estimate import Estimate, undefined
from mlwatch.metrics.scores import ScoreHistogram

if TYPE_CHECKING:
    from collections.abc import Mapping

FloatArray = NDArray[np.float64]

METHOD = "CBPE, ± 3 sampling errors, at least Wilson's"
NONE_LEARNT = "no band: the labelled reference has none of the kind"
NO_SCORES = "no scores in the logs"
BAND = 3.0
BINARY = ("accuracy", "precision", "recall", "f1", "specificity", "roc_auc")
MULTICLASS = ("accuracy", "balanced_accuracy", "macro_precision", "macro_f1", "weighted_f1", "roc_auc")


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A rising map from raw score to probability; straight between its knots, level beyond them."""

    score: FloatArray
    """Knots, ascending, shape (m,); empty for a score that is a good probability already."""
    probability: FloatArray

    def __call__(self, scores: ArrayLike) -> FloatArray:
        """Return the probability of the positive class for raw scores, shape (n,)."""
        raw = np.asarray(scores, dtype=float)
        if not len(self.score):
            return np.asarray(np.clip(raw, 0.0, 1.0), dtype=np.float64)
        return np.asarray(np.interp(raw, self.score, self.probability))


IDENTITY = Calibrator(np.empty(0), np.empty(0))


@dataclass(frozen=True, slots=True, eq=False)
class BinaryReference:
    """What the labelled reference teaches about one score; each is equal to itself alone."""

    calibrator: Calibrator
    cells: tuple[float, float, float, float]
    """(tp, fp, fn, tn) of the reference's decisions, for the sampling errors."""
    scores: ScoreHistogram
    """Scores by label, for the sampling error of AUC."""

    @classmethod
    def learn(cls, scores: ScoreHistogram, confusion: table.Confusion, positive: str) -> BinaryReference:
        """Learn from the labelled reference: scores by label, and its confusion counts."""
        return cls(calibrate(scores), confusion.cells(positive), scores)


def calibrate(reference: ScoreHistogram) -> Calibrator:
    """Learn isotonic calibration from scores by label.

    The raw score stays where its calibration error is no more than chance gives a perfect one.

    Args:
        reference: Scores of the labelled reference, positive meaning the label is the class.
    """
    if reference.n == 0:
        return IDENTITY
    if reference.in_unit_interval and (curves.ece(reference).value or 0.0) <= chance_ece(reference):
        return IDENTITY
    weight = reference.positive + reference.negative
    level = isotonic(reference.positive / weight, weight)
    return Calibrator(reference.mean_score, level)


def chance_ece(reference: ScoreHistogram) -> float:
    """Return the calibration error that a perfect score shows on average in a sample of this size."""
    curve = curves.calibration(reference)
    if curve is None:
        return 0.0
    spread = np.sqrt(curve.mean_score * (1 - curve.mean_score) / curve.count)
    return math.sqrt(2 / math.pi) * float(spread @ curve.count) / float(curve.count.sum())


def isotonic(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the rising sequence nearest to `values` in weighted least squares (pool adjacent violators).

    Source: Ayer et al. 1955, doi:10.1214/aoms/1177728423.
    """
    level: list[float] = []
    weight: list[float] = []
    length: list[int] = []
    for value, mass in zip(values.tolist(), weights.tolist(), strict=True):
        level.append(value)
        weight.append(mass)
        length.append(1)
        while len(level) > 1 and level[-2] >= level[-1]:
            total = weight[-2] + weight[-1]
            level[-2] = (level[-2] * weight[-2] + level[-1] * weight[-1]) / total
            weight[-2] = total
            length[-2] += length[-1]
            del level[-1], weight[-1], length[-1]
    return np.repeat(level, length)


def expected_cells(calibrator: Calibrator, decided: ScoreHistogram) -> tuple[float, float, float, float]:
    """Return the expected (tp, fp, fn, tn).

    Args:
        calibrator: Of the positive class's score.
        decided: Scores by *decision*: its positive side counts the predictions of the positive class.
    """
    chance = calibrator(decided.mean_score)
    tp, fn = float(decided.positive @ chance), float(decided.negative @ chance)
    return tp, float(decided.positive.sum()) - tp, fn, float(decided.negative.sum()) - fn


def expected_scores(calibrator: Calibrator, decided: ScoreHistogram) -> ScoreHistogram:
    """Return the score histogram by expected label."""
    chance = calibrator(decided.mean_score)
    count, total = decided.positive + decided.negative, decided.score_sum
    return ScoreHistogram(
        decided.bins, count * chance, count * (1 - chance), total * chance, total * (1 - chance)
    )


def binary(reference: BinaryReference, decided: ScoreHistogram) -> dict[str, Estimate]:
    """Return every metric of `BINARY` as expected without labels.

    Args:
        reference: From the labelled reference.
        decided: Current scores by decision, labels not needed; see `expected_cells`.
    """
    n = decided.n
    if n == 0:
        return {name: undefined(NO_SCORES) for name in BINARY}
    found = decisions(reference, expected_cells(reference.calibrator, decided), n)
    return {**found, "roc_auc": _auc(reference, expected_scores(reference.calibrator, decided), n)}


def decisions(
    reference: BinaryReference, cells: tuple[float, float, float, float], n: int
) -> dict[str, Estimate]:
    """Return the metrics of `BINARY` that follow from expected cells: all but AUC.

    Args:
        reference: From the labelled reference.
        cells: Expected (tp, fp, fn, tn); see `expected_cells`.
        n: Predictions.
    """
    found, rows = {}, sum(reference.cells)
    learnt = _parts(reference.cells)
    for name, (part, whole) in _parts(cells).items():
        seen, size = learnt[name]
        if whole <= 0:
            found[name] = undefined("no predictions of the kind that it divides by", n)
        elif size <= 0:
            value = part / whole
            found[name] = Estimate(_f1(value) if name == "f1" else value, n, method=NONE_LEARNT)
        else:
            value, usual = part / whole, seen / size
            error = math.sqrt(usual * (1 - usual) / (n * size / rows))
            low, high = _wilson(value, error, whole)
            if name == "f1":
                value, low, high, error = _f1(value), _f1(low), _f1(high), 2 / (1 + usual) ** 2 * error
            found[name] = _banded(value, error, n, (low, high))
    return found


def confidence(calibrator: Calibrator, scores: ScoreHistogram) -> Estimate:
    """Return the accuracy that is expected where only the predicted class's score is known.

    Args:
        calibrator: Learnt with "positive" meaning that the predicted class was right.
        scores: Current scores; which side the counts are on does not matter.
    """
    if scores.n == 0:
        return undefined(NO_SCORES)
    right = float((scores.positive + scores.negative) @ calibrator(scores.mean_score))
    return share(right / scores.n, scores.n)


def multiclass(
    calibrators: Mapping[str, Calibrator], decided: Mapping[str, Mapping[str, ScoreHistogram]]
) -> dict[str, Estimate]:
    """Return every metric of `MULTICLASS` as expected without labels.

    Probabilities are calibrated one class against the rest and then scaled, for each predicted class and
    score bin of it together, so that they add up to the rows that there are (single rows are not in the
    sums).

    Args:
        calibrators: By class.
        decided: By predicted class, then by class, the histogram of that class's score over the rows with
        that
            prediction; which side the counts are on does not matter.
    """
    labels = table.sort_labels(calibrators)
    n = sum(next(iter(parts.values())).n for parts in decided.values() if parts)
    if n == 0:
        return {name: undefined(NO_SCORES) for name in MULTICLASS}
    counts = _expected_confusion(labels, calibrators, decided)
    estimates = {
        "accuracy": share(float(np.trace(counts)) / n, n),
        "balanced_accuracy": _banded_metric(table.balanced_accuracy, counts),
        "macro_precision": _banded_metric(table.macro_precision, counts),
        "macro_f1": _banded_metric(table.macro_f1, counts),
        "weighted_f1": _banded_metric(table.weighted_f1, counts),
        "roc_auc": _macro_auc(labels, calibrators, decided),
    }
    return {name: replace(found, n=n) for name, found in estimates.items()}


def _expected_confusion(
    labels: tuple[str, ...],
    calibrators: Mapping[str, Calibrator],
    decided: Mapping[str, Mapping[str, ScoreHistogram]],
) -> FloatArray:
    """Return expected counts, rows true, columns predicted."""
    counts = np.zeros((len(labels), len(labels)))
    for column, guess in enumerate(labels):
        parts = decided.get(guess, {})
        for row, label in enumerate(labels):
            if label in parts:
                part = parts[label]
                counts[row, column] = float(
                    (part.positive + part.negative) @ calibrators[label](part.mean_score)
                )
        total = counts[:, column].sum()
        if total > 0:
            counts[:, column] *= max(part.n for part in parts.values()) / total
    return counts


def _macro_auc(
    labels: tuple[str, ...],
    calibrators: Mapping[str, Calibrator],
    decided: Mapping[str, Mapping[str, ScoreHistogram]],
) -> Estimate:
    """Return the mean of the classes' expected AUCs, their errors added as if they moved together."""
    parts = []
    for label in labels:
        whole = ScoreHistogram.from_rows([], [], [])
        for of_class in decided.values():
            if label in of_class:
                whole += of_class[label]
        expected = expected_scores(calibrators[label], whole)
        smaller = min(expected.positives, expected.negatives)
        if smaller > 0:
            value, variance = curves.auc_parts(expected)
            error = math.sqrt(variance)
            parts.append((value, error, *_wilson(value, error, smaller)))
    if not parts:
        return undefined(curves.ONE_CLASS)
    value, error, low, high = np.mean(parts, axis=0).tolist()
    return _banded(value, error, 0, (low, high))


def _parts(cells: tuple[float, float, float, float]) -> dict[str, tuple[float, float]]:
    """Return part and whole of each metric of possibly fractional cells; of F1 those of J, see `_f1`."""
    tp, fp, fn, tn = cells
    return {
        "accuracy": (tp + tn, tp + fp + fn + tn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "f1": (tp, tp + fp + fn),
        "specificity": (tn, tn + fp),
    }


def _f1(jaccard: float) -> float:
    """Return F1 for J = tp / (tp + fp + fn)."""
    return 2 * jaccard / (1 + jaccard)


def _auc(reference: BinaryReference, expected: ScoreHistogram, n: int) -> Estimate:
    """Return AUC with its band for `n` rows; DeLong's spread is that of the reference."""
    smaller = min(expected.positives, expected.negatives)
    if smaller <= 0:
        return undefined("no predictions of the kind that it divides by", n)
    value, learnt = curves.auc_parts(expected)[0], reference.scores
    if not learnt.positives or not learnt.negatives:
        return Estimate(value, n, method=NONE_LEARNT)
    error = math.sqrt(curves.auc_parts(learnt)[1] * learnt.n / n)
    return _banded(value, error, n, _wilson(value, error, smaller))


def _wilson(value: float, error: float, trials: float) -> intervals.Interval:
    """Return Wilson's interval at `BAND` deviations, with a sampling error that is given.

    With √(v(1 − v)/m), the error of a share of m trials, it is Wilson's own; with none, as where the reference has no
    mistake, what is left is the doubt of so many trials. It rises and falls with all three without a jump.

    Args:
        value: A share or an AUC.
        error: Its sampling error.
        trials: Rows that it is a share of; of AUC those of the smaller class, as in `curves.roc_auc`.
    """
    shift = BAND * BAND / (2 * trials)
    centre, half = value + shift, math.hypot(BAND * error, shift)
    return max(0.0, (centre - half) / (1 + 2 * shift)), min(1.0, (centre + half) / (1 + 2 * shift))


def _banded(value: float, error: float, n: int, ends: intervals.Interval | None = None) -> Estimate:
    """Return an estimate with its band: ± `BAND` sampling errors as NannyML has it, and `ends` where they are farther.

    Above ½ the upper end is NannyML's and the lower one Wilson's, which is farther by about 4.5 (2v − 1)/m for a share
    v of m rows. Realised shares of rows with that chance lie outside in at most 0.4 %. Outside of ± 3 errors alone lie
    up to 9 % (of 50 rows with 0.999, one is wrong in 5 %); outside of Wilson's alone nearly all where v is just below
    1, for it ends below 1 as well.
    """
    low, high = ends or (value, value)
    return Estimate(
        value,
        n,
        max(0.0, min(low, value - BAND * error)),
        min(1.0, max(high, value + BAND * error)),
        method=METHOD,
    )


def share(value: float, n: int) -> Estimate:
    """Return an expected share of `n` predictions with its band; see `_banded`."""
    error = math.sqrt(max(0.0, value * (1 - value)) / n)
    return _banded(value, error, n, _wilson(value, error, n))


def _banded_metric(metric: table.Metric, counts: FloatArray) -> Estimate:
    """Return a metric of an expected table with a band from the multinomial delta method."""
    found = table.delta(metric, counts)
    if found.value is None or found.low is None or found.high is None:
        return found
    half = max(found.value - found.low, found.high - found.value)
    return _banded(found.value, half / 1.959963984540054, found.n)
