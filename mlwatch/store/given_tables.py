"""Tables that are given whole, as a reference is: their columns, and how their rows are read; text as logs are read."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlwatch.elements import dotted
from mlwatch.errors import InputError, reason_of
from mlwatch.roles import Feature
from mlwatch.roles.leftovers import BESIDE
from mlwatch.roles.names import rank
from mlwatch.sources.blocks import MAX_LINE_BYTES
from mlwatch.sources.canonical import Canonical
from mlwatch.sources.marks import NO_MARKS
from mlwatch.sources.parquet_samples import kinds_of, leaf_types, records_of, sample
from mlwatch.sources.pathnames import file_literal
from mlwatch.sources.physical import SQL_TYPES
from mlwatch.sources.relations import csv_relation
from mlwatch.sources.room import make_room
from mlwatch.sources.shapes import build_shape
from mlwatch.sources.sql import columns_literal, identifier, literal, path_expression, pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config, RoleSettings
    from mlwatch.roles import Mapping as RoleMapping
    from mlwatch.roles.types import ColumnPath
    from mlwatch.sources.canonical import Slot
    from mlwatch.sources.shapes import Dialect, Shape

    Record = dict[str, Any]

SHAPE_ROWS = 1000
"""Rows that columns are told by, where the file is no Parquet."""
SHAPE_BYTES = 1 << 20
"""Bytes of delimited text that these are looked for in."""
_PACKED = frozenset({".gz", ".gzip", ".zst", ".zstd"})
_DELIMITED = frozenset({".csv", ".tsv"})
_MIDNIGHT = "00:00:00"


@dataclass(frozen=True, slots=True)
class GivenTable:
    """A table, its columns, and how it is read."""

    shape: Shape
    typed: str
    """A FROM item with the columns as they are typed."""
    text: str
    """The same with all of them as text, for a table whose values do not fit."""
    reach: Callable[[ColumnPath], str]
    """How a column is reached in the text."""
    by_column: bool
    """A column can be read without the others, as of Parquet; everything else is parsed once."""

    def select(
        self, slots: Sequence[Slot], timezone: str, *, tolerant: bool, source: str | None = None
    ) -> str:
        """Return the canonical SELECT of the table.

        Args:
            slots: The columns that are features.
            timezone: Zone of times that carry none.
            tolerant: All values are text, and what does not fit is marked.
            source: Where its rows are, if they were read already.
        """
        form = Canonical(self.shape.mapping, slots, self.shape.physical, timezone=timezone, tolerant=tolerant)
        access = self.reach if tolerant else path_expression
        return form.select(f"{source or self.source(tolerant=tolerant)} AS given", access)

    def source(self, *, tolerant: bool) -> str:
        """Return the FROM item, of text or of typed columns."""
        return self.text if tolerant else self.typed


def given_table(
    connection: DuckDBPyConnection, path: Path, config: Config, what: str = "reference"
) -> GivenTable:
    """Return a table that is given.

    Args:
        connection: Any.
        path: Parquet, CSV or JSON; text may be compressed.
        config: What it says of roles.
        what: What a message calls the table.

    Raises:
        InputError: when it cannot be read.
    """
    import duckdb  # noqa: PLC0415

    suffix = _suffix(path)
    try:
        if suffix == ".parquet":
            return _parquet(connection, path, config)
        if suffix in _DELIMITED:
            return _delimited(connection, path, config)
        return _json(connection, path, config)
    except duckdb.Error as error:
        raise InputError(f"cannot read the {what}", str(path), reason_of(error)) from error
    except OSError as error:
        raise InputError(f"cannot read the {what}", str(path), error.strerror or "check the path") from error


def _suffix(path: Path) -> str:
    """Return what a file's name says of its format, whatever it is compressed with."""
    ends = [one.lower() for one in path.suffixes]
    return ends[-2] if len(ends) > 1 and ends[-1] in _PACKED else path.suffix.lower()


def _parquet(connection: DuckDBPyConnection, path: Path, config: Config) -> GivenTable:
    make_room(connection, file_literal(path))  # a thousand columns of a row group at once
    source = f"read_parquet({file_literal(path)})"
    shape = _typed_shape(connection, source, sample(path, connection), config)
    return GivenTable(shape, source, source, path_expression, by_column=True)


def _typed_shape(
    connection: DuckDBPyConnection, source: str, records: Sequence[Record], config: Config
) -> Shape:
    """Return the shape of a table whose columns the engine knows the types of."""
    shape = _shape(records, config)
    mapping = _without_dates(shape.mapping, records)
    types = dict(leaf_types(kinds_of(source, connection).items()))
    classes = {*mapping.columns("prediction"), *mapping.columns("label")}
    physical = dict.fromkeys(mapping.of_roles, "text")
    physical |= {
        path: "integer" if types.get(path) == "integer" and len(path) == 1 else "decimal" for path in classes
    }
    of_features = {feature.path: types.get(feature.path, "text") for feature in mapping.features}
    physical |= {path: "number" if kind == "decimal" else kind for path, kind in of_features.items()}
    return replace(shape, mapping=mapping, physical=physical)


def _without_dates(mapping: RoleMapping, records: Sequence[Record]) -> RoleMapping:
    """Take days that no name calls the time of a row for a feature, such as dates of birth."""
    path = mapping.roles.get("timestamp")
    if path is None or len(path) > 1 or rank("timestamp", path) is not None:
        return mapping
    values = [str(record[path[0]]) for record in records if record.get(path[0]) is not None]
    if not values or not all(value.removesuffix("+00").endswith(_MIDNIGHT) for value in values):
        return mapping
    roles = {role: column for role, column in mapping.roles.items() if role != "timestamp"}
    feature = Feature(dotted(path), path, "categorical")
    return replace(mapping, roles=roles, features=(*mapping.features, feature))


def _shape(
    records: Sequence[Record], config: Config, form: str = "parquet", dialect: Dialect | None = None
) -> Shape:
    """Infer the shape; of training data, which hold what was true and nothing that was predicted, all else is input."""

    def shaped(settings: RoleSettings) -> Shape:
        return build_shape("reference", form, records, "reference/data", "reference", settings, dialect)  # type: ignore[arg-type]

    shape = shaped(config.roles)
    inputs = [name.removeprefix("ignored:") for name, why in shape.mapping.reasons.items() if why == BESIDE]
    if not inputs or config.roles.features:
        return shape
    known = (dotted(feature.path) for feature in shape.mapping.features)
    return shaped(replace(config.roles, features=(*known, *inputs)))


def _json(connection: DuckDBPyConnection, path: Path, config: Config) -> GivenTable:
    name = file_literal(path)
    whole = f"read_json_objects({name}, format = 'auto', maximum_object_size = {MAX_LINE_BYTES})"
    texts = connection.execute(f"SELECT CAST(json AS VARCHAR) FROM {whole} LIMIT {SHAPE_ROWS}").fetchall()
    records = [json.loads(text) for (text,) in texts]
    shape = _shape([record for record in records if isinstance(record, dict)], config, "jsonl")
    paths = shape.paths()
    types = {path: SQL_TYPES[shape.physical[path]] for path in paths}
    # the others tell rows apart that are alike in what is used
    types |= {path: "VARCHAR" for path in shape.mapping.ignored if path not in types}
    typed = f"read_json({name}, columns = {columns_literal(types)}, maximum_object_size = {MAX_LINE_BYTES})"
    pointers = ", ".join(literal(pointer(one)) for one in paths) or "''"
    text = f"(SELECT json_extract_string(json, [{pointers}]) AS r, json FROM {whole})"
    places = {one: place for place, one in enumerate(paths, start=1)}
    return GivenTable(shape, typed, text, lambda one: f"r[{places[one]}]", by_column=False)


def _delimited(connection: DuckDBPyConnection, path: Path, config: Config) -> GivenTable:
    from mlwatch.sources.readers import csv_header, csv_sample  # noqa: PLC0415  with all that logs need
    from mlwatch.sources.segments import UnreadableFileError  # noqa: PLC0415
    from mlwatch.sources.streams import DamagedFileError, Stream  # noqa: PLC0415

    dialect, begin = None, 0
    with Stream(path) as stream:
        try:
            text = stream.read(SHAPE_BYTES)
        except DamagedFileError as error:
            raise InputError("cannot read the table", str(path), str(error)) from error
    with (
        Stream(path) as stream,
        suppress(UnreadableFileError),
    ):  # perhaps a column alone: the engine finds out
        dialect = csv_header(stream, text)
        begin = stream.position
    if dialect is None:
        source = f"read_csv({file_literal(path)})"
        shape = _typed_shape(
            connection, source, records_of(f"(FROM {source} LIMIT {SHAPE_ROWS})", connection), config
        )
        return GivenTable(shape, source, source, path_expression, by_column=False)
    rows = text[begin:] if len(text) < SHAPE_BYTES else text[begin : text.rfind(b"\n") + 1]
    records = csv_sample(rows.replace(b"\r\n", b"\n"), dialect, SHAPE_ROWS)
    shape = _shape(records, config, "csv", dialect)
    skip = text[:begin].count(b"\n")
    typed, plain = (
        csv_relation(path, shape, skip=skip, as_text=as_text, longest=None) for as_text in (False, True)
    )
    return GivenTable(shape, typed, plain, lambda one: _unmarked(one, shape), by_column=False)


def _unmarked(path: ColumnPath, shape: Shape) -> str:
    """Return a field as text; a number with a decimal point and without marks of thousands."""
    column = identifier(path[0])
    marks = shape.dialect.marks if shape.dialect is not None else NO_MARKS
    if marks == NO_MARKS or shape.physical.get(path) not in {"number", "integer"}:
        return column
    if marks.thousands:
        column = f"REPLACE({column}, {literal(marks.thousands)}, '')"
    return f"REPLACE({column}, {literal(marks.decimal)}, '.')"
