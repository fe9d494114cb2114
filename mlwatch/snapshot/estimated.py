"""Performance as expected before labels come, for a version and for each of its windows.

What a score is worth is learnt once from labelled predictions: those of the reference where it has labels and scores,
else those of the baseline version's first period. Every version is held against the same, so that a gap between
estimated and realised performance means that inputs and labels no longer relate as they did there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import estimation
from mlwatch.metrics.confusion import Confusion
from mlwatch.metrics.estimate import undefined
from mlwatch.metrics.estimation import BinaryReference, Calibrator
from mlwatch.metrics.scores import ScoreHistogram
from mlwatch.snapshot.features import first_period, period_words
from mlwatch.snapshot.read import Table, fetch
from mlwatch.store import rollups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.read import Life
    from mlwatch.snapshot.types import Task

    FloatArray = NDArray[np.float64]

LEAST_LABELS = 200
"""Fewer labelled predictions than this teach nothing."""
WHOLE = "the logs carry the score of the predicted class only"


@dataclass(frozen=True, slots=True)
class Teacher:
    """What labelled predictions say about a score."""

    description: str
    """Whose labels, in words."""
    positive: str | None
    """Positive class of a binary task; None for other tasks."""
    binary: BinaryReference | None
    """For a binary task."""
    calibrator: Calibrator
    """For other tasks: from the predicted class's score to the chance that it is right."""


def teacher(
    connection: DuckDBPyConnection, task: Task, positive: str | None, baseline: Life | None
) -> Teacher | None:
    """Learn from the labelled predictions that there are; None where there are too few, or no scores."""
    if baseline is None or task not in {"binary", "multiclass"}:
        return None
    rows = fetch(
        connection,
        f"""SELECT label, prediction, bin, SUM(n) AS n, SUM(sum_score) AS sum_score
        FROM {rollups.SCORES.table(rollups.QUARTER)}
        WHERE model = ? AND version = ? AND bucket < ? AND prediction IS NOT NULL GROUP BY 1, 2, 3""",
        [baseline.pair.model, baseline.pair.version, first_period(baseline)],
    )
    return learn(rows, positive if task == "binary" else None, period_words(baseline))


def learn(rows: Table, positive: str | None, description: str) -> Teacher | None:
    """Learn from score rows by label, prediction and bin."""
    if not len(rows) or rows.whole("n") < LEAST_LABELS:
        return None
    right = rows["label"] == (rows["prediction"] if positive is None else positive)
    scores = ScoreHistogram.from_rows(right, rows["bin"], rows["n"], rows["sum_score"])
    if positive is None:
        return Teacher(description, None, None, estimation.calibrate(scores))
    cells = zip(rows["label"], rows["prediction"], rows["n"], strict=True)
    confusion = Confusion.from_rows((str(label), str(guess), int(n)) for label, guess, n in cells if n)
    reference = BinaryReference.learn(scores, confusion, positive)
    return Teacher(description, positive, reference, reference.calibrator)


def of_range(teacher: Teacher | None, decided: Table) -> Mapping[str, Estimate]:
    """Return the estimates over all of a version's scores.

    Args:
        teacher: None gives no estimates.
        decided: The version's scores by decision.
    """
    if teacher is None or not len(decided):
        return {}
    sides = decided["prediction"] == teacher.positive
    scores = ScoreHistogram.from_rows(sides, decided["bin"], decided["n"], decided["sum_score"])
    if teacher.binary is not None:
        return estimation.binary(teacher.binary, scores)
    accuracy = estimation.confidence(teacher.calibrator, scores)
    others = (name for name in estimation.MULTICLASS if name != "accuracy")
    return {"accuracy": accuracy, **{name: undefined(WHOLE, scores.n) for name in others}}


def by_window(teacher: Teacher | None, decided: Table, count: int) -> tuple[Mapping[str, Estimate], ...]:
    """Return the estimates of each window, without AUC.

    Args:
        teacher: None gives no estimates.
        decided: The version's scores by decision and window.
        count: Number of windows.
    """
    if teacher is None or not len(decided):
        return ({},) * count
    n = decided["n"].astype(float)
    expected = n * teacher.calibrator(decided["sum_score"] / n)
    guessed = decided["prediction"] == teacher.positive

    def total(values: FloatArray) -> FloatArray:
        inside = (decided["w"] >= 0) & (decided["w"] < count)
        return np.bincount(decided["w"][inside], weights=values[inside], minlength=count).astype(float)

    size = total(n)
    if teacher.binary is None:
        right = total(expected)
        return tuple(_accuracy(float(r), int(s)) for r, s in zip(right, size, strict=True))
    parts = (guessed * expected, guessed * (n - expected), ~guessed * expected, ~guessed * (n - expected))
    cells = np.column_stack([total(part) for part in parts])
    return tuple(
        estimation.decisions(teacher.binary, (row[0], row[1], row[2], row[3]), int(whole)) if whole else {}
        for row, whole in zip(cells.tolist(), size, strict=True)
    )


def _accuracy(right: float, n: int) -> Mapping[str, Estimate]:
    return {"accuracy": estimation.share(right / n, n)} if n else {}
