"""Places in a list as parts of a path, such as `probabilities[1]`, which is read as the path `probabilities`, `[1]`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_ELEMENT = re.compile(r"\[(\d{1,9})\]")


def element(at: int) -> str:
    """Return the part of a path that stands for an element, counted from 0."""
    return f"[{at}]"


def is_element(name: str) -> bool:
    """Tell whether a part of a path stands for an element."""
    return _ELEMENT.fullmatch(name) is not None


def element_of(name: str) -> int | None:
    """Return which element a part of a path stands for, counted from 0; None for a name."""
    found = _ELEMENT.fullmatch(name)
    return int(found[1]) if found is not None else None


def dotted(path: tuple[str, ...]) -> str:
    """Write a path as the configuration does."""
    return "".join(name if is_element(name) or not at else f".{name}" for at, name in enumerate(path))


def is_called(path: tuple[str, ...], name: str) -> bool:
    """Tell whether the configuration writes a path so: places in lists as `[0]`, or as `.0` like many tools."""
    return name in {dotted(path), ".".join(part.strip("[]") if is_element(part) else part for part in path)}


def has_value(record: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Tell whether a record has a value at a path."""
    value: Any = record
    for name in path:
        at = element_of(name)
        if isinstance(value, list | tuple) and at is not None:
            value = value[at] if at < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value is not None
