"""Read the records of a growing TFRecord file from where it was left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlwatch.sources.formats import tf_serving
from mlwatch.sources.formats.wire import FRAME, frame_length
from mlwatch.sources.importing import import_piece
from mlwatch.sources.segments import Piece, Segment, UnreadableFileError
from mlwatch.sources.streams import (
    TAIL_BYTES,
    DamagedFileError,
    FileMovedError,
    Fingerprint,
    Stream,
    first_bytes,
    head_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.files import Found
    from mlwatch.sources.segments import Position
    from mlwatch.sources.shapebook import ShapeBook

BLOCK_BYTES = 4 << 20
_CHECKSUM = 4


def read_tfrecords(
    found: Found, at: Position, book: ShapeBook, connection: DuckDBPyConnection
) -> Iterator[Segment]:
    """Yield the records behind a position; a record that is not whole yet waits.

    Args:
        found: The file.
        at: Where to go on.
        book: Shapes.
        connection: Used by the reading thread alone.

    Raises:
        UnreadableFileError: when a frame is damaged, so that nothing behind it can be found.
    """
    head = first_bytes(found.path, found.identity)
    with Stream(found.path, found.identity) as stream:
        if not stream.seek(at.offset):
            return
        recent, start, line = stream.recent, at.offset, at.lines + 1
        if at.mark is not None and not at.mark.fits(head, recent):
            raise FileMovedError(found.relative)
        rest = b""
        while data := _read(stream):
            rest += data
            records, used, whole = _cut(rest)
            if records:
                recent = (recent + rest[:used])[-TAIL_BYTES:]
                mark = Fingerprint.of(head_of(head, start + used), recent)
                text = "".join(json.dumps(record) + "\n" for record in records).encode()
                piece = Piece(found, start, start + used, line, len(records), mark, text)
                yield import_piece(piece, tf_serving.IMPORTER, book, connection)
                start, line, rest = start + used, line + len(records), rest[used:]
            if not whole:
                raise UnreadableFileError(f"a damaged frame behind record {line - 1:,}")


def _read(stream: Stream) -> bytes:
    try:
        return stream.read(BLOCK_BYTES)
    except DamagedFileError as error:
        raise UnreadableFileError(f"the compressed data is damaged ({error})") from error


def _cut(data: bytes) -> tuple[list[dict[str, Any]], int, bool]:
    """Return the whole records at the front of some bytes, how long they are, and whether all frames are sound."""
    records: list[dict[str, Any]] = []
    position = 0
    while position + FRAME <= len(data):
        length = frame_length(data[position : position + FRAME])
        if length is None:
            return records, position, False
        end = position + FRAME + length
        if end + _CHECKSUM > len(data):
            break
        records.append(_record(data[position + FRAME : end]))
        position = end + _CHECKSUM
    return records, position, True


def _record(data: bytes) -> dict[str, Any]:
    try:
        return tf_serving.decode(data)
    except ValueError as error:
        return {"wrong": f"no PredictionLog that can be used ({error})", "time": 0}
