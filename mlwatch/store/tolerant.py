"""Read a block record by record, in SQL: what is no record is told from what is, and nothing fails.

Only blocks that the fast way refused come here. Delimited rows are brought to JSON first, so that one way serves both.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlwatch.sources.blocks import MAX_LINE_BYTES
from mlwatch.sources.delimited import Rows
from mlwatch.sources.marks import NO_MARKS, unmarked
from mlwatch.sources.pathnames import file_literal
from mlwatch.sources.relations import CSV_NULLS
from mlwatch.sources.sql import literal, pointer
from mlwatch.store.spool import laying_down

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.canonical import Canonical
    from mlwatch.sources.segments import Segment
    from mlwatch.sources.shapes import Dialect, Shape


NO_LINES = """
    CREATE OR REPLACE TEMP TABLE lines (n BIGINT, raw VARCHAR, good BOOLEAN, record VARCHAR, reason VARCHAR)"""
"""For formats whose records have no text."""


def tolerant_relation(
    connection: DuckDBPyConnection, segment: Segment, shape: Shape, canonical: Canonical, spool: Path
) -> str:
    """Fill the temporary table `lines` from a segment and return the canonical SELECT over its good lines.

    `lines` holds every line that is not blank: its number in the file, its text, whether it is a record, and if not,
    why.

    Args:
        connection: Inside the ingest transaction.
        segment: JSON lines or delimited rows.
        shape: How to read them.
        canonical: A tolerant one.
        spool: A path for the text.
    """
    text = segment.data().decode("utf-8", errors="replace")
    dialect = shape.dialect
    if dialect is not None:
        numeric = {name for name in dialect.header if shape.physical.get((name,)) in {"number", "integer"}}
        _csv_lines(connection, text, dialect, numeric, segment.first_line, spool)
    else:
        _json_lines(connection, text, segment, spool)
    places = {path: place for place, path in enumerate(shape.paths(), start=1)}
    pointers = ", ".join(literal(pointer(path)) for path in places) or "''"
    relation = f"(SELECT n, json_extract_string(record, [{pointers}]) AS r FROM lines WHERE good)"
    return canonical.select(relation, lambda path: f"r[{places[path]}]", line="n")


def _json_lines(connection: DuckDBPyConnection, text: str, segment: Segment, spool: Path) -> None:
    with laying_down(spool):
        spool.write_text(text, encoding="utf-8", newline="\n")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE lines AS
        SELECT n, raw, good, CASE WHEN good THEN raw END AS record,
            CASE WHEN good THEN NULL WHEN LENGTH(raw) > {MAX_LINE_BYTES} THEN 'a line of more than 16 MB'
                WHEN json_valid(raw) THEN 'not a JSON object' ELSE 'not valid JSON' END AS reason
        FROM (
            SELECT n, raw, LENGTH(raw) <= {MAX_LINE_BYTES} AND json_valid(raw)
                AND COALESCE(TRY(json_type(raw)), '') = 'OBJECT' AS good
            FROM (
                SELECT {segment.first_line - 1} + generate_subscripts(parts, 1) AS n, UNNEST(parts) AS raw
                FROM (SELECT string_split(content, chr(10)) AS parts FROM read_text({file_literal(spool)})))
            WHERE TRIM(raw, chr(32) || chr(9)) <> '')""")


def _csv_lines(
    connection: DuckDBPyConnection,
    text: str,
    dialect: Dialect,
    numeric: set[str],
    first_line: int,
    spool: Path,
) -> None:
    """Write each row as a JSON object beside its text and number, and read that back."""
    width = len(dialect.header)
    with laying_down(spool), spool.open("w", encoding="utf-8", newline="\n") as out:
        for row in Rows(dialect.delimiter, width).split(text):
            if not row.raw.strip():
                continue
            fields, reason = row.fields, row.reason
            if fields is not None and len(fields) != width:
                reason = f"{len(fields)} fields, expected {width}"
                fields = None
            record = None if fields is None else json.dumps(_record(fields, dialect, numeric))
            line = {"n": first_line + row.number, "raw": row.raw, "good": fields is not None}
            out.write(json.dumps({**line, "record": record, "reason": reason}) + "\n")
    columns = "{'n': 'BIGINT', 'raw': 'VARCHAR', 'good': 'BOOLEAN', 'record': 'VARCHAR', 'reason': 'VARCHAR'}"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE lines AS
        SELECT * FROM read_json({file_literal(spool)}, format = 'newline_delimited', columns = {columns},
            maximum_object_size = 67108864)""")


def _record(row: list[str], dialect: Dialect, numeric: set[str]) -> dict[str, str | None]:
    record: dict[str, str | None] = {}
    for name, value in zip(dialect.header, row, strict=True):
        if dialect.marks != NO_MARKS and name in numeric:
            value = unmarked(value, dialect.marks.decimal, dialect.marks.thousands)  # noqa: PLW2901  `raw` has its text
        record[name] = None if value in CSV_NULLS else value
    return record
