"""Gather small pieces of native records, so that many are rewritten at once: the statements cost more than the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.sources.importing import Native, import_natives
from mlwatch.sources.segments import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.files import Found
    from mlwatch.sources.segments import Segment
    from mlwatch.sources.shapebook import ShapeBook
    from mlwatch.store.ledger import Entry

GROUP_BYTES = 1 << 20
"""Text that is gathered; a larger piece is worth its statements alone."""
GROUP_PIECES = 1000

Imported = list[tuple["Segment", "Entry"]]
"""Segments that are to be taken in together, with the entries that they carry on."""


class Natives:
    """Pieces that wait to be rewritten.

    Args:
        book: Shapes.
        connection: Used by the reading thread alone.
    """

    def __init__(self, book: ShapeBook, connection: DuckDBPyConnection) -> None:
        self._book = book
        self._connection = connection
        self._groups: dict[tuple[str, str], list[tuple[Native, Entry]]] = {}
        self._bytes = 0
        self._pieces = 0

    def add(self, native: Native, entry: Entry) -> bool:
        """Put a piece to those that are read like it; return whether it is time to rewrite them."""
        self._groups.setdefault((native.importer.name, native.select), []).append((native, entry))
        self._bytes += len(native.piece.text)
        self._pieces += 1
        return self._bytes >= GROUP_BYTES or self._pieces >= GROUP_PIECES

    def forget(self) -> None:
        """Drop the pieces that wait: their files are read again."""
        self._groups, self._bytes, self._pieces = {}, 0, 0

    def rewrite(self) -> Iterator[Imported | tuple[Found, str]]:
        """Yield what the pieces give, or files that cannot be read and why."""
        groups = list(self._groups.values())
        self.forget()
        for group in groups:
            yield from self._rewrite(group)

    def _rewrite(self, group: list[tuple[Native, Entry]]) -> Iterator[Imported | tuple[Found, str]]:
        try:
            segments = import_natives([one for one, _ in group], self._book, self._connection)
        except UnreadableFileError as error:
            if len(group) == 1:
                yield group[0][0].piece.found, str(error)
                return
            for one in group:
                yield from self._rewrite([one])
        else:
            yield [(segment, entry) for segment, (_, entry) in zip(segments, group, strict=True)]
