"""How numbers are written in delimited text: which mark parts the decimals off, and which one thousands.

`26,162` alone may be either. The other numbers of the file tell: `0,79` has a decimal comma, and a point beside it
parts thousands; `1,308.11` says both at once. Where nothing tells, that is kept, to be said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_OTHER = {",": ".", ".": ","}
_GROUPED = {mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:[{mark}]\d{{3}})+") for mark in _OTHER}
_PLAIN = {mark: re.compile(rf"[+-]?\d*[{mark}]\d*(?:[eE][+-]?\d+)?") for mark in _OTHER}
_WHOLE_AND_DECIMALS = {
    mark: re.compile(rf"{_GROUPED[mark].pattern}[{other}]\d+") for mark, other in _OTHER.items()
}


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks inside of a file's numbers."""

    decimal: str = "."
    thousands: str = ""
    """Empty where thousands are not parted."""
    doubtful: str = ""
    """A number of which nothing tells whether it is a thousand times as large."""


NO_MARKS = Marks()


def marks_of(fields: Iterable[str], delimiter: str) -> Marks:
    """Tell the marks from some fields of a file."""
    texts = [text for text in map(str.strip, fields) if "," in text or "." in text]
    grouped = {mark: [text for text in texts if _GROUPED[mark].fullmatch(text)] for mark in _OTHER}
    both = {mark: any(map(_WHOLE_AND_DECIMALS[mark].fullmatch, texts)) for mark in _OTHER}
    plain = {
        mark: sum(
            _PLAIN[mark].fullmatch(text) is not None and _GROUPED[mark].fullmatch(text) is None
            for text in texts
        )
        for mark in _OTHER
    }
    for mark, other in _OTHER.items():
        shown = both[mark] or (grouped[mark] and plain[other])
        if shown and not plain[mark] and not both[other]:
            return Marks(other, mark)
    decimal = "."
    points = plain["."] + len(grouped["."])
    # between commas a number with one is quoted, as a pair of numbers would be
    more = plain[","] and not points if delimiter == "," else plain[","] + len(grouped[","]) > points
    if more:
        decimal = ","
    usual = delimiter == "," or (delimiter == "\t" and decimal == ".")
    unclear = grouped[decimal] and not usual and not any(plain.values())
    return Marks(decimal, doubtful=grouped[decimal][0] if unclear else "")


def unmarked(text: str, decimal: str, thousands: str) -> str:
    """Return a number with a decimal point and without marks of thousands; anything else as it is."""
    if thousands and thousands in text:
        whole = text.strip().partition(decimal)[0]
        if _GROUPED[thousands].fullmatch(whole) is None:
            return text
        text = text.replace(thousands, "")
    return text if decimal == "." else text.replace(decimal, ".")
