"""Count all answers by the values of protected features: a gap in the rate of positives needs no labels.

Where an outcome is known only of what was granted, the labelled predictions are hardly any refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.sources.sql import literal
from mlwatch.store.adding import add, remove_features
from mlwatch.store.rollup import DAY, HOUR, QUARTER, Rollup, bucket

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.store.registry import Registry
    from mlwatch.store.slices import Columns

ANSWERS = Rollup(
    "r_answers",
    (QUARTER, HOUR, DAY),
    {"feature": "INTEGER", "part": "INTEGER", "prediction": "VARCHAR"},
    {"n": "BIGINT"},
)
"""Answered requests by part of a protected feature's values and by class, labels or not."""


def answers_sql(relation: str, parts: Mapping[int, str], plain_models: Sequence[str]) -> str:
    """Count answered requests by part of each protected feature's values and by class.

    Args:
        relation: Answered requests with the columns of parts.
        parts: Names of these columns by feature; at least one.
        plain_models: Models whose predictions are no classes: they are left out.
    """
    listed = ", ".join(literal(model) for model in plain_models)
    others = f"AND model NOT IN ({listed})" if listed else ""
    return " UNION ALL ".join(
        f"""SELECT {bucket(QUARTER)} AS bucket, model, version, {feature} AS feature, {name} AS part, prediction,
            COUNT(*) AS n
        FROM {relation} WHERE {name} IS NOT NULL {others} GROUP BY 1, 2, 3, 5, 6"""
        for feature, name in parts.items()
    )


def statement(registry: Registry, relation: str, parts: Columns) -> str | None:
    """Return the SELECT that counts answers by the values of protected features; None where none is among the parts.

    Args:
        registry: Features and tasks.
        relation: A `requests` relation with the features.
        parts: Segments, of which the protected ones are looked at.
    """
    mine = parts.among(registry.protected)
    if not mine.columns:
        return None
    numeric, free = registry.plain_models()
    names = {column.feature.number: column.name for column in mine.columns}
    answered = f"""(SELECT p.ts, p.model, p.version, p.prediction{mine.select("p")}
        FROM {relation} AS p WHERE NOT p.failed) AS answered"""
    return answers_sql(answered, names, [*numeric, *free])


def fold(connection: DuckDBPyConnection, registry: Registry, relation: str, parts: Columns) -> None:
    """Add the answers of requests to the rollup; for the arguments see `statement`."""
    if (counted := statement(registry, relation, parts)) is not None:
        add(connection, ANSWERS, counted)


def refold(
    connection: DuckDBPyConnection, registry: Registry, parts: Columns, gone: Collection[int] = ()
) -> None:
    """Count the stored answers again by some protected features.

    Args:
        connection: Inside a transaction of the thread that takes logs in.
        registry: Features and tasks.
        parts: These features.
        gone: Features that are not protected any more.
    """
    remove_features(connection, ANSWERS, {*gone, *parts.numbers})
    fold(connection, registry, "predictions", parts)
