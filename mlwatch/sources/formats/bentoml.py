"""BentoML monitoring: flat JSON lines whose columns are described in a schema file beside them.

Files lie at `NAME/data/data.N.log` and `NAME/schema/schema.N.log`. Times are local and carry no zone.

https://docs.bentoml.com/en/latest/guides/model-monitoring.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlwatch.foreign import loads
from mlwatch.regular import open_regular
from mlwatch.roles.paths import NO_VERSION
from mlwatch.sources.formats.types import Importer, NotReadyError, Place, pointer
from mlwatch.sources.sql import literal
from mlwatch.sources.time_sql import tolerant_time_sql

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_SCHEMA_BYTES = 1 << 20
_NUMBER = re.compile(r"\.(\d+)\.")


def envelopes(place: Place) -> str:
    """Return the SELECT over the data lines, by the roles in the schema file."""
    schema = _schema(place.path)
    if not schema and place.path.parent.name == "data":
        raise NotReadyError("there is no whole schema in the directory schema beside it yet")
    columns = [column for column in schema.get("columns", ()) if isinstance(column, dict)]
    by_role = {role: _names(columns, role) for role in ("feature", "prediction", "target")}
    meta = schema.get("meta_data")
    version = str(meta.get("bento_version") or NO_VERSION) if isinstance(meta, dict) else NO_VERSION
    parents = place.relative.parts[:-2]
    model = parents[-1] if parents else place.root_name
    return f"""
        SELECT n, NULLIF(NULLIF(j ->> 'request_id', 'None'), '') AS id,
            {tolerant_time_sql("(j ->> 'timestamp')", place.timezone)} AS ts, {literal(model)} AS model,
            {literal(NO_VERSION if version == "not available" else version)} AS version,
            {_object(by_role["feature"])} AS request, {_answer(columns)} AS response,
            {_list(by_role["target"][:1])} AS label
        FROM native WHERE NOT json_exists(j, '$.columns')"""


def _schema(path: Path) -> dict[str, Any]:
    """Read the latest line of the schema file of the same number, or else of the last one."""
    files = sorted((path.parent.parent / "schema").glob("schema*.log"))
    number = _NUMBER.search(path.name)
    same = [file for file in files if number and f".{number[1]}." in file.name]
    for file in reversed(same or files):
        for line in reversed(_lines(file)):
            try:
                schema = loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(schema, dict) and isinstance(schema.get("columns"), list):
                return schema
    return {}


def _lines(file: Path) -> list[bytes]:
    """Return the lines of a schema file; none of what is no file, or cannot be read."""
    try:
        with open_regular(file) as opened:
            return opened.read(MAX_SCHEMA_BYTES).splitlines()
    except OSError:
        return []


def _names(columns: Iterable[dict[str, Any]], role: str, kind: str | None = None) -> list[str]:
    return [
        str(column["name"])
        for column in columns
        if column.get("role") == role and "name" in column and kind in (None, column.get("type"))
    ]


def _value(name: str) -> str:
    return f"json_extract(j, {pointer(name)})"


def _object(names: Iterable[str]) -> str:
    """Return the text of a list with one object."""
    pairs = ", ".join(f"{literal(name)}, {_value(name)}" for name in names)
    return f"'[' || CAST(json_object({pairs}) AS VARCHAR) || ']'" if pairs else "NULL"


def _list(names: Iterable[str]) -> str:
    values = ", ".join(_value(name) for name in names)
    return f"CAST(json_array({values}) AS VARCHAR)" if values else "NULL"


def _answer(columns: Iterable[dict[str, Any]]) -> str:
    """Return the class, with the score beside it where the schema has both."""
    columns = list(columns)
    classes, numbers = (_names(columns, "prediction", kind) for kind in ("categorical", "numerical"))
    if classes and numbers:
        pairs = f"'prediction', {_value(classes[0])}, 'score', {_value(numbers[0])}"
        return f"'[' || CAST(json_object({pairs}) AS VARCHAR) || ']'"
    return _list((classes or numbers or _names(columns, "prediction"))[:1])


def _has_schema(path: Path) -> bool:
    return path.parent.name == "schema" or (
        path.parent.name == "data" and (path.parent.parent / "schema").is_dir()
    )


IMPORTER = Importer(
    name="bentoml",
    title="BentoML monitoring",
    recognised="NAME/data/*.log of JSON lines with a schema of columns in NAME/schema/",
    roles="features, prediction and target: the schema file; model: NAME; version: bento_version; id: request_id",
    marks=(re.compile(rb'"request_id"\s*:|"columns"\s*:\s*\[\s*\{'),),
    envelopes=envelopes,
    beside=_has_schema,
)
