"""Make segments of the messages of topics: plain records as they are, native ones of serving products rewritten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mlwatch.sources.formats import recognise
from mlwatch.sources.formats.types import Place
from mlwatch.sources.importing import Native, import_natives, native_at
from mlwatch.sources.messages import TIME
from mlwatch.sources.readers import with_shape
from mlwatch.sources.segments import UnreadableFileError
from mlwatch.sources.streams import HEAD_BYTES
from mlwatch.store.items import Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.formats.types import Importer
    from mlwatch.sources.messages import TopicPiece
    from mlwatch.sources.segments import Piece, Segment
    from mlwatch.sources.shapebook import ShapeBook
    from mlwatch.sources.shapes import Dialect
    from mlwatch.store.ledger import Entry

Taken = tuple["TopicPiece", "Entry", str]
"""A piece of a partition, the partition's entry, and what stands for the path of a file: what has no model has its."""


class TopicWorks:
    """Makes segments of pieces.

    Args:
        book: Shapes.
        connection: For rewriting; of the ingest thread alone.
    """

    def __init__(self, book: ShapeBook, connection: DuckDBPyConnection) -> None:
        self._book = book
        self._connection = connection
        self._importers: dict[str, Importer] = {}
        """Formats of topics that were recognised."""

    def works(self, taken: Sequence[Taken]) -> Iterator[list[Work]]:
        """Yield works in groups that are to be taken in together; those of one partition stay in order.

        Args:
            taken: Pieces of different partitions, or of one that follow each other.
        """
        alone = len({entry.file for _, entry, _ in taken}) == len(taken)
        groups: dict[tuple[str, str], list[tuple[Native, Taken]]] = {}
        for one in taken:
            native = self._native(one)
            if native is None:
                yield [Work(self._plain(one), one[1])]
            elif alone:
                groups.setdefault((native.importer.name, native.select), []).append((native, one))
            else:
                yield self._rewritten([(native, one)])
        for group in groups.values():
            yield self._rewritten(group)

    def _native(self, taken: Taken) -> Native | None:
        """Return a piece as one of native records, where it is one."""
        piece, entry, named = taken
        plain = piece.plain()
        if piece.dialect is not None or not plain.text:
            return None
        importer = recognise(plain.text[:HEAD_BYTES], Path(named)) or self._importers.get(named)
        if importer is None:
            return None
        self._importers[named] = importer
        relative, now = PurePosixPath(named), entry.mtime_ns
        zone = self._book.settings.timezone
        place = Place(relative, self._book.root_name, Path(named), now, now, zone)
        try:
            return native_at(plain, importer, place)
        except UnreadableFileError:  # what its format needs lies beside files only
            return None

    def _rewritten(self, group: Sequence[tuple[Native, Taken]]) -> list[Work]:
        try:
            segments = import_natives([native for native, _ in group], self._book, self._connection)
        except UnreadableFileError:  # no statement reads it: it is judged as plain records are
            return [Work(self._plain(one), one[1]) for _, one in group]
        return [
            Work(_with_refused(segment, piece), entry)
            for segment, (_, (piece, entry, _)) in zip(segments, group, strict=True)
        ]

    def _plain(self, taken: Taken) -> Segment:
        """Return a piece with its shape; records without a time have that of their message."""
        piece, _, named = taken
        segment = self._shaped(piece.plain(), piece.dialect, named)
        if piece.dialect is None and segment.shape.mapping.roles.get("timestamp") in {None, (TIME,)}:
            segment = self._shaped(piece.timed(), None, named)
        return _with_refused(segment, piece)

    def _shaped(self, piece: Piece, dialect: Dialect | None, named: str) -> Segment:
        return with_shape(piece, "csv" if dialect else "jsonl", dialect, self._book, named)


def _with_refused(segment: Segment, piece: TopicPiece) -> Segment:
    """Add the messages that hold no record."""
    records = segment.lines if segment.records is None else segment.records
    return replace(segment, refused=(*segment.refused, *piece.refused), records=records + len(piece.refused))
