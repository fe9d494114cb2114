"""What a column's values must look like to have a role: a name alone is not enough."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsFloat, cast

from mlwatch.roles.columns import LONGEST_TEXT, by_record, kind_of
from mlwatch.roles.event_names import meaning_of
from mlwatch.roles.names import LATENCY_UNITS, latency_factor, normal
from mlwatch.roles.types import ROUNDING
from mlwatch.roles.written import AMOUNTS, ANY_AMOUNT, COMPOUND, DECIMAL_COMMA, commas_of, with_point
from mlwatch.times import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mlwatch.roles.types import Column, ColumnPath
    from mlwatch.roles.written import Commas

NULL_WORDS = frozenset({"", "nan", "-nan", "null", "none", "na", "n/a", "#n/a", "<na>", r"\n"})
"""What stands for a missing number, in lower case, as Python, R, pandas, spreadsheets and databases write it."""
SUCCESS_WORDS = frozenset(
    {"ok", "success", "successful", "succeeded", "pass", "passed", "complete", "completed", "done"}
)
FAILURE_WORDS = frozenset(
    {"error", "err", "fail", "failed", "failure", "exception", "timeout", "timed out"},
)
STATUS_WORDS = SUCCESS_WORDS | FAILURE_WORDS
_LEVEL_WORDS = frozenset(
    {
        *("trace", "debug", "info", "information", "notice", "warn", "warning", "error", "err", "critical"),
        *("fatal", "alert", "emerg", "emergency", "panic", "severe"),
    }
)
HTTP_STATUSES = frozenset(
    {
        *(*range(100, 104), *range(200, 209), 226, *range(300, 309), *range(400, 419), *range(421, 430)),
        *(431, 444, 451, 460, 499, *range(500, 512), *range(520, 531)),
    }
)
"""The codes that HTTP's registry and the proxies in use know."""
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
LEAST_PERCENT = 20
"""The highest of some percentages lies above this; scales of schools and stars end before."""
MOSTLY = 0.75
"""Share of numbers among the samples of a column of numbers: the others are read as missing."""
ENOUGH = 5
"""Samples from which on shares of them say something: what the first lines of a live log decide is for good."""
_NO_SCORE = -1
"""What some loggers write where there is no score."""
_WRITTEN_DATE = re.compile(r"\s*(\d{4}[-/]\d\d[-/]\d\d|\d{1,2}\.\d{1,2}\.\d{4})[T ]\d\d?:\d\d")
_DURATION = re.compile(rf"\s*(\d+(\.\d+)?\s*({'|'.join(LATENCY_UNITS)})|{COMPOUND})\s*", re.IGNORECASE)
_MADE = re.compile(r"predict|infer(ence|red|ring)|request|scor(ed|ing)|serv(ed|ing)", re.IGNORECASE)
"""What loggers say of predictions."""
_ANY_AMOUNT, _COMMA_AMOUNT, _DECIMAL_COMMA = map(re.compile, (ANY_AMOUNT, AMOUNTS["decimal"], DECIMAL_COMMA))
_JSON = re.compile(r"\s*(\{.*|\[.*)", re.DOTALL)


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
    allowed = present <= _KINDS[role] or (_KINDS[role] == _NUMBERS and holds_numbers(column))
    allowed = allowed or (role == "latency" and holds_durations(column))
    allowed = allowed or (role == "value" and _holds_amounts(column))
    return allowed and _GUARDS[role](column, context, loose)


def holds_numbers(column: Column) -> bool:
    """Tell whether a column is one of numbers, though some are written as text or stand for none, such as `N/A`."""
    if not column.kinds <= {*_NUMBERS, "text", "null"}:
        return False
    said = [one for one in column.samples if str(one).strip().lower() not in NULL_WORDS]
    return len(numbers(column)) >= MOSTLY * len(said) > 0


def _holds_amounts(column: Column) -> bool:
    """Tell whether a column is one of amounts, be it that none can be read: that is to be said."""
    said = _said(column)
    good = sum(_ANY_AMOUNT.fullmatch(one) is not None for one in said)
    return column.kinds <= {*_NUMBERS, "text", "null"} and good >= MOSTLY * len(said) > 0


def has_decimal_commas(column: Column) -> bool:
    """Tell whether all samples can be amounts with a decimal comma, and some can be nothing else."""
    said = _said(column)
    return all(map(_COMMA_AMOUNT.fullmatch, said)) and any(map(_DECIMAL_COMMA.fullmatch, said))


def _said(column: Column) -> list[str]:
    """Return the texts of the samples, without those that stand for nothing."""
    texts = (str(one).strip() for one in column.samples)
    return [text for text in texts if text.lower() not in NULL_WORDS]


def holds_durations(column: Column) -> bool:
    """Tell whether every sample is a number with its unit of time, such as `12.3ms` or `1m3.5s`."""
    said = [str(one) for one in column.samples if str(one).strip().lower() not in NULL_WORDS]
    return bool(said) and all(_DURATION.fullmatch(one) for one in said)


def _timestamp(column: Column, _context: Context, _loose: bool) -> bool:
    return is_time(column)


def is_time(column: Column) -> bool:
    """Tell whether most samples are times."""
    parsed = sum(parse_timestamp(sample) is not None for sample in column.samples)
    return parsed * 2 >= len(column.samples) > 0


def is_written_time(column: Column) -> bool:
    """Tell whether all samples are times with their date written out, which nothing else looks like."""
    return bool(column.samples) and all(
        _WRITTEN_DATE.match(str(sample)) is not None and parse_timestamp(sample) is not None
        for sample in column.samples
    )


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


def _prediction(column: Column, _context: Context, loose: bool) -> bool:
    return not holds_json(column) and not (loose and _only_words(column, STATUS_WORDS))


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
    return not holds_json(column) and not (loose and _only_words(column, STATUS_WORDS))


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
    if loose:
        return _is_mostly_success(column)
    good = sum(_is_status(sample) for sample in column.samples)
    return good * 10 >= len(column.samples) * 9


def _is_status(sample: object) -> bool:
    if isinstance(sample, str):
        text = sample.strip().lower()
        return text in STATUS_WORDS or (text.isdecimal() and 100 <= int(text[:4]) <= 599)
    return isinstance(sample, int | float) and 100 <= sample <= 599


def _is_mostly_success(column: Column) -> bool:
    """Tell whether all numbers are statuses of HTTP, and most of many are of success: other codes are not so."""
    codes = [number_of(sample) for sample in column.samples]
    good = sum(code is not None and 200 <= code <= 299 for code in codes)
    return (good * 2 > len(codes) or len(codes) < ENOUGH) and all(code in HTTP_STATUSES for code in codes)


def _text(column: Column, _context: Context, _loose: bool) -> bool:
    return not holds_json(column)


def _event(column: Column, context: Context, loose: bool) -> bool:
    kinds = {str(sample) for sample in column.samples}
    messages = loose or len(kinds) == 1 or _are_messages(column, context)
    if context.predicts and messages and not _tells_events(column, context):
        return False  # structured loggers name their message so
    technical = loose and all("." in kind for kind in kinds)  # the types of CloudEvents and of spans
    return len(kinds) <= MOST_EVENTS and not technical and not holds_json(column)


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


def numbers(column: Column) -> list[float]:
    """Return the samples that are finite numbers, or the texts of some."""
    commas = commas_of(one for one in column.samples if isinstance(one, str))
    found = [number_of(one, commas) for one in column.samples]
    return [number for number in found if number is not None and math.isfinite(number)]


def number_of(sample: object, commas: Commas = "unclear") -> float | None:
    """Return a sample as a number, also where it is the text of one; None where it is neither."""
    if kind_of(sample) in _NUMBERS:
        return as_float(sample)
    if not isinstance(sample, str):
        return None
    try:
        return float(with_point(sample, commas))
    except ValueError:
        return None


def as_float(number: object) -> float:
    """Return any kind of number as a float; a whole one too large for that is infinite."""
    try:
        return float(cast("SupportsFloat", number))
    except OverflowError:
        return math.inf


def holds_json(column: Column) -> bool:
    """Tell whether every sample is the text of a JSON object or list."""
    return bool(column.samples) and all(
        isinstance(sample, str) and _is_json(sample) for sample in column.samples
    )


def _is_json(text: str) -> bool:
    """Tell whether a text is JSON, as `[1, 2]` is and `[Errno 111] refused` is not; a long one may be."""
    if _JSON.fullmatch(text) is None:
        return False
    try:
        json.loads(text)
    except ValueError:
        return len(text) >= LONGEST_TEXT
    return True


def is_log_level(column: Column) -> bool:
    """Tell whether every sample is a level of logging."""
    return bool(column.samples) and _only_words(column, _LEVEL_WORDS)


def _only_words(column: Column, allowed: Collection[str]) -> bool:
    return all(isinstance(sample, str) and sample.strip().lower() in allowed for sample in column.samples)


def within_unit(column: Column) -> bool:
    """Tell whether all numbers are such as probabilities are."""
    return all(0 <= number <= 1 for number in numbers(column))


def tells_classes(column: Column) -> bool:
    """Tell whether scores are probabilities but for a few, such as those that stand for none: margins are not."""
    found = numbers(column)
    if len(found) < ENOUGH:
        found = [number for number in found if number != _NO_SCORE]
    inside = sum(-ROUNDING <= number <= 1 + ROUNDING for number in found)
    return inside >= MOSTLY * len(found)


def is_percent(column: Column) -> bool:
    """Tell whether all numbers are such as percentages are, and not of a shorter scale; margins are negative, too."""
    found = numbers(column)
    return bool(found) and min(found) >= 0 and LEAST_PERCENT < max(found) <= 100


_SCALARS = frozenset({"boolean", "integer", "number", "text"})
_NUMBERS = frozenset({"integer", "number"})
_NAMES = frozenset({"integer", "number", "text"})
_KINDS: Mapping[str, frozenset[str]] = {
    "timestamp": _NAMES,
    "id": _NAMES,
    "model": _NAMES,
    "version": _NAMES,
    "prediction": _SCALARS,
    "score": _NUMBERS,
    "label": _SCALARS,
    "latency": _NUMBERS,
    "status": _NAMES,
    "error": frozenset({"text"}),
    "event": frozenset({"text"}),
    "value": _NUMBERS,
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
