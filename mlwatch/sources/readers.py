"""Read a file from where it was left: each reader yields segments of whole records with the shape that fits them."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from mlwatch.sources import samples
from mlwatch.sources.beside import columns_said
from mlwatch.sources.blocks import Block, read_block, skip_line
from mlwatch.sources.delimited import Rows
from mlwatch.sources.documents import document_pieces
from mlwatch.sources.formats import recognise, recognise_table
from mlwatch.sources.formats.types import Refused
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
    from mlwatch.sources.marks import Marks
    from mlwatch.sources.segments import Position
    from mlwatch.sources.shapebook import ShapeBook

SETTLED_S = 60.0
"""A delimited file that has not changed for so long is taken to be complete, even without a last newline. The last
line of a JSON lines file tells by itself whether it is whole."""
BUFFER_BYTES = 4096
"""A file of a multiple of so many bytes is being written by what holds back the rest of its last line."""
RAW_LIMIT = 2000
"""Characters of what is refused that are kept."""
IMPORT_BYTES = 8 << 20
"""Native records that are rewritten at once: the lists that this takes are many times as large."""
MAX_HEADER_BYTES = 4 << 20
"""A longer first line of a delimited file is no header."""
_SEPARATOR = re.compile(r'"?sep=.?"?\n', re.IGNORECASE)
"""What Excel writes before the header of a delimited file: which mark separates the fields."""


class Ending(NamedTuple):
    """What is known of the end of a file."""

    settled: bool
    """Nothing will follow."""
    row: bool
    """Nobody waits for what may follow a last row that has all its fields."""


def is_settled(found: Found) -> bool:
    """Tell whether a file has not changed for so long that its last line is taken as it is."""
    return time.time() - found.mtime_ns / 1e9 > SETTLED_S


def may_wait(found: Found, form: Format, end: int) -> bool:
    """Tell whether a file that was read up to `end` is to be looked at again without having changed.

    What is left of a delimited file is taken once it is settled.
    """
    if form != "csv" or end >= found.size or is_settled(found):
        return False
    with Stream(found.path) as stream:
        return stream.compression == "none"


def read_file(
    found: Found,
    form: Format,
    at: Position,
    book: ShapeBook,
    connection: DuckDBPyConnection,
    block: int,
    *,
    follows: bool = True,
) -> Iterator[Segment | Native]:
    """Yield what a file holds behind a position; native records are yet to be rewritten.

    Args:
        found: The file.
        form: Its format.
        at: Where to go on.
        book: Shapes.
        connection: For looking into Parquet files.
        block: About how many bytes a segment of text has.
        follows: Whether what is written later is read as it comes, so that a last row that may still grow can wait.

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
    return _text(found, form, at, book, block, follows=follows)


def _text(
    found: Found, form: Format, at: Position, book: ShapeBook, block_size: int, *, follows: bool
) -> Iterator[Segment | Native]:
    with Stream(found.path, found.identity) as stream:
        head = first_bytes(found.path, found.identity)
        # what a compressed file ends with is its end
        settled = stream.compression != "none" or (form == "csv" and is_settled(found))
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
        rows = Rows(header.delimiter, len(columns)) if header else None
        ending = Ending(settled, not follows and found.size % BUFFER_BYTES != 0)
        for piece, refused in _pieces(found, at, stream, head, before, rows, ending, size):
            if form == "wrapped":
                text = unwrapped(piece.text, columns_said(book.settings))
                piece = dataclasses.replace(piece, text=text)  # noqa: PLW2901
            if importer is not None:
                yield native(_as_json(piece, header), importer, book, columns)
            else:
                segment = with_shape(piece, "csv" if header else "jsonl", header, book)
                yield dataclasses.replace(segment, refused=refused) if refused else segment
            if stream.damage is not None:
                raise _damaged(stream.damage)


def _as_json(piece: Piece, dialect: Dialect | None) -> Piece:
    """Write delimited rows as JSON lines; a line that is no row is no object there either."""
    if dialect is None:
        return piece
    rows = Rows(dialect.delimiter, len(dialect.header)).split(piece.text.decode("utf-8", errors="replace"))
    records = (
        row.raw
        if row.fields is None
        else {name: cell or None for name, cell in zip(dialect.header, row.fields, strict=False)}
        for row in rows
        if row.raw
    )
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
    at: Position,
    stream: Stream,
    head: bytes,
    before: int,
    rows: Rows | None,
    ending: Ending,
    block_size: int,
) -> Iterator[tuple[Piece, tuple[Refused, ...]]]:
    lines = at.lines or before
    # a last line was taken without its newline, and may have gone on
    rest = rows is not None and at.offset == stream.position > 0 and not stream.recent.endswith(b"\n")
    while True:
        stream.skip_hole()
        start, recent = stream.position, stream.recent
        try:
            block = _searched_on(stream, at.searched, take_tail=ending.settled)
            if block is None:
                size = stream.up_to_line(block_size)  # so that a block need not be copied to be cut
                block = read_block(stream, size, rows=rows, take_tail=ending.settled, take_row=ending.row)
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
        _rewind(stream, block.end, (recent + (block.data or block.passed))[-TAIL_BYTES:])
        tail = (recent + (block.data[-TAIL_BYTES:] or block.passed))[-TAIL_BYTES:]
        data = _clean(block.data, first=start == 0)
        refused: tuple[Refused, ...] = ()
        if rest and rows is not None:
            data, refused = _without_rest(data, rows, lines)
            rest = False
        mark = Fingerprint.of(head_of(head, block.end), tail)
        count = data.count(b"\n") + block.overlong
        yield Piece(found, start, block.end, lines + 1, count, mark, data, block.overlong), refused
        lines += count
        if not block.more:
            return


def _without_rest(data: bytes, rows: Rows, line: int) -> tuple[bytes, tuple[Refused, ...]]:
    """Leave out the rest of a row that was taken in before it was written to its end.

    Args:
        data: Lines behind what was taken in.
        rows: How they are told apart.
        line: Number of the row.
    """
    rest, _, behind = data.partition(b"\n")
    if not rest.strip():
        return behind, ()
    if rows.ends_whole(rest):
        return data, ()  # a row of its own, from another hand
    raw = rest.decode("utf-8", errors="replace")[:RAW_LIMIT]
    return behind, (Refused(line, "the end of a row that was read before it was written", raw),)


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
    rows = list(samples.csv_rows(text, dialect.delimiter))
    return list(samples.csv_records(rows, dialect.header, dialect.marks.decimal, dialect.marks.thousands))


def _csv_header(stream: Stream, sample: bytes) -> Dialect | None:
    """Read the header line, and leave the stream behind it; None while there is no whole line."""
    text = sample.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").replace("\r\n", "\n")
    told = _SEPARATOR.match(text)
    passed = 1 if told else 0
    text = text[told.end() :] if told else text
    comments = _comments(text)
    passed += comments
    text = text.split("\n", comments)[-1]
    first, newline, _ = text.partition("\n")
    if not newline:
        if "\r" in text.rstrip("\r"):
            raise UnreadableFileError("its lines end with a carriage return alone: write LF or CRLF")
        return None
    found = _sniffed(text)
    if found is None:
        raise UnreadableFileError("no delimiter found: expected a header line with at least two columns")
    delimiter, marks = found
    names = _names(first, delimiter)
    if is_data(names):
        raise UnreadableFileError("the first line is no header: name the columns in it")
    end = 0
    for _ in range(passed + 1):
        end = sample.index(b"\n", end) + 1
    stream.seek(end)
    return Dialect(delimiter, distinct(names), marks)


def _sniffed(text: str) -> tuple[str, Marks] | None:
    return samples.sniff(text if text.endswith("\n") else text.rpartition("\n")[0])


def _names(line: str, delimiter: str) -> list[str]:
    return next(iter(csv.reader([line.lstrip("\ufeff")], delimiter=delimiter)), [])


def _comments(text: str) -> int:
    """Return how many lines of comment stand before a header; a header itself may begin with the mark of one."""
    if not text.startswith("#"):
        return 0
    lines = text.split("\n")
    count = next((number for number, line in enumerate(lines) if not line.startswith("#")), 0)
    rest = "\n".join(lines[count:])
    found = _sniffed(rest) if count and "\n" in rest else None
    if found is None:
        return 0
    names = _names(lines[count], found[0])
    widths = {len(_names(line, found[0])) for line in lines[:count]}
    return 0 if is_data(names) or len(names) in widths else count


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
