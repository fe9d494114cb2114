"""Cells, bars and small lines of text of an exact width; every text from outside is sanitized here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from textual.content import Content

from widgets.text import pad, sanitize, shorten, truncate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlwatch.app.glyphs import Glyphs

Piece = tuple[str, str]
"""A text and its style."""
_SPACE = re.compile(r"\s+(?!(?:%|(?:pt|ms|s|min|h|d|MB|GB)\b))")
"""Where a line may end: not between a number and its unit."""


def clean(text: str, width: int | None = None) -> str:
    """Return a text from outside without anything that acts on a terminal, cut to `width` cells."""
    return sanitize(text, width)


def short(name: str, width: int) -> str:
    """Return a name from outside in at most `width` cells; its middle gives way, as versions differ at their ends."""
    return shorten(sanitize(name), width)


def capital(text: str) -> str:
    """Return a text that begins with a capital, and is otherwise as it was."""
    return text[:1].upper() + text[1:]


def fit(text: str, width: int, align: Literal["left", "right"] = "left") -> str:
    """Return a text that takes exactly `width` cells, with an ellipsis where it was cut."""
    return pad(text, width, align)


def cell(text: str, width: int, style: str = "", align: Literal["left", "right"] = "left") -> Piece:
    """Return a piece that takes exactly `width` cells."""
    return fit(text, width, align), style


def line(pieces: Iterable[Piece], width: int, glyphs: Glyphs) -> Content:
    """Return pieces as one line, cut to `width` cells, with a mark where it was cut."""
    parts = [(sanitize(text, ascii_only=True) if glyphs.ascii else text, style) for text, style in pieces]
    whole, room = Content.assemble(*parts, end=""), max(width, 1)
    if not glyphs.ascii or whole.cell_length <= room:
        return whole.truncate(room, ellipsis=True)
    return Content.assemble(whole.truncate(room - 1), glyphs.more, end="")


def spread(left: Sequence[Piece], right: Sequence[Piece], width: int, glyphs: Glyphs) -> Content:
    """Return one line with pieces at both ends; the right end goes where there is no room for both."""
    taken = sum(cell_len(text) for text, _ in [*left, *right])
    gap = width - taken
    if gap < 1:
        return line(left, width, glyphs)
    return line([*left, (" " * gap, ""), *right], width, glyphs)


def wrapped(text: str, width: int, most: int) -> list[str]:
    """Break a text at spaces into at most `most` lines; the last ends with an ellipsis where more follows.

    A number is not parted from its unit.
    """
    lines: list[str] = []
    rest = _words(text)
    while rest and len(lines) < most:
        taken = rest.pop(0)
        while rest and cell_len(taken) + 1 + cell_len(rest[0]) <= width:
            taken += " " + rest.pop(0)
        lines.append(truncate(taken, width))
    if rest and lines:
        lines[-1] = _cut(lines[-1], width)
    return lines


def _cut(text: str, width: int) -> str:
    """Return a line with an ellipsis at its end, in the place of whole words: a number is never cut within."""
    words = _words(text)
    while len(words) > 1 and cell_len(" ".join(words)) + 2 > width:
        words.pop()
    return truncate(" ".join(words) + " …", width)


def _words(text: str) -> list[str]:
    return [word for word in _SPACE.split(text) if word]


def progress_bar(share: float, width: int, glyphs: Glyphs) -> list[Piece]:
    """Return a bar of `width` cells that is filled to `share`."""
    full = round(max(0.0, min(1.0, share)) * width)
    return [(glyphs.bar_full * full, "$primary"), (glyphs.bar_empty * (width - full), "$hairline")]
