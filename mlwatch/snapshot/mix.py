"""What was predicted and what was true on the whole: the mix of labels, and of predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.metrics import intervals
from mlwatch.metrics.estimate import undefined
from mlwatch.snapshot import undecided

if TYPE_CHECKING:
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.read import Table

NO_LABELS = "there are no labels yet"


def labels_of(task: str, rows: Table | None, positive: str | None) -> Estimate | None:
    """Return the share of positive labels, or the mean label of a regression; None for other tasks.

    Args:
        task: The model's task.
        rows: Outcome rows; None for none.
        positive: Positive class of a binary task.
    """
    if task == "regression":
        return _mean(rows, 0.0)
    return _share("label", rows, positive) if task == "binary" else None


def answers_of(task: str, rows: Table | None, positive: str | None) -> Estimate | None:
    """Return the same of the predictions whose label is known; see `labels_of`."""
    if task == "regression":
        return _mean(rows, 1.0)
    return _share("prediction", rows, positive) if task == "binary" else None


def _share(column: str, rows: Table | None, positive: str | None) -> Estimate:
    if rows is None or not rows.whole("n"):
        return undefined(NO_LABELS)
    if positive is None:
        return undefined(undecided.GRADES, rows.whole("n"))
    if column == "prediction" and (why := undecided.reason(rows)):
        return undefined(why, rows.whole("n"))
    chosen = rows.where(rows[column] == positive)
    return intervals.proportion(chosen.whole("n"), rows.whole("n"), NO_LABELS)


def _mean(rows: Table | None, errors: float) -> Estimate:
    """Return the mean label, with so many times the error added: prediction is label + error."""
    if rows is None or not rows.whole("n_number"):
        return undefined(NO_LABELS)
    total = rows.sum("sum_label") + errors * rows.sum("sum_error")
    squares = rows.sum("sum_label_sq") if not errors else None
    return intervals.mean(rows.whole("n_number"), total, squares, NO_LABELS)
