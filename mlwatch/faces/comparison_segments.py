"""Which segments carry a rise of a version's errors between two reports; see `metrics.attribution`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mlwatch.metrics import attribution
from mlwatch.metrics.segments import Losses
from mlwatch.snapshot.falls import CarriedBy, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Document = Mapping[str, Any]

MOST = 5
"""Segments of a version that are told."""


@dataclass(frozen=True, slots=True)
class Carrier(CarriedBy):
    """A segment whose own errors rose beyond chance, and more than elsewhere."""

    model: str
    version: str
    unit: str
    """Of the losses: `ratio` of wrong answers, or nothing for the mean absolute error of a regression."""
    all_before: float
    """Mean loss of all segments."""
    all_after: float


def carriers(key: tuple[str, str], old: Document, new: Document) -> Iterator[Carrier]:
    """Yield what carries the rise of one version's errors, the most first; nothing where they did not rise.

    Args:
        key: Model and version.
        old: The version in the earlier report.
        new: In the later one.
    """
    every: list[tuple[str, str, attribution.Carried]] = []
    sides: list[dict[str, Losses]] = []
    for column, segments in new["segments"].items():
        pair = [_losses(each) for each in (old["segments"].get(column, {}), segments)]
        if all(pair):
            sides = pair
            every += [(str(column), value, each) for value, each in attribution.attribute(*pair).items()]
    if not every:
        return
    before, after = (_mean(side) for side in sides)  # the segments of any one column are all predictions
    change, unit = after - before, "ratio" if next(iter(sides[0].values())).proportion else ""
    if change <= 0:
        return
    beyond = attribution.sure([each for *_, each in every])
    found = [one for one, is_sure in zip(every, beyond, strict=True) if is_sure]
    for column, value, each in sorted(found, key=lambda one: -one[2].beyond)[:MOST]:
        carried = asdict(told(column, value, each, change))
        yield Carrier(**carried, model=key[0], version=key[1], unit=unit, all_before=before, all_after=after)


def _mean(side: Mapping[str, Losses]) -> float:
    return sum(one.total for one in side.values()) / sum(one.n for one in side.values())


def _losses(segments: Document) -> dict[str, Losses]:
    """Return the losses of the segments of one column that have labels, from their performance."""
    found = {}
    for value, segment in segments.items():
        n, performance = round(_finite(segment["labelled"])), segment["performance"]
        if n > 0 and _told(performance, "accuracy"):
            wrong = n * (1 - _finite(performance["accuracy"]["value"]))
            found[str(value)] = Losses(n, wrong, wrong)
        elif n > 0 and _told(performance, "mae"):
            error, square = (_finite(performance[name]["value"]) for name in ("mae", "rmse"))
            found[str(value)] = Losses(n, n * error, n * square**2, proportion=False)
    return found


def _told(performance: Document, name: str) -> bool:
    return name in performance and performance[name]["value"] is not None


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"no number: {number}")
    return number
