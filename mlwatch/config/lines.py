"""Find the line of a key in TOML text, for error messages: tomllib does not keep them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Key = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(r"""^\s*+((?:"[^"]*"|'[^']*'|[A-Za-z0-9_\-]++|\s*+\.\s*+)+?)\s*+=""")
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_\-]+)""")


def line_of(text: str, key: Key) -> int | None:
    """Return the line, from 1, of a key or of the nearest table around it; None when there is none."""
    lines = {found: number for number, found in reversed(list(_keys(text)))}
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return lines[key[:length]]
    return None


def _keys(text: str) -> Iterator[tuple[int, Key]]:
    table: Key = ()
    counts: dict[Key, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None:
            table = _parts(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
            yield number, table
            table = _indexed(table, counts)
            yield number, table
            continue
        assignment = _ASSIGNMENT.match(line)
        if assignment is not None:
            parts = _parts(assignment[1])
            for length in range(1, len(parts) + 1):
                yield number, table + parts[:length]


def _indexed(table: Key, counts: dict[Key, int]) -> Key:
    key: Key = ()
    for length in range(1, len(table) + 1):
        key += (table[length - 1],)
        if table[:length] in counts:
            key += (counts[table[:length]],)
    return key


def _parts(text: str) -> Key:
    return tuple(next(part for part in match.groups() if part is not None) for match in _PART.finditer(text))
