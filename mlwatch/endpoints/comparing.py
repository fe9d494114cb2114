"""Compare an answer with the expected one: numbers within a tolerance, everything else exactly."""

from __future__ import annotations

import math
from typing import Any

from mlwatch.endpoints.types import Golden

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
    (str, "text"),
    (list, "a list"),
    (dict, "an object"),
)
_MISSING = object()


def compare(expected: Any, actual: Any, tolerance: float) -> Golden:
    """Compare two values of JSON.

    Args:
        expected: What should be there.
        actual: What is there.
        tolerance: Largest absolute difference between two numbers.

    Returns:
        Whether they match; the largest difference of a number where nothing else differs; the first place that
        differs, such as "predictions[0]: 0.75 instead of 0.5 (0.25 apart)".
    """
    largest, shape, first, count = 0.0, False, "", 0
    waiting: list[tuple[str, Any, Any]] = [("", expected, actual)]
    while waiting:
        path, one, other = waiting.pop()
        children = _children(path, one, other)
        if children is not None:
            waiting += reversed(children)
            continue
        apart = _apart(one, other)
        largest = max(largest, apart or 0.0)
        if apart is not None and apart <= tolerance:
            continue
        shape = shape or apart is None
        count += 1
        first = first or _words(path, one, other, apart)
    more = f", {count - 1} more" if count > 1 else ""
    return Golden(not count, None if shape else largest, first + more)


def _children(path: str, one: Any, other: Any) -> list[tuple[str, Any, Any]] | None:
    """Return the pairs within two containers of one kind; None where there is nothing to go into."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = [*one, *(name for name in other if name not in one)]
        return [
            (f"{path}.{name}" if path else str(name), one.get(name, _MISSING), other.get(name, _MISSING))
            for name in names
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [(f"{path}[{at}]", *pair) for at, pair in enumerate(zip(one, other, strict=True))]
    return None


def _apart(one: Any, other: Any) -> float | None:
    """Return how far apart two values are; None where that is no number."""
    if _is_number(one) and _is_number(other):
        if one == other or (_is_nan(one) and _is_nan(other)):
            return 0.0
        apart = _difference(one, other)
        return apart if math.isfinite(apart) else None
    return 0.0 if type(one) is type(other) and one == other else None


def _difference(one: float, other: float) -> float:
    try:
        return abs(float(one) - float(other))
    except OverflowError:  # an integer of hundreds of digits
        return math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_nan(value: float) -> bool:
    return isinstance(value, float) and math.isnan(value)  # an integer of hundreds of digits is no float


def _words(path: str, one: Any, other: Any, apart: float | None) -> str:
    where = f"{_short(path, 60)}: " if path else ""
    if other is _MISSING:
        return f"{where}missing"
    if one is _MISSING:
        return f"{where}not expected"
    if isinstance(one, list) and isinstance(other, list):
        return f"{where}{len(other)} items instead of {len(one)}"
    if apart is None and _kind(one) != _kind(other):
        return f"{where}{_kind(other)} instead of {_kind(one)}"
    size = f" ({apart:.3g} apart)" if apart is not None else ""
    return f"{where}{_shown(other)} instead of {_shown(one)}{size}"


def _kind(value: Any) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "null")


def _shown(value: Any) -> str:
    if _is_number(value):
        return f"{value:.6g}" if isinstance(value, float) else _short(str(value), 30)
    return f'"{_short(value, 30)}"' if isinstance(value, str) else str(value).lower()


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
