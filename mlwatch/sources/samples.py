"""Look at a few records of a block, to learn which columns it has."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any

from mlwatch.foreign import is_text
from mlwatch.roles.written import NULL_WORDS
from mlwatch.sources.delimited import Rows
from mlwatch.sources.marks import Marks, marks_of, unmarked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SAMPLE_LINES = 1000
"""Records looked at in the first block of a kind of file; a smaller block is looked at whole."""
LATER_LINES = 15
"""Records looked at in later blocks of more than `WHOLE_BYTES`."""
WHOLE_BYTES = 1 << 20
STRAY = 0.005
"""Share of a column's values that may be no numbers where the others are."""
DELIMITERS = (",", "\t", ";", "|")
RARE_DELIMITERS = ("\x01", "^", "~")
"""Looked for where none of the others does; the first is Hive's."""
_PART = 1 << 16
"""Bytes that tell about how long lines are."""


def json_objects(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the objects of lines; lines that are no object are passed over."""
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and is_text(line, record):  # the engine refuses the others
            yield record


def spread(data: bytes, limit: int) -> Iterator[bytes]:
    """Yield up to about `limit` lines, evenly spread over the data."""
    if len(data) <= WHOLE_BYTES or data.count(b"\n", 0, _PART) * len(data) <= limit * _PART:
        yield from data.split(b"\n")
        return
    step = max(1, len(data) // limit)
    position = 0
    while position < len(data):
        start = data.find(b"\n", position) + 1 if position else 0
        end = data.find(b"\n", start)
        if start == 0 and position:
            return
        end = len(data) if end < 0 else end
        yield data[start:end]
        position = max(position + step, end)


def csv_rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """Split delimited text into rows of fields; blank lines, and what is no row by its quotes, are passed over."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:  # a stray quote, or a long field
        parted = (row.fields for row in Rows(delimiter).split(text) if row.raw)
        rows = [fields for fields in parted if fields is not None]
    return filter(None, rows)


def csv_records(
    rows: Sequence[Sequence[str]], header: Sequence[str], decimal: str = ".", thousands: str = ""
) -> Iterator[dict[str, Any]]:
    """Yield rows as records with typed values: a column is numeric if all values in the sample are but a stray one.

    What is no number among so many is a mistake, such as a header that was repeated, and is read as in JSON.
    """
    columns = list(zip(*(row for row in rows if len(row) == len(header)), strict=True))
    typed = [_typed(column, decimal, thousands) for column in columns]
    for values in zip(*typed, strict=True):
        yield dict(zip(header, values, strict=True))


def _typed(values: Sequence[str], decimal: str, thousands: str) -> list[Any]:
    present = [value for value in values if not is_null_word(value)]
    numbers = {value: _number(value, decimal, thousands) for value in present}
    strays = sum(numbers[value] is None for value in present)
    coded = any(len(value) > 1 and value[0] == "0" and value.isdigit() for value in present)
    if present and strays <= STRAY * len(present) and not coded:
        return [_read(value, numbers.get(value)) for value in values]
    return [value or None for value in values]


def _read(text: str, number: float | None) -> float | str | None:
    return text if number is None and not is_null_word(text) else number


def is_null_word(text: str) -> bool:
    """Tell whether a text field stands for a missing value."""
    return text.strip().lower() in NULL_WORDS


def _number(text: str, decimal: str, thousands: str) -> int | float | None:
    try:
        number = float(unmarked(text, decimal, thousands))
    except ValueError:
        return None
    if not math.isfinite(number):
        return number
    return int(text) if text.strip().lstrip("+-").isdigit() else number


def sniff(text: str) -> tuple[str, Marks] | None:
    """Find the delimiter of delimited text from its first lines, and the marks inside of its numbers.

    The delimiter is the one that splits the lines most evenly, and into most fields. A rare one is, where no usual one
    does so, only what splits all of them, rows and header, into as many fields.

    Returns:
        Both; None when no delimiter gives two fields.
    """
    lines = text.splitlines()[:50]
    best: tuple[float, int, str] | None = None
    for delimiter in DELIMITERS:
        widths = [len(row) for row in csv_rows("\n".join(lines), delimiter)]
        if not widths or widths[0] < 2:
            continue
        even = sum(width == widths[0] for width in widths) / len(widths)
        if best is None or (even, widths[0]) > best[:2]:
            best = (even, widths[0], delimiter)
    if best is None or best[0] < 1:
        best = next(filter(None, (_rarely(lines, delimiter) for delimiter in RARE_DELIMITERS)), best)
    if best is None:
        return None
    delimiter = best[2]
    rows = list(csv_rows("\n".join(lines), delimiter))[1:]
    return delimiter, marks_of((field for row in rows for field in row), delimiter)


def _rarely(lines: Sequence[str], delimiter: str) -> tuple[float, int, str] | None:
    widths = {len(row) for row in csv_rows("\n".join(lines), delimiter)}
    return (1.0, widths.pop(), delimiter) if len(widths) == 1 and len(lines) > 1 and min(widths) > 1 else None
