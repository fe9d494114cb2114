"""What predictions led to: conversion, engagement, revenue, the value of decisions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import intervals, winsor
from mlwatch.metrics.estimate import Estimate, estimate, undefined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlwatch.metrics.confusion import Confusion
    from mlwatch.metrics.winsor import Cut

NO_PREDICTIONS = "no predictions yet"
NO_CONVERSIONS = "no conversion in the logs of this model"
NO_ENGAGEMENT = "no engagement in the logs of this model"
ALL_ALIKE = "Wilson, between the least and the most that one can earn"


@dataclass(frozen=True, slots=True)
class RevenueSums:
    """Sums over predictions; money in the unit that the events carry."""

    predictions: int = 0
    """All predictions, those without any event included."""
    conversions: int = 0
    """Predictions with at least one conversion event."""
    gross: float = 0.0
    refunds: float = 0.0
    """Positive: what is subtracted."""
    sum_sq: float = 0.0
    """Σ over predictions of (gross − refunds of that prediction)²."""
    cut: Cut | None = None
    """Sums over predictions of the net value, cut at a limit; None for none."""

    @property
    def total(self) -> float:
        """Gross less refunds."""
        return self.gross - self.refunds


def conversion(converted: int, predictions: int, seen: bool = True) -> Estimate:
    """Return the share of predictions with at least one conversion event.

    Args:
        converted: Predictions with at least one such event.
        predictions: All predictions that could have one.
        seen: False where the model never had one: a rate of 0 would then be a guess.
    """
    return _share(converted, predictions) if seen else undefined(NO_CONVERSIONS, predictions)


def engagement(engaged: int, predictions: int, seen: bool = True) -> Estimate:
    """Return the share of predictions with at least one event of engagement, such as a click; see `conversion`."""
    return _share(engaged, predictions) if seen else undefined(NO_ENGAGEMENT, predictions)


def _share(counted: int, predictions: int) -> Estimate:
    # stores of before count one twice whose events name the model now and then
    return intervals.proportion(max(0, min(counted, predictions)), predictions, NO_PREDICTIONS)


def mean_value(n: int, total: float, sumsq: float, cut: Cut | None = None) -> Estimate:
    """Return the mean of what events measure, such as seconds of dwell; beside it that of cut values, for heavy tails.

    Args:
        n: Events with a value.
        total: Σ of their values.
        sumsq: Σ of the squares.
        cut: Sums of the values cut at a limit, see `winsor.mean`; None for none.
    """
    return winsor.mean(n, total, sumsq, cut, NO_ENGAGEMENT)


def revenue_per_prediction(sums: RevenueSums) -> Estimate:
    """Return net revenue per prediction, with Student's t interval on the predictions' net values.

    A single large order makes that wide; what the cut values say stands beside it, see `winsor.mean`.
    """
    return winsor.mean(sums.predictions, sums.total, sums.sum_sq, sums.cut, NO_PREDICTIONS)


def revenue_per_conversion(sums: RevenueSums) -> Estimate:
    """Return net revenue over predictions that converted, with the delta method for a ratio of two means.

    Takes it that only predictions with a conversion carry money. For cut values see `revenue_per_prediction`.
    """
    if sums.conversions <= 0:
        return undefined("no conversions yet", sums.predictions)
    found = _per_conversion(sums, sums.total, sums.sum_sq)
    if sums.cut is None:
        return found
    return winsor.beside(found, _per_conversion(sums, sums.cut.total, sums.cut.square), sums.cut.limit)


def _per_conversion(sums: RevenueSums, total: float, square: float) -> Estimate:
    bounds = intervals.ratio(
        sums.predictions,
        top=total,
        bottom=sums.conversions,
        top_sq=square,
        bottom_sq=sums.conversions,
        product=total,
    )
    if bounds is None:
        return intervals.without_interval(total / sums.conversions, sums.predictions)
    return estimate(total / sums.conversions, sums.conversions, bounds, "delta method")


def decision_value(
    confusion: Confusion, payoff: Mapping[tuple[str, str], float], per: int = 1000
) -> Estimate:
    """Return the expected profit per `per` labelled predictions.

    Args:
        confusion: Counts by true and predicted class.
        payoff: By (true label, predicted label) what one such decision earns, costs negative; absent pairs
            earn 0.
        per: Predictions that the value is quoted for.
    """
    n = confusion.n
    if n <= 0:
        return undefined("no labels yet")
    labels = confusion.labels
    worth = np.array([[payoff.get((true, guess), 0.0) for guess in labels] for true in labels])
    total, square = float((confusion.counts * worth).sum()), float((confusion.counts * worth**2).sum())
    if square * n - total * total <= intervals.SAME * square * n:
        low, high = intervals.all_alike(n, total / n, *_range(labels, payoff))
        return estimate(total / n * per, n, (low * per, high * per), ALL_ALIKE)
    bounds = intervals.mean_t(n, total, square)
    interval = None if bounds is None else (bounds[0] * per, bounds[1] * per)
    return estimate(total / n * per, n, interval, "Student's t")


def _range(labels: Iterable[str], payoff: Mapping[tuple[str, str], float]) -> tuple[float, float]:
    """Return the least and the most that one decision can earn: 0 among them where a pair of classes is not named."""
    classes = set(labels).union(*payoff)
    worth = [payoff.get(pair, 0.0) for pair in product(classes, classes)]
    return min(worth), max(worth)
