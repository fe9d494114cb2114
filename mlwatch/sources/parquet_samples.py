"""Look at a few rows of a table, to learn what its columns hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlwatch.sources.shapes import parquet_relation

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection
    from duckdb.sqltypes import DuckDBPyType

    Record = dict[str, Any]

SAMPLE_ROWS = 1000
"""Rows that are looked at; asked for by number, for a limit lets every thread read a group of its own."""


def sample(path: Path, connection: DuckDBPyConnection) -> list[Record]:
    """Return the first rows of a Parquet file as records."""
    return records_of(_plain(parquet_relation(path, 0, SAMPLE_ROWS)), connection)


def records_of(relation: str, connection: DuckDBPyConnection) -> list[Record]:
    """Return rows as records, whose values are of the kinds that their columns are read as."""
    columns = kinds_of(relation, connection)
    texts = connection.execute(f"SELECT CAST(to_json(given) AS VARCHAR) FROM {relation} AS given").fetchall()
    return [
        {name: _as_read(value, columns[name]) for name, value in json.loads(text).items()}
        for (text,) in texts
    ]


def kinds_of(relation: str, connection: DuckDBPyConnection) -> dict[str, DuckDBPyType]:
    """Return the type of each column."""
    described = connection.execute(f"SELECT * FROM {relation} LIMIT 0").description
    return {column[0]: column[1] for column in described or ()}


def _plain(relation: str) -> str:
    return f"(SELECT * EXCLUDE (file_row_number) FROM {relation})"


def _as_read(value: Any, kind: DuckDBPyType) -> Any:
    """Return a value as its column is read: only a struct has fields, a map is a list of pairs, JSON is text."""
    if not isinstance(value, dict | list):
        return value
    if kind.id == "struct":
        return {name: _as_read(value[name], child) for name, child in kind.children}
    if kind.id == "varchar":
        return json.dumps(value)
    return value if kind.id in {"list", "array"} else []
