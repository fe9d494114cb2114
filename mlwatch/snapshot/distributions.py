"""Distributions and curves of one version, from its rollup rows: latency, scores by class, ROC, PR, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import curves, latency, outputs
from mlwatch.metrics.scores import NO_BIN, ScoreHistogram, score_bin_edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlwatch.snapshot.read import Table

MERGED = 8
"""Latency bins of 2 % that are shown as one, of 17 %."""
SCORE_BINS = 20
MOST_THRESHOLDS = 100
MOST_POINTS = 200
"""Points of a curve that are kept."""

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """A histogram; all versions of a model share its grid."""

    edges: tuple[float, ...]
    """Increasing, one more than there are counts."""
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """Predictions of similar score, and how many of them were positive."""

    score: float
    """Their mean score."""
    share: float
    """Share of positives among them."""
    n: int
    low: float | None = None
    """Of Wilson's interval of the share, as is the next."""
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """The confusion cells where predictions of at least this score are positive."""

    threshold: float
    tp: int
    fp: int
    fn: int
    tn: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of labelled predictions of a binary task, and what follows from them."""

    edges: tuple[float, ...]
    """Of equal width, one more than there are counts."""
    positive: tuple[int, ...]
    """Predictions whose label is the positive class, by bin."""
    negative: tuple[int, ...]
    roc: Points
    """False positive rate and true positive rate, from (0, 0) to (1, 1)."""
    pr: Points
    """Recall and precision, from the highest threshold down."""
    calibration: tuple[CalibrationPoint, ...]
    """Empty where the scores are no probabilities."""
    thresholds: tuple[Threshold, ...] = ()
    """What deciding from each score on would give, the highest first."""


def residual_edges(rows: Table) -> tuple[float, ...]:
    """Return edges of equal, round width around the residuals of all versions; see `outputs.signed_edges`."""
    return outputs.signed_edges(rows["side"], rows["bin"], rows["n"])


def residual_bars(rows: Table, edges: tuple[float, ...]) -> Bars | None:
    """Return how often predictions were how far off; the outer bins hold what lies beyond. None without residuals.

    Args:
        rows: Of one version, of the rollup of residuals.
        edges: In the unit of the label, increasing.
    """
    if not edges or not len(rows):
        return None
    counts = outputs.signed_counts(rows["side"], rows["bin"], rows["n"], edges)
    return Bars(edges, tuple(counts.tolist()))


def latency_bars(rows: Table) -> Bars | None:
    """Return latencies in milliseconds by bins of 17 %; None without any.

    Args:
        rows: Latency rows of one version.
    """
    bins, counts = rows["bin"].astype(np.int64), rows["n"].astype(np.int64)
    real = (bins != latency.ZERO_BIN) & (bins != latency.NO_BIN)
    if not counts[real].sum():
        return None
    place = bins[real] // MERGED
    low, high = int(place.min()), int(place.max())
    merged = np.bincount(place - low, weights=counts[real], minlength=high - low + 1)
    edges = latency.bin_edges(MERGED * np.arange(low, high + 2))[0]
    return Bars(tuple(edges.tolist()), tuple(merged.astype(int).tolist()))


def score_span(rows: Table) -> tuple[float, float] | None:
    """Return the ends of the scale that all versions' scores are shown on; None without scores.

    Args:
        rows: Score rows of all versions of a model.
    """
    bins = rows["bin"].astype(np.int64)
    bins = bins[bins != NO_BIN]
    if not bins.size:
        return None
    low, high = score_bin_edges(bins)
    least, most = float(low.min()), float(high.max())
    return (0.0, 1.0) if least >= 0 and most <= 1 else (least, most)


def scores(rows: Table, positive: str | None, span: tuple[float, float] | None) -> Scores | None:
    """Return the distribution of one version's scores by class with its curves; None without labelled scores.

    Args:
        rows: Score rows of the version.
        positive: Positive class.
        span: See `score_span`.
    """
    if positive is None or span is None or not len(rows):
        return None
    found = ScoreHistogram.from_rows(rows["label"] == positive, rows["bin"], rows["n"], rows["sum_score"])
    if not found.n:
        return None
    edges = np.linspace(*span, SCORE_BINS + 1)
    place = np.clip(np.searchsorted(edges, found.mean_score, side="right") - 1, 0, SCORE_BINS - 1)

    def by_bin(counts: NDArray[np.float64]) -> tuple[int, ...]:
        return tuple(np.bincount(place, weights=counts, minlength=SCORE_BINS).astype(int).tolist())

    both = found.positives > 0 and found.negatives > 0
    return Scores(
        tuple(edges.tolist()),
        by_bin(found.positive),
        by_bin(found.negative),
        _points(*curves.roc_curve(found)) if both else (),
        _points(*curves.pr_curve(found)) if both else (),
        _calibration(found),
        _thresholds(curves.threshold_sweep(found)),
    )


def _thresholds(sweep: curves.Sweep) -> tuple[Threshold, ...]:
    last = len(sweep.threshold) - 1
    kept = np.unique(np.linspace(0, last, min(last + 1, MOST_THRESHOLDS)).round().astype(int))
    cells = (getattr(sweep, name)[kept].round().astype(int).tolist() for name in ("tp", "fp", "fn", "tn"))
    return tuple(
        Threshold(at, *counts) for at, *counts in zip(sweep.threshold[kept].tolist(), *cells, strict=True)
    )


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> Points:
    """Return at most `MOST_POINTS` of a curve's points, both ends among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).round().astype(int))
    return tuple(zip(x[kept].tolist(), y[kept].tolist(), strict=True))


def _calibration(found: ScoreHistogram) -> tuple[CalibrationPoint, ...]:
    curve = curves.calibration(found)
    if curve is None:
        return ()
    columns = (curve.mean_score, curve.positive_share, curve.count.round().astype(int), curve.low, curve.high)
    points = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(CalibrationPoint(*point) for point in points)
