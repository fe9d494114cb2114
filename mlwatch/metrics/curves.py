"""Curves and rank metrics of a score histogram; shape (m,) arrays over its bins unless said otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import intervals
from mlwatch.metrics.estimate import Estimate, estimate, undefined
from mlwatch.metrics.scipy_special import special
from mlwatch.metrics.scores import FloatArray, ScoreHistogram, score_bin_edges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from mlwatch.metrics.intervals import Interval

NO_SCORES = "no labelled scores yet"
ONE_CLASS = "only one class in the labels"
NOT_PROBABILITIES = "the scores are not probabilities"
CONFIDENCES = "the scores are the confidence in the predicted class"
CALIBRATION_BINS = 10
NO_SPREAD = 1e-15
"""Variance of an area that is but rounding."""
ENOUGH_ANSWERS = 10
"""Scores of each of two answers, from which on they tell what the scores are of."""
CLEARLY = 0.95
"""Share of pairs of scores that must lie one way for that: a threshold on the score parts all of them."""
FEW = 0.001
"""Share of confidences in one of two classes that may lie below 0.5."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The confusion cells at every threshold, highest threshold first; shape (m,)."""

    threshold: FloatArray
    """Predict positive where score ≥ threshold (a bin's lower edge)."""
    tp: FloatArray
    fp: FloatArray
    fn: FloatArray
    tn: FloatArray

    @property
    def precision(self) -> FloatArray:
        """True positives among predicted positives."""
        return self.tp / (self.tp + self.fp)

    @property
    def recall(self) -> FloatArray:
        """True positives among positives; NaN without any."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def false_positive_rate(self) -> FloatArray:
        """False positives among negatives; NaN without any."""
        return _share(self.fp, self.fp + self.tn)

    @property
    def f1(self) -> FloatArray:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration curve over equal-width bins of the score, empty bins left out; shape (b,)."""

    count: FloatArray
    mean_score: FloatArray
    positive_share: FloatArray
    low: FloatArray
    """Lower end of Wilson's interval of `positive_share`."""
    high: FloatArray


def threshold_sweep(histogram: ScoreHistogram) -> Sweep:
    """Return the confusion cells at each bin's lower edge, from the highest score down."""
    threshold, _ = score_bin_edges(histogram.bins[::-1])
    tp, fp = np.cumsum(histogram.positive[::-1]), np.cumsum(histogram.negative[::-1])
    return Sweep(threshold, tp, fp, histogram.positives - tp, histogram.negatives - fp)


def roc_curve(histogram: ScoreHistogram) -> tuple[FloatArray, FloatArray]:
    """Return false and true positive rates from (0, 0) to (1, 1), shape (m + 1,)."""
    sweep = threshold_sweep(histogram)
    return np.append(0.0, sweep.false_positive_rate), np.append(0.0, sweep.recall)


def pr_curve(histogram: ScoreHistogram) -> tuple[FloatArray, FloatArray]:
    """Return recall and precision from the highest threshold down, shape (m,)."""
    sweep = threshold_sweep(histogram)
    return sweep.recall, sweep.precision


def roc_auc(histogram: ScoreHistogram) -> Estimate:
    """Return the area under the ROC curve, ties counted half, with DeLong's interval on the logit scale.

    Source: DeLong, DeLong & Clarke-Pearson 1988, doi:10.2307/2531595. Where the bins part the classes without
    overlap that variance is 0, and Wilson's interval of the smaller class stands in.

    Scores that only share a bin are taken to lie as classes do around it: off by up to 3e-3 of 100 labels, half of
    them positive, and by less than 5e-4 of 1,000.
    """
    missing = _unusable(histogram)
    if missing is not None:
        return missing
    value, variance = auc_parts(histogram)
    if variance <= NO_SPREAD or not 0 < value < 1:
        smaller = min(histogram.positives, histogram.negatives)
        interval = intervals.wilson(value * smaller, smaller)
        return estimate(value, histogram.n, interval, "Wilson, smaller class")
    interval = _logit_interval(value, math.sqrt(variance))
    coarse = "" if _resolved(histogram) else "; the scores lie too close together for the bins"
    return estimate(value, histogram.n, interval, f"DeLong from score bins, logit{coarse}")


def auc_parts(histogram: ScoreHistogram) -> tuple[float, float]:
    """Return AUC and DeLong's variance of it; both classes must be there."""
    positive, negative = histogram.positive, histogram.negative
    n_positive, n_negative = histogram.positives, histogram.negatives
    of_positive = (np.cumsum(negative) - negative / 2) / n_negative
    of_negative = 1 - (np.cumsum(positive) - positive / 2) / n_positive
    value = float(positive @ of_positive) / n_positive + _within_bins(histogram)
    spread_positive = float(positive @ (of_positive - value) ** 2) / max(n_positive - 1, 1)
    spread_negative = float(negative @ (of_negative - value) ** 2) / max(n_negative - 1, 1)
    return min(1.0, max(0.0, value)), spread_positive / n_positive + spread_negative / n_negative


def class_of_scores(
    classes: Sequence[str], bins: ArrayLike, counts: ArrayLike, score_sums: ArrayLike
) -> str | None:
    """Return which of two answers the scores are the probability of: the one that is given where they are high.

    None unless nearly every score of the one lies above those of the other, and both were given often enough: what is
    clear once stays so.

    Args:
        classes: The answer of each row, shape (r,).
        bins: Score bins, shape (r,).
        counts: Predictions of each row, shape (r,).
        score_sums: Sum of the scores of each row, shape (r,).
    """
    names = sorted(set(classes))
    if len(names) != 2:
        return None
    first, second = names
    of_second = [name == second for name in classes]
    histogram = ScoreHistogram.from_rows(of_second, bins, counts, score_sums)
    if min(histogram.positives, histogram.negatives) < ENOUGH_ANSWERS:
        return None
    above, _ = auc_parts(histogram)
    return second if above >= CLEARLY else first if above <= 1 - CLEARLY else None


def are_confidences(
    classes: Sequence[str], bins: ArrayLike, counts: ArrayLike, score_sums: ArrayLike
) -> bool:
    """Tell whether scores can only be the confidence in the answer: of both classes from 0.5 up, and not parted by it.

    The arguments are those of `class_of_scores`, and both answers must have been given as often.
    """
    n, sums = np.asarray(counts, dtype=float), np.asarray(score_sums, dtype=float)
    total = float(n.sum())
    low = float(n[sums < n / 2].sum())
    if len(set(classes)) != 2 or low > FEW * total or not 0 < sums.sum() <= total:
        return False
    second = max(classes)
    histogram = ScoreHistogram.from_rows([name == second for name in classes], bins, counts, score_sums)
    if min(histogram.positives, histogram.negatives) < ENOUGH_ANSWERS:
        return False
    above, _ = auc_parts(histogram)
    return 1 - CLEARLY < above < CLEARLY


def average_precision(histogram: ScoreHistogram) -> Estimate:
    """Return Σ (recall step × precision), with the logit interval on the number of positives.

    Tied scores count as one step, as in scikit-learn; scores that only share a bin as a random order: off by up to
    2e-2 of 100 labels, half of them positive, and by less than 5e-4 of 2,000 positive ones.
    Source: Boyd, Eng & Page 2013, doi:10.1007/978-3-642-40994-3_29, for the interval.
    """
    missing = _unusable(histogram)
    if missing is not None:
        return missing
    sweep = threshold_sweep(histogram)
    value = float(_precision_sums(histogram, sweep).sum()) / histogram.positives
    return estimate(value, histogram.n, _share_interval(value, histogram.positives), "logit, on positives")


def calibration(histogram: ScoreHistogram, bins: int = CALIBRATION_BINS) -> Calibration | None:
    """Return the calibration curve over `bins` equal-width bins; None without scores or outside [0, 1].

    A score bin that straddles an edge goes wholly where its mean score lies.
    """
    if histogram.n == 0 or not histogram.in_unit_interval:
        return None
    place = np.clip((histogram.mean_score * bins).astype(int), 0, bins - 1)
    positive = np.bincount(place, weights=histogram.positive, minlength=bins).astype(np.float64)
    count = positive + np.bincount(place, weights=histogram.negative, minlength=bins)
    score = np.bincount(place, weights=histogram.score_sum, minlength=bins)
    used = count > 0
    bounds = [intervals.wilson(p, n) or (0.0, 1.0) for p, n in zip(positive[used], count[used], strict=True)]
    low, high = np.array(bounds).T
    return Calibration(count[used], score[used] / count[used], positive[used] / count[used], low, high)


def ece(histogram: ScoreHistogram, brier: float | None = None) -> Estimate:
    """Return the expected calibration error over ten equal-width bins.

    Source: Naeini, Cooper & Hauskrecht 2015, doi:10.1609/aaai.v29i1.9602. The error is a mean of ±(label − score),
    each within [−1, 1], whose interval `intervals.score_interval` gives; near 0 it is too high, since the error cannot
    be negative.

    Args:
        histogram: Scores that are probabilities.
        brier: Mean squared error of the scores; from the bins when not given.
    """
    if histogram.n == 0:
        return undefined(NO_SCORES)
    curve = calibration(histogram)
    if curve is None:
        return undefined(NOT_PROBABILITIES, histogram.n)
    gap = np.abs(curve.positive_share - curve.mean_score)
    value = float(gap @ curve.count) / float(curve.count.sum())
    square = brier_from_bins(histogram) if brier is None else brier
    bounds = intervals.score_interval(histogram.n, (1 + value) / 2, (1 + 2 * value + square) / 4)
    interval = None if bounds is None else (max(0.0, 2 * bounds[0] - 1), 2 * bounds[1] - 1)
    return estimate(value, histogram.n, interval, intervals.SCORE)


def brier_from_bins(histogram: ScoreHistogram) -> float:
    """Return the mean squared error of the scores, each bin's scores taken at their mean."""
    score = histogram.mean_score
    return float(histogram.positive @ (1 - score) ** 2 + histogram.negative @ score**2) / histogram.n


def _within_bins(histogram: ScoreHistogram) -> float:
    """Return what the order inside the bins adds to AUC."""
    pairs = histogram.positives * histogram.negatives
    return float((histogram.positive * histogram.negative) @ _lead(histogram)) / pairs


def _lead(histogram: ScoreHistogram) -> FloatArray:
    """Return P(positive > negative) − ½ within each bin, as far as the class means tell it.

    One of each class: known. Many: ½ + (mean₁ − mean₀)/w for two densities that are linear over the bin's
    width w.
    """
    low, high = score_bin_edges(histogram.bins)
    gap = histogram.class_gap
    single = (histogram.positive == 1) & (histogram.negative == 1)
    return np.where(single, np.sign(gap) / 2, np.clip(gap / (high - low), -0.5, 0.5))


def _resolved(histogram: ScoreHistogram) -> bool:
    """Tell whether at most 5 % of the pairs share a bin without being tied."""
    pairs = histogram.positive * histogram.negative * (histogram.class_gap != 0)
    return float(pairs.sum()) <= 0.05 * histogram.positives * histogram.negatives


def _precision_sums(histogram: ScoreHistogram, sweep: Sweep) -> FloatArray:
    """Return the sum of the precisions at the positives of each bin, highest bin first.

    Among p positives and n negatives about (1 − 2·lead)·i·n/(p + 1) negatives come before the i-th
    positive; the sum over i is taken as its midpoint integral.
    """
    positive, negative = histogram.positive[::-1], histogram.negative[::-1]
    before, rank = sweep.tp - positive, sweep.tp + sweep.fp - positive - negative
    slope = 1 + (1 - 2 * _lead(histogram)[::-1]) * negative / (positive + 1)
    grown = np.log((rank + slope * (positive + 0.5)) / (rank + slope / 2))
    mixed = positive / slope + (before * slope - rank) / slope**2 * grown
    single = (before + 1) / (rank + np.where(slope > 1, 2, 1))
    mixed = np.where((positive == 1) & (negative == 1), single, mixed)
    return np.where(histogram.class_gap[::-1] == 0, positive * sweep.precision, mixed)


def _share_interval(value: float, n: float) -> Interval | None:
    """Return the logit interval of a share of `n`; Wilson's at 0 and 1."""
    if not 0 < value < 1:
        return intervals.wilson(value * n, n)
    return _logit_interval(value, math.sqrt(value * (1 - value) / n))


def _logit_interval(value: float, error: float) -> Interval | None:
    """Return the interval that is even on the logit scale, for a value in (0, 1) and its standard error."""
    if not 0 < value < 1:
        return None
    half = intervals.z_value() * error / (value * (1 - value))
    centre = math.log(value / (1 - value))
    return float(special.expit(centre - half)), float(special.expit(centre + half))


def _unusable(histogram: ScoreHistogram) -> Estimate | None:
    """Return why rank metrics cannot be computed, or None if they can."""
    if histogram.n == 0:
        return undefined(NO_SCORES)
    if histogram.positives == 0 or histogram.negatives == 0:
        return undefined(ONE_CLASS, histogram.n)
    return None


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))
