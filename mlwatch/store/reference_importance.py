"""How much each feature tells about the label in a reference, or about the prediction where it has no labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.asking import row
from mlwatch.store import fold, slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.canonical import Slot
    from mlwatch.store.registry import Registry

MOST = 100
"""Features that are looked at; of more, the first ones."""
LEAST = 200
"""Fewer labels than this teach nothing."""


def learn(connection: DuckDBPyConnection, registry: Registry, slots: Sequence[Slot]) -> None:
    """Measure the importance of the features of the temporary table `given`; see `metrics.importance`.

    Args:
        connection: Inside a transaction.
        registry: Features and their bins.
        slots: The reference's columns.
    """
    labels, predictions = row(connection, "SELECT COUNT(label), COUNT(prediction) FROM given")
    told = "label" if labels >= LEAST else "prediction"
    if max(labels, predictions) < LEAST:
        return
    as_predicted = f"(SELECT {told} AS prediction FROM given WHERE {told} IS NOT NULL)"
    if fold.is_text(connection, as_predicted):
        return
    columns = slices.of_slots(connection, registry, slots[:MOST])
    if not columns:
        return
    names = {each.number: each.name for each in registry.features.values()}
    parts = [column.part("given") for column in columns]
    measure = _of_values if fold.is_regression(connection, as_predicted) else _of_classes
    connection.execute(
        "INSERT INTO reference_importance SELECT unnest($1::VARCHAR[]), unnest($2::DOUBLE[])",
        [[names[column.feature.number] for column in columns], measure(connection, parts, told)],
    )


def _of_values(connection: DuckDBPyConnection, parts: Sequence[str], told: str) -> list[float]:
    """Return the importance of features by the numbers that their parts tell."""
    from mlwatch.metrics.importance import correlation_ratio  # noqa: PLC0415  pulls numpy

    y = "TRY_CAST(told AS DOUBLE)"
    sums = f"COUNT({y}), COALESCE(SUM({y}), 0), COALESCE(SUM({y} * {y}), 0)"
    return [
        correlation_ratio(*zip(*rows, strict=True))
        for rows in _counted(connection, parts, told, sums, "part")
    ]


def _of_classes(connection: DuckDBPyConnection, parts: Sequence[str], told: str) -> list[float]:
    """Return the importance of features by the classes that their parts tell."""
    from mlwatch.metrics.importance import importance  # noqa: PLC0415  pulls numpy

    cells = _counted(connection, parts, told, "part, told, COUNT(*)", "part, told")
    return [importance(_table(rows)) for rows in cells]


def _counted(
    connection: DuckDBPyConnection, parts: Sequence[str], told: str, what: str, by: str
) -> list[list[Any]]:
    """Return what is counted by the parts of each feature, in one statement."""
    each = " UNION ALL ".join(
        f"""SELECT {at} AS place, {what} FROM (
            SELECT {part} AS part, {told} AS told FROM given WHERE {told} IS NOT NULL) AS parted GROUP BY {by}"""
        for at, part in enumerate(parts)
    )
    found: list[list[Any]] = [[] for _ in parts]
    for place, *counts in connection.execute(each).fetchall():
        found[place].append(counts)
    return found


def _table(cells: Sequence[Sequence[Any]]) -> list[list[int]]:
    """Return joint counts, parts in rows and answers in columns."""
    parts, answers = ({cell[at]: None for cell in cells} for at in (0, 1))
    count = {(part, answer): n for part, answer, n in cells}
    return [[count.get((part, answer), 0) for answer in answers] for part in parts]
