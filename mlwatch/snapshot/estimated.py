"""Performance as expected before labels come, for a version and for each of its windows.

What a score is worth is learnt once from labelled predictions: those of the reference where it has labels, else those
of a period of the logs. Every version is held against the same, so that a gap between estimated and realised
performance means that inputs and labels no longer relate as they did there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import estimation, loss_estimation
from mlwatch.metrics.confusion import Confusion
from mlwatch.metrics.estimate import undefined
from mlwatch.metrics.estimation import IDENTITY, BinaryReference, Calibrator
from mlwatch.metrics.loss_estimation import LossReference
from mlwatch.metrics.scores import ScoreHistogram
from mlwatch.snapshot.outputs import class_histograms
from mlwatch.snapshot.reference import file_name
from mlwatch.snapshot.reference_labels import errors_by_part, labels_by_class, labels_by_score
from mlwatch.snapshot.remembering import remembered
from mlwatch.snapshot.segments import part_of
from mlwatch.store import loss_trees, rollups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reference import Period
    from mlwatch.snapshot.tables import Decided
    from mlwatch.snapshot.types import Task
    from mlwatch.store.loss_trees import LossTree

    FloatArray = NDArray[np.float64]

WHOLE = "the logs carry the score of the predicted class only"


@dataclass(frozen=True, slots=True)
class Teacher:
    """What labelled predictions say."""

    description: str
    """Whose labels, in words."""
    positive: str | None = None
    """Positive class of a binary task; None for other tasks."""
    binary: BinaryReference | None = None
    """For a binary task."""
    calibrator: Calibrator = IDENTITY
    """For classes: from the score (of many classes, that of the predicted one) to the chance that it is right."""
    classes: Mapping[str, Calibrator] = field(default_factory=dict)
    """By class, from its own score to its chance; empty where the logs do not carry the scores of all."""
    losses: LossReference | None = None
    """For a regression, by part of the predicted value."""
    value: FeatureInfo | None = None
    """Bins of the predicted value."""
    leaves: LossReference | None = None
    """For a regression, by leaf of the tree of losses, where there is one."""


def teacher(
    connection: DuckDBPyConnection,
    task: Task,
    positive: str | None,
    chosen: Period | None,
    value: FeatureInfo | None,
) -> Teacher | None:
    """Learn from the labelled predictions that there are; None where there are too few, or no scores.

    Args:
        connection: A cursor of this thread.
        task: Of the model.
        positive: Positive class of a binary task.
        chosen: Period of the logs to learn from, where the reference has no labels.
        value: Bins of the predicted values of a regression.
    """
    if task == "regression":
        errors = errors_by_part(connection, chosen)
        if errors is None:
            return None
        leaves = _leaves(loss_trees.recall(connection)) if errors[1] == file_name(connection) else None
        return Teacher(errors[1], losses=_losses(errors[0]), value=value, leaves=leaves)
    if task == "unknown":
        return None
    labels = labels_by_score(connection, chosen)
    found = None if labels is None else learn(labels[0], positive if task == "binary" else None, labels[1])
    if task == "multiclass" and (rows := labels_by_class(connection, chosen)) is not None:
        classes = {name: estimation.calibrate(scores) for name, scores in class_histograms(rows[0]).items()}
        found = replace(found or Teacher(rows[1]), description=rows[1], classes=classes)
    return found


def _losses(rows: Table) -> LossReference:
    kept = rows.where(rows["n"] > 0)
    n, *powers = (kept[name].astype(float) for name in ("n", "sum_abs", "sum_sq", "sum_err4"))
    return LossReference(kept["part"].astype(np.int64), n, powers[0], powers[1], powers[2])


def _leaves(tree: LossTree | None) -> LossReference | None:
    if tree is None:
        return None
    codes = np.arange(len(tree.sums), dtype=np.int64)
    n, absolute, squared, fourth = np.array(tree.sums, dtype=float).T
    return LossReference(codes, n, absolute, squared, fourth, loss_estimation.BY_LEAF)


def learn(rows: Table, positive: str | None, description: str) -> Teacher:
    """Learn from score rows by label, prediction and bin."""
    right = rows["label"] == (rows["prediction"] if positive is None else positive)
    scores = ScoreHistogram.from_rows(right, rows["bin"], rows["n"], rows["sum_score"])
    if positive is None:
        return Teacher(description, calibrator=estimation.calibrate(scores))
    cells = zip(rows["label"], rows["prediction"], rows["n"], strict=True)
    confusion = Confusion.from_rows((str(label), str(guess), int(n)) for label, guess, n in cells if n)
    reference = BinaryReference.learn(scores, confusion, positive)
    return Teacher(description, positive, reference, reference.calibrator)


def of_range(
    teacher: Teacher | None, decided: Decided | None, features: Table, class_decided: Table | None = None
) -> Mapping[str, Estimate]:
    """Return the estimates over all of a version's predictions.

    Args:
        teacher: None gives no estimates.
        decided: The version's scores by decision; None for none.
        features: Its feature rows, for the predicted values of a regression.
        class_decided: Its probabilities of all classes by decision; None for none.
    """
    if teacher is not None and teacher.losses is not None:
        return _regression(teacher, features)
    if teacher is not None and teacher.classes and class_decided is not None and len(class_decided):
        return estimation.multiclass(teacher.classes, _by_decision(class_decided))
    if teacher is None or decided is None or not len(decided.whole):
        return {}
    rows = decided.whole
    sides = rows["prediction"] == teacher.positive
    scores = ScoreHistogram.from_rows(sides, rows["bin"], rows["n"], rows["sum_score"])
    if teacher.binary is not None:
        return estimation.binary(teacher.binary, scores)
    accuracy = estimation.confidence(teacher.calibrator, scores)
    others = (name for name in estimation.MULTICLASS if name != "accuracy")
    return {"accuracy": accuracy, **{name: undefined(WHOLE, scores.n) for name in others}}


def _by_decision(rows: Table) -> dict[str, dict[str, ScoreHistogram]]:
    found: dict[str, dict[str, ScoreHistogram]] = {}
    for guess in sorted(set(rows["prediction"].tolist())):
        mine = rows.where(rows["prediction"] == guess)
        for name in sorted(set(mine["class"].tolist())):
            part = mine.where(mine["class"] == name)
            sides = np.ones(len(part), dtype=bool)
            scores = ScoreHistogram.from_rows(sides, part["bin"], part["n"], part["sum_score"])
            found.setdefault(str(guess), {})[str(name)] = scores
    return found


def _regression(teacher: Teacher, features: Table) -> Mapping[str, Estimate]:
    leaves = features.where(features["feature"] == rollups.LOSS)
    if teacher.leaves is not None and len(leaves):
        return loss_estimation.regression(teacher.leaves, leaves["bin"], leaves["n"])
    rows = features.where(features["feature"] == rollups.VALUE)
    if teacher.losses is None or teacher.value is None or not len(rows):
        return {}
    return loss_estimation.regression(teacher.losses, part_of(teacher.value, rows["bin"]), rows["n"])


def by_window(
    teacher: Teacher | None,
    decided: Decided | None,
    features: Table,
    count: int,
    class_decided: Table | None = None,
) -> tuple[Mapping[str, Estimate], ...]:
    """Return the estimates of each window, without AUC; of many classes, accuracy.

    Args:
        teacher: None gives no estimates.
        decided: The version's scores by decision; None for none.
        features: Its feature rows by window.
        count: Number of windows.
        class_decided: Its probabilities of all classes by decision over the range; None for none.
    """
    own_class = decided.own_class if decided is not None else None
    if own_class is not None and len(own_class) and class_decided is not None and teacher and teacher.classes:
        return _right_by_window(teacher.classes, own_class, class_decided, count)
    if teacher is not None and teacher.losses is not None:
        outputs = np.isin(features["feature"], (rollups.VALUE, rollups.LOSS))
        values = features.where(outputs).windows()
        one = partial(_regression, teacher)
        return tuple(one(values[index]) if index in values else {} for index in range(count))
    if teacher is None or decided is None or not len(decided.over):
        return ({},) * count
    rows = decided.over
    n = rows["n"].astype(float)
    expected = n * teacher.calibrator(rows["sum_score"] / n)
    guessed = rows["prediction"] == teacher.positive

    def total(values: FloatArray) -> FloatArray:
        inside = (rows["w"] >= 0) & (rows["w"] < count)
        return np.bincount(rows["w"][inside], weights=values[inside], minlength=count).astype(float)

    size = total(n)
    if teacher.binary is None:
        right = total(expected)
        return tuple(_accuracy(float(r), int(s)) for r, s in zip(right, size, strict=True))
    parts = (guessed * expected, guessed * (n - expected), ~guessed * expected, ~guessed * (n - expected))
    cells = np.column_stack([total(part) for part in parts])
    return tuple(
        _decisions(teacher.binary, (row[0], row[1], row[2], row[3]), int(whole)) if whole else {}
        for row, whole in zip(cells.tolist(), size, strict=True)
    )


_decisions = remembered(estimation.decisions)
"""Of the windows, only the newest ones change."""


def _right_by_window(
    classes: Mapping[str, Calibrator], own: Table, every: Table, count: int
) -> tuple[Mapping[str, Estimate], ...]:
    """Return the accuracy of each window; chances add up to 1 by what the whole range says of each predicted class."""
    right, size = np.zeros(count), np.zeros(count)
    for guess in set(own["class"].tolist()) & classes.keys():
        said = every.where(every["prediction"] == guess)
        parts = [said.where(said["class"] == name) for name in classes]
        chances = sum(_chances(classes[name], part).sum() for name, part in zip(classes, parts, strict=True))
        scale = max(part.sum("n") for part in parts) / chances if chances else 1.0
        mine = own.where((own["class"] == guess) & (own["w"] >= 0) & (own["w"] < count))
        right += scale * np.bincount(mine["w"], weights=_chances(classes[guess], mine), minlength=count)
        size += np.bincount(mine["w"], weights=mine["n"], minlength=count)
    return tuple(_accuracy(min(r, s), int(s)) for r, s in zip(right.tolist(), size.tolist(), strict=True))


def _chances(calibrator: Calibrator, rows: Table) -> FloatArray:
    """Return how many of the predictions of each row are expected to be of the class."""
    n = rows["n"].astype(float)
    return np.asarray(n * calibrator(rows["sum_score"] / n)) if len(n) else np.zeros(0)


def _accuracy(right: float, n: int) -> Mapping[str, Estimate]:
    return {"accuracy": estimation.share(right / n, n)} if n else {}
