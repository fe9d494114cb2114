"""Judge a person's SQL by its syntax tree before it runs beside the ingest.

In the live app the database must go on reading log files, so DuckDB's own switch for external access, which holds for
the whole database, cannot be used. A statement passes only if it is one SELECT over the store's own tables and a short
list of harmless table functions; everything else (files, other databases, settings) is refused before it is planned.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mlwatch.asking import first_row
from mlwatch.errors import InputError
from mlwatch.store.console import first_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from duckdb import DuckDBPyConnection

LONGEST = 20_000
TABLE_FUNCTIONS = frozenset(
    {"range", "generate_series", "unnest", "json_each", "json_tree", "duckdb_columns", "duckdb_tables"}
)
"""Table functions that reach nothing outside the store; `read_text`, `query` and their like are not among them."""
_REFUSED_SCALARS = re.compile(
    r"getenv|getvariable|current_setting|write_log|.*secret.*|nextval|currval|^read_|^pg_"
)
_PLAIN_NAME = re.compile(r"\w+")
_SCHEMAS = frozenset({"", "main", "information_schema"})


def check(connection: DuckDBPyConnection, sql: str) -> None:
    """Refuse a statement that may do more than read the store.

    Raises:
        InputError: Saying why.
    """
    if len(sql) > LONGEST:
        raise InputError("the statement is too long", "query", f"use at most {LONGEST:,} characters")
    tree = _tree(connection, sql)
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary"
        ).fetchall()
    }
    allowed = {name.casefold() for name in tables | {"columns", "tables"}}
    allowed |= {name.casefold() for name in _ctes(tree)}
    for node in _nodes(tree):
        _check_node(node, allowed)


def _tree(connection: DuckDBPyConnection, sql: str) -> Any:
    import duckdb  # noqa: PLC0415

    try:
        row = first_row(connection, "SELECT json_serialize_sql(?::VARCHAR)", [sql.strip().rstrip(";")])
    except duckdb.InterruptException:  # whoever asked no longer wants to know
        raise
    except duckdb.Error as error:
        raise InputError("cannot read the SQL", "query", first_line(error)) from error
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if tree.get("error"):
        message = str(tree.get("error_message") or "")
        if "SELECT" in message:
            raise InputError("only one SELECT is allowed", "query", "the store is read-only here")
        raise InputError("cannot read the SQL", "query", message.splitlines()[0] if message else "")
    if len(tree.get("statements", ())) != 1:
        raise InputError("only one SELECT is allowed", "query", "the store is read-only here")
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of the tree; its depth is bounded by DuckDB's parser."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _ctes(tree: Any) -> Iterator[str]:
    for node in _nodes(tree):
        for entry in (node.get("cte_map") or {}).get("map", ()):
            name = str(entry.get("key", ""))
            if not _PLAIN_NAME.fullmatch(name):  # a name like a file's would be read as that file elsewhere
                raise InputError(f"the name {name} cannot be used in WITH", "query", "use letters and digits")
            yield name


def _check_node(node: dict[str, Any], tables: Collection[str]) -> None:
    kind = node.get("type")
    if kind == "BASE_TABLE":
        _check_table(node, tables)
    elif kind == "TABLE_FUNCTION":
        function = node.get("function") or {}
        name = str(function.get("function_name", "")).casefold()
        if name not in TABLE_FUNCTIONS:
            raise InputError(f"the table function {name} is not allowed", "query", _OUTSIDE)
    elif kind == "SHOW_REF" and node.get("table_name"):
        raise InputError(
            "DESCRIBE and SHOW are not allowed", "query", "select from information_schema.columns"
        )
    elif "function_name" in node:
        name = str(node["function_name"]).casefold()
        if _REFUSED_SCALARS.match(name):
            raise InputError(f"the function {name} is not allowed", "query", _OUTSIDE)


_OUTSIDE = "only the store itself can be read here"


def _check_table(node: dict[str, Any], tables: Collection[str]) -> None:
    name = str(node.get("table_name", ""))
    schema, catalog = str(node.get("schema_name", "")), str(node.get("catalog_name", ""))
    if name.casefold() not in tables or schema.casefold() not in _SCHEMAS or catalog:
        full = ".".join(part for part in (catalog, schema, name) if part)
        raise InputError(f"there is no table {full}", "query", _OUTSIDE)
