"""Performance of a classifier from its confusion counts, score sums and score histograms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import confusion as table
from mlwatch.metrics import curves, intervals
from mlwatch.metrics.confusion import Confusion, positive_class, sort_labels
from mlwatch.metrics.estimate import Estimate, estimate, undefined
from mlwatch.metrics.scores import ScoreHistogram, score_bin_middle

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Confusion",
    "ScoreSums",
    "binary",
    "multiclass",
    "one_vs_rest_auc",
    "per_class",
    "positive_class",
    "sort_labels",
]

NO_LABELS = "no labels yet"
NO_SCORES = curves.NO_SCORES
ONE_CLASS = curves.ONE_CLASS
ONE_PREDICTION = "only one class in the predictions"
BINARY = (
    "accuracy",
    "precision",
    "recall",
    "f1",
    "specificity",
    "mcc",
    "balanced_accuracy",
    "roc_auc",
    "pr_auc",
    "log_loss",
    "brier",
    "ece",
)
MULTICLASS = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_f1",
    "weighted_f1",
    "log_loss",
    "roc_auc",
    "mcc",
    "kappa",
)


@dataclass(frozen=True, slots=True)
class ScoreSums:
    """Sums over the labelled predictions that carry a probability."""

    n: int = 0
    log_loss: float = 0.0
    """Σ −ln p(true class), p clipped to [2.2e-16, 1 − 2.2e-16] as scikit-learn does."""
    brier: float = 0.0
    """Σ (p(positive class) − label)², label 0 or 1."""
    log_loss_sq: float | None = None
    """Σ (ln p(true class))², for the interval; without it the spread comes from the score histogram."""
    brier_sq: float | None = None
    """Σ (p − label)⁴, for the interval."""

    def with_spread(self, log_loss: float, brier: float) -> ScoreSums:
        """Return the same with squares of losses that have these variances, see `loss_spread`."""
        return replace(
            self,
            log_loss_sq=self.n * log_loss + self.log_loss**2 / self.n,
            brier_sq=self.n * brier + self.brier**2 / self.n,
        )

    def __add__(self, other: ScoreSums) -> ScoreSums:
        """Merge two disjoint sets of predictions."""
        return ScoreSums(
            self.n + other.n,
            self.log_loss + other.log_loss,
            self.brier + other.brier,
            None
            if self.log_loss_sq is None or other.log_loss_sq is None
            else self.log_loss_sq + other.log_loss_sq,
            None if self.brier_sq is None or other.brier_sq is None else self.brier_sq + other.brier_sq,
        )


def binary(
    confusion: Confusion,
    positive: str | None = None,
    sums: ScoreSums | None = None,
    scores: ScoreHistogram | None = None,
) -> dict[str, Estimate]:
    """Return every metric of `BINARY`, in that order.

    Args:
        confusion: Counts by true and predicted class; further classes count as negative.
        positive: The positive class; inferred from the labels when not given.
        sums: Log-loss and Brier sums; None where the logs carry no probability.
        scores: Histogram of the positive class's score; None where the logs carry none.
    """
    name = positive if positive is not None else positive_class(confusion.labels)
    cells = confusion.cells(name or "")
    return {**_decisions(confusion, cells), **_ranking(scores), **_losses(sums, scores)}


def multiclass(
    confusion: Confusion,
    sums: ScoreSums | None = None,
    scores: Mapping[str, ScoreHistogram] | None = None,
) -> dict[str, Estimate]:
    """Return every metric of `MULTICLASS`, in that order.

    Averages run over the classes present in labels or predictions (balanced accuracy: in labels), as
    scikit-learn's defaults do.

    Args:
        confusion: Counts by true and predicted class.
        sums: Log-loss sum; None where the logs carry no probability.
        scores: By class, the histogram of its score with "is that class" as the label.
    """
    n = confusion.n
    if n == 0:
        found = {name: undefined(NO_LABELS) for name in ("accuracy", *MULTICLASS[1:5], "mcc", "kappa")}
    else:
        found = {
            "accuracy": _accuracy(confusion),
            "balanced_accuracy": table.delta(table.balanced_accuracy, confusion.counts),
            "macro_precision": table.delta(table.macro_precision, confusion.counts),
            "macro_f1": table.delta(table.macro_f1, confusion.counts),
            "weighted_f1": table.delta(table.weighted_f1, confusion.counts),
            "mcc": _mcc(confusion),
            "kappa": _kappa(confusion),
        }
    found["log_loss"] = _log_loss(sums, None)
    found["roc_auc"] = one_vs_rest_auc(scores or {})
    return {name: found[name] for name in MULTICLASS}


def per_class(confusion: Confusion) -> dict[str, dict[str, Estimate]]:
    """Return precision, recall and F1 of each class; the n of recall is the class's support."""
    counts, n = confusion.counts, confusion.n
    of_class = zip(
        np.diag(counts).tolist(), counts.sum(axis=0).tolist(), counts.sum(axis=1).tolist(), strict=True
    )
    return {
        label: {
            "precision": intervals.proportion(hits, predicted, "the class is never predicted"),
            "recall": intervals.proportion(hits, true, "the class is not in the labels"),
            "f1": _f1(hits, predicted - hits, true - hits, n),
        }
        for label, (hits, predicted, true) in zip(confusion.labels, of_class, strict=True)
    }


def _decisions(confusion: Confusion, cells: tuple[int, int, int, int]) -> dict[str, Estimate]:
    """Return the metrics of the decided classes."""
    if confusion.n == 0:
        return {name: undefined(NO_LABELS) for name in BINARY[:7]}
    tp, fp, fn, tn = cells
    decided = Confusion(("rest", "positive"), np.array([[tn, fp], [fn, tp]], dtype=np.int64))
    return {
        "accuracy": _accuracy(confusion),
        "precision": intervals.proportion(tp, tp + fp, "no positive predictions"),
        "recall": intervals.proportion(tp, tp + fn, "no positive labels"),
        "f1": _f1(tp, fp, fn, confusion.n),
        "specificity": intervals.proportion(tn, tn + fp, "no negative labels"),
        "mcc": _mcc(decided),
        "balanced_accuracy": _balanced(decided),
    }


def _ranking(scores: ScoreHistogram | None) -> dict[str, Estimate]:
    if scores is None:
        return {"roc_auc": undefined(NO_SCORES), "pr_auc": undefined(NO_SCORES)}
    return {"roc_auc": curves.roc_auc(scores), "pr_auc": curves.average_precision(scores)}


def _losses(sums: ScoreSums | None, scores: ScoreHistogram | None) -> dict[str, Estimate]:
    """Return log-loss, Brier score and calibration error."""
    brier = _brier(sums, scores)
    error = undefined(NO_SCORES) if scores is None else curves.ece(scores, brier.value)
    return {"log_loss": _log_loss(sums, scores), "brier": brier, "ece": error}


def _accuracy(confusion: Confusion) -> Estimate:
    return intervals.proportion(int(np.trace(confusion.counts)), confusion.n, NO_LABELS)


def _f1(tp: int, fp: int, fn: int, n: int) -> Estimate:
    """Return F1; its interval is Wilson's for J = tp/(tp+fp+fn), carried over by F1 = 2J/(1+J)."""
    bounds = intervals.wilson(tp, tp + fp + fn)
    if bounds is None:
        return undefined("neither positive labels nor positive predictions", n)
    low, high = (2 * share / (1 + share) for share in bounds)
    return estimate(2 * tp / (2 * tp + fp + fn), n, (low, high), "Wilson on tp/(tp+fp+fn)")


def _mcc(confusion: Confusion) -> Estimate:
    reason = _constant_margin(confusion)
    if reason is not None:
        return undefined(reason, confusion.n)
    return table.delta(table.mcc, confusion.counts, lowest=-1.0)


def _kappa(confusion: Confusion) -> Estimate:
    if np.count_nonzero(confusion.counts.sum(axis=0) + confusion.counts.sum(axis=1)) < 2:
        return undefined(ONE_CLASS, confusion.n)
    return table.delta(table.kappa, confusion.counts, lowest=-1.0)


def _balanced(confusion: Confusion) -> Estimate:
    """Return balanced accuracy of a binary table; of one class it would be that class's recall."""
    if np.count_nonzero(confusion.counts.sum(axis=1)) < 2:
        return undefined(ONE_CLASS, confusion.n)
    return table.delta(table.balanced_accuracy, confusion.counts)


def _constant_margin(confusion: Confusion) -> str | None:
    """Return why a correlation with labels or predictions does not exist, or None if it does."""
    if np.count_nonzero(confusion.counts.sum(axis=1)) < 2:
        return ONE_CLASS
    return ONE_PREDICTION if np.count_nonzero(confusion.counts.sum(axis=0)) < 2 else None


def _no_losses(scores: ScoreHistogram | None) -> Estimate:
    """Say why there is neither log-loss nor Brier score."""
    margins = scores is not None and scores.n > 0 and not scores.in_unit_interval
    return undefined(curves.NOT_PROBABILITIES if margins else NO_SCORES)


def loss_spread(scores: ScoreHistogram) -> tuple[float, float] | None:
    """Return the variances of a label's log-loss and of its squared error, each bin's scores taken as one.

    Returns:
        None without scores, and where these are no probabilities.
    """
    if not scores.n or not scores.in_unit_interval:
        return None
    middle, score, n = score_bin_middle(scores.bins), scores.mean_score, scores.positives + scores.negatives
    losses = ((-np.log(middle), -np.log1p(-middle)), ((1 - score) ** 2, score**2))
    found = []
    for of_positive, of_negative in losses:
        mean = (scores.positive @ of_positive + scores.negative @ of_negative) / n
        squares = scores.positive @ (of_positive - mean) ** 2 + scores.negative @ (of_negative - mean) ** 2
        found.append(float(squares / n))
    return found[0], found[1]


def _log_loss(sums: ScoreSums | None, scores: ScoreHistogram | None) -> Estimate:
    if sums is None:
        return _no_losses(scores)
    square = sums.log_loss_sq
    if square is None and scores is not None and scores.n and scores.in_unit_interval:
        middle = score_bin_middle(scores.bins)
        of_bins = float(scores.positive @ np.log(middle) ** 2 + scores.negative @ np.log1p(-middle) ** 2)
        square = of_bins * sums.n / scores.n
    return intervals.mean(sums.n, sums.log_loss, square, NO_SCORES, lowest=0.0)


def _brier(sums: ScoreSums | None, scores: ScoreHistogram | None) -> Estimate:
    if sums is None:
        return _no_losses(scores)
    square = sums.brier_sq
    if square is None and scores is not None and scores.n and scores.in_unit_interval:
        score = scores.mean_score
        of_bins = float(scores.positive @ (1 - score) ** 4 + scores.negative @ score**4)
        square = of_bins * sums.n / scores.n
    return intervals.score(sums.n, sums.brier, square, NO_SCORES)


def one_vs_rest_auc(scores: Mapping[str, ScoreHistogram]) -> Estimate:
    """Return the unweighted mean of the one-vs-rest AUCs over the classes that have both sides.

    The interval adds the classes' standard errors as if they moved together: rather wide than narrow.
    """
    usable = [scores[name] for name in scores if scores[name].positives and scores[name].negatives]
    if not usable:
        labelled = any(part.n for part in scores.values())
        return undefined(ONE_CLASS if labelled else NO_SCORES)
    parts = np.array([curves.auc_parts(part) for part in usable])
    value, error = float(parts[:, 0].mean()), float(np.sqrt(parts[:, 1]).mean())
    n = max(part.n for part in usable)
    if error * error <= curves.NO_SPREAD:  # every class lies apart from the others, as in `curves.roc_auc`
        smallest = min(min(part.positives, part.negatives) for part in usable)
        return estimate(value, n, intervals.wilson(value * smallest, smallest), "Wilson, smallest class")
    interval = intervals.normal(value, error**2, lowest=0.0, highest=1.0)
    return estimate(value, n, interval, "DeLong, errors added")
