"""Why a column that has no role is no feature either."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from mlwatch.elements import dotted, is_element
from mlwatch.roles import looks
from mlwatch.roles.names import (
    LOG_NAMES,
    LOGSTASH_SCHEMA,
    LOOSE_LOG_NAMES,
    aliases,
    is_named,
    is_written,
    normal,
    rank,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.roles.types import Column, ColumnPath

NO_VALUE_YET = "no value yet"
"""Why a column is ignored that `merge` takes up again once it has values."""
BESIDE = "beside an outcome or event, not an input of the model"
LIST = "a list, not a single value"
LIST_OF_OUTPUTS = "a list of class probabilities or outputs: give one column for the score"
JSON_TEXT = "JSON inside of text"
CONFIDENCE = "confidence in the predicted class, not the probability of the positive one"
_ROW_NUMBERS = frozenset({"column1", "unnamed0", "index", "indexlevel0"})
"""What a column of row numbers is called: a nameless first one here, and by pandas, which names it in several ways."""
_LEAST_ROWS = 3
"""So many rows tell that a column counts them."""
_SECOND_ONES = (
    *("id", "event_id", "model", "version", "prediction", "score", "label", "latency", "event", "unit"),
)
"""Roles whose usual names are never those of an input of a model."""


def structured(column: Column) -> str | None:
    """Say why a list or object is left out; None for single values."""
    present = column.kinds - {"null"}
    if not present or not present <= {"list", "object"}:
        return None
    if "list" not in present:
        return "an object without fields"
    if rank("score", column.path) is not None or rank("prediction", column.path) is not None:
        return LIST_OF_OUTPUTS
    return LIST


def no_feature(column: Column, roles: Mapping[str, ColumnPath]) -> str | None:
    """Say why a single value is no input of the model; None when it is one.

    Args:
        column: A column without a role.
        roles: Path by role.
    """
    if column.kinds <= {"null"} and any(
        rank(role, column.path) is not None for role in ("prediction", "score")
    ):
        return NO_VALUE_YET
    if is_logged(column):
        return "what a logger adds, not an input of the model"
    if (why := _is_several(column)) is not None:
        return why
    if _counts_rows(column):
        return "the number of the row, not an input of the model"
    if not {"prediction", "score"} & roles.keys() and {"label", "event"} & roles.keys():
        return BESIDE
    return _second(column, roles)


def _is_several(column: Column) -> str | None:
    """Say what a text holds or is one of; None for a value by itself."""
    if looks.holds_json(column):
        return JSON_TEXT
    if is_written(column.path) and any(map(is_element, column.path)):
        return "a text in a list, not a single value"
    return None


def is_log_name(path: ColumnPath) -> bool:
    """Tell whether a name is one that only loggers and servers give."""
    return normal(path[-1]) in LOG_NAMES or path[-1] == LOGSTASH_SCHEMA


def is_logged(column: Column) -> bool:
    """Tell whether a column is what loggers and servers add to every record."""
    loose = normal(column.path[-1]) in LOOSE_LOG_NAMES
    return is_log_name(column.path) or (loose and _is_logging(column))


def _second(column: Column, roles: Mapping[str, ColumnPath]) -> str | None:
    """Say which role a column is a second one for; None when its name is as often a feature's."""
    if rank("timestamp", column.path) is not None and looks.is_time(column):
        return "another time"
    for role in _SECOND_ONES:
        if not is_named(role, column.path):
            continue
        if role in roles:
            return f"named like the {role}, which is {dotted(roles[role])}"
        if role != "latency":
            return f"named like the {role}, but its values are not"
    if "confidence" in aliases(column.path):
        return CONFIDENCE
    return None


def _counts_rows(column: Column) -> bool:
    """Tell whether a column numbers the rows, of which the samples may be spread over a large file."""
    if len(column.path) > 1 or normal(column.path[0]) not in _ROW_NUMBERS or column.kinds != {"integer"}:
        return False
    counted = looks.numbers(column)
    rising = all(one < other for one, other in pairwise(counted))
    return len(counted) >= _LEAST_ROWS and counted[0] in {0, 1} and rising


def _is_logging(column: Column) -> bool:
    """Tell whether a column with an ambiguous name looks like what a logger writes."""
    name = normal(column.path[-1])
    if name in {"level", "severity"}:
        return looks.is_log_level(column)
    if name in {"host", "process", "node"}:
        return True
    texts = [sample for sample in column.samples if isinstance(sample, str)]
    links = all(text.startswith("/") or "://" in text or text.isupper() for text in texts)
    return 0 < len(texts) == len(column.samples) and links
