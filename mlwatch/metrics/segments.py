"""How much worse a segment does than what it is compared with, and whether that can be chance.

The loss of a prediction is 1 if it is wrong and 0 if it is right; of a regression it is |prediction − label|.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlwatch.metrics import intervals
from mlwatch.metrics.drift import benjamini_hochberg

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST = 30
"""Labelled predictions on either side without which nothing is said."""
SURE = 0.05
"""Rate of false discoveries among the segments that are called worse."""
MANY = 1000
"""Where fewer errors or right answers than this are expected on a side, the tails are not normal: p is exact."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Sums of the losses of some predictions."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    """Σ loss²; the same as `total` where losses are 0 and 1."""
    proportion: bool = True
    """Whether losses are 0 and 1."""

    def __sub__(self, part: Losses) -> Losses:
        """Return what is left without a part."""
        return Losses(self.n - part.n, self.total - part.total, self.squares - part.squares, self.proportion)

    @property
    def mean(self) -> float:
        """Mean loss."""
        return self.total / self.n


@dataclass(frozen=True, slots=True)
class Contrast:
    """Mean loss of a segment minus that of what it is compared with."""

    difference: float
    low: float
    """Lower end of the interval, of 95 % unless said otherwise, for one look."""
    high: float
    p: float
    """Two-sided."""
    excess: float
    """The difference times the segment's labelled predictions: wrong answers (or loss) beyond the comparison's rate."""
    q: float = 1.0
    """`p` corrected for the number of segments looked at (Benjamini & Hochberg 1995)."""

    @property
    def worse(self) -> bool:
        """Tell whether the segment does worse beyond chance."""
        return self.difference > 0 and self.q <= SURE


def contrast(segment: Losses, other: Losses, *, confidence: float = intervals.CONFIDENCE) -> Contrast | None:
    """Compare two disjoint sets of predictions; None where either is smaller than `LEAST`.

    Proportions: Newcombe's hybrid score interval (method 10 of Newcombe 1998,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I) and the pooled z test, in place of it
    Fisher's exact test where less than `MANY` is expected (the central one, see Fay 2010,
    doi:10.1093/biostatistics/kxp050): many segments are looked at, and one error in a small one is no discovery. Means:
    normal interval and z test with separate variances (Welch).

    Args:
        segment: Of the predictions that are looked at.
        other: Of those that they are compared with.
        confidence: Coverage of the interval.
    """
    if segment.n < LEAST or other.n < LEAST:
        return None
    difference = segment.mean - other.mean
    if segment.proportion:
        low, high = _newcombe(segment, other, confidence)
        share = (segment.total + other.total) / (segment.n + other.n)
        error = math.sqrt(share * (1 - share) * (1 / segment.n + 1 / other.n))
    else:
        error = math.sqrt(_variance(segment) / segment.n + _variance(other) / other.n)
        low, high = intervals.normal(difference, error * error, confidence=confidence)
    if segment.proportion and _is_rare(segment, other):
        p = _fisher(segment, other)
    else:
        p = math.erfc(abs(difference) / error / math.sqrt(2)) if error > 0 else float(difference == 0)
    return Contrast(difference, low, high, p, difference * segment.n)


def _is_rare(segment: Losses, other: Losses) -> bool:
    wrong, every = segment.total + other.total, segment.n + other.n
    return min(segment.n, other.n) * min(wrong, every - wrong) < MANY * every


def _fisher(segment: Losses, other: Losses) -> float:
    """Return twice the chance of as many errors in the segment, or more (fewer), where both sides err alike."""
    wrong, every = round(segment.total + other.total), segment.n + other.n
    here = round(segment.total)
    if segment.mean < other.mean:
        here, wrong = segment.n - here, every - wrong
    return min(1.0, 2 * _hypergeometric_tail(here, segment.n, wrong, every))


def _hypergeometric_tail(least: int, drawn: int, marked: int, every: int) -> float:
    """Return the chance that at least so many of the things drawn without putting back are marked."""
    term = math.exp(
        _log_choose(marked, least) + _log_choose(every - marked, drawn - least) - _log_choose(every, drawn)
    )
    total, count = term, least
    while count < min(drawn, marked) and term > total * 1e-17:
        term *= (marked - count) * (drawn - count) / ((count + 1) * (every - marked - drawn + count + 1))
        total += term
        count += 1
    return total


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _newcombe(segment: Losses, other: Losses, confidence: float) -> intervals.Interval:
    one, two = (intervals.wilson(each.total, each.n, confidence) for each in (segment, other))
    if one is None or two is None:
        raise ValueError("both sides need predictions")
    difference = segment.mean - other.mean
    below = math.hypot(segment.mean - one[0], two[1] - other.mean)
    above = math.hypot(one[1] - segment.mean, other.mean - two[0])
    return difference - below, difference + above


def _variance(losses: Losses) -> float:
    return intervals.sample_variance(losses.n, losses.total, losses.squares)


def together(contrasts: Sequence[Contrast | None]) -> list[Contrast | None]:
    """Correct the p values of all segments that were looked at together."""
    found = [each for each in contrasts if each is not None]
    corrected = iter(benjamini_hochberg([each.p for each in found]).tolist() if found else ())
    return [replace(each, q=next(corrected)) if each is not None else None for each in contrasts]
