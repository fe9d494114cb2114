"""Text from outside without anything that acts on a terminal or hides in it."""

from __future__ import annotations

import unicodedata

LONGEST = 2000
"""Characters after which a text is cut; nothing on a screen needs more."""
MARKS = 3
"""Combining marks in a row that a script may need; more only pile up."""

_SPACES = frozenset("\n\r\t\v\f\u2028\u2029\x85")
_ACTING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def sanitize(text: str) -> str:
    """Return a text in which control, format and private characters are replaced and line ends are spaces."""
    safe: list[str] = []
    marks = 0
    for char in text[:LONGEST]:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > MARKS:
            continue
        safe.append(" " if char in _SPACES else "�" if category in _ACTING else char)
    return "".join(safe)
