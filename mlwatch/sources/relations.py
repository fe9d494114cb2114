"""What the engine reads files of a known shape from, as SQL: FROM items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.sources.blocks import MAX_LINE_BYTES
from mlwatch.sources.marks import NO_MARKS
from mlwatch.sources.number_sql import unmarked_sql
from mlwatch.sources.pathnames import file_literal
from mlwatch.sources.physical import SQL_TYPES
from mlwatch.sources.sql import columns_literal, literal, path_expression

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.roles.types import ColumnPath
    from mlwatch.sources.shapes import Shape

CSV_NULLS = ("", "nan", "NaN", "null", "NULL", "N/A", "<NA>", r"\N")
"""Fields that are missing in any column of a delimited file. `NA` may be Namibia: it is none in columns of numbers and
of classes."""


def jsonl_relation(path: Path, shape: Shape, longest: int = MAX_LINE_BYTES) -> str:
    """Return the FROM item that reads JSON lines with explicit columns.

    Args:
        path: The text.
        shape: How to read it.
        longest: Bytes that a line may have. The engine reads twice as many at once, in each thread.
    """
    types = {p: _type(shape, p) for p in shape.paths()} or {("timestamp",): "VARCHAR"}
    return (
        f"read_json({file_literal(path)}, format = 'newline_delimited', maximum_object_size = {longest}, "
        f"columns = {columns_literal(types)})"
    )


def csv_relation(path: Path, shape: Shape) -> str:
    """Return the FROM item that reads delimited rows, without header, with explicit columns."""
    dialect = shape.dialect
    if dialect is None:
        raise ValueError("a delimited file needs a dialect")
    thousands = f"thousands = {literal(dialect.marks.thousands)}, " if dialect.marks.thousands else ""
    types: dict[ColumnPath, str] = {(name,): _type(shape, (name,)) for name in dialect.header}
    rows = (
        f"read_csv({file_literal(path)}, header = false, auto_detect = false, strict_mode = true, "
        f"delim = {literal(dialect.delimiter)}, quote = '\"', escape = '\"', "
        f"nullstr = [{', '.join(map(literal, CSV_NULLS))}], "
        f"decimal_separator = {literal(dialect.marks.decimal)}, {thousands}max_line_size = {MAX_LINE_BYTES}, "
        f"columns = {columns_literal(types)})"
    )
    marked = [path for path in types if dialect.marks != NO_MARKS and _is_counted(shape, path)]
    if not marked:
        return rows
    plain = (f"{unmarked_sql(name, dialect.marks)} AS {name}" for name in map(path_expression, marked))
    return f"(SELECT * REPLACE ({', '.join(plain)}) FROM {rows})"


def _type(shape: Shape, path: ColumnPath) -> str:
    """Return as what the engine reads a column: it would round the first fraction among whole numbers."""
    return "VARCHAR" if _is_counted(shape, path) else SQL_TYPES[shape.physical.get(path, "text")]


def _is_counted(shape: Shape, path: ColumnPath) -> bool:
    """Tell whether a column is of predictions or labels that were whole numbers when they were first met."""
    return shape.physical.get(path) == "integer" and path in shape.classes()


def parquet_relation(path: Path, first: int, last: int) -> str:
    """Return the FROM item that reads rows `first <= n < last` of a Parquet file, numbered by `file_row_number`."""
    return (
        f"(SELECT * FROM read_parquet({file_literal(path)}, file_row_number = true) "
        f"WHERE file_row_number >= {first} AND file_row_number < {last})"
    )
