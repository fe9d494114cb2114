"""Look at a few rows of a table, to learn what its columns hold."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from mlwatch.asking import row
from mlwatch.elements import has_value, is_element
from mlwatch.sources.pathnames import file_literal
from mlwatch.sources.relations import parquet_relation
from mlwatch.sources.sql import ROW, path_expression

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection
    from duckdb.sqltypes import DuckDBPyType

    from mlwatch.roles.types import ColumnPath

    Record = dict[str, Any]

SAMPLE_ROWS = 1000
"""Rows that are looked at; asked for by number, for a limit lets every thread read a group of its own."""
LATER_ROWS = 20
"""Rows that are looked at besides for a column that is empty in the first ones: the first that have a value."""
LATER_GROUPS = 16
"""Groups of rows that are looked into for these."""


def sample(
    path: Path, connection: DuckDBPyConnection, waiting: Collection[ColumnPath] | None = None
) -> list[Record]:
    """Return some rows of a Parquet file as records: the first ones, and later ones of columns that are empty there.

    Args:
        path: The file.
        connection: Any.
        waiting: The only columns that later rows are worth a look for; None for all.
    """
    records = _rows(parquet_relation(path, 0, SAMPLE_ROWS), connection)
    columns = kinds_of(f"read_parquet({file_literal(path)})", connection)
    empty = [
        leaf
        for leaf in _empty(_leaves((), columns.items()), records)
        if waiting is None or any(leaf[:length] in waiting for length in range(1, len(leaf) + 1))
    ]
    if empty:
        for relation, leaves in islice(_groups_with(empty, path, connection), LATER_GROUPS):
            records += _first_filled(relation, leaves, connection)
    return records


def _leaves(parents: ColumnPath, columns: Iterable[tuple[str, DuckDBPyType]]) -> Iterator[ColumnPath]:
    """Yield the columns, and the fields of structs, that have values and can be read."""
    for name, kind in columns:
        if not name or (parents and is_element(name)):
            continue
        if kind.id == "struct":
            yield from _leaves((*parents, name), _fields(kind))
        elif kind.id != "map":
            yield (*parents, name)


def _empty(leaves: Iterable[ColumnPath], records: Iterable[Record]) -> list[ColumnPath]:
    """Return the columns that have no value in any of some records."""
    empty = list(leaves)
    for record in records:
        empty = [leaf for leaf in empty if not has_value(record, leaf)]
    return empty


def _groups_with(
    leaves: Sequence[ColumnPath], path: Path, connection: DuckDBPyConnection
) -> Iterator[tuple[str, list[ColumnPath]]]:
    """Yield the rows of each group that is the first with values in some columns, and these, as its statistics say."""
    first = connection.execute(
        f"""
        WITH chunks AS (FROM parquet_metadata({file_literal(path)})),
        groups AS (
            SELECT row_group_id, ANY_VALUE(row_group_num_rows) AS rows,
                CAST(SUM(rows) OVER (ORDER BY row_group_id) AS BIGINT) AS stop
            FROM chunks GROUP BY row_group_id),
        filled AS (
            SELECT path_in_schema, MIN(row_group_id) AS row_group_id
            FROM chunks WHERE stats_null_count IS NULL OR stats_null_count < num_values GROUP BY path_in_schema)
        SELECT stop - rows, stop, LIST(path_in_schema) FROM filled JOIN groups USING (row_group_id)
        GROUP BY ALL ORDER BY stop"""
    ).fetchall()
    for start, stop, names in first:
        chosen = [leaf for leaf in leaves if any(_is_below(name, leaf) for name in names)]
        if chosen:
            yield parquet_relation(path, max(start, SAMPLE_ROWS), stop), chosen


def _is_below(name: str, leaf: ColumnPath) -> bool:
    """Tell whether a column of the schema is the values, or the elements, of a leaf."""
    return f"{name}, ".startswith(f"{', '.join(leaf)}, ")


def _first_filled(
    relation: str, leaves: Sequence[ColumnPath], connection: DuckDBPyConnection
) -> list[Record]:
    """Return the first rows that have a value in any of some columns."""
    filled = (
        f"MIN(file_row_number, {LATER_ROWS}) FILTER (WHERE {path_expression(leaf)} IS NOT NULL)"
        for leaf in leaves
    )
    found = row(connection, f"SELECT {', '.join(filled)} FROM {relation}")
    numbers = sorted({number for numbers in found for number in numbers or ()})
    if not numbers:
        return []
    listed = ", ".join(map(str, numbers))
    return _rows(f"(SELECT * FROM {relation} WHERE file_row_number IN ({listed}))", connection)


def _rows(relation: str, connection: DuckDBPyConnection) -> list[Record]:
    return records_of(f"(SELECT * EXCLUDE (file_row_number) FROM {relation})", connection)


def records_of(relation: str, connection: DuckDBPyConnection) -> list[Record]:
    """Return rows as records, whose values are of the kinds that their columns are read as."""
    columns = kinds_of(relation, connection)
    texts = connection.execute(f"SELECT CAST(to_json({ROW}) AS VARCHAR) FROM {relation} AS {ROW}").fetchall()
    records: list[Record] = json.loads(f"[{','.join(text for (text,) in texts)}]")
    for record in records:
        for name, value in record.items():
            if isinstance(value, (dict, list)):  # most are neither
                record[name] = _as_read(value, columns[name])
    return records


def kinds_of(relation: str, connection: DuckDBPyConnection) -> dict[str, DuckDBPyType]:
    """Return the type of each column."""
    described = connection.execute(f"SELECT * FROM {relation} LIMIT 0").description
    return {column[0]: column[1] for column in described or ()}


def _as_read(value: Any, kind: DuckDBPyType) -> Any:
    """Return a value as its column is read: only a struct has fields, a map is a list of pairs, JSON is text."""
    if isinstance(value, dict) and kind.id == "struct":
        return {name: _as_read(value[name], child) for name, child in _fields(kind)}
    if isinstance(value, dict | list) and kind.id == "varchar":
        return json.dumps(value)
    return [] if isinstance(value, dict) else value


def _fields(struct: DuckDBPyType) -> Iterable[tuple[str, DuckDBPyType]]:
    return cast("Iterable[tuple[str, DuckDBPyType]]", struct.children)
