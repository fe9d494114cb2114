"""What the values of a column look like, whatever it is called."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, SupportsFloat, cast

from mlwatch.roles.columns import LONGEST_TEXT, kind_of
from mlwatch.roles.names import LATENCY_UNITS
from mlwatch.roles.types import ROUNDING
from mlwatch.roles.written import (
    AMOUNTS,
    ANY_AMOUNT,
    COMPOUND,
    DECIMAL_COMMA,
    NULL_WORDS,
    commas_of,
    with_point,
)
from mlwatch.times import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlwatch.roles.types import Column
    from mlwatch.roles.written import Commas

NUMBERS = frozenset({"integer", "number"})
"""The kinds of values that are numbers."""
LEAST_PERCENT = 20
"""The highest of some percentages lies above this; scales of schools and stars end before."""
MOSTLY = 0.75
"""Share of numbers among the samples of a column of numbers: the others are read as missing."""
ENOUGH = 5
"""Samples from which on shares of them say something: what the first lines of a live log decide is for good."""
_NO_SCORE = -1
"""What some loggers write where there is no score."""
_LEVEL_WORDS = frozenset(
    {
        *("trace", "debug", "info", "information", "notice", "warn", "warning", "error", "err", "critical"),
        *("fatal", "alert", "emerg", "emergency", "panic", "severe"),
    }
)
_WRITTEN_DATE = re.compile(r"\s*(\d{4}[-/]\d\d[-/]\d\d|\d{1,2}\.\d{1,2}\.\d{4})[T ]\d\d?:\d\d")
_DURATION = re.compile(rf"\d+(\.\d+)?\s*({'|'.join(LATENCY_UNITS)})|{COMPOUND}", re.IGNORECASE)
_ANY_AMOUNT, _COMMA_AMOUNT, _DECIMAL_COMMA = map(re.compile, (ANY_AMOUNT, AMOUNTS["decimal"], DECIMAL_COMMA))
_JSON = re.compile(r"\s*(\{.*|\[.*)", re.DOTALL)


def holds_numbers(column: Column) -> bool:
    """Tell whether a column is one of numbers, though some are written as text or stand for none, such as `N/A`."""
    if not column.kinds <= {*NUMBERS, "text", "null"}:
        return False
    return len(numbers(column)) >= MOSTLY * len(_said(column)) > 0


def numbers(column: Column) -> list[float]:
    """Return the samples that are finite numbers, or the texts of some."""
    commas = commas_of(one for one in column.samples if isinstance(one, str))
    found = [number_of(one, commas) for one in column.samples]
    return [number for number in found if number is not None and math.isfinite(number)]


def number_of(sample: object, commas: Commas = "unclear") -> float | None:
    """Return a sample as a number, also where it is the text of one; None where it is neither."""
    if kind_of(sample) in NUMBERS:
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


def holds_amounts(column: Column) -> bool:
    """Tell whether a column is one of amounts, be it that none can be read: that is to be said."""
    said = _said(column)
    good = sum(_ANY_AMOUNT.fullmatch(one) is not None for one in said)
    return column.kinds <= {*NUMBERS, "text", "null"} and good >= MOSTLY * len(said) > 0


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
    said = _said(column)
    return bool(said) and all(map(_DURATION.fullmatch, said))


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
    return bool(column.samples) and only_words(column, _LEVEL_WORDS)


def only_words(column: Column, allowed: Collection[str]) -> bool:
    """Tell whether every sample is one of some words, which are in lower case."""
    return all(isinstance(sample, str) and sample.strip().lower() in allowed for sample in column.samples)
