"""What was true in a reference beside what was predicted there: labels, scores, errors, and chances of all classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import is_there, number
from mlwatch.metrics.bin_sql import score_bin_sql
from mlwatch.sources.sql import identifier
from mlwatch.store import fold, importances, loss_trees, output_rollups, rollups, slices
from mlwatch.store.evidence import MAX_CLASSES
from mlwatch.store.feature_rollup import FeatureBins
from mlwatch.store.meanings import class_columns
from mlwatch.store.reference_tables import COLUMNS
from mlwatch.store.registry import OUTPUTS
from mlwatch.store.rollup import RESIDUAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import OutputSettings
    from mlwatch.sources.canonical import Slot
    from mlwatch.store.registry import Registry

_LABELLED = """(SELECT * REPLACE ('' AS model, '' AS version), 1 AS weight FROM given
    WHERE label IS NOT NULL) AS labelled"""


def learn(
    connection: DuckDBPyConnection, registry: Registry, slots: Sequence[Slot], settings: OutputSettings
) -> None:
    """Count the labels of the temporary table `given`, where it has any.

    Args:
        connection: Inside a transaction.
        registry: Features and bins; learns where a regression errs more.
        slots: The reference's columns.
        settings: What the configuration says of outputs.
    """
    _forget(connection)
    numbers = fold.is_regression(connection, "given")
    if numbers:
        _learn_errors(connection, registry)
    else:
        _learn_scores(connection)
        _learn_classes(connection, registry, slots, settings)
    if not fold.is_text(connection, "given"):
        _learn_outcomes(connection, numbers=numbers)
    _learn_losses(connection, registry, slots)
    importances.learn(connection, registry, slots)


def learn_classes(connection: DuckDBPyConnection) -> None:
    """Count the labels of the temporary table `given` that are classes, and nothing else."""
    _forget(connection)
    if not fold.is_regression(connection, "given"):
        _learn_scores(connection)


def _forget(connection: DuckDBPyConnection) -> None:
    for name in COLUMNS:
        connection.execute(f"DELETE FROM reference_{name}")


def _learn_errors(connection: DuckDBPyConnection, registry: Registry) -> None:
    """Sum the errors of a regression by part of the predicted value."""
    edges = registry.bins[rollups.VALUE].edges if rollups.VALUE in registry.bins else ()
    value = FeatureBins(rollups.VALUE, "", "numeric", edges)
    part, e = slices.Column(value, slices.cuts_of(edges)).part("given"), f"({RESIDUAL})"
    connection.execute(f"""
        INSERT INTO reference_labels BY NAME
        SELECT '' AS label, '' AS prediction, {part} AS bin, COUNT(*) AS n, SUM({e}) AS sum_error,
            SUM(ABS({e})) AS sum_abs, SUM({e} * {e}) AS sum_sq, SUM(POWER({e}, 4)) AS sum_err4
        FROM given WHERE {e} IS NOT NULL GROUP BY {part}""")


def _learn_scores(connection: DuckDBPyConnection) -> None:
    """Count labels by prediction and score, and by tenths of the time."""
    classes = f"(SELECT COUNT(DISTINCT label) FROM given) <= {MAX_CLASSES}"
    labelled = f"label IS NOT NULL AND (prediction IS NOT NULL OR {classes})"
    connection.execute(f"""
        INSERT INTO reference_labels BY NAME
        SELECT label, prediction, {score_bin_sql("score")} AS bin, COUNT(*) AS n, SUM(score) AS sum_score
        FROM given WHERE {labelled} GROUP BY 1, 2, 3""")
    connection.execute(f"""
        INSERT INTO reference_label_windows
        SELECT label, quarter, COUNT(*) FROM given WHERE {labelled} GROUP BY 1, 2""")


def _learn_classes(
    connection: DuckDBPyConnection, registry: Registry, slots: Sequence[Slot], settings: OutputSettings
) -> None:
    """Count the probabilities of each of more than two classes, and how probable the true one was."""
    distinct = number(connection, "SELECT COUNT(DISTINCT label) FROM given")
    if not 2 < distinct <= MAX_CLASSES:
        return
    mine = {slot.number for slot in slots}
    rows = [row for row in registry.features.values() if row.number in mine]
    columns = {name: identifier(row.column) for name, row in class_columns(rows, settings).items()}
    if columns:
        connection.execute(f"""
            INSERT INTO reference_classes SELECT class, hit, bin, SUM(n), SUM(sum_score)
            FROM ({output_rollups.class_scores_sql(_LABELLED, "", columns)}) GROUP BY 1, 2, 3""")
        connection.execute(f"""
            INSERT INTO reference_ranks SELECT rank, SUM(n), SUM(loss), SUM(loss_sq)
            FROM ({output_rollups.ranks_sql(_LABELLED, "", columns)}) GROUP BY 1""")


def _learn_outcomes(connection: DuckDBPyConnection, *, numbers: bool) -> None:
    """Sum what performance is computed from, as of labelled predictions of the logs."""
    summed = ", ".join(f"SUM({name}) AS {name}" for name in rollups.OUTCOMES.measures)
    answered = f"(FROM {_LABELLED} WHERE prediction IS NOT NULL) AS answered"
    connection.execute(f"""
        INSERT INTO reference_outcomes BY NAME
        SELECT label, prediction, {summed}
        FROM ({rollups.outcomes_sql(answered, [""] if numbers else [])}) GROUP BY label, prediction""")


def _learn_losses(connection: DuckDBPyConnection, registry: Registry, slots: Sequence[Slot]) -> None:
    """Learn where a regression errs more, from the errors that were found."""
    tree = None
    if is_there(connection, "reference_labels WHERE sum_abs IS NOT NULL"):
        names = {row.number: row.name for row in registry.features.values()}
        features = [
            (names[slot.number], registry.binned(slot.number, identifier(slot.column), slot.kind))
            for slot in slots
            if slot.number in registry.bins
        ]
        features.append(("", registry.binned(rollups.VALUE, *OUTPUTS[rollups.VALUE])))
        tree = loss_trees.learn(connection, features)
    registry.keep_losses(tree)
