"""Gaps between groups: how differently a classifier treats the values of a protected attribute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.metrics.estimate import Estimate, estimate, undefined
from mlwatch.metrics.intervals import CONFIDENCE
from mlwatch.metrics.segments import LEAST, Losses, contrast

if TYPE_CHECKING:
    from collections.abc import Mapping

FEW = f"fewer than two groups have {LEAST} predictions"
FEW_POSITIVES = f"fewer than two groups have {LEAST} positive labels"


@dataclass(frozen=True, slots=True)
class Group:
    """Predictions of one value of the attribute."""

    n: int
    """Answered, labelled or not."""
    chosen: int
    """Of them, predicted positive."""


@dataclass(frozen=True, slots=True)
class Positives:
    """Labelled predictions of one value of the attribute."""

    n: int
    """Labelled positive."""
    hits: int
    """Of them, predicted positive."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference between two groups."""

    difference: Estimate
    """Of rates, with Newcombe's interval for the two groups that are farthest apart.

    They are chosen by what they came to, so that the interval holds for all pairs of groups at once: of k groups it
    covers 1 - 0.05 / (k (k - 1) / 2). Source: the Bonferroni inequality, Dunn 1961, doi:10.1080/01621459.1961.10482090.
    """
    highest: str | None = None
    """Group with the highest rate."""
    lowest: str | None = None


def demographic_parity(groups: Mapping[str, Group]) -> Gap:
    """Return the largest difference in the rate of positive predictions, among all predictions.

    Labels are not needed, and those that are there would mislead: where an outcome is known only of what was granted,
    hardly any refusal has one.
    Source: Dwork et al. 2012, doi:10.1145/2090236.2090255.
    """
    return _gap({name: (group.chosen, group.n) for name, group in groups.items()}, FEW)


def equal_opportunity(groups: Mapping[str, Positives]) -> Gap:
    """Return the largest difference in the true positive rate, among labelled predictions.

    Source: Hardt, Price & Srebro 2016, arXiv:1610.02413.
    """
    return _gap({name: (group.hits, group.n) for name, group in groups.items()}, FEW_POSITIVES)


def _gap(rates: Mapping[str, tuple[int, int]], few: str) -> Gap:
    enough = {name: Losses(of, part, part) for name, (part, of) in rates.items() if of >= LEAST}
    if len(enough) < 2:
        return Gap(undefined(few, sum(of for _, of in rates.values())))
    highest = max(enough, key=lambda name: enough[name].mean)
    lowest = min(enough.keys() - {highest}, key=lambda name: (enough[name].mean, name))
    n = sum(group.n for group in enough.values())
    pairs = math.comb(len(enough), 2)
    found = contrast(enough[highest], enough[lowest], confidence=1 - (1 - CONFIDENCE) / pairs)
    if found is None:
        return Gap(estimate(0.0, n))
    interval = (max(0.0, found.low), found.high)
    method = "Newcombe, the two extreme groups"
    if pairs > 1:
        method += f" of {len(enough)}, Bonferroni over their {pairs} pairs"
    return Gap(estimate(found.difference, n, interval, method), highest, lowest)
