"""How much features tell about the label in a reference, and about the prediction where there are no labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.asking import is_there, number, row
from mlwatch.store import fold, slices
from mlwatch.store.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.canonical import Slot

MOST = 100
"""Features that are looked at; of more, the first ones."""
LEAST = 200
"""Fewer labels, or predictions, than this teach nothing."""
ROWS = 20_000
"""Records of a model that are looked at, the first ones: enough, and what they teach stays as it is."""


def learn(connection: DuckDBPyConnection, registry: Registry, slots: Sequence[Slot]) -> None:
    """Measure the importance of the features of the temporary table `given`; see `metrics.importance`.

    Args:
        connection: Inside a transaction.
        registry: Features and their bins.
        slots: The reference's columns.
    """
    labels, predictions = row(connection, "SELECT COUNT(label), COUNT(prediction) FROM given")
    if max(labels, predictions) < LEAST:
        return
    told = "label" if labels >= LEAST else "prediction"
    found = _measured(
        connection, registry, "given", slices.of_slots(connection, registry, slots[:MOST]), told
    )
    if found:
        connection.execute(
            "INSERT INTO reference_importance SELECT unnest($1::VARCHAR[]), unnest($2::DOUBLE[])",
            [list(found), list(found.values())],
        )


def of_predictions(connection: DuckDBPyConnection, model: str) -> Mapping[str, float]:
    """Return how much each feature tells about what a model predicts, by the first of its records that are kept.

    Args:
        connection: A cursor of this thread.
        model: Which.
    """
    if not is_there(connection, "predictions"):  # with rollups alone there are no columns for features either
        return {}
    registry = Registry(connection)
    own = sorted(feature for name, feature in registry.model_features if name == model)[:MOST]
    columns = slices.columns(connection, registry, own).columns
    listed = "".join(f", {column.feature.expression}" for column in columns)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE answered AS
        SELECT model, prediction{listed} FROM predictions
        WHERE model = ? AND NOT failed AND prediction IS NOT NULL LIMIT {ROWS}""",
        [model],
    )
    if number(connection, "SELECT COUNT(*) FROM answered") < LEAST:
        return {}
    return _measured(connection, registry, "answered", columns, "prediction")


def _measured(
    connection: DuckDBPyConnection,
    registry: Registry,
    relation: str,
    columns: Sequence[slices.Column],
    told: str,
) -> dict[str, float]:
    """Return the importance of columns by name; none where what they tell about is words.

    Args:
        connection: Has the relation.
        registry: Features.
        relation: A table.
        columns: Its columns, with their parts.
        told: The column that they tell about.
    """
    as_predicted = f"(SELECT {told} AS prediction FROM {relation} WHERE {told} IS NOT NULL)"
    if not columns or fold.is_text(connection, as_predicted):
        return {}
    names = {each.number: each.name for each in registry.features.values()}
    parts = [column.part(relation) for column in columns]
    measure = _of_values if fold.is_regression(connection, as_predicted) else _of_classes
    found = measure(connection, relation, parts, told)
    return dict(zip((names[column.feature.number] for column in columns), found, strict=True))


def _of_values(connection: DuckDBPyConnection, relation: str, parts: Sequence[str], told: str) -> list[float]:
    """Return the importance of features by the numbers that their parts tell."""
    from mlwatch.metrics.importance import correlation_ratio  # noqa: PLC0415  pulls numpy

    y = "TRY_CAST(told AS DOUBLE)"
    sums = f"COUNT({y}), COALESCE(SUM({y}), 0), COALESCE(SUM({y} * {y}), 0)"
    return [
        correlation_ratio(*zip(*rows, strict=True))
        for rows in _counted(connection, relation, parts, told, sums, "part")
    ]


def _of_classes(
    connection: DuckDBPyConnection, relation: str, parts: Sequence[str], told: str
) -> list[float]:
    """Return the importance of features by the classes that their parts tell."""
    from mlwatch.metrics.importance import importance  # noqa: PLC0415  pulls numpy

    cells = _counted(connection, relation, parts, told, "part, told, COUNT(*)", "part, told")
    return [importance(_table(rows)) for rows in cells]


def _counted(
    connection: DuckDBPyConnection, relation: str, parts: Sequence[str], told: str, what: str, by: str
) -> list[list[Any]]:
    """Return what is counted by the parts of each feature, in one statement; in order, so that sums do not waver."""
    each = " UNION ALL ".join(
        f"""SELECT {at} AS place, {what} FROM (
            SELECT {part} AS part, {told} AS told FROM {relation} WHERE {told} IS NOT NULL) AS parted GROUP BY {by}"""
        for at, part in enumerate(parts)
    )
    found: list[list[Any]] = [[] for _ in parts]
    for place, *counts in connection.execute(f"FROM ({each}) ORDER BY ALL").fetchall():
        found[place].append(counts)
    return found


def _table(cells: Sequence[Sequence[Any]]) -> list[list[int]]:
    """Return joint counts, parts in rows and answers in columns."""
    parts, answers = ({cell[at]: None for cell in cells} for at in (0, 1))
    count = {(part, answer): n for part, answer, n in cells}
    return [[count.get((part, answer), 0) for answer in answers] for part in parts]
