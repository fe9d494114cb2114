"""Score histograms on one fixed grid over all reals, so that histograms of any two batches add up.

Between 0 and 1 the grid is even in the logit (0.02 wide, so a bin near p spans about 2 % of p), which keeps
rare-event scores such as 0.0003 apart; beyond, it is even in the logarithm (1 % wide). Each bin also
carries the sums of the raw scores by class: they tell how the classes lie within the bin, and whether its
scores are tied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlwatch.metrics.bin_sql import SCORE_CLIP as CLIP
from mlwatch.metrics.bin_sql import SCORE_LOG_WIDTH as LOG_WIDTH
from mlwatch.metrics.bin_sql import SCORE_LOGIT_WIDTH as LOGIT_WIDTH
from mlwatch.metrics.bin_sql import SCORE_OUTER as OUTER
from mlwatch.metrics.bin_sql import SCORE_OUTER_LARGEST as OUTER_LARGEST
from mlwatch.metrics.bin_sql import SCORE_OUTER_SMALLEST as OUTER_SMALLEST
from mlwatch.metrics.bin_sql import score_bin_sql

__all__ = ["NO_BIN", "ScoreHistogram", "score_bin", "score_bin_edges", "score_bin_middle", "score_bin_sql"]

NO_BIN = -32767
"""What `score_bin` returns for NaN; the SQL form returns NULL."""

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def score_bin(scores: ArrayLike) -> IntArray:
    """Return the bin of each score, shape (n,), rising with the score; NaN becomes `NO_BIN`."""
    raw = np.asarray(scores, dtype=float)
    score = np.where(np.isnan(raw), 0.5, raw)
    inner = np.clip(score, CLIP, 1 - CLIP)
    bins = np.floor(np.log(inner / (1 - inner)) / LOGIT_WIDTH)
    above = OUTER + np.ceil(np.log(np.clip(score, 1.0, OUTER_LARGEST)) / LOG_WIDTH)
    below = -OUTER - np.ceil(np.log(np.clip(-score, OUTER_SMALLEST, OUTER_LARGEST)) / LOG_WIDTH)
    bins = np.where(score > 1, above, np.where(score < 0, below, bins))
    result: IntArray = bins.astype(np.int64)
    result[np.isnan(raw)] = NO_BIN
    return result


def score_bin_edges(bins: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper edge of each bin, in score units."""
    index = np.asarray(bins, dtype=float)
    return _place(index, 0.0), _place(index, 1.0)


def score_bin_middle(bins: ArrayLike) -> FloatArray:
    """Return the score in the middle of each bin, on the scale that is even there."""
    return _place(np.asarray(bins, dtype=float), 0.5)


def _place(index: FloatArray, part: float) -> FloatArray:
    """Return the score at a share `part` of each bin's width."""
    inner = np.abs(index) < OUTER / 4
    logit = np.where(inner, index + part, 0.0) * LOGIT_WIDTH
    high = np.where(index > OUTER / 2, index - OUTER - 1 + part, 0.0) * LOG_WIDTH
    low = np.where(~inner & (index < 0), -OUTER - index - part, 0.0) * LOG_WIDTH
    outer = np.where(index > 0, np.exp(high), -np.exp(low))
    return np.asarray(np.where(inner, 1 / (1 + np.exp(-logit)), outer))


@dataclass(frozen=True, slots=True)
class ScoreHistogram:
    """Counts of positives and negatives by score bin, ascending; shape (m,) each."""

    bins: IntArray
    positive: FloatArray
    negative: FloatArray
    positive_sum: FloatArray
    """Sum of the raw scores of the positives of each bin."""
    negative_sum: FloatArray
    """Sum of the raw scores of the negatives of each bin."""

    @classmethod
    def from_rows(
        cls, is_positive: ArrayLike, bins: ArrayLike, counts: ArrayLike, score_sums: ArrayLike | None = None
    ) -> ScoreHistogram:
        """Merge rows of (label, bin, n, Σ score) in any order and with repeats.

        Rows may count negative where they take back others, such as a label that was corrected.

        Args:
            is_positive: Whether the row's label is the positive class, bool, shape (r,).
            bins: Score bins, shape (r,); rows in `NO_BIN` are left out.
            counts: Predictions of each row, shape (r,); weights such as calibrated probabilities work too.
            score_sums: Sum of the scores of each row, shape (r,); the bins' middles stand in without it.
        """
        index = np.asarray(bins, dtype=np.int64)
        count = np.asarray(counts, dtype=float)
        sums = score_bin_middle(index) * count if score_sums is None else np.asarray(score_sums, dtype=float)
        positive = np.asarray(is_positive, dtype=bool)
        unique, position = np.unique(index, return_inverse=True)

        def by_bin(weight: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
            return np.bincount(position.ravel(), weights=weight * mask, minlength=len(unique)).astype(float)

        parts = []
        for mask in (positive, ~positive):
            number = by_bin(count, mask)
            parts.append((np.maximum(number, 0.0), np.where(number > 0, by_bin(sums, mask), 0.0)))
        (up, up_sum), (down, down_sum) = parts
        keep = (unique != NO_BIN) & (up + down > 0)
        return cls(unique[keep], up[keep], down[keep], up_sum[keep], down_sum[keep])

    @classmethod
    def from_scores(cls, is_positive: ArrayLike, scores: ArrayLike) -> ScoreHistogram:
        """Bin raw scores, shape (n,) each; NaN is left out."""
        score = np.asarray(scores, dtype=float)
        return cls.from_rows(is_positive, score_bin(score), np.ones(len(score)), _summable(score))

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        """Merge two disjoint sets of predictions."""
        bins = np.union1d(self.bins, other.bins)
        parts = [(part, np.searchsorted(bins, part.bins)) for part in (self, other)]
        merged = []
        for name in ("positive", "negative", "positive_sum", "negative_sum"):
            total = np.zeros(len(bins))
            for part, position in parts:
                total[position] += getattr(part, name)
            merged.append(total)
        return ScoreHistogram(bins, *merged)

    @property
    def positives(self) -> float:
        """Number of positive labels."""
        return float(self.positive.sum())

    @property
    def negatives(self) -> float:
        """Number of negative labels."""
        return float(self.negative.sum())

    @property
    def n(self) -> int:
        """Number of labelled scores."""
        return round(self.positives + self.negatives)

    @property
    def score_sum(self) -> FloatArray:
        """Sum of the raw scores of each bin, both classes, shape (m,)."""
        return self.positive_sum + self.negative_sum

    @property
    def class_gap(self) -> FloatArray:
        """Mean positive minus mean negative score within each bin, shape (m,); 0 where one is absent.

        It is 0 exactly where all scores of the bin are tied, rounding of the sums aside.
        """
        both = (self.positive > 0) & (self.negative > 0)
        positive = self.positive_sum / np.where(both, self.positive, 1.0)
        negative = self.negative_sum / np.where(both, self.negative, 1.0)
        gap = positive - negative
        return np.where(both & (np.abs(gap) > 1e-9 * np.abs(positive)), gap, 0.0)

    @property
    def mean_score(self) -> FloatArray:
        """Mean score of each bin, shape (m,)."""
        return np.asarray(self.score_sum / (self.positive + self.negative))

    @property
    def in_unit_interval(self) -> bool:
        """Tell whether every score can be a probability."""
        return bool(np.all(np.abs(self.bins) < OUTER / 4))


def _summable(scores: FloatArray) -> FloatArray:
    """Replace NaN by 0 and cut infinities to the grid's ends."""
    return np.nan_to_num(scores, nan=0.0, posinf=OUTER_LARGEST, neginf=-OUTER_LARGEST)
