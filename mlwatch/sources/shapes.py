"""The shape of a file: its columns, which of them has which role, and the SQL that reads it."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mlwatch.elements import dotted
from mlwatch.roles import Column, Feature, columns_of, infer, merge
from mlwatch.roles import Mapping as RoleMapping
from mlwatch.roles.columns import MAX_COLUMNS
from mlwatch.roles.guards import as_float, has_decimal_commas
from mlwatch.roles.leftovers import NO_VALUE_YET
from mlwatch.roles.written import commas_of, part_thousands
from mlwatch.sources.blocks import MAX_LINE_BYTES
from mlwatch.sources.marks import NO_MARKS, Marks
from mlwatch.sources.pathnames import file_literal
from mlwatch.sources.sql import columns_literal, literal
from mlwatch.times import SPACED_ZONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlwatch.config import RoleSettings
    from mlwatch.sources.files import Format

Path_ = tuple[str, ...]

AROUND = (
    (
        {"_index", "_source"},
        {"_index", "_type", "_score", "_version", "_seq_no", "_primary_term", "_routing", "_ignored"},
    ),
    (
        {"insertId", "logName"},
        {
            *("insertId", "logName", "resource", "receiveTimestamp", "severity", "labels", "httpRequest"),
            *("trace", "spanId", "traceSampled", "sourceLocation", "operation"),
        },
    ),
)
"""Fields that hits of Elasticsearch and OpenSearch, and entries of Google's Cloud Logging, are known by, and those of
theirs that say nothing of the record inside: a hit's score is that of the search."""

CSV_NULLS = ("", "nan", "NaN", "null", "NULL", "N/A", "<NA>", r"\N")
"""Fields that are missing in any column of a delimited file. `NA` may be Namibia: it is none in columns of numbers and
of classes."""

SQL_TYPES = {
    "number": "DOUBLE",
    "integer": "BIGINT",
    "text": "VARCHAR",
    "whole": "VARCHAR",
    "padded": "VARCHAR",
    "spaced": "VARCHAR",
    "grouped": "VARCHAR",
    "comma": "VARCHAR",
    "time": "TIMESTAMP",
    "boolean": "BOOLEAN",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited file is written."""

    delimiter: str
    header: tuple[str, ...]
    marks: Marks = NO_MARKS


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything needed to read the files of one kind."""

    key: str
    format: Format
    mapping: RoleMapping
    physical: Mapping[Path_, str]
    """How each used path is read: `number`, `integer`, `text`, `time`, `boolean`; of classes also `decimal`.

    Classes and names are `padded` where spaces may be around them, names `whole` where they are whole numbers, be it
    with `.0` behind. Times are `spaced` where spaces are before their zone. Numbers in text are `grouped` where commas
    part thousands, `comma` where these are before decimals.
    """
    dialect: Dialect | None = None

    @property
    def predicts(self) -> bool:
        """Tell whether records of this shape are predictions, so that one without is a failed request."""
        return "prediction" in self.mapping.roles or "score" in self.mapping.roles

    @property
    def labels(self) -> bool:
        """Tell whether records of this shape are labels and no predictions, so that one without waits for its label."""
        return not self.predicts and "label" in self.mapping.roles

    def paths(self) -> tuple[Path_, ...]:
        """Return every path that is read, roles first."""
        return (*self.mapping.of_roles, *(feature.path for feature in self.mapping.features))

    def waiting(self) -> tuple[Path_, ...]:
        """Return the paths that are left out only because they had no value so far."""
        reasons = self.mapping.reasons
        return tuple(
            path for path in self.mapping.ignored if reasons.get(f"ignored:{dotted(path)}") == NO_VALUE_YET
        )

    def document(self) -> str:
        """Write the shape as JSON, for the store."""
        return json.dumps(
            {
                "format": self.format,
                "mapping": dataclasses.asdict(self.mapping),
                "physical": [[list(path), kind] for path, kind in self.physical.items()],
                "dialect": dataclasses.asdict(self.dialect) if self.dialect else None,
            }
        )


def load_shape(key: str, document: str) -> Shape:
    """Read a shape back from its JSON."""
    data = json.loads(document)
    raw = data["mapping"]
    mapping = RoleMapping(
        **{
            **raw,
            "roles": {role: tuple(path) for role, path in raw["roles"].items()},
            "features": tuple(Feature(f["name"], tuple(f["path"]), f["kind"]) for f in raw["features"]),
            "ignored": tuple(tuple(path) for path in raw["ignored"]),
            "others": {
                role: tuple(tuple(path) for path in paths) for role, paths in raw.get("others", {}).items()
            },
            "clock": tuple(raw["clock"]) if raw.get("clock") else None,
            "doubtful": {role: tuple(path) for role, path in raw.get("doubtful", {}).items()},
        }
    )
    dialect = data["dialect"]
    return Shape(
        key,
        data["format"],
        mapping,
        {tuple(path): kind for path, kind in data["physical"]},
        _load_dialect(dialect) if dialect else None,
    )


def _load_dialect(dialect: Mapping[str, Any]) -> Dialect:
    """Read a dialect; stores of before know the decimal mark alone."""
    marks = Marks(**dialect["marks"]) if "marks" in dialect else Marks(dialect["decimal"])
    return Dialect(dialect["delimiter"], tuple(dialect["header"]), marks)


def shape_key(relative: str, form: Format, header: Sequence[str] = ()) -> str:
    """Name the kind of file: files that differ only in digits, rotation or compression are of one kind."""
    path = PurePosixPath(relative)
    stem = re.sub(r"\.(gz|zst|zstd|gzip)$", "", path.name, flags=re.IGNORECASE)
    stem = re.sub(r"[0-9a-f]{8,}|[0-9]+", "#", stem)
    stem = re.sub(r"[-_.]*#[-_T.:#]*$", "", stem)
    return json.dumps([str(path.parent), stem, form, *header])


def build_shape(
    key: str,
    form: Format,
    records: Iterable[Mapping[str, Any]],
    relative: str,
    root_name: str,
    settings: RoleSettings,
    dialect: Dialect | None = None,
    types: Mapping[Path_, str] | None = None,
) -> Shape:
    """Infer the shape of a file from some of its records.

    Args:
        key: See `shape_key`.
        form: The file's format.
        records: Sampled records.
        relative: Path below the log directory.
        root_name: Name of the log directory, the model of files at its root.
        settings: The `[roles]` of the configuration, which always win.
        dialect: For delimited files.
        types: Physical types where the file itself states them (Parquet).
    """
    columns = _readable(records)
    mapping = _usable(infer(columns, settings, PurePosixPath(relative), root_name))
    return _with_physical(key, form, mapping, columns, dialect, types)


def extend_shape(
    shape: Shape, records: Iterable[Mapping[str, Any]], settings: RoleSettings, relative: str, root_name: str
) -> Shape:
    """Take in columns that a shape does not know yet, or that had no value so far; what was decided stays."""
    columns = _readable(records)
    mapping = _usable(merge(shape.mapping, columns, settings, PurePosixPath(relative), root_name))
    if mapping == shape.mapping:
        return shape
    extended = _with_physical(shape.key, shape.format, mapping, columns, shape.dialect, None)
    return dataclasses.replace(extended, physical={**extended.physical, **shape.physical})


def _readable(records: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Return the columns of records, without those that cannot be read, or that a product put around the record.

    The engine has no columns below an empty name.
    """
    columns = columns_of(dict(record) for record in records)
    names = {column.path[0] for column in columns}
    around = {name for marks, fields in AROUND if marks <= names for name in fields}
    return tuple(column for column in columns if all(column.path) and column.path[0] not in around)


def _with_physical(
    key: str,
    form: Format,
    mapping: RoleMapping,
    columns: Sequence[Column],
    dialect: Dialect | None,
    types: Mapping[Path_, str] | None,
) -> Shape:
    found = {column.path: column for column in columns}
    kinds = {column.path: column.kinds for column in columns}
    used = [*mapping.of_roles, *(feature.path for feature in mapping.features)]
    features = {feature.path: feature.kind for feature in mapping.features}
    classes = {*mapping.columns("prediction"), *mapping.columns("label")}
    physical = {
        path: _stated(types[path], is_class=path in classes)
        if types and path in types
        else _physical(kinds.get(path, frozenset()), features.get(path))
        for path in used
    }
    padded = {column.path for column in columns if any(map(_is_padded, column.samples))}
    physical |= {path: "padded" for path in classes & padded if physical[path] == "text"}
    for path in mapping.columns("timestamp"):
        if physical[path] == "text" and path in found and _has_spaced_zones(found[path]):
            physical[path] = "spaced"
    for role in ("error", "event", "currency"):
        physical |= {path: "text" for path in mapping.columns(role) if not (types and path in types)}
    for role in ("id", "model", "version", "event_id", "unit"):
        for path in mapping.columns(role):
            stated = _stated(types[path], is_class=False) if types and path in types else None
            physical[path] = _physical_name(role, found.get(path), dialect, stated)
    for role in ("score", "latency", "value"):
        for path in mapping.columns(role):
            stated = physical[path] if types and path in types else None
            physical[path] = _physical_number(role, found.get(path), dialect, stated)
    return Shape(key, form, mapping, physical, dialect)


def _has_spaced_zones(column: Column) -> bool:
    return any(isinstance(one, str) and re.match(SPACED_ZONE, one) for one in column.samples)


_BY_COMMAS = {"unclear": "text", "thousands": "grouped", "decimal": "comma"}


def _physical_number(role: str, column: Column | None, dialect: Dialect | None, stated: str | None) -> str:
    """Return how a column of numbers is read: as text where one that is none must not stop the others.

    Args:
        role: What they are.
        column: None where it was not met.
        dialect: For delimited files.
        stated: How the file itself states it.
    """
    if column is None or "text" not in column.kinds:
        return stated or "number"
    texts = [one for one in column.samples if isinstance(one, str)]
    if role == "value" and has_decimal_commas(column):
        return "comma"
    if role == "value" and part_thousands(texts):
        return "grouped"
    if stated or not (dialect is None or dialect.marks == NO_MARKS):
        return stated or "number"
    return _BY_COMMAS[commas_of(texts)]


def _physical_name(role: str, column: Column | None, dialect: Dialect | None, stated: str | None) -> str:
    """Return how a column is read that names something.

    Args:
        role: What it names.
        column: None where it was not met.
        dialect: For delimited files, whose numbers may have spaces around them, which the samples do not show.
        stated: The type that the file itself states.
    """
    if column is not None and any(map(_is_padded, column.samples)):
        return "padded"
    if column is not None and role != "model" and _is_whole(column, certain=role != "version"):
        return "whole"
    if column is not None and dialect is not None and not column.kinds.isdisjoint(("integer", "number")):
        return "padded"
    return "text" if stated == "number" and role in {"model", "version"} else stated or "text"


def _is_whole(column: Column, *, certain: bool) -> bool:
    """Tell whether names are whole numbers, so that `2.0` is what a table made of `2`, since it misses some.

    Args:
        column: Of names.
        certain: They are no versions, which may be called so, unless some are written without `.0`, or are missing.
    """
    numbers = column.kinds - {"null"}
    if not numbers or not numbers <= {"integer", "number"}:
        return False
    made = certain or bool(column.kinds & {"integer", "null"})
    return made and all(as_float(one).is_integer() for one in column.samples)


def _usable(mapping: RoleMapping) -> RoleMapping:
    """Leave out features that cannot be read, and columns beyond `MAX_COLUMNS`."""
    return _bounded(_without_twins(mapping))


def _bounded(mapping: RoleMapping) -> RoleMapping:
    """Keep the columns that were known first: a log that invents some a line must not fill the memory.

    Roles are few and always kept. Features and ignored columns are bounded each on their own, so that no feature is
    left out here before the store has more than it takes, and has said so.
    """
    features, ignored = mapping.features[:MAX_COLUMNS], mapping.ignored[:MAX_COLUMNS]
    if (features, ignored) == (mapping.features, mapping.ignored):
        return mapping
    kept = {*mapping.roles, *mapping.constants, *(f"ignored:{dotted(path)}" for path in ignored)}
    reasons = {name: reason for name, reason in mapping.reasons.items() if name in kept}
    return dataclasses.replace(mapping, features=features, ignored=ignored, reasons=reasons)


def _without_twins(mapping: RoleMapping) -> RoleMapping:
    """Leave out features that the engine cannot tell from another column.

    Names that differ only by case are one to it, and what is an object in some records cannot be a value in others;
    the one that was known first stays.
    """
    taken = {_folded(path) for path in mapping.of_roles}
    stems = {path[:length] for path in taken for length in range(1, len(path))}
    kept, left = [], []
    for feature in mapping.features:
        path = _folded(feature.path)
        if path in stems or any(path[:length] in taken for length in range(1, len(path) + 1)):
            left.append(feature.path)
            continue
        taken.add(path)
        stems |= {path[:length] for length in range(1, len(path))}
        kept.append(feature)
    if not left:
        return mapping
    return dataclasses.replace(mapping, features=tuple(kept), ignored=(*mapping.ignored, *left))


def _folded(path: Path_) -> Path_:
    return tuple(name.lower() for name in path)


def _is_padded(sample: object) -> bool:
    return isinstance(sample, str) and sample != sample.strip()


def _stated(kind: str, *, is_class: bool) -> str:
    """Return how a column of a stated type is read: zeros behind the point tell no class from another."""
    return "number" if kind == "decimal" and not is_class else kind


def _physical(kinds: frozenset[str], feature: str | None) -> str:
    if feature == "numeric":
        return "number"
    if feature == "categorical":
        return "text"
    present = kinds - {"null"}
    if present == {"integer"}:
        return "integer"
    if present and present <= {"integer", "number"}:
        return "number"
    return "text"


def jsonl_relation(path: Path, shape: Shape, longest: int = MAX_LINE_BYTES) -> str:
    """Return the FROM item that reads JSON lines with explicit columns.

    Args:
        path: The text.
        shape: How to read it.
        longest: Bytes that a line may have. The engine reads twice as many at once, in each thread.
    """
    types = {p: SQL_TYPES[shape.physical[p]] for p in shape.paths()} or {("timestamp",): "VARCHAR"}
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
    types: dict[Path_, str] = {
        (name,): SQL_TYPES[shape.physical.get((name,), "text")] for name in dialect.header
    }
    return (
        f"read_csv({file_literal(path)}, header = false, auto_detect = false, strict_mode = true, "
        f"delim = {literal(dialect.delimiter)}, quote = '\"', escape = '\"', "
        f"nullstr = [{', '.join(map(literal, CSV_NULLS))}], "
        f"decimal_separator = {literal(dialect.marks.decimal)}, {thousands}max_line_size = {MAX_LINE_BYTES}, "
        f"columns = {columns_literal(types)})"
    )


def parquet_relation(path: Path, first: int, last: int) -> str:
    """Return the FROM item that reads rows `first <= n < last` of a Parquet file, numbered by `file_row_number`."""
    return (
        f"(SELECT * FROM read_parquet({file_literal(path)}, file_row_number = true) "
        f"WHERE file_row_number >= {first} AND file_row_number < {last})"
    )
