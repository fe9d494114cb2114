"""Messages of a topic as the text of a file: JSON lines or delimited rows, each with the message's offset."""

from __future__ import annotations

import base64
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
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mlwatch.sources.files import Found

TIME = "kafka_timestamp"
"""Field that the time of a message is put into where its records have none."""
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
    time_ms: int = 0
    """When it was written, in milliseconds since 1970."""


@dataclass(slots=True)
class TopicPiece:
    """Messages of a partition that follow each other and are written alike."""

    found: Found
    start: int
    """Offset from where on nothing was accounted for."""
    end: int
    dialect: Dialect | None = None
    """How the lines are delimited; None for JSON."""
    lines: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    """Of each line's message."""
    times: list[int] = field(default_factory=list)
    """When each line's message was written, in milliseconds since 1970."""
    refused: list[Refused] = field(default_factory=list)
    """Messages that hold no record."""

    def add(self, message: Message, lines: Sequence[bytes]) -> None:
        """Add the lines of a message."""
        self.lines += lines
        self.offsets += [message.offset] * len(lines)
        self.times += [message.time_ms] * len(lines)

    def plain(self) -> Piece:
        """Return the piece of a file that the lines make."""
        return self._piece(self.lines)

    def timed(self) -> Piece:
        """Return the same with each JSON line beginning with the time of its message."""
        return self._piece(
            [_with_time(line, time_ms) for line, time_ms in zip(self.lines, self.times, strict=True)]
        )

    def _piece(self, lines: Sequence[bytes]) -> Piece:
        first = self.offsets[0] if self.offsets else self.start
        in_a_row = self.offsets == list(range(first, first + len(self.offsets)))
        return Piece(
            *(self.found, self.start, self.end, first, len(lines), NO_MARK),
            b"".join(line + b"\n" for line in lines),
            numbers=() if in_a_row else tuple(self.offsets),
        )


def _with_time(line: bytes, time_ms: int) -> bytes:
    """Put a time in front of the other fields of an object; what is none stays as it is."""
    rest = line[1:].lstrip()
    if not line.startswith(b"{") or rest.startswith(b"}"):
        return line
    return b'{"%s": %d, %s' % (TIME.encode(), time_ms, rest)


class _RefusedMessageError(Exception):
    """A message that is no record, with a sentence that says why."""


def whole_event(value: bytes | None, headers: Mapping[str, bytes | str | None]) -> bytes | None:
    """Return a CloudEvent as one JSON object where its attributes are in the headers; anything else as it is.

    See the Kafka protocol binding of CloudEvents, binary content mode.
    """
    attributes = {
        name[3:]: text.decode("utf-8", errors="replace") if isinstance(text, bytes) else text
        for name, text in headers.items()
        if name.startswith("ce_")
    }
    if "type" not in attributes or value is None:
        return value
    try:
        body = {"data": json.loads(value)}
    except (ValueError, RecursionError):
        body = {"data_base64": base64.b64encode(value).decode()}
    return _dump({**attributes, **body})


def pieces(
    found: Found, messages: Iterable[Message], start: int, columns: Sequence[str] = ()
) -> Iterator[TopicPiece]:
    """Yield messages of a partition as pieces of a file, in order; a refused message is in none's text.

    Args:
        found: The partition.
        messages: In order of their offsets.
        start: Offset from where on nothing is accounted for.
        columns: Names of the fields of delimited messages without a header.
    """
    piece = TopicPiece(found, start, start)
    for message in messages:
        try:
            rows, dialect = _rows(message.value, columns) if message.value is not None else ([], None)
        except _RefusedMessageError as error:
            raw = (message.value or b"")[: 4 * RAW_LIMIT].decode("utf-8", errors="replace")[:RAW_LIMIT]
            piece.refused.append(Refused(message.offset, str(error), raw))
            rows, dialect = [], None
        if rows and piece.lines and dialect != piece.dialect:
            yield piece
            piece = TopicPiece(found, piece.end, piece.end)
        if rows:
            piece.dialect = dialect
            piece.add(message, rows)
        piece.end = message.offset + 1
    if piece.end > piece.start:
        yield piece


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
        return _encoded(rows), Dialect(_delimiter(rows[0], len(columns)), tuple(columns))
    sniffed = samples.sniff(text) if len(rows) > 1 else None
    header = next(iter(samples.csv_rows(rows[0], sniffed[0])), []) if sniffed else []
    if sniffed is None or is_data(header):
        raise _RefusedMessageError(
            "neither JSON nor delimited text with a header: name the fields with columns="
        )
    delimiter, marks = sniffed
    return _encoded(rows[1:]), Dialect(delimiter, distinct(header), marks)


def _encoded(rows: Iterable[str]) -> list[bytes]:
    return [row.encode("utf-8", errors="replace") for row in rows if row.strip()]


def _delimiter(row: str, width: int) -> str:
    """Find what separates so many fields.

    Raises:
        _RefusedMessageError: Nothing does.
    """
    for delimiter in (*samples.DELIMITERS, *samples.RARE_DELIMITERS):
        if len(next(iter(samples.csv_rows(row, delimiter)), [])) == width:
            return delimiter
    raise _RefusedMessageError(f"not {width} fields, as columns= has names")
