"""What live data are compared with: bins cut after the reference, and its counts in them.

With a reference file, the file gives both. Without one, bins are cut after the first rows that were taken in, and the
counts are those of the baseline version's first period, read from the rollups when a snapshot is made.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from mlwatch.asking import all_or_nothing, is_there, meta_value, row
from mlwatch.elements import dotted
from mlwatch.errors import InputError, one_line, reason_of
from mlwatch.regular import open_regular
from mlwatch.roles.leftovers import BESIDE
from mlwatch.sources.canonical import Canonical
from mlwatch.sources.parquet_samples import kinds_of, records_of, sample
from mlwatch.sources.pathnames import REFERENCE_NAMES, file_literal
from mlwatch.sources.room import make_room
from mlwatch.sources.shapes import Shape, build_shape
from mlwatch.sources.sql import identifier, path_expression
from mlwatch.store import (
    adding,
    fold,
    profiles,
    reference_labels,
    reference_models,
    reference_once,
    reference_texts,
    rollups,
    slices,
)
from mlwatch.store.binning import cut
from mlwatch.store.feature_rollup import FeatureBins
from mlwatch.store.reference_tables import ASIDE
from mlwatch.store.reference_windows import WINDOWS
from mlwatch.store.registry import OUTPUTS, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config, RoleSettings
    from mlwatch.roles.types import ColumnPath
    from mlwatch.sources.canonical import Slot
    from mlwatch.store.reference_once import Sorted

T = TypeVar("T")

SHAPE_ROWS = 1000
"""Rows that columns are told by, where the file is no Parquet."""


def find(root: Path, config: Config, given: Path | None) -> Path | None:
    """Return the reference file: the given one, the configured one, or the one at the root of the directory.

    A configured window of the logs takes the place of a file that merely lies there.
    """
    if given is not None:
        return given
    if config.reference.path is not None:
        return config.resolve(config.reference.path)
    if config.reference.window is not None:
        return None
    candidates = [root / name for name in sorted(REFERENCE_NAMES)] if root.is_dir() else []
    return next((path for path in candidates if path.is_file()), None)


def set_aside(connection: DuckDBPyConnection) -> None:
    """Compare with no file: none is asked for, though an earlier run may have left its counts here."""
    if meta_value(connection, ASIDE) is None:
        connection.execute("INSERT INTO meta VALUES (?, '1')", [ASIDE])
        reference_models.forget(connection)


def install(
    connection: DuckDBPyConnection, registry: Registry, path: Path, config: Config, *, once: bool = False
) -> None:
    """Cut bins after a reference file and count it in them, unless the store holds just this one.

    Args:
        connection: Of the thread that takes logs in.
        registry: Features and bins; learns those of the file.
        path: A table or a profile.
        config: Roles, and whether drift allows for how the reference moves by itself.
        once: A table is compared with it, and nothing else: what only logs ask for is not learnt.

    Raises:
        InputError: when the file cannot be read or holds no feature.
    """
    digest = digest_of(path)
    of_rows = not profiles.is_profile(path)
    if meta_value(connection, profiles.LABELLED if of_rows else "reference_labels") == digest:
        _take_back(connection)
        return
    if not of_rows:
        _install_profile(connection, registry, path, digest)
        return
    shape = shape_of(connection, path, config)
    slots = registry.slots_of_reference(shape.mapping.features)
    if not slots:
        raise InputError("the reference has no features", str(path), "give a table with a column a feature")
    windows = not once or config.drift.sigmas is not None
    taken: Mapping[int, Sorted | None] = {}
    if windows:
        _load(connection, path, shape, slots, config.roles.timezone)
    else:
        taken = _load_once(connection, path, shape, slots, config.roles.timezone)
    rest = [slot for slot in slots if slot.number not in taken]
    columns = [FeatureBins(slot.number, identifier(slot.column), slot.kind) for slot in rest]
    # by a version that did not learn all its labels
    known = meta_value(connection, "reference_sha256") == digest
    with all_or_nothing(connection):
        source = f"the reference {path.name}"
        outputs = _outputs(connection)
        if known:
            columns, outputs = [], [one for one in outputs if one.number == rollups.LABEL]
        else:
            registry.save_new()
        gone = f"feature = {rollups.LABEL}" if known else "TRUE"
        for table in ("reference", "reference_windows"):
            connection.execute(f"DELETE FROM {table} WHERE {gone}")
        cut(connection, registry, "given", [*columns, *outputs], source, count=True)
        reference_once.store(connection, registry, taken, source)
        if once:
            reference_labels.learn_classes(connection)
        else:
            reference_labels.learn(connection, registry, slots, config.outputs)
            reference_texts.learn(connection)
            reference_models.tell(connection)
        profiles.note(connection, path.name, digest)
        again = registry.feature_bins()
        _refold(connection, registry, [one for one in again if one.code or not known])


def must_be(connection: DuckDBPyConnection, path: Path) -> None:
    """Make sure that what was counted before, with no logs to count again, was counted against this reference file.

    Raises:
        InputError: when it was another or none, or the file cannot be read.
    """
    if profiles.value_in_force(connection, "reference_sha256") == digest_of(path):
        return
    name = profiles.value_in_force(connection, "reference_name")
    counted = f"another reference, {name}" if name else "no reference file"
    todo = "leave the reference out, or give it to mlwatch rollup"
    raise InputError(f"these rollups are counted against {counted}", str(path), todo)


def digest_of(path: Path) -> str:
    """Return what tells a reference file from others.

    Raises:
        InputError: when it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            "cannot read the reference", str(path), error.strerror or "check the path"
        ) from error


def load_rows(connection: DuckDBPyConnection, registry: Registry, path: Path, config: Config) -> None:
    """Read the rows of a reference, in their order, into the temporary table `given` of this connection.

    Raises:
        InputError: when it cannot be read, or is a profile, which has no rows.
    """
    if profiles.is_profile(path):
        raise InputError("a profile has no rows", str(path), "name the table that it was made of")
    shape = shape_of(connection, path, config)
    _load(connection, path, shape, registry.slots(shape.mapping.features), config.roles.timezone)


def _load(
    connection: DuckDBPyConnection, path: Path, shape: Shape, slots: Sequence[Slot], timezone: str
) -> None:
    """Read the reference into the temporary table `given`, its rows in their order, with the window of each."""

    def load(*, tolerant: bool) -> None:
        form = Canonical(shape.mapping, slots, shape.physical, timezone=timezone, tolerant=tolerant)
        placed = _IN_WINDOWS.format(form.select(f"{reader_of(path)} AS given"))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE given AS {placed}")

    connection.execute("SET preserve_insertion_order = true")
    try:
        _typed_or_as_text(path, load)
    finally:
        connection.execute("SET preserve_insertion_order = false")  # as everywhere: it costs memory


_IN_WINDOWS = f"""
    SELECT * EXCLUDE (file_row_number), ntile({WINDOWS}) OVER (ORDER BY ts NULLS LAST, file_row_number) AS quarter
    FROM (SELECT *, FALSE AS failed, row_number() OVER () AS file_row_number FROM ({{}}))"""


def _load_once(
    connection: DuckDBPyConnection, path: Path, shape: Shape, slots: Sequence[Slot], timezone: str
) -> dict[int, Sorted | None]:
    """Read the reference as `reference_once.load` does, all rows as of one window."""

    def load(*, tolerant: bool) -> dict[int, Sorted | None]:
        def form(some: Sequence[Slot]) -> Canonical:
            return Canonical(shape.mapping, some, shape.physical, timezone=timezone, tolerant=tolerant)

        source = f"{reader_of(path)} AS given"
        if tolerant:
            reference_once.load_as_text(connection, source, form(slots))
            return {}
        by_column = path.suffix.lower() == ".parquet"
        return reference_once.load(connection, source, slots, form, by_column=by_column)

    return _typed_or_as_text(path, load)


def _typed_or_as_text(path: Path, load: Callable[..., T]) -> T:
    """Read the rows as they are typed, or as text where that does not fit.

    Raises:
        InputError: when neither does.
    """
    import duckdb  # noqa: PLC0415

    try:
        return load(tolerant=False)
    except duckdb.Error:
        try:
            return load(tolerant=True)
        except duckdb.Error as error:
            raise InputError("cannot read the reference", str(path), reason_of(error)) from error


def _install_profile(connection: DuckDBPyConnection, registry: Registry, path: Path, digest: str) -> None:
    import duckdb  # noqa: PLC0415

    profile = profiles.read(path, registry)
    with all_or_nothing(connection):
        try:
            profiles.store(connection, registry, profile, f"the profile {path.name}")
            reference_models.forget(connection)
        except duckdb.DataError as error:  # a number beyond all that is counted
            raise profiles.damaged(path, reason_of(error)) from error
        profiles.note(connection, f"{path.name} ({one_line(profile.contents.source)[:200]})", digest)
        _refold(connection, registry, registry.feature_bins())


def reader_of(path: Path) -> str:
    """Return the FROM item that reads a table."""
    name = file_literal(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return f"read_parquet({name})"
    if suffix in {".csv", ".tsv"}:
        return f"read_csv({name})"
    return f"read_json({name})"


def shape_of(connection: DuckDBPyConnection, path: Path, config: Config, what: str = "reference") -> Shape:
    """Return which columns of a table have which role.

    Args:
        connection: Any.
        path: Parquet, CSV or JSON.
        config: What it says of roles.
        what: What a message calls the table.

    Raises:
        InputError: when it cannot be read.
    """
    import duckdb  # noqa: PLC0415

    try:
        if path.suffix.lower() == ".parquet":
            make_room(connection, file_literal(path))  # a thousand columns of a row group at once
            records = sample(path, connection)
        else:
            records = records_of(f"(FROM {reader_of(path)} LIMIT {SHAPE_ROWS})", connection)
    except duckdb.Error as error:
        raise InputError(f"cannot read the {what}", str(path), reason_of(error)) from error

    def shaped(settings: RoleSettings) -> Shape:
        return build_shape("reference", "parquet", records, "reference/data", "reference", settings)

    shape = shaped(config.roles)
    reasons = shape.mapping.reasons
    inputs = [name.removeprefix("ignored:") for name, why in reasons.items() if why == BESIDE]
    if inputs and not config.roles.features:  # training data: what was true, and nothing that was predicted
        known = (dotted(feature.path) for feature in shape.mapping.features)
        shape = shaped(replace(config.roles, features=(*known, *inputs)))
    classes = {*shape.mapping.columns("prediction"), *shape.mapping.columns("label")}
    physical = {path: "decimal" if path in classes else "text" for path in shape.physical}
    physical |= dict.fromkeys(_whole(connection, path, classes), "integer")
    return replace(shape, physical=physical)


def _whole(connection: DuckDBPyConnection, path: Path, classes: Collection[ColumnPath]) -> list[ColumnPath]:
    """Return the columns of Parquet, among some, that hold whole numbers: no text has to be looked into there."""
    columns = [column for column in classes if len(column) == 1]
    if path.suffix.lower() != ".parquet" or not columns:
        return []
    names = ", ".join(map(path_expression, columns))
    kinds = kinds_of(f"(SELECT {names} FROM {reader_of(path)})", connection)
    return [column for column, kind in zip(columns, kinds.values(), strict=True) if kind.id in _WHOLE]


_WHOLE = frozenset(
    {"tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint"}
)


def _outputs(connection: DuckDBPyConnection) -> list[FeatureBins]:
    """Return the predictions, scores and labels that are numbers of the reference, where it has them."""
    predictions, scores, labels = row(
        connection, "SELECT COUNT(prediction), COUNT(score), COUNT(label) FROM given"
    )
    told_by = "given" if predictions else "(SELECT label AS prediction FROM given)"
    values = fold.is_regression(connection, told_by)
    outputs = []
    if labels and values:
        outputs.append(FeatureBins(rollups.LABEL, *OUTPUTS[rollups.LABEL]))
    if predictions and values:
        outputs.append(FeatureBins(rollups.VALUE, *OUTPUTS[rollups.VALUE]))
    elif predictions:
        outputs.append(FeatureBins(rollups.PREDICTION, *OUTPUTS[rollups.PREDICTION]))
    if scores:
        outputs.append(FeatureBins(rollups.SCORE, *OUTPUTS[rollups.SCORE]))
    return outputs


def _refold(connection: DuckDBPyConnection, registry: Registry, features: Sequence[FeatureBins]) -> None:
    """Count the stored rows in bins that have changed: those of some features, and of labels that are numbers."""
    if is_there(connection, "predictions"):
        adding.remove(connection, rollups.FEATURES, f"feature = {rollups.LOSS}")  # of another tree
        if features:
            fold.refold_features(connection, features)
        fold.refold_label_values(connection, registry, slices.Columns())


def _take_back(connection: DuckDBPyConnection) -> None:
    connection.execute("DELETE FROM meta WHERE key = ?", [ASIDE])
