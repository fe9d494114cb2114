"""Messages of a topic as the text of a file: JSON lines or delimited rows, each with the message's offset."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlwatch.sources import samples
from mlwatch.sources.blocks import MAX_LINE_BYTES
from mlwatch.sources.formats.types import Refused
from mlwatch.sources.readers import distinct, is_data
from mlwatch.sources.segments import Piece
from mlwatch.sources.shapes import Dialect
from mlwatch.sources.streams import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlwatch.sources.files import Found

NO_MARK = Fingerprint(0, b"", 0, b"")
"""Offsets tell what was read of a partition; its content need not be recognised."""
REGISTRY_HEADER = 5
"""Bytes that serializers of a schema registry put before the payload: a zero and the schema's number."""
RAW_LIMIT = 2000
"""Characters of a refused message that are kept."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of one partition."""

    offset: int
    value: bytes | None
    """None for a message that only deletes a key."""


@dataclass(slots=True)
class _Lines:
    """Lines of messages that are written alike."""

    start: int
    dialect: Dialect | None = None
    text: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    end: int = 0

    def add(self, message: Message, lines: Sequence[bytes]) -> None:
        self.text += lines
        self.numbers += [message.offset] * len(lines)


class _RefusedMessageError(Exception):
    """A message that is no record, with a sentence that says why."""


def pieces(
    found: Found, messages: Iterable[Message], start: int, columns: Sequence[str] = ()
) -> Iterator[tuple[Piece, Dialect | None, tuple[Refused, ...]]]:
    """Yield messages of a partition as pieces of a file, in order; a refused message is in none's text.

    Args:
        found: The partition.
        messages: In order of their offsets.
        start: Offset from where on nothing is accounted for.
        columns: Names of the fields of delimited messages without a header.
    """
    lines = _Lines(start, end=start)
    for message in messages:
        try:
            rows, dialect = _rows(message.value, columns) if message.value is not None else ([], None)
        except _RefusedMessageError as error:
            raw = (message.value or b"")[: 4 * RAW_LIMIT].decode("utf-8", errors="replace")[:RAW_LIMIT]
            lines.refused.append(Refused(message.offset, str(error), raw))
            rows, dialect = [], None
        if rows and lines.text and dialect != lines.dialect:
            yield _piece(found, lines)
            lines = _Lines(lines.end)
        if rows:
            lines.dialect = dialect
            lines.add(message, rows)
        lines.end = message.offset + 1
    if lines.end > lines.start:
        yield _piece(found, lines)


def _piece(found: Found, lines: _Lines) -> tuple[Piece, Dialect | None, tuple[Refused, ...]]:
    first = lines.numbers[0] if lines.numbers else lines.start
    in_a_row = lines.numbers == list(range(first, first + len(lines.numbers)))
    piece = Piece(
        *(found, lines.start, lines.end, first, len(lines.numbers), NO_MARK),
        b"".join(line + b"\n" for line in lines.text),
        numbers=() if in_a_row else tuple(lines.numbers),
    )
    return piece, lines.dialect, tuple(lines.refused)


def _rows(value: bytes, columns: Sequence[str]) -> tuple[list[bytes], Dialect | None]:
    """Return the lines that a message's records are, and how they are delimited; None for JSON.

    Raises:
        _RefusedMessageError: It holds no record.
    """
    if len(value) > MAX_LINE_BYTES:
        raise _RefusedMessageError("a message of more than 16 MB")
    if value[:1] == b"\0" and value[REGISTRY_HEADER : REGISTRY_HEADER + 1] in {b"{", b"["}:
        value = value[REGISTRY_HEADER:]
    text = value.removeprefix(b"\xef\xbb\xbf").strip()
    if b"\0" in text:
        raise _RefusedMessageError("binary (Avro or Protobuf?): write JSON or delimited text")
    if text.startswith(b"["):
        return _elements(text), None
    if text.startswith(b"{"):
        return [text if b"\n" not in text and b"\r" not in text else _dump(_load(text))], None
    return _delimited(text.decode("utf-8", errors="replace"), columns)


def _load(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _RefusedMessageError("not valid JSON") from None


def _dump(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8", errors="replace")


def _elements(text: bytes) -> list[bytes]:
    return [_dump(element) for element in _load(text)]


def _delimited(text: str, columns: Sequence[str]) -> tuple[list[bytes], Dialect]:
    rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if columns:
        return _encoded(rows), Dialect(_delimiter(rows[0], len(columns)), ".", tuple(columns))
    sniffed = samples.sniff(text) if len(rows) > 1 else None
    header = next(iter(samples.csv_rows(rows[0], sniffed[0], '"')), []) if sniffed else []
    if sniffed is None or is_data(header):
        raise _RefusedMessageError(
            "neither JSON nor delimited text with a header: name the fields with columns="
        )
    return _encoded(rows[1:]), Dialect(*sniffed, distinct(header))


def _encoded(rows: Iterable[str]) -> list[bytes]:
    return [row.encode("utf-8", errors="replace") for row in rows if row.strip()]


def _delimiter(row: str, width: int) -> str:
    """Find what separates so many fields.

    Raises:
        _RefusedMessageError: Nothing does.
    """
    for delimiter in (",", "\t", ";", "|"):
        if len(next(iter(samples.csv_rows(row, delimiter, '"')), [])) == width:
            return delimiter
    raise _RefusedMessageError(f"not {width} fields, as columns= has names")
