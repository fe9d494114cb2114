"""Whether values are what `[schema]` asks for, counted as they come.

What is asked of a feature of a model is an item. Items are counted with every batch inside the ingest transaction; one
that is new or has changed is counted once over the stored rows. No setting becomes SQL text: all are bound.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mlwatch.asking import all_or_nothing, meta_value
from mlwatch.sources.sql import identifier
from mlwatch.store import adding, feature_rollup, rollups

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.config.settings import ConstraintSettings
    from mlwatch.store.registry import FeatureRow, Registry

OUTPUTS = {"prediction": ("prediction", "categorical"), "score": ("score", "numeric")}
"""What else may be constrained, unless a feature has that name: its column and kind."""
EXAMPLE_LENGTH = 80
META = "constraints_as"

Item = tuple[str, str]
"""Model and feature."""


@dataclass(frozen=True, slots=True)
class _Column:
    """Where a constrained feature is stored."""

    expression: str
    kind: str
    number: int | None
    """None for predictions and scores."""
    there: bool = True
    """False where the rows come without the column."""


@dataclass(slots=True)
class _Values:
    """Settings on their way into a statement."""

    bound: dict[str, Any] = field(default_factory=dict)

    def add(self, value: object) -> str:
        """Return the parameter that stands for a value."""
        name = f"v{len(self.bound)}"
        self.bound[name] = value
        return f"${name}"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One demand, as expressions over the rows."""

    name: str
    among: str
    """Rows that it is about."""
    bad: str
    """Rows among them that break it."""


def count_batch(
    connection: DuckDBPyConnection, registry: Registry, config: Config, numbers: Collection[int]
) -> None:
    """Count the batch in the view `requests` for every item that is followed already.

    Args:
        connection: Inside the ingest transaction, which has stored the batch's rows.
        registry: Features and models.
        config: `[schema]`.
        numbers: Features that the batch has columns for; the others are missing in it.
    """
    if config.schema:
        _count(connection, registry, config.schema, list(_followed(connection)), "requests", set(numbers))


def ensure(connection: DuckDBPyConnection, registry: Registry, config: Config) -> None:
    """Follow the items of the configuration, and count the stored rows for those that are new or changed.

    Args:
        connection: Outside a transaction, of the thread that takes logs in.
        registry: Features and models.
        config: `[schema]`.
    """
    known = _followed(connection)
    wanted = {
        (model, name): _written(asked)
        for name, asked in config.schema.items()
        for model in _models(registry, name)
    }
    if wanted == known:
        return
    fresh = [item for item, asked in wanted.items() if known.get(item) != asked]
    with all_or_nothing(connection):
        for model, name in {*fresh, *(known.keys() - wanted.keys())}:
            adding.remove(connection, rollups.CONSTRAINTS, "model = ? AND feature = ?", [model, name])
        _count(connection, registry, config.schema, fresh, "predictions", None)
        as_now = json.dumps([[*item, asked] for item, asked in wanted.items()])
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [META, as_now])


def _written(asked: ConstraintSettings) -> str:
    """Return what is asked of values, to tell whether that is what was counted."""
    counted = {name: value for name, value in asdict(asked).items() if name not in {"ttl", "optional"}}
    return json.dumps(counted, sort_keys=True)


def _followed(connection: DuckDBPyConnection) -> dict[Item, str]:
    said = meta_value(connection, META)
    return {(model, name): asked for model, name, asked in json.loads(said)} if said is not None else {}


def _models(registry: Registry, name: str) -> list[str]:
    """Return the models that have a feature."""
    if known := registry.named(name):
        numbers = {row.number for row in known}
        return sorted({model for model, number in registry.model_features if number in numbers})
    return sorted(registry.models) if name in OUTPUTS else []


def _column(name: str, row: FeatureRow | None, numbers: set[int] | None) -> _Column:
    if row is None:
        expression, kind = OUTPUTS[name]
        return _Column(expression, kind, None)
    there = numbers is None or row.number in numbers
    absent = f"CAST(NULL AS {'DOUBLE' if row.kind == 'numeric' else 'VARCHAR'})"
    return _Column(identifier(row.column) if there else absent, row.kind, row.number, there)


def _count(
    connection: DuckDBPyConnection,
    registry: Registry,
    schema: Mapping[str, ConstraintSettings],
    items: Sequence[Item],
    relation: str,
    numbers: set[int] | None,
) -> None:
    for select, values in _statements(registry, schema, items, relation, numbers):
        adding.add(connection, rollups.CONSTRAINTS, select, values)


def statements(registry: Registry, config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what counts all of `predictions`, a SELECT with its values, where nothing was counted before.

    Args:
        registry: Features and models.
        config: `[schema]`.
    """
    items = [(model, name) for name in config.schema for model in _models(registry, name)]
    yield from _statements(registry, config.schema, items, "predictions", None)


def _statements(
    registry: Registry,
    schema: Mapping[str, ConstraintSettings],
    items: Sequence[Item],
    relation: str,
    numbers: set[int] | None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    models: dict[tuple[str, FeatureRow | None], list[str]] = {}
    for model, name in items:
        if name in schema:
            models.setdefault((name, registry.of_model(model, name)), []).append(model)
    for (name, row), listed in models.items():
        values, column = _Values(), _column(name, row, numbers)
        selects = _selects(name, column, schema[name], relation, values.add(listed), values)
        if selects:
            yield " UNION ALL ".join(selects), values.bound


def _selects(
    name: str, column: _Column, asked: ConstraintSettings, relation: str, models: str, values: _Values
) -> list[str]:
    label = values.add(name)
    rules = _rules(column, asked, values)
    where = f"NOT failed AND list_contains({models}::VARCHAR[], model)"
    selects = []
    if rules:
        counted = ", ".join(
            f"""{{'rule': '{rule.name}', 'n': COUNT(*) FILTER ({rule.among}),
                'bad': COUNT(*) FILTER ({rule.among} AND {rule.bad}),
                'example': MIN({_text(column)}) FILTER ({rule.among} AND {rule.bad})}}"""
            for rule in rules
        )
        selects.append(f"""
            SELECT bucket, model, version, {label} AS feature, one.rule AS rule, one.n AS n, one.bad AS bad,
                one.example AS example
            FROM (
                SELECT {feature_rollup.QUARTER_OF_TS} AS bucket, model, version, unnest([{counted}]) AS one
                FROM {relation} WHERE {where} GROUP BY 1, 2, 3) AS each""")
    if asked.unique:
        selects.append(_unique(column, relation, where, label))
    return selects


def _has(column: _Column) -> str:
    x = column.expression
    return f"({x} IS NOT NULL AND NOT isnan({x}))" if column.kind == "numeric" else f"({x} IS NOT NULL)"


def _invalid(column: _Column) -> str:
    """Tell whether a number was logged as text that is none: the store keeps a mark of it, not the text."""
    if column.kind != "numeric" or column.number is None:
        return "FALSE"
    return f"COALESCE(invalid LIKE '%|{column.number}|%', FALSE)"


def _number(column: _Column) -> str:
    return column.expression if column.kind == "numeric" else f"TRY_CAST({column.expression} AS DOUBLE)"


def _text(column: _Column) -> str:
    """Return a value as it reads: whole numbers without a point."""
    x = column.expression
    if column.kind != "numeric":
        return f"LEFT({x}, {EXAMPLE_LENGTH})"
    return f"regexp_replace(CAST({x} AS VARCHAR), '\\.0$', '')"


def _rules(column: _Column, asked: ConstraintSettings, values: _Values) -> list[_Rule]:
    has, invalid, number = _has(column), _invalid(column), _number(column)
    there = f"({has} OR {invalid})"
    rules = []
    if asked.numbers:
        rules.append(_Rule("number", there, f"({invalid} OR {_wrong_type(column, 'number')})"))
    if asked.type is not None:
        rules.append(_Rule("type", there, f"({invalid} OR {_wrong_type(column, asked.type)})"))
    for rule, sign, limit in (("min", "<", asked.min), ("max", ">", asked.max)):
        if limit is not None:
            among = f"({has} AND {number} IS NOT NULL)"
            rules.append(_Rule(rule, among, f"{number} {sign} {values.add(limit)}::DOUBLE"))
    if asked.allowed is not None:
        rules.append(_Rule("allowed", there, f"({invalid} OR NOT {_allowed(column, asked.allowed, values)})"))
    if not asked.nullable:
        rules.append(_Rule("nullable", "TRUE", f"NOT {there}"))
    if asked.regex is not None:
        pattern = values.add(asked.regex)
        whole = column.expression if column.kind != "numeric" else _text(column)
        unlike = f"NOT regexp_full_match({whole}, {pattern}::VARCHAR)"
        rules.append(_Rule("regex", there, f"({invalid} OR COALESCE({unlike}, FALSE))"))
    return rules


def _wrong_type(column: _Column, wanted: str) -> str:
    number = _number(column)
    if wanted == "number":
        return f"{number} IS NULL"
    if wanted == "integer":
        return f"({number} IS NULL OR isinf({number}) OR {number} <> FLOOR({number}))"
    if wanted == "text":
        return "TRUE" if column.kind == "numeric" else "FALSE"
    if column.kind == "numeric":
        return f"{number} NOT IN (0, 1)"
    return f"LOWER({column.expression}) NOT IN ('true', 'false', '0', '1')"


def _allowed(column: _Column, allowed: Sequence[str], values: _Values) -> str:
    """Tell whether a value is a listed one; true and false are 1 and 0, as everywhere in the configuration."""
    if column.kind == "numeric":
        numbers = []
        for one in allowed:
            with contextlib.suppress(ValueError):
                numbers.append(float(one))
        return f"list_contains({values.add(numbers)}::DOUBLE[], {column.expression})"
    x = column.expression
    read = f"CASE LOWER({x}) WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE {x} END"
    listed = f"{values.add(list(allowed))}::VARCHAR[]"
    return f"(list_contains({listed}, {x}) OR list_contains({listed}, {read}))"


def _unique(column: _Column, relation: str, where: str, label: str) -> str:
    """Count the values that occurred before, in the same version of the same model, among the stored rows."""
    x, has = column.expression, _has(column)
    earlier = ""
    if relation != "predictions" and column.there:
        earlier = f"""LEFT JOIN (
            SELECT model AS m, version AS ver, {x} AS known, COUNT(*) AS stored FROM predictions
            WHERE NOT failed AND {x} IN (SELECT {x} FROM {relation}) GROUP BY 1, 2, 3
        ) AS before ON m = model AND ver = version AND known = value"""
    again = f"nth > 1{' OR stored > here' if earlier else ''}"
    shown = _text(_Column("value", column.kind, None))
    return f"""
        SELECT {feature_rollup.QUARTER_OF_TS} AS bucket, model, version, {label} AS feature, 'unique' AS rule,
            COUNT(*) AS n, COUNT(*) FILTER ({again}) AS bad, MIN({shown}) FILTER ({again}) AS example
        FROM (SELECT ts, model, version, {x} AS value,
                row_number() OVER (PARTITION BY model, version, {x} ORDER BY ts) AS nth,
                COUNT(*) OVER (PARTITION BY model, version, {x}) AS here
            FROM {relation} WHERE {where} AND {has}) AS occurring {earlier}
        GROUP BY 1, 2, 3"""
