"""Read native records of a serving product: a piece of a file becomes a segment of plain records."""

from __future__ import annotations

import dataclasses
import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mlwatch.config import RoleSettings
from mlwatch.errors import reason_of
from mlwatch.sources import samples
from mlwatch.sources.formats.types import NotReadyError, Place, Refused
from mlwatch.sources.segments import UnreadableFileError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.sources.formats.types import Importer, Rewritten
    from mlwatch.sources.segments import Piece, Segment
    from mlwatch.sources.shapebook import ShapeBook

IMPORTED = "importer"
"""What the keys of shapes of rewritten records begin with."""


def import_piece(
    piece: Piece,
    importer: Importer,
    book: ShapeBook,
    connection: DuckDBPyConnection,
    columns: tuple[str, ...] = (),
) -> Segment:
    """Rewrite a piece to plain records.

    Args:
        piece: Native records.
        importer: Their format.
        book: Shapes; all files of a format share one.
        connection: Used by the reading thread alone.
        columns: Names of the columns, where the file is a table.

    Raises:
        UnreadableFileError: when the records cannot be read at all.
    """
    import duckdb  # noqa: PLC0415

    found = piece.found
    place = Place(
        PurePosixPath(found.relative),
        book.root_name,
        found.path,
        found.mtime_ns,
        found.path.stat().st_ctime_ns,
        book.settings.timezone,
        columns,
    )
    try:
        plain = book.rewriter(connection).rewrite(importer, place, piece.text, piece.first_line)
    except NotReadyError as error:
        raise UnreadableFileError(str(error)) from error
    except duckdb.Error as error:
        raise UnreadableFileError(
            f"its records of {importer.title} cannot be read ({reason_of(error)})"
        ) from error
    overlong = tuple(
        Refused(piece.first_line + number, "a line of more than 16 MB", "")
        for number in range(piece.overlong)
    )
    return _segment(dataclasses.replace(piece, overlong=0), importer, book, plain, overlong)


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
    limit = samples.SAMPLE_LINES if key not in book.shapes else samples.LATER_LINES
    records = list(samples.json_lines(plain.text, limit))
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
