"""What `[schema]` asks of features, and how many values of each version break it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.snapshot.read import Pair
from mlwatch.snapshot.types import Constraint
from mlwatch.store import rollups

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.config.settings import ConstraintSettings
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.span import Grid
    from mlwatch.snapshot.types import Model, Version

    Schema = Mapping[str, ConstraintSettings]


def with_constraints(
    reader: Reader, model: Model, schema: Schema, numbers: Mapping[Pair, int], lattice: Grid
) -> Model:
    """Return a model with what its versions' values were found to break.

    Args:
        reader: Of the snapshot.
        model: So far.
        schema: `[schema]`.
        numbers: By version, as they were numbered.
        lattice: The range.
    """
    if not schema:
        return model
    rows = reader.once(rollups.CONSTRAINTS, lattice)
    known = _known(reader.connection, model.name)
    versions = {
        name: replace(
            version,
            constraints=tuple(_of_version(rows.of(numbers[Pair(model.name, name)]), version, schema, known)),
        )
        for name, version in model.versions.items()
    }
    return replace(model, versions=versions)


def _known(connection: DuckDBPyConnection, model: str) -> Mapping[str, bool]:
    """Return whether a model has each feature of the store."""
    rows = connection.execute(
        """SELECT name, BOOL_OR(m.model IS NOT NULL)
        FROM features LEFT JOIN model_features AS m ON m.feature = features.feature AND m.model = ? GROUP BY name""",
        [model],
    ).fetchall()
    return dict(rows)


def _of_version(
    rows: Table, version: Version, schema: Schema, known: Mapping[str, bool]
) -> Iterator[Constraint]:
    counted = {
        (str(name), str(rule)): (int(n), int(bad), str(example))
        for name, rule, n, bad, example in zip(
            *(rows[column] for column in ("feature", "rule", "n", "bad", "example")), strict=True
        )
    }
    for name, asked in schema.items():
        if not known.get(name, not asked.optional):
            continue  # of another model, or of none
        for rule, demand in demands(asked):
            n, bad, example = counted.get((name, rule), (0, 0, ""))
            if rule == "number" and not bad:
                continue  # nobody asked for it by name
            if rule == "nullable" and name not in known and not n:
                n = bad = version.predictions - version.errors.count if name not in OUTPUTS else 0
            yield Constraint(name, rule, demand, n, bad, example or None)


OUTPUTS = frozenset({"prediction", "score"})


def demands(asked: ConstraintSettings) -> Iterator[tuple[str, str]]:
    """Yield each rule and what it says of values that break it, after "… of … values"."""
    if asked.numbers:
        yield "number", "are not a number"
    if asked.type is not None:
        article = "an" if asked.type == "integer" else "a"
        yield "type", "are no text" if asked.type == "text" else f"are not {article} {asked.type}"
    if asked.min is not None:
        yield "min", f"are below {asked.min:g}"
    if asked.max is not None:
        yield "max", f"are above {asked.max:g}"
    if asked.allowed is not None:
        yield "allowed", "are not allowed"
    if not asked.nullable:
        yield "nullable", "are missing"
    if asked.regex is not None:
        yield "regex", "do not match the pattern"
    if asked.unique:
        yield "unique", "repeat an earlier one"
