"""The shape of a file: its columns, which of them has which role, and as what each is read."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mlwatch.elements import dotted
from mlwatch.roles import Column, Feature, columns_of, infer, merge
from mlwatch.roles import Mapping as RoleMapping
from mlwatch.roles.columns import MAX_COLUMNS
from mlwatch.roles.leftovers import NO_VALUE_YET
from mlwatch.sources.marks import NO_MARKS, Marks
from mlwatch.sources.physical import physical_types

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlwatch.config import RoleSettings
    from mlwatch.roles.types import ColumnPath
    from mlwatch.sources.files import Format

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
    physical: Mapping[ColumnPath, str]
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
    def asks(self) -> bool:
        """Tell whether records of this shape are requests at least, as of a gateway that does not log the answers."""
        return self.predicts or not {"latency", "status", "error"}.isdisjoint(self.mapping.roles)

    @property
    def labels(self) -> bool:
        """Tell whether records of this shape are labels and no predictions, so that one without waits for its label."""
        return not self.predicts and "label" in self.mapping.roles

    def paths(self) -> tuple[ColumnPath, ...]:
        """Return every path that is read, roles first."""
        return (*self.mapping.of_roles, *(feature.path for feature in self.mapping.features))

    def classes(self) -> frozenset[ColumnPath]:
        """Return the paths of predictions and labels, which are text in the store."""
        return frozenset((*self.mapping.columns("prediction"), *self.mapping.columns("label")))

    def waiting(self) -> tuple[ColumnPath, ...]:
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
            "ended": tuple(raw["ended"]) if raw.get("ended") else None,
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
    types: Mapping[ColumnPath, str] | None = None,
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
    return Shape(key, form, mapping, physical_types(mapping, columns, dialect, types or {}), dialect)


def extend_shape(
    shape: Shape, records: Iterable[Mapping[str, Any]], settings: RoleSettings, relative: str, root_name: str
) -> Shape:
    """Take in columns that a shape does not know yet, or that had no value so far; what was decided stays."""
    columns = _readable(records)
    mapping = _usable(merge(shape.mapping, columns, settings, PurePosixPath(relative), root_name))
    if mapping == shape.mapping:
        return shape
    physical = physical_types(mapping, columns, shape.dialect, {})
    return dataclasses.replace(shape, mapping=mapping, physical={**physical, **shape.physical})


def _readable(records: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Return the columns of records, without those that cannot be read, or that a product put around the record.

    The engine has no columns below an empty name.
    """
    columns = columns_of(dict(record) for record in records)
    names = {column.path[0] for column in columns}
    around = {name for marks, fields in AROUND if marks <= names for name in fields}
    return tuple(column for column in columns if all(column.path) and column.path[0] not in around)


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


def _folded(path: ColumnPath) -> ColumnPath:
    return tuple(name.lower() for name in path)
