"""Read native records of a serving product: a piece of a file becomes a segment of plain records."""

from __future__ import annotations

import dataclasses
import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mlwatch.config import RoleSettings
from mlwatch.sources import samples
from mlwatch.sources.formats.types import Place, Refused

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.sources.formats.types import Importer
    from mlwatch.sources.segments import Piece, Segment
    from mlwatch.sources.shapebook import ShapeBook


def import_piece(
    piece: Piece, importer: Importer, book: ShapeBook, connection: DuckDBPyConnection
) -> Segment:
    """Rewrite a piece to plain records.

    Args:
        piece: Native records.
        importer: Their format.
        book: Shapes; all files of a format share one.
        connection: Used by the reading thread alone.
    """
    place = Place(PurePosixPath(piece.found.relative), book.root_name, piece.found.mtime_ns)
    plain = book.rewriter(connection).rewrite(importer, place, piece.text, piece.first_line)
    key = json.dumps(["importer", importer.name])
    limit = samples.SAMPLE_LINES if key not in book.shapes else samples.LATER_LINES
    records = list(samples.json_lines(plain.text, limit))
    shape = book.fit(key, "jsonl", records, piece.found.relative, settings=_plain_roles(book.settings))
    overlong = tuple(
        Refused(piece.first_line + number, "a line of more than 16 MB", "")
        for number in range(piece.overlong)
    )
    return dataclasses.replace(
        piece.segment(shape),
        text=plain.text,
        overlong=0,
        refused=(*plain.refused, *overlong),
        records=plain.records + piece.overlong,
        carried=plain.carried,
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
