"""As what the columns of a file are read: types between those of its values and those of the engine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlwatch.roles.looks import as_float, has_decimal_commas
from mlwatch.roles.written import commas_of, part_thousands
from mlwatch.sources.marks import NO_MARKS
from mlwatch.times import SPACED_ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlwatch.roles import Column
    from mlwatch.roles import Mapping as RoleMapping
    from mlwatch.roles.types import ColumnPath
    from mlwatch.sources.shapes import Dialect

SQL_TYPES = {
    "number": "DOUBLE",
    "integer": "BIGINT",
    "text": "VARCHAR",
    "whole": "VARCHAR",
    "padded": "VARCHAR",
    "spaced": "VARCHAR",
    "grouped": "VARCHAR",
    "comma": "VARCHAR",
    "time": "TIMESTAMP",
    "boolean": "BOOLEAN",
}
"""What the engine is told to read, by the physical type; see `Shape.physical`."""
_BY_COMMAS = {"unclear": "text", "thousands": "grouped", "decimal": "comma"}


def physical_types(
    mapping: RoleMapping,
    columns: Sequence[Column],
    dialect: Dialect | None,
    types: Mapping[ColumnPath, str],
) -> dict[ColumnPath, str]:
    """Return how each path that a mapping uses is read.

    Args:
        mapping: What the columns are.
        columns: With samples.
        dialect: For delimited files.
        types: Physical types where the file itself states them.
    """
    found = {column.path: column for column in columns}
    features = {feature.path: feature.kind for feature in mapping.features}
    classes = {*mapping.columns("prediction"), *mapping.columns("label")}
    stated = {path: _stated(kind, is_class=path in classes) for path, kind in types.items()}
    physical = {
        path: stated.get(path) or _physical(found.get(path), features.get(path))
        for path in (*mapping.of_roles, *features)
    }
    padded = {column.path for column in columns if _is_padded(column)}
    physical |= {path: "padded" for path in classes & padded if physical[path] == "text"}
    ended = () if mapping.ended is None else (mapping.ended,)
    for path in (*mapping.columns("timestamp"), *ended):
        if physical[path] == "text" and path in found and _has_spaced_zones(found[path]):
            physical[path] = "spaced"
    for role in ("error", "event", "currency"):
        physical |= {path: stated.get(path, "text") for path in mapping.columns(role)}
    for role in ("id", "model", "version", "event_id", "unit"):
        for path in mapping.columns(role):
            physical[path] = _physical_name(role, found.get(path), dialect, stated.get(path))
    for role in ("score", "latency", "value"):
        for path in mapping.columns(role):
            physical[path] = _physical_number(role, found.get(path), dialect, stated.get(path))
    return physical


def _has_spaced_zones(column: Column) -> bool:
    """Tell whether times have spaces before their zone."""
    return any(isinstance(one, str) and re.match(SPACED_ZONE, one) for one in column.samples)


def _physical_number(role: str, column: Column | None, dialect: Dialect | None, stated: str | None) -> str:
    """Return how a column of numbers is read: as text where one that is none must not stop the others.

    Args:
        role: What they are.
        column: None where it was not met.
        dialect: For delimited files.
        stated: How the file itself states it.
    """
    if column is None or "text" not in column.kinds:
        return stated or "number"
    texts = [one for one in column.samples if isinstance(one, str)]
    if role == "value" and has_decimal_commas(column):
        return "comma"
    if role == "value" and part_thousands(texts):
        return "grouped"
    if stated or not (dialect is None or dialect.marks == NO_MARKS):
        return stated or "number"
    return _BY_COMMAS[commas_of(texts)]


def _physical_name(role: str, column: Column | None, dialect: Dialect | None, stated: str | None) -> str:
    """Return how a column is read that names something.

    Args:
        role: What it names.
        column: None where it was not met.
        dialect: For delimited files, whose numbers may have spaces around them, which the samples do not show.
        stated: The type that the file itself states.
    """
    if column is not None and _is_padded(column):
        return "padded"
    if column is not None and role != "model" and _is_whole(column, certain=role != "version"):
        return "whole"
    if column is not None and dialect is not None and not column.kinds.isdisjoint(("integer", "number")):
        return "padded"
    return "text" if stated == "number" and role in {"model", "version"} else stated or "text"


def _is_whole(column: Column, *, certain: bool) -> bool:
    """Tell whether names are whole numbers, so that `2.0` is what a table made of `2`, since it misses some.

    Args:
        column: Of names.
        certain: They are no versions, which may be called so, unless some are written without `.0`, or are missing.
    """
    numbers = column.kinds - {"null"}
    if not numbers or not numbers <= {"integer", "number"}:
        return False
    made = certain or bool(column.kinds & {"integer", "null"})
    return made and all(as_float(one).is_integer() for one in column.samples)


def _is_padded(column: Column) -> bool:
    """Tell whether texts have spaces around them."""
    return any(isinstance(one, str) and one != one.strip() for one in column.samples)


def _stated(kind: str, *, is_class: bool) -> str:
    """Return how a column of a stated type is read: zeros behind the point tell no class from another."""
    return "number" if kind == "decimal" and not is_class else kind


def _physical(column: Column | None, feature: str | None) -> str:
    """Return how a column is read for the kinds of its values; what it is a column of may say more."""
    if feature is not None:
        return "number" if feature == "numeric" else "text"
    present = column.kinds - {"null"} if column is not None else frozenset()
    if present == {"integer"}:
        return "integer"
    if present and present <= {"integer", "number"}:
        return "number"
    return "text"
