"""What a column's values must look like to have a role: a name alone is not enough."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.roles.chats import is_generated
from mlwatch.roles.columns import by_record
from mlwatch.roles.event_names import meaning_of
from mlwatch.roles.looks import (
    ENOUGH,
    NUMBERS,
    holds_amounts,
    holds_durations,
    holds_json,
    holds_numbers,
    is_time,
    numbers,
    only_words,
    within_unit,
)
from mlwatch.roles.names import END_TIMES, START_TIMES, latency_factor, normal
from mlwatch.roles.statuses import STATUS_WORDS, are_mostly_success, are_statuses
from mlwatch.roles.written import NULL_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mlwatch.roles.types import Column, ColumnPath

RECORD_WORDS = frozenset(
    {
        *("prediction", "predict", "predictions", "inference", "request", "response", "score", "scoring"),
        *("label", "labels", "outcome", "ground_truth", "groundtruth", "actual", "target"),
    }
)
"""What a column that tells kinds of records calls predictions and outcomes: these are not events."""
MOST_NAMES = 16
"""Different values among the samples, above which a column does not name models or versions."""
MOST_EVENTS = 40
_MADE = re.compile(r"predict|infer(ence|red|ring)|request|scor(ed|ing)|serv(ed|ing)", re.IGNORECASE)
"""What loggers say of predictions."""


@dataclass(frozen=True)
class Context:
    """What is decided already when a column is judged."""

    roles: Collection[str]
    """Roles that have a column."""
    names: Collection[str]
    """Normalised names of the columns at the top."""
    prediction: Column | None = None
    predicted: int = 0
    """In which of the records there is a prediction or score; see `Column.where`."""
    inputs: frozenset[ColumnPath] = frozenset()
    """Objects in which plain inputs stand among the other fields; see `doubts`."""

    @property
    def predicts(self) -> bool:
        """Tell whether the records are predictions."""
        return "prediction" in self.roles or "score" in self.roles


def fits(role: str, column: Column, context: Context, *, loose: bool) -> bool:
    """Tell whether a column whose name fits a role may have it.

    Args:
        role: The role.
        column: The column with samples of its values.
        context: What is decided already.
        loose: The name alone says little.
    """
    present = column.kinds - {"null"}
    if not present:  # values may come later
        return not loose and (role not in {"value", "currency"} or "event" in context.roles)
    allowed = present <= _KINDS[role] or (_KINDS[role] == NUMBERS and holds_numbers(column))
    allowed = allowed or (role == "latency" and holds_durations(column))
    allowed = allowed or (role == "value" and holds_amounts(column))
    return allowed and _GUARDS[role](column, context, loose)


def _timestamp(column: Column, _context: Context, _loose: bool) -> bool:
    return is_time(column)


def _id(column: Column, _context: Context, loose: bool) -> bool:
    values = {str(sample) for sample in column.samples}
    whole = all(not isinstance(sample, float) or sample.is_integer() for sample in column.samples)
    varied = len(values) > 1 or len(column.samples) < 2
    empty = all(value.lower() in NULL_WORDS or (loose and not value.strip("0-")) for value in values)
    return whole and not empty and (varied or not loose)


def _name(column: Column, _context: Context, loose: bool) -> bool:
    texts = [str(sample) for sample in column.samples]
    if loose and not all(isinstance(sample, str) and not sample.startswith("/") for sample in column.samples):
        return False
    # a name that says it all need not be one of few, but it comes again
    most = MOST_NAMES if loose else max(MOST_NAMES, len(texts) // 2)
    return len(set(texts)) <= most and not holds_json(column)


def _prediction(column: Column, context: Context, loose: bool) -> bool:
    if normal(column.path[-1]) == "completion" and not is_generated(column.samples, context.names):
        return False
    return not holds_json(column) and not (loose and only_words(column, STATUS_WORDS))


def _score(column: Column, context: Context, loose: bool) -> bool:
    if not loose:
        return True
    confidence = normal(column.path[-1]) == "confidence"
    return within_unit(column) and (not confidence or _of_positive(column, context))


def _of_positive(column: Column, context: Context) -> bool:
    """Tell whether a confidence can be the probability of the positive class, not of the predicted."""
    known = context.prediction is not None or "prediction" not in context.roles
    classes = {str(sample) for sample in context.prediction.samples} if context.prediction else set()
    return known and len(classes) <= 2 and any(number < 0.5 for number in numbers(column))


def _label(column: Column, context: Context, loose: bool) -> bool:
    if normal(column.path[-1]) == "y" and "x" in context.names:
        return False
    return not holds_json(column) and not (loose and only_words(column, STATUS_WORDS))


def _model(column: Column, context: Context, loose: bool) -> bool:
    apart = not loose or not is_among_inputs(column, context) or _is_one(column)
    return apart and _name(column, context, loose)


def _is_one(column: Column) -> bool:
    """Tell whether enough samples are all the same.

    A service or endpoint among the inputs of a model is one of several, and those of one log's records mostly one: of
    the first line of a live log it is always one.
    """
    return len(column.samples) >= ENOUGH and len(set(map(str, column.samples))) == 1


def _latency(column: Column, context: Context, loose: bool) -> bool:
    possible = all(0 <= number < 1e12 for number in numbers(column)) and not is_time(column)
    return possible and (not loose or not is_among_inputs(column, context) or _is_measured(column))


def is_among_inputs(column: Column, context: Context) -> bool:
    """Tell whether plain inputs of a model stand beside a column of a prediction."""
    return column.path[:-1] in context.inputs


def _is_measured(column: Column) -> bool:
    """Tell whether values have a unit of time, or so many decimals as only a clock gives."""
    found = numbers(column)
    fine = sum(round(number, 2) != number for number in found)
    return fine * 2 > len(found) or latency_factor(column.path[-1]) is not None or holds_durations(column)


def _status(column: Column, _context: Context, loose: bool) -> bool:
    return are_mostly_success(column) if loose else are_statuses(column)


def _text(column: Column, _context: Context, _loose: bool) -> bool:
    return not holds_json(column)


def _event(column: Column, context: Context, loose: bool) -> bool:
    kinds = {str(sample) for sample in column.samples}
    messages = loose or len(kinds) == 1 or _are_messages(column, context)
    if context.predicts and messages and not _tells_events(column, context):
        return False  # structured loggers name their message so
    if loose and _are_spans(context):
        return False
    technical = loose and all("." in kind for kind in kinds)  # the types of CloudEvents and of spans
    return len(kinds) <= MOST_EVENTS and not technical and not holds_json(column)


def _are_spans(context: Context) -> bool:
    """Tell whether records are requests to a model with start and end, of which a `type` says how each was made."""
    return "model" in context.roles and not any(
        each.isdisjoint(context.names) for each in (START_TIMES, END_TIMES)
    )


def _tells_events(column: Column, context: Context) -> bool:
    """Tell whether, among predictions, a column names what the other records are."""
    beside: set[str] = set()
    apart: set[str] = set()
    for bit, sample in by_record(column).items():
        (beside if bit & context.predicted else apart).add(str(sample).strip().lower())
    return bool(apart - RECORD_WORDS) and beside <= RECORD_WORDS


def _are_messages(column: Column, context: Context) -> bool:
    """Tell whether a column says of all predictions, and of nothing else, that they were made: none is business."""
    kinds = {str(sample) for sample in column.samples}
    made = all(_MADE.search(kind) is not None and meaning_of(kind) == "other" for kind in kinds)
    return made and column.where == context.predicted


def _with_event(_column: Column, context: Context, _loose: bool) -> bool:
    return "event" in context.roles


def _currency(column: Column, context: Context, _loose: bool) -> bool:
    short = all(len(str(sample)) <= 4 for sample in column.samples)
    return "event" in context.roles and short


def _unit(column: Column, context: Context, _loose: bool) -> bool:
    return _id(column, context, loose=False)


_SCALARS = frozenset({"boolean", "integer", "number", "text"})
_NAMES = frozenset({"integer", "number", "text"})
_KINDS: Mapping[str, frozenset[str]] = {
    "timestamp": _NAMES,
    "id": _NAMES,
    "model": _NAMES,
    "version": _NAMES,
    "prediction": _SCALARS,
    "score": NUMBERS,
    "label": _SCALARS,
    "latency": NUMBERS,
    "status": _NAMES,
    "error": frozenset({"text"}),
    "event": frozenset({"text"}),
    "value": NUMBERS,
    "currency": frozenset({"text"}),
    "unit": _NAMES,
    "event_id": _NAMES,
}
_GUARDS: Mapping[str, Callable[[Column, Context, bool], bool]] = {
    "timestamp": _timestamp,
    "id": _id,
    "model": _model,
    "version": _name,
    "prediction": _prediction,
    "score": _score,
    "label": _label,
    "latency": _latency,
    "status": _status,
    "error": _text,
    "event": _event,
    "value": _with_event,
    "currency": _currency,
    "unit": _unit,
    "event_id": _unit,
}
