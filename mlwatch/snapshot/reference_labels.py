"""The labelled predictions of the reference: what they teach about scores and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.snapshot.read import Table, fetch
from mlwatch.snapshot.reference import file_name
from mlwatch.store import rollups
from mlwatch.store.output_rollups import CLASS_SCORES
from mlwatch.store.reference_tables import IN_FORCE
from mlwatch.store.reference_windows import parted_sql
from mlwatch.store.rollup import MINUTE, QUARTER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.reference import Period

LEAST_LABELS = 200
"""Fewer labelled predictions than this teach nothing."""
_ANSWERED = "prediction IS NOT NULL"
_ERRORS = (
    "SUM(sum_error) AS sum_error, SUM(sum_abs) AS sum_abs, SUM(sum_sq) AS sum_sq, SUM(sum_err4) AS sum_err4"
)


def labels_by_score(connection: DuckDBPyConnection, chosen: Period | None) -> tuple[Table, str] | None:
    """Return labels by prediction and score bin, and whose they are: the reference file's, else those of a period.

    Args:
        connection: A cursor of this thread.
        chosen: The period; None for none.

    Returns:
        Columns `label`, `prediction`, `bin`, `n`, `sum_score`; None where there are too few.
    """
    what = "label, prediction, bin, SUM(n) AS n, SUM(sum_score) AS sum_score"
    in_file = f"""SELECT {what} FROM reference_labels
        WHERE {_ANSWERED} AND bin IS NOT NULL AND sum_score IS NOT NULL GROUP BY 1, 2, 3"""
    in_logs = f"""SELECT {what} FROM {rollups.SCORES.table(QUARTER)}
        WHERE prediction IS NOT NULL AND {{}} GROUP BY 1, 2, 3"""
    return _either(connection, in_file, in_logs, chosen)


def label_counts(connection: DuckDBPyConnection, chosen: Period | None) -> tuple[Table, str] | None:
    """Return labels by class, whether something was predicted beside them or not, and whose they are.

    Returns:
        Columns `label`, `n`; None where there are too few. See `labels_by_score`.
    """
    what = "label, SUM(n) AS n"
    in_file = f"SELECT {what} FROM reference_labels WHERE label <> '' GROUP BY 1"
    in_logs = f"SELECT {what} FROM {rollups.OUTCOMES.table(MINUTE)} WHERE label <> '' AND {{}} GROUP BY 1"
    return _either(connection, in_file, in_logs, chosen)


def label_values(connection: DuckDBPyConnection, chosen: Period | None) -> tuple[Table, str] | None:
    """Return the labels of a regression by bin, and whose they are.

    Returns:
        Columns `feature`, `bin`, `n`, `total`; None where there are too few. See `labels_by_score`.
    """
    what = "feature, bin, SUM(n) AS n, SUM(total) AS total"
    mine = f"feature = {rollups.LABEL}"
    in_file = f"SELECT {what} FROM reference WHERE {mine} GROUP BY 1, 2"
    in_logs = f"""SELECT {what} FROM {rollups.FEATURES.table(QUARTER)}
        WHERE {mine} AND {{}} GROUP BY 1, 2"""
    return _either(connection, in_file, in_logs, chosen)


def label_windows(
    connection: DuckDBPyConnection, chosen: Period | None, description: str, *, numbers: bool
) -> Table:
    """Return the labels of the reference by tenths of it.

    Args:
        connection: A cursor of this thread.
        chosen: Period of the logs; None for none.
        description: Whose labels `label_counts` or `label_values` returned.
        numbers: Whether they are numbers.

    Returns:
        Columns `part` and `n`, and `feature`, `bin` and `total` of numbers, `label` of classes.
    """
    mine = f"feature = {rollups.LABEL}"
    if chosen is None or description == file_name(connection):
        of_classes = "SELECT part, label, n FROM reference_label_windows"
        of_numbers = f"SELECT part, feature, bin, n, 0.0 AS total FROM reference_windows WHERE {mine}"
        return fetch(connection, of_numbers if numbers else of_classes)
    of_classes = parted_sql(f"{chosen.condition} AND label <> ''", rollups.OUTCOMES, "label")
    of_numbers = f"SELECT *, 0.0 AS total FROM ({parted_sql(f'{chosen.condition} AND {mine}')})"
    return fetch(connection, of_numbers if numbers else of_classes, dict(chosen.values))


def importance_there(connection: DuckDBPyConnection) -> Mapping[str, float]:
    """Return how much each feature of the reference file tells about its labels, else about its predictions."""
    rows = connection.execute(f"FROM reference_importance WHERE {IN_FORCE}").fetchall()
    return {str(name): float(value) for name, value in rows if value is not None}


def labels_by_class(connection: DuckDBPyConnection, chosen: Period | None) -> tuple[Table, str] | None:
    """Return the labelled probabilities of each class, and whose they are.

    Returns:
        Columns `class`, `hit`, `bin`, `n`, `sum_score`; None where there are too few. See `labels_by_score`.
    """
    what = "class, hit, bin, SUM(n) AS n, SUM(sum_score) AS sum_score"
    in_file = f"SELECT {what} FROM reference_classes GROUP BY 1, 2, 3"
    in_logs = f"SELECT {what} FROM {CLASS_SCORES.table(QUARTER)} WHERE {{}} GROUP BY 1, 2, 3"
    return _either(connection, in_file, in_logs, chosen, lambda rows: rows.where(rows["hit"] == 1))


def errors_by_part(connection: DuckDBPyConnection, chosen: Period | None) -> tuple[Table, str] | None:
    """Return the errors of a regression by part of the predicted value, and whose they are; see `labels_by_score`.

    Returns:
        Columns `part`, `n`, `sum_error`, `sum_abs`, `sum_sq`, `sum_err4`; None where there are too few.
    """
    in_file = f"SELECT bin AS part, SUM(n) AS n, {_ERRORS} FROM reference_labels WHERE sum_abs IS NOT NULL GROUP BY 1"
    in_logs = f"""SELECT part, SUM(n_number) AS n, {_ERRORS} FROM {rollups.SEGMENTS.table(QUARTER)}
        WHERE feature = {rollups.VALUE} AND {{}} GROUP BY 1"""
    return _either(connection, in_file, in_logs, chosen)


def _either(
    connection: DuckDBPyConnection,
    in_file: str,
    in_logs: str,
    chosen: Period | None,
    labelled: Callable[[Table], Table] = lambda rows: rows,
) -> tuple[Table, str] | None:
    """Return rows and whose they are.

    Args:
        connection: A cursor of this thread.
        in_file: SELECT of those of the reference file.
        in_logs: Of those of the logs, with a place for a condition.
        chosen: Period of the logs.
        labelled: Those of the rows whose `n` add up to the labelled predictions.
    """

    def enough(rows: Table) -> bool:
        return bool(len(rows)) and labelled(rows).whole("n") >= LEAST_LABELS

    name = file_name(connection)
    if name is not None and enough(rows := fetch(connection, in_file)):
        return rows, name
    if chosen is None:
        return None
    rows = fetch(connection, in_logs.format(chosen.condition), dict(chosen.values))
    return (rows, chosen.description) if enough(rows) else None
