"""Read a file from where it was left: each reader yields segments of whole records with the shape that fits them."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import time
from typing import TYPE_CHECKING, Any

from mlwatch.sources import samples
from mlwatch.sources.beside import columns_said
from mlwatch.sources.blocks import Block, read_block, skip_line
from mlwatch.sources.documents import document_pieces
from mlwatch.sources.formats import recognise, recognise_table
from mlwatch.sources.importing import Native, native
from mlwatch.sources.parquet import read_parquet
from mlwatch.sources.segments import Piece, Searched, Segment, UnendedLineError, UnreadableFileError
from mlwatch.sources.shapes import Dialect, shape_key
from mlwatch.sources.streams import (
    HEAD_BYTES,
    TAIL_BYTES,
    DamagedFileError,
    FileMovedError,
    Fingerprint,
    Stream,
    first_bytes,
    head_of,
)
from mlwatch.sources.tfrecords import read_tfrecords
from mlwatch.sources.wrapped import unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.files import Format, Found
    from mlwatch.sources.segments import Position
    from mlwatch.sources.shapebook import ShapeBook

SETTLED_S = 60.0
"""A delimited file that has not changed for so long is taken to be complete, even without a last newline. The last
line of a JSON lines file tells by itself whether it is whole."""
IMPORT_BYTES = 8 << 20
"""Native records that are rewritten at once: the lists that this takes are many times as large."""
MAX_HEADER_BYTES = 4 << 20
"""A longer first line of a delimited file is no header."""
_SEPARATOR = re.compile(r'"?sep=.?"?\n', re.IGNORECASE)
"""What Excel writes before the header of a delimited file: which mark separates the fields."""


def read_file(
    found: Found, form: Format, at: Position, book: ShapeBook, connection: DuckDBPyConnection, block: int
) -> Iterator[Segment | Native]:
    """Yield what a file holds behind a position; native records are yet to be rewritten.

    Args:
        found: The file.
        form: Its format.
        at: Where to go on.
        book: Shapes.
        connection: For looking into Parquet files.
        block: About how many bytes a segment of text has.

    Raises:
        UnreadableFileError: when the file is damaged; good segments before the damage are yielded first.
        UnendedLineError: when it ends with a line that is too long to be a record and may go on.
        OSError: when it cannot be opened.
    """
    if form == "parquet":
        return read_parquet(found, at, book, connection)
    if form == "tfrecord":
        return read_tfrecords(found, at, book, connection)
    if form == "json":
        return _document(found, at, book, block)
    return _text(found, form, at, book, block)


def _text(
    found: Found, form: Format, at: Position, book: ShapeBook, block_size: int
) -> Iterator[Segment | Native]:
    with Stream(found.path, found.identity) as stream:
        head = first_bytes(found.path, found.identity)
        if stream.compression == "none":
            settled = form == "csv" and time.time() - found.mtime_ns / 1e9 > SETTLED_S
        else:
            settled = True  # what a compressed file ends with is its end
        sample = _first_lines(found) if form == "csv" else b""
        header = _csv_header(stream, sample) if form == "csv" else None
        if form == "csv" and header is None:
            return
        before = sample.count(b"\n", 0, stream.position)
        start = max(at.offset, stream.position)
        if not stream.seek(start):
            return
        if at.mark is not None and not at.mark.fits(head, stream.recent):
            raise FileMovedError(found.relative)  # files changed places between the look and the reading
        # a format is told by the records themselves, not by configured columns beside them
        plain = unwrapped(head.rpartition(b"\n")[0]) if form == "wrapped" else head
        importer = recognise_table(header.header, found.path) if header else recognise(plain, found.path)
        columns = header.header if header else ()
        size = block_size if importer is None else min(block_size, IMPORT_BYTES)
        for piece in _pieces(found, form, at, stream, head, before, settled=settled, block_size=size):
            if form == "wrapped":
                text = unwrapped(piece.text, columns_said(book.settings))
                piece = dataclasses.replace(piece, text=text)  # noqa: PLW2901
            if importer is not None:
                yield native(_as_json(piece, header), importer, book, columns)
            else:
                yield with_shape(piece, "csv" if header else "jsonl", header, book)
            if stream.damage is not None:
                raise _damaged(stream.damage)


def _as_json(piece: Piece, dialect: Dialect | None) -> Piece:
    """Write delimited rows as JSON lines."""
    if dialect is None:
        return piece
    rows = samples.csv_rows(piece.text.decode("utf-8", errors="replace"), dialect.delimiter, '"')
    records = ({name: cell or None for name, cell in zip(dialect.header, row, strict=False)} for row in rows)
    text = "".join(json.dumps(record) + "\n" for record in records)
    return dataclasses.replace(piece, text=text.encode())


def with_shape(
    piece: Piece, form: Format, dialect: Dialect | None, book: ShapeBook, named: str | None = None
) -> Segment:
    """Return the segment of a piece of JSON lines or delimited rows; its shape is inferred, or extended by it.

    Args:
        piece: Whole records.
        form: `jsonl` or `csv`.
        dialect: Of delimited rows.
        book: Shapes.
        named: What stands for the file's path where there is none.
    """
    relative = named or piece.found.relative
    key = shape_key(relative, form, dialect.header if dialect else ())
    records = (
        book.records(key, piece.text) if dialect is None else _rows(piece.text, dialect, book.limit(key))
    )
    return piece.segment(book.fit(key, form, records, relative, dialect))


def _pieces(
    found: Found,
    form: Format,
    at: Position,
    stream: Stream,
    head: bytes,
    before: int,
    *,
    settled: bool,
    block_size: int,
) -> Iterator[Piece]:
    lines = at.lines or before
    while True:
        stream.skip_hole()
        start, recent = stream.position, stream.recent
        try:
            block = _searched_on(stream, at.searched, take_tail=settled)
            if block is None:
                size = stream.up_to_line(block_size)  # so that a block need not be copied to be cut
                block = read_block(stream, size, quoted=form == "csv", take_tail=settled)
        except DamagedFileError as error:
            raise _damaged(str(error)) from error
        if not stream.holds(head):
            return  # truncated while being read: the next scan sees what it is now
        if block.searched is not None:
            raise UnendedLineError(Searched(start, block.searched, block.passed))
        if block.end == start:  # nothing whole yet
            if stream.damage is not None:
                raise _damaged(stream.damage)
            return
        tail = (recent + (block.data or block.passed)[-TAIL_BYTES:])[-TAIL_BYTES:]
        stream.seek(block.end) if stream.compression == "none" else _rewind(stream, block.end, tail)
        data = _clean(block.data, first=start == 0)
        mark = Fingerprint.of(head_of(head, block.end), tail)
        count = data.count(b"\n") + block.overlong
        yield Piece(found, start, block.end, lines + 1, count, mark, data, block.overlong)
        lines += count
        if not block.more:
            return


def _damaged(reason: str) -> UnreadableFileError:
    return UnreadableFileError(f"the compressed data is damaged ({reason})")


def _searched_on(stream: Stream, searched: Searched | None, *, take_tail: bool) -> Block | None:
    """Go on to search a line for its end where that was left; None where there is no such line."""
    start = stream.position
    if searched is None or searched.start != start or stream.compression != "none":
        return None
    if stream.seek(searched.end) and stream.recent == searched.recent:
        return skip_line(stream, start, take_tail=take_tail)
    stream.seek(start)
    return None


def _rewind(stream: Stream, end: int, recent: bytes) -> None:
    """Give a compressed stream the bytes back that lie behind a block's last newline."""
    surplus = stream.position - end
    if surplus:
        stream.unread(stream.last(surplus), recent)


def _first_lines(found: Found) -> bytes:
    """Read as much as the header and some rows take."""
    with Stream(found.path, found.identity) as stream:
        text = stream.read(16 * HEAD_BYTES)
        while b"\n" not in text and len(text) < MAX_HEADER_BYTES and (more := stream.read(16 * HEAD_BYTES)):
            text += more
    return text


def _clean(data: bytes, *, first: bool) -> bytes:
    """Bring text to newline-terminated lines without byte order mark, carriage returns and filler bytes."""
    if first:
        data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in data:
        data = data.replace(b"\0", b"")  # a file truncated under its writer grows a hole of zeros
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data if data.endswith(b"\n") or not data else data + b"\n"


def _rows(data: bytes, dialect: Dialect, limit: int) -> list[dict[str, Any]]:
    text = b"\n".join(samples.spread(data, limit)).decode("utf-8", errors="replace")
    rows = list(samples.csv_rows(text, dialect.delimiter, '"'))
    return list(samples.csv_records(rows, dialect.header, dialect.marks.decimal, dialect.marks.thousands))


def _csv_header(stream: Stream, sample: bytes) -> Dialect | None:
    """Read the header line, and leave the stream behind it; None while there is no whole line."""
    text = sample.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").replace("\r\n", "\n")
    told = _SEPARATOR.match(text)
    text = text[told.end() :] if told else text
    first, newline, _ = text.partition("\n")
    if not newline:
        return None
    found = samples.sniff(text if text.endswith("\n") else text.rpartition("\n")[0])
    if found is None:
        raise UnreadableFileError("no delimiter found: expected a header line with at least two columns")
    delimiter, marks = found
    names = next(iter(csv.reader([first.lstrip("\ufeff")], delimiter=delimiter)), [])
    if is_data(names):
        raise UnreadableFileError("the first line is no header: name the columns in it")
    end = sample.index(b"\n") + 1
    stream.seek(sample.index(b"\n", end) + 1 if told else end)
    return Dialect(delimiter, distinct(names), marks)


def is_data(names: Sequence[str]) -> bool:
    """Tell whether a first row holds values rather than names."""
    return any(name.strip().replace(".", "", 1).lstrip("-").isdigit() for name in names)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Make column names usable: none empty, none twice in any case."""
    result: list[str] = []
    taken: set[str] = set()
    for index, raw in enumerate(names):
        name = raw.strip() or f"column_{index + 1}"
        suffix = 2
        while name.lower() in taken:
            name, suffix = f"{raw.strip()}_{suffix}", suffix + 1
        taken.add(name.lower())
        result.append(name)
    return tuple(result)


def _document(found: Found, at: Position, book: ShapeBook, block: int) -> Iterator[Segment | Native]:
    importer = recognise(first_bytes(found.path, found.identity), found.path)
    for piece in document_pieces(found, at, block):
        if importer is not None:
            yield native(piece, importer, book)
        else:
            yield with_shape(piece, "json", None, book)
