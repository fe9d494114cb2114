"""Write a filter that finds the records of a segment."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from mlwatch.records.fields import ALIASES, ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.snapshot.segments import Segment

_PLAIN_NAME = re.compile(r"[A-Za-z_][\w.]*")
_RESERVED = frozenset({"and", "or", "not", "in", "is", "missing", "null"})
_TAKEN = frozenset({field.name for field in ROLES} | ALIASES.keys())


def filter_of(segment: Segment, siblings: Iterable[Segment]) -> str:
    """Return the filter that the records of a segment pass.

    Args:
        segment: Which.
        siblings: Segments of the same version; those of its column say what "all others" leaves out.
    """
    name = written_name(segment.column)
    if segment.kind == "missing":
        return f"{name} is missing"
    if segment.bounds is not None:
        low, high = segment.bounds
        ends = [f"{name} >= {low!r}"] if math.isfinite(low) else []
        ends += [f"{name} < {high!r}"] if math.isfinite(high) else []
        return " and ".join(ends) or f"{name} is not missing"
    if segment.kind == "category":
        return f"{name} = {written_value(segment.value)}"
    named = [one.value for one in siblings if one.column == segment.column and one.kind == "category"]
    rest = f"{name} is not missing"
    return f"not {name} in ({', '.join(map(written_value, named))}) and {rest}" if named else rest


def written_name(name: str) -> str:
    """Return the name of a feature as a filter takes it."""
    if name.casefold() in _TAKEN:
        name = f"feature.{name}"
    plain = _PLAIN_NAME.fullmatch(name) and name.casefold() not in _RESERVED
    return name if plain else "`" + name.replace("`", "``") + "`"


def written_value(value: str) -> str:
    """Return a text as a filter takes it; in quotes it is never taken for a name."""
    return '"' + value.replace('"', '""') + '"'
