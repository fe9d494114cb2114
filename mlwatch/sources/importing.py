"""Read native records of a serving product: a piece of a file becomes a segment of plain records."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mlwatch.config import RoleSettings
from mlwatch.errors import reason_of
from mlwatch.sources.formats.rewriting import Text
from mlwatch.sources.formats.types import NotReadyError, Place, Refused
from mlwatch.sources.segments import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.formats.types import Importer, Rewritten
    from mlwatch.sources.segments import Piece, Segment
    from mlwatch.sources.shapebook import ShapeBook

IMPORTED = "importer"
"""What the keys of shapes of rewritten records begin with."""


@dataclass(frozen=True, slots=True)
class Native:
    """A piece of native records, and what reads them."""

    piece: Piece
    importer: Importer
    select: str
    """The importer's SELECT: pieces with the same one can be rewritten together."""
    ctime_ns: int
    """When its file was last written or put there, as the system says."""


def native(piece: Piece, importer: Importer, book: ShapeBook, columns: tuple[str, ...] = ()) -> Native:
    """Return a piece of a file with the SELECT that reads it.

    Args:
        piece: Native records.
        importer: Their format.
        book: Shapes.
        columns: Names of the columns, where the file is a table.

    Raises:
        UnreadableFileError: when something is missing that the format needs.
    """
    found = piece.found
    ctime_ns = found.path.stat().st_ctime_ns
    place = Place(
        PurePosixPath(found.relative),
        book.root_name,
        found.path,
        found.mtime_ns,
        ctime_ns,
        book.settings.timezone,
        columns,
    )
    return native_at(piece, importer, place)


def native_at(piece: Piece, importer: Importer, place: Place) -> Native:
    """Return a piece from anywhere with the SELECT that reads it; for the error see `native`."""
    try:
        return Native(piece, importer, importer.envelopes(place), place.ctime_ns)
    except NotReadyError as error:
        raise UnreadableFileError(str(error)) from error


def import_natives(
    natives: Sequence[Native], book: ShapeBook, connection: DuckDBPyConnection
) -> list[Segment]:
    """Rewrite pieces that have the same SELECT to plain records.

    Args:
        natives: Of files of their own, or pieces of one that follow each other; to be taken in together.
        book: Shapes; all files of a format share one.
        connection: Used by the reading thread alone.

    Raises:
        UnreadableFileError: when the records cannot be read at all.
    """
    import duckdb  # noqa: PLC0415

    importer, select = natives[0].importer, natives[0].select
    texts = [Text(one.piece.text.decode("utf-8", errors="replace"), one.piece.first_line) for one in natives]
    written = datetime.fromtimestamp(max(one.ctime_ns for one in natives) / 1e9, UTC).replace(tzinfo=None)
    try:
        plain = book.rewriter(connection).rewrite(importer, select, texts, written)
    except (duckdb.Error, RuntimeError) as error:  # the latter for what goes wrong between engine and Python
        raise UnreadableFileError(
            f"its records of {importer.title} cannot be read ({reason_of(error)})"
        ) from error
    return [_imported(one.piece, importer, book, text) for one, text in zip(natives, plain, strict=True)]


def _imported(piece: Piece, importer: Importer, book: ShapeBook, plain: Rewritten) -> Segment:
    overlong = tuple(
        Refused(piece.first_line + number, "a line of more than 16 MB", "")
        for number in range(piece.overlong)
    )
    if piece.numbers:  # they are those of the native lines
        first = piece.first_line
        refused = tuple(
            dataclasses.replace(one, line=piece.numbers[one.line - first]) for one in plain.refused
        )
        plain, piece = dataclasses.replace(plain, refused=refused), dataclasses.replace(piece, numbers=())
    return _segment(dataclasses.replace(piece, overlong=0), importer, book, plain, overlong)


def import_piece(
    piece: Piece,
    importer: Importer,
    book: ShapeBook,
    connection: DuckDBPyConnection,
    columns: tuple[str, ...] = (),
) -> Segment:
    """Rewrite a single piece to plain records; for arguments and errors see `native` and `import_natives`."""
    return import_natives([native(piece, importer, book, columns)], book, connection)[0]


def left_over(
    importer: Importer, at: Piece, book: ShapeBook, connection: DuckDBPyConnection
) -> Segment | None:
    """Return the halves of requests that wait for the other in vain, as records of their own; None if there are none.

    Args:
        importer: Their format.
        at: An empty piece of the file that they are booked with.
        book: Shapes.
        connection: Used by the reading thread alone.
    """
    plain = book.rewriter(connection).release(importer)
    return None if plain is None else _segment(at, importer, book, plain)


def _segment(
    piece: Piece, importer: Importer, book: ShapeBook, plain: Rewritten, more: tuple[Refused, ...] = ()
) -> Segment:
    key = json.dumps([IMPORTED, importer.name])
    records = book.records(key, plain.text)
    shape = book.fit(key, "jsonl", records, piece.found.relative, settings=_plain_roles(book.settings))
    return dataclasses.replace(
        piece.segment(shape),
        text=plain.text,
        refused=(*plain.refused, *more),
        records=plain.records + len(more),
        carried=plain.carried,
        sampled=plain.sampled,
        importer=importer,
    )


def _plain_roles(settings: RoleSettings) -> RoleSettings:
    """Leave out which column has which role: plain records have columns of their own."""
    return RoleSettings(
        features=settings.features,
        ignore=settings.ignore,
        categorical=settings.categorical,
        numeric=settings.numeric,
        positive_class=settings.positive_class,
        task=settings.task,
    )
