"""What server and tabs say to each other: JSON, from which only plain values and this product's own kinds are built.

A pickle could name any function to be called. Here the first line of a message names the kinds in it, which must be
data classes or errors of this product, and the second is the value. A JSON object has one key, which says what is
built of what it holds: the number of a kind, or one of `_FORMS`. Mappings are written as pairs, so that no text of a
log can pass for such a key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlwatch.errors import MlwatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    Build = Callable[[Any], Any]

OURS = "mlwatch."
_PLAIN = frozenset({type(None), bool, int, float, str})
_MISTAKES = (ArithmeticError, AttributeError, ImportError, LookupError, RecursionError, TypeError, ValueError)
"""What building a value of the wrong parts may raise."""


def packed(value: Any) -> bytes:
    """Return a value as two lines of JSON.

    Args:
        value: Numbers, texts, times, and tuples, lists, mappings, data classes and errors of them.

    Raises:
        TypeError: There is something else in it.
    """
    numbers: dict[type, str] = {}
    told = _told(value, numbers)
    names = [f"{kind.__module__}:{kind.__qualname__}" for kind in numbers]
    return f"{json.dumps(names)}\n{json.dumps(told)}".encode()


def unpacked(data: bytes) -> Any:
    """Return the value that was packed; what were lists are tuples.

    Raises:
        ValueError: It is not what `packed` makes, or names a kind that is not this product's.
    """
    head, _, body = data.partition(b"\n")
    try:
        builds = {str(number): _builder(name) for number, name in enumerate(json.loads(head))} | _FORMS
        return _settled(json.loads(body, object_hook=lambda told: _built(told, builds)))
    except _MISTAKES as error:
        raise ValueError(f"not a message: {error}") from error


def _told(value: Any, numbers: dict[type, str]) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple or kind is list:
        return [_told(one, numbers) for one in value]
    if is_dataclass(kind):
        number = numbers.setdefault(kind, str(len(numbers)))
        return {number: [_told(getattr(value, name), numbers) for name in _parts(kind)]}
    if isinstance(value, Mapping):
        return {"pairs": [[_told(key, numbers), _told(one, numbers)] for key, one in value.items()]}
    if isinstance(value, MlwatchError):
        return {numbers.setdefault(kind, str(len(numbers))): list(value.parts)}
    return _told_form(value)


def _told_form(value: Any) -> dict[str, Any]:
    if isinstance(value, timedelta):
        return {"length": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, date):
        return {"day": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    raise TypeError(f"a {type(value).__name__} is not sent")


def _built(told: dict[str, Any], builds: Mapping[str, Build]) -> Any:
    """Build what one JSON object stands for; those inside it are built already."""
    ((form, given),) = told.items()
    return builds[form](given)


def _settled(value: Any) -> Any:
    return tuple(map(_settled, value)) if type(value) is list else value


_FORMS: dict[str, Build] = {
    "pairs": lambda pairs: {_settled(key): _settled(one) for key, one in pairs},
    "length": lambda parts: timedelta(*parts),
    "time": datetime.fromisoformat,
    "day": date.fromisoformat,
    "decimal": Decimal,
}


@cache
def _parts(kind: type) -> tuple[str, ...]:
    """Return the names of what a data class is built of."""
    return tuple(field.name for field in fields(kind))


@cache
def _builder(name: str) -> Build:
    """Return what builds a data class or an error of this product, by its name, of a list of its parts."""
    module, _, own = name.partition(":")
    kind = getattr(import_module(module), own) if module.startswith(OURS) else None
    if isinstance(kind, type) and is_dataclass(kind):
        names = _parts(kind)
        return lambda given: kind(**dict(zip(names, map(_settled, given), strict=True)))
    if isinstance(kind, type) and issubclass(kind, MlwatchError):
        return lambda given: kind(*map(_settled, given))
    raise ValueError(f"{name} is not sent")
