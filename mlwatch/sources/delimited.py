"""Tell the rows of delimited text apart: where each ends, and which lines are none.

A quote opens a value only where a field begins, inside of a field it is data (RFC 4180). What it opens may go over
lines. Where it is closed by none that ends a field, it is a stray quote: its line alone is no row then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, AnyStr, Generic

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES = 1000
"""Lines that an open quote may wait for what closes it."""
TELLING_LINES = 3
"""Of so many lines behind an open quote, or more, most are rows where it is a stray one."""
LOOKED_AT = 20
"""Lines behind an open quote that are looked at."""
IN_VAIN = 20
"""Bytes that may be searched for what closes a quote, and hold nothing, in those of a text: no text takes squares."""
NOT_CLOSED = "a quote is not closed"
MISPLACED = "text behind a closing quote"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of delimited text, or a line that is none."""

    number: int
    """Of its first line, from 0."""
    raw: str
    fields: list[str] | None
    """None where it is no row."""
    reason: str | None = None
    """Why it is none."""


class Rows:
    """The rows of a file.

    Args:
        delimiter: One ASCII character.
        width: Fields of a row; None where that is not known.
    """

    def __init__(self, delimiter: str, width: int | None = None) -> None:
        self._delimiter, self._width = delimiter, width
        self._text, self._bytes = _patterns(delimiter), _byte_patterns(delimiter)

    def fields(self, raw: str) -> list[str] | None:
        """Return the fields of one row without its newline; None where its quotes make it none."""
        if '"' not in raw:
            return raw.split(self._delimiter)
        if self._text.row.fullmatch(raw) is None:
            return None
        found = self._text.field.findall(raw + self._delimiter)
        return [one[1:-1].replace('""', '"') if one.startswith('"') else one for one in found]

    def split(self, text: str) -> Iterator[Row]:
        """Yield the rows of a text that is whole, and the lines of it that are none."""
        at = number = vain = 0
        while at < len(text):
            row, searched = self._row(text, at, number, goes_over=vain <= IN_VAIN * len(text))
            yield row
            vain += searched
            at += len(row.raw) + 1
            number += row.raw.count("\n") + 1

    def _row(self, text: str, at: int, number: int, *, goes_over: bool) -> tuple[Row, int]:
        """Return what begins at a place, and how much was searched in vain for the end of a row over lines."""
        line = text[at : end if (end := text.find("\n", at)) >= 0 else len(text)]
        found = self._text.row.match(text, at) if goes_over else self._text.row.fullmatch(line)
        if found is not None:
            raw = found[0].removesuffix("\n")
            fields = self.fields(raw)
            if "\n" not in raw or len(fields or ()) == self._width or not self._holds_rows(raw):
                return Row(number, raw, fields), 0
        searched = (len(text) - at if found is None else len(found[0])) if goes_over else 0
        reason = NOT_CLOSED if self._text.part.match(line) else MISPLACED
        return Row(number, line, None, reason), searched

    def _holds_rows(self, raw: str) -> bool:
        """Tell whether a line behind the first is a row of its own."""
        return self._width is not None and any(map(self._is_row, raw.split("\n")[1:]))

    def _is_row(self, line: str) -> bool:
        return len(self.fields(line) or ()) == self._width

    def whole(self, data: bytes, *, goes_on: bool = False, patient: bool = True) -> int:
        """Return the length of the whole rows, and of lines that are none, at the front of what begins with a row.

        Args:
            data: Of a file that may grow, up to anywhere.
            goes_on: Whether more is there to be read already.
            patient: Wait for what closes an open quote, as long as that may come.
        """
        if b'"' not in data:
            return data.rfind(b"\n") + 1
        at = vain = 0
        while vain <= IN_VAIN * len(data):
            found = self._bytes.rows.match(data, at)
            at = found.end() if found is not None else at
            line = data.find(b"\n", at) + 1
            if line == 0:
                return at
            if (
                patient
                and self._bytes.part.match(data, at)
                and not self._is_stray(data, line, goes_on=goes_on)
            ):
                return at
            vain += len(data) - at
            at = line
        return data.rfind(b"\n") + 1

    def _is_stray(self, data: bytes, line: int, *, goes_on: bool) -> bool:
        """Tell whether a quote that is open up to the end of the data is a stray one, by the lines behind its own."""
        if data.count(b"\n", line) > MAX_LINES:
            return True
        behind = data[line:].split(b"\n", LOOKED_AT)[:-1][:LOOKED_AT]
        if goes_on or len(behind) < TELLING_LINES:
            return False
        rows = sum(self._is_row(one.decode("utf-8", errors="replace").rstrip("\r")) for one in behind)
        return 2 * rows > len(behind)

    def ends_whole(self, tail: bytes) -> bool:
        """Tell whether a last line without newline has all its fields, the last one not empty."""
        fields = self.fields(tail.decode("utf-8", errors="replace"))
        return fields is not None and len(fields) == self._width and bool(fields[-1])


@dataclass(frozen=True, slots=True)
class _Patterns(Generic[AnyStr]):
    """What text is matched with; nothing is ever tried twice."""

    field: re.Pattern[AnyStr]
    """A field, and the delimiter behind it."""
    row: re.Pattern[AnyStr]
    """A row with its newline, which the last one may lack."""
    rows: re.Pattern[AnyStr]
    """As many rows, each with its newline, as there are."""
    part: re.Pattern[AnyStr]
    """A row that is not ended, up to the end of the text."""


def _sources(delimiter: str) -> tuple[str, str, str, str]:
    mark = re.escape(delimiter)
    opened = '"[^"]*+(?:""[^"]*+)*+'
    field = f'(?:{opened}"|[^"\\n{mark}][^\\n{mark}]*+|)'
    row = f"(?:{field}{mark})*+{field}"
    return (
        f"({field}){mark}",
        f"{row}(?:\\n|\\Z)",
        f'(?:[^"\\n]*+\\n|{row}\\r?\\n)*+',
        f"(?:{field}{mark})*+(?:{field}|{opened})\\r?\\Z",
    )


@lru_cache
def _patterns(delimiter: str) -> _Patterns[str]:
    return _Patterns(*map(re.compile, _sources(delimiter)))


@lru_cache
def _byte_patterns(delimiter: str) -> _Patterns[bytes]:
    return _Patterns(*(re.compile(source.encode()) for source in _sources(delimiter)))
