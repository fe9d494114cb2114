"""Read the rows of Parquet files: plain ones where they are, those of a serving product as JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import number, row
from mlwatch.errors import reason_of
from mlwatch.sources.formats import recognise_table
from mlwatch.sources.importing import import_piece
from mlwatch.sources.parquet_samples import kinds_of, sample
from mlwatch.sources.pathnames import file_literal, is_utf8
from mlwatch.sources.relations import parquet_relation
from mlwatch.sources.room import make_room
from mlwatch.sources.segments import Piece, Segment, UnreadableFileError
from mlwatch.sources.shapes import shape_key
from mlwatch.sources.sql import ROW
from mlwatch.sources.streams import Fingerprint, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.roles.types import ColumnPath
    from mlwatch.sources.files import Found
    from mlwatch.sources.segments import Position
    from mlwatch.sources.shapebook import ShapeBook

GROUP_ROWS = 122_880
"""Rows of a group as DuckDB writes them, in Parquet files and in the store: whole ones are read and written best."""
PARQUET_ROWS = 6 * GROUP_ROWS
"""Rows that a transaction takes in: enough that the finest rollups fill groups of their own, which are written once."""
FIRST_ROWS = 10_000
"""The first rows are few, so that the screen has something to show at once."""
TABLE_ROWS = 10_000
"""Rows of a Parquet file that an importer takes at once: each may hold the bodies of a request and its response."""


def read_parquet(
    found: Found, at: Position, book: ShapeBook, connection: DuckDBPyConnection
) -> Iterator[Segment]:
    """Yield the rows of a Parquet file behind a position.

    Args:
        found: The file.
        at: Where to go on.
        book: Shapes.
        connection: Used by the reading thread alone.

    Raises:
        UnreadableFileError: when it is no complete Parquet file, or one that this machine's memory cannot take.
    """
    import duckdb  # noqa: PLC0415

    if not is_utf8(found.path):
        raise UnreadableFileError(
            "its path is not UTF-8, and the engine opens no such file: rename it, or name a link to its directory"
        )
    name = file_literal(found.path)
    try:
        total = number(connection, f"SELECT SUM(num_rows) FROM parquet_file_metadata({name})")
        make_room(connection, name)
        columns = kinds_of(f"read_parquet({name})", connection)
        names = list(columns)
        importer = recognise_table(names, found.path)
        key = shape_key(found.relative, "parquet", names)
        records = sample(found.path, connection, book.waiting(key)) if importer is None else []
    except duckdb.OutOfMemoryException as error:
        raise UnreadableFileError(
            "its row groups are too large for this machine's memory: write smaller ones"
        ) from error
    except duckdb.Error as error:
        raise UnreadableFileError(f"not a complete Parquet file ({reason_of(error)})") from error
    mark = fingerprint(found.path, found.size) or Fingerprint(0, b"", 0, b"")
    if importer is not None:
        for piece in _table_pieces(found, at.offset, total, mark, connection):
            yield import_piece(piece, importer, book, connection, tuple(names))
        return
    types = {path: kind for name, column in columns.items() for path, kind in _leaves((name,), str(column))}
    shape = book.fit(key, "parquet", records, found.relative, types=types)
    for start, end in cut_rows(at.offset, total):
        yield Segment(found, shape, start, end, start + 1, end - start, mark)


def cut_rows(start: int, total: int) -> Iterator[tuple[int, int]]:
    """Part rows into pieces that end where groups do; what would be a small last piece belongs to the one before."""
    while start < total:
        end = (start + PARQUET_ROWS) // GROUP_ROWS * GROUP_ROWS if start else FIRST_ROWS
        end = end if total - end > PARQUET_ROWS // 2 else total
        yield start, end
        start = end


def _table_pieces(
    found: Found, start: int, total: int, mark: Fingerprint, connection: DuckDBPyConnection
) -> Iterator[Piece]:
    """Write rows of a Parquet file as JSON lines."""
    while start < total:
        end = min(total, start + TABLE_ROWS)
        (lines,) = row(
            connection,
            f"""SELECT string_agg(CAST(to_json({ROW}) AS VARCHAR), chr(10) ORDER BY file_row_number)
            FROM {parquet_relation(found.path, start, end)} AS {ROW}""",
        )
        text = f"{lines}\n".encode() if lines else b""
        yield Piece(found, start, end, start + 1, end - start, mark, text)
        start = end


_PARQUET_KINDS = (
    ("TIMESTAMP", "time"),
    ("DATE", "time"),
    ("BOOLEAN", "boolean"),
    *(
        (name, "integer")
        for name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
    ),
    *((name, "number") for name in ("UBIGINT", "HUGEINT", "FLOAT", "DOUBLE")),
    ("DECIMAL", "decimal"),
)


def _leaves(path: ColumnPath, sql_type: str) -> Iterator[tuple[ColumnPath, str]]:
    """Tell how a Parquet column is read; fields of structs are read as text and cast."""
    for prefix, kind in _PARQUET_KINDS:
        if sql_type.startswith(prefix):
            yield path, kind
            return
    if not sql_type.startswith("STRUCT"):
        yield path, "text"
