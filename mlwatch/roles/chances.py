"""The probabilities of two classes, each in a column named after its class: that of the positive one is the score."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlwatch.elements import dotted
from mlwatch.roles.columns import ROUNDING, by_record
from mlwatch.roles.looks import within_unit

if TYPE_CHECKING:
    from mlwatch.roles.choice import Choice
    from mlwatch.roles.types import Column

OTHER = "the probability of the other class"
_NAMED = re.compile(
    r"(?P<prefix>(?:(?:class|predict(?:ed|ion)?|pred|y_pred|y)_?)?(?:probabilit(?:y|ies)|probas?|probs?|scores?)"
    r"[._](?:class[._]?)?)(?P<name>[^.\[]+)",
    re.IGNORECASE,
)


def score_of_two(choice: Choice) -> None:
    """Take the positive class's probability for the score, where just two that add up to one have names of classes."""
    if "score" in choice.roles or choice.settings.score is not None:
        return
    groups: dict[str, dict[str, Column]] = {}
    for column in choice.pool.values():
        match = _NAMED.fullmatch(dotted(column.path))
        if match is not None and column.samples and not choice.is_protected(column):
            groups.setdefault(match["prefix"].lower(), {})[match["name"]] = column
    for named in groups.values():
        if len(named) == 2 and _add_up(*named.values()):
            positive = _positive(choice, named)
            (other,) = (column for name, column in named.items() if name != positive)
            choice.take("score", named[positive], f"the probability of {positive}")
            choice.drop((other,), OTHER)
            return


def _positive(choice: Choice, named: dict[str, Column]) -> str:
    """Return which of two classes is the positive one: as the metrics take it."""
    from mlwatch.metrics.confusion import positive_class  # noqa: PLC0415  it imports numpy

    said = choice.settings.positive_class
    return said if said in named else positive_class(named) or max(named)


def _add_up(one: Column, other: Column) -> bool:
    """Tell whether the values of two columns are probabilities that add up to one in each record that has both."""
    if not all(
        column.kinds <= {"integer", "number", "null"} and within_unit(column) for column in (one, other)
    ):
        return False
    second = by_record(other)
    pairs = [(value, second.get(bit)) for bit, value in by_record(one).items()]
    return all(
        isinstance(a, int | float) and isinstance(b, int | float) and abs(a + b - 1) <= ROUNDING
        for a, b in pairs
    )
