"""Count a table in the bins of a reference, without taking its rows in: for drift between two files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlwatch.asking import number
from mlwatch.errors import InputError, reason_of
from mlwatch.sources.canonical import Canonical
from mlwatch.sources.sql import identifier, path_expression
from mlwatch.store import bin_cells, feature_rollup, fold, numbers, profiles, reference, rollups
from mlwatch.store.feature_rollup import Requests
from mlwatch.store.registry import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.sources.canonical import Slot
    from mlwatch.sources.shapes import Shape
    from mlwatch.store.feature_rollup import FeatureBins
    from mlwatch.store.registry import Registry

ONE = Requests("looked", who="0", quarter="0")
"""All rows are of one window and one version."""
TELLING = 3
"""Columns whose values may tell all rows apart: those with the most bins."""


def count(connection: DuckDBPyConnection, registry: Registry, path: Path, config: Config) -> tuple[int, int]:
    """Count a table by the bins of the reference that the store holds, into the temporary table `table_counts`.

    Its labels by class go into `table_labels`, where those of the reference are classes.

    Args:
        connection: Of a store that has a reference.
        registry: Of that store; learns the columns that the reference lacks.
        path: Parquet, CSV or JSON.
        config: What it says of roles.

    Returns:
        Rows of the table, and how many of them repeat an earlier one in every column.

    Raises:
        InputError: when the table cannot be read, or has no feature.
    """
    import duckdb  # noqa: PLC0415

    if profiles.is_profile(path):
        raise InputError("a profile has no rows", str(path), "name it with --reference, and a table here")
    shape = reference.shape_of(connection, path, config, "table")
    slots = registry.slots(shape.mapping.features)
    if not slots:
        raise InputError("the table has no features", str(path), "give one with a column a feature")
    registry.save_new()
    try:
        source = _source(connection, path)
        try:
            rows, apart = _counted(connection, registry, _Table(source, shape, slots, config.roles.timezone))
        except duckdb.Error:  # a value does not fit its column's type: read everything as text, and mark it
            table = _Table(source, shape, slots, config.roles.timezone, tolerant=True)
            rows, apart = _counted(connection, registry, table)
        return rows, 0 if apart else _repeated(connection, registry, source, slots, rows)
    except duckdb.Error as error:
        raise InputError("cannot read the table", str(path), reason_of(error)) from error


@dataclass(frozen=True, slots=True)
class _Table:
    """A table, and how its columns are read."""

    source: str
    """A FROM item."""
    shape: Shape
    slots: Sequence[Slot]
    timezone: str
    tolerant: bool = False


def _source(connection: DuckDBPyConnection, path: Path) -> str:
    """Return where the rows are: what must be parsed is parsed once, columns of Parquet are read when asked for."""
    if path.suffix.lower() == ".parquet":
        return reference.reader_of(path)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE table_rows AS FROM {reference.reader_of(path)}")
    return "table_rows"


def _repeated(
    connection: DuckDBPyConnection, registry: Registry, source: str, slots: Sequence[Slot], rows: int
) -> int:
    """Return how many rows repeat an earlier one; they are told apart by a hash, which needs little memory.

    Few columns of many values mostly tell all of them apart already: only where they do not, all columns are read.
    """
    features = [registry.binned(slot.number, path_expression(slot.path), slot.kind) for slot in slots]
    features.sort(key=lambda feature: len(feature.edges), reverse=True)
    telling = ", ".join(feature.expression for feature in features[:TELLING])
    for columns in (telling, "*COLUMNS(*)"):
        different = number(connection, f"SELECT COUNT(DISTINCT hash({columns})) FROM {source} AS given")
        if different == rows:
            return 0
    return rows - different


def _counted(connection: DuckDBPyConnection, registry: Registry, table: _Table) -> tuple[int, bool]:
    """Count a table, and return how many rows it has, and whether one column alone tells all of them apart."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE table_counts (feature INTEGER, bin INTEGER, n BIGINT, total DOUBLE)"
    )
    rows = number(connection, f"SELECT COUNT(*) FROM {table.source}")
    roles = table.shape.mapping.roles
    apart = False
    for start in range(0, len(table.slots), fold.STATEMENT_FEATURES):
        # a view of these columns alone: each branch of a statement binds all of its view
        slots = table.slots[start : start + fold.STATEMENT_FEATURES]
        form = Canonical(
            table.shape.mapping,
            slots,
            table.shape.physical,
            timezone=table.timezone,
            tolerant=table.tolerant,
        )
        read = form.select(f"{table.source} AS given")
        connection.execute(f"CREATE OR REPLACE TEMP VIEW looked AS SELECT *, FALSE AS failed FROM ({read})")
        bins = _bins(registry, slots, roles if start == 0 else ())
        # where values may be invalid, each row tells which are
        sortable = [one for one in bins if one.edges and not table.tolerant]
        if sortable:
            apart = _count_sorted(connection, sortable, rows) or apart
        _count_each(connection, [one for one in bins if one not in sortable], tolerant=table.tolerant)
    classes = "label IS NOT NULL" if "label" in roles and rollups.LABEL not in registry.bins else "FALSE"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE table_labels AS
        SELECT label, COUNT(*) AS n FROM looked WHERE {classes} GROUP BY label"""
    )
    return rows, apart


def _count_sorted(connection: DuckDBPyConnection, features: Sequence[FeatureBins], rows: int) -> bool:
    """Count columns of numbers in their bins, and tell whether that with the most bins tells all rows apart."""
    from mlwatch.metrics import sorted_bins  # noqa: PLC0415  NumPy

    telling = max(features, key=lambda feature: len(feature.edges))
    apart, counts = False, {}
    columns = numbers.columns(connection, "looked", [feature.expression for feature in features], rows)
    for feature, values in zip(features, columns, strict=True):
        if feature is telling:
            values.sort()
            apart = sorted_bins.all_differ(values)
        counts[feature.number] = sorted_bins.count(values, feature.edges)
    numbers.insert_counts(connection, "table_counts", counts)
    return apart


def _count_each(connection: DuckDBPyConnection, features: Sequence[FeatureBins], *, tolerant: bool) -> None:
    """Count columns in their bins where the rows are."""
    if not features:
        return
    laid_out = bin_cells.lay_out(connection, [replace(one, may_be_invalid=tolerant) for one in features])
    each = (feature_rollup.feature_sql(ONE, one) for one in laid_out)
    connection.execute(
        f"INSERT INTO table_counts SELECT feature, bin, n, total FROM ({' UNION ALL '.join(each)})"
    )


def _bins(registry: Registry, slots: Sequence[Slot], roles: Collection[str]) -> list[FeatureBins]:
    """Return how the columns of some slots are binned, and the outputs that the table has."""
    outputs = []
    if "prediction" in roles or "score" in roles:
        outputs += [rollups.PREDICTION, rollups.VALUE]
    if "score" in roles:
        outputs.append(rollups.SCORE)
    if "label" in roles:
        outputs.append(rollups.LABEL)
    return [
        *(registry.binned(slot.number, identifier(slot.column), slot.kind) for slot in slots),
        *(registry.binned(number, *OUTPUTS[number]) for number in outputs if number in registry.bins),
    ]
