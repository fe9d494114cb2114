"""Flatten records into columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from numbers import Integral, Number
from typing import cast

from mlwatch.elements import element, is_element
from mlwatch.roles.chats import answer_texts
from mlwatch.roles.names import holds_probabilities, may_be_role
from mlwatch.roles.types import Column, ColumnPath

MAX_DEPTH = 8
"""An object below this many keys is one column."""
MAX_COLUMNS = 5_000
"""Further columns are not taken in, but for those with the name of a role."""
MAX_SAMPLES = 50
LONGEST_LIST = 64
"""Elements kept of a sampled list."""
ROUNDING = 0.02
"""How far the sum of rounded probabilities may be from one."""
LONGEST_TEXT = 500
"""Characters kept of a sampled text."""

_PLAIN = {
    type(None): "null",
    bool: "boolean",
    str: "text",
    int: "integer",
    float: "number",
    dict: "object",
    list: "list",
}
"""The types that JSON is read as, which need no search."""
_SCALARS = {kind: name for kind, name in _PLAIN.items() if name not in {"object", "list"}}
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "boolean"),
    ((str, bytes, date), "text"),
    (Integral, "integer"),
    (Number, "number"),
    (Mapping, "object"),
    ((list, tuple, set), "list"),
)


@dataclass(slots=True)
class _Seen:
    """What records hold at a path."""

    kinds: set[str] = field(default_factory=set)
    samples: list[object] = field(default_factory=list)
    where: int = 0

    def add(self, value: object, kind: str, bit: int) -> None:
        self.kinds.add(kind)
        if kind != "null":
            self.where |= bit
            if len(self.samples) < MAX_SAMPLES:
                self.samples.append(_bounded(value))


def columns_of(records: Iterable[dict[str, object]]) -> tuple[Column, ...]:
    """Return the columns of some records, in order of first appearance.

    Objects are taken apart down to their leaves, lists of class probabilities into their elements, and of a chat
    model's answers the first down to its text; any other list is one column.

    Args:
        records: Parsed records; values of any type.
    """
    seen: dict[ColumnPath, _Seen] = {}
    flat: dict[str, _Seen] = {}  # those of `seen` that lie in no object, by their key
    for number, record in enumerate(records):
        bit = 1 << number
        for key, value in record.items():
            column, kind = flat.get(key), _SCALARS.get(type(value))
            if column is not None and kind is not None:
                column.add(value, kind, bit)  # most values of tables
                continue
            for path, leaf, its_kind in _leaves(key, value, ()):
                column = seen.get(path)
                if column is None:
                    if len(seen) >= MAX_COLUMNS and (len(seen) >= 2 * MAX_COLUMNS or not may_be_role(path)):
                        continue
                    column = seen[path] = _Seen()
                    if path == (key,):
                        flat[key] = column
                column.add(leaf, its_kind, bit)
    return tuple(
        Column(path, frozenset(one.kinds), tuple(one.samples), one.where) for path, one in seen.items()
    )


def by_record(column: Column) -> dict[int, object]:
    """Return the samples by the bit of their record; see `Column.where`."""
    found: dict[int, object] = {}
    where = column.where
    for sample in column.samples:
        bit = where & -where
        found[bit] = sample
        where ^= bit
    return found


def kind_of(value: object) -> str:
    """Name the kind of a value."""
    plain = _PLAIN.get(type(value))
    if plain is not None:
        return plain
    return next((kind for types, kind in _KINDS if isinstance(value, types)), "text")


def _leaves(key: object, value: object, parents: ColumnPath) -> Iterator[tuple[ColumnPath, object, str]]:
    path, kind = (*parents, str(key)), kind_of(value)
    if kind == "object" and isinstance(value, Mapping) and value and len(path) < MAX_DEPTH:
        if any(is_element(str(name)) for name in value):
            yield path, {}, kind  # its fields would be taken for elements of a list
        else:
            for name, inner in value.items():
                yield from _leaves(name, inner, path)
    elif kind == "list" and holds_probabilities(path) and _is_distribution(value):
        for at, each in enumerate(cast("Sequence[float]", value)):
            yield (*path, element(at)), each, "number"
    elif kind == "list" and (texts := tuple(answer_texts(path, value))):
        for inner, text in texts:
            yield inner, text, kind_of(text)
    else:
        yield path, value, kind


def _is_distribution(value: object) -> bool:
    """Tell whether a list is one of probabilities that add up to one."""
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= LONGEST_LIST:
        return False
    numbers = all(isinstance(each, float | int) and 0 <= each <= 1 for each in value)
    return numbers and abs(sum(value) - 1) <= ROUNDING


def _bounded(value: object) -> object:
    match value:
        case str():
            return value[:LONGEST_TEXT]
        case list() | tuple():
            return tuple(value[:LONGEST_LIST])
        case Mapping():
            return {}
    return value
