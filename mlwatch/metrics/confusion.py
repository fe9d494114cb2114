"""The confusion table and how uncertain a function of it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlwatch.metrics import intervals
from mlwatch.metrics.estimate import Estimate, estimate

FloatArray = NDArray[np.float64]
Counts = NDArray[np.int64] | NDArray[np.float64]
Metric = Callable[["Margins"], tuple[float, "Gradient"]]

POSITIVE_NAMES = (
    "1",
    "1.0",
    "true",
    "t",
    "yes",
    "y",
    "positive",
    "pos",
    "fraud",
    "spam",
    "churn",
    "default",
    "bad",
)


COUNTERPARTS = {
    "0": "1",
    "-1": "1",
    "false": "true",
    "no": "yes",
    "n": "y",
    "negative": "positive",
    "neg": "pos",
}
"""What goes with names of negative classes."""


def sort_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Return distinct class labels, numerically when all of them are numbers, else as text."""
    distinct = sorted(set(labels))
    numbers = {label: _number(label) for label in distinct}
    if any(number is None for number in numbers.values()):
        return tuple(distinct)
    return tuple(sorted(distinct, key=lambda label: (numbers[label] or 0.0, label)))


def positive_class(labels: Iterable[str], by_scores: Callable[[], str | None] = lambda: None) -> str | None:
    """Return the class that "positive" most likely means: a telling name, else what scores tell, else the last.

    Where all are negative, it is the class that has not been seen yet. 1 is a telling name beside 0, not beside 2.

    Args:
        labels: The classes.
        by_scores: Returns the class that scores are the probability of; asked only where names do not tell.
    """
    ordered = sort_labels(labels)
    if len(ordered) == 1 and (unseen := COUNTERPARTS.get(ordered[0].strip().lower())) is not None:
        return unseen
    by_name = {label.strip().lower(): label for label in ordered}
    named = next((by_name[name] for name in POSITIVE_NAMES if name in by_name), None)
    if len(ordered) == 2 and (named is None or (_number(named) is not None and named == ordered[0])):
        named = by_scores() or named
    return named or (ordered[-1] if ordered else None)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Labelled predictions by class."""

    labels: tuple[str, ...]
    counts: NDArray[np.int64]
    """Shape (k, k): rows true, columns predicted."""

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[str, str, int]]) -> Confusion:
        """Sum rows of (true label, predicted label, count) in any order and with repeats.

        Rows may count negative where they take back others; pairs that come to nothing leave no class behind.
        """
        cells: Counter[tuple[str, str]] = Counter()
        for true, predicted, n in rows:
            cells[true, predicted] += n
        kept = +cells
        labels = sort_labels(label for pair in kept for label in pair)
        place = {label: index for index, label in enumerate(labels)}
        counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
        for (true, predicted), n in kept.items():
            counts[place[true], place[predicted]] = n
        return cls(labels, counts)

    def __add__(self, other: Confusion) -> Confusion:
        """Merge two disjoint sets of predictions."""
        return Confusion.from_rows([*self.rows(), *other.rows()])

    def rows(self) -> list[tuple[str, str, int]]:
        """Return the non-empty cells as (true label, predicted label, count)."""
        return [
            (self.labels[i], self.labels[j], int(self.counts[i, j])) for i, j in np.argwhere(self.counts > 0)
        ]

    @property
    def n(self) -> int:
        """Number of labelled predictions."""
        return int(self.counts.sum())

    def cells(self, positive: str) -> tuple[int, int, int, int]:
        """Return (tp, fp, fn, tn) of one class against the rest."""
        if positive not in self.labels:
            return 0, 0, 0, self.n
        k = self.labels.index(positive)
        tp = int(self.counts[k, k])
        fp = int(self.counts[:, k].sum()) - tp
        fn = int(self.counts[k].sum()) - tp
        return tp, fp, fn, self.n - tp - fp - fn


@dataclass(frozen=True, slots=True)
class Margins:
    """What the class metrics need of a table, as shares of all predictions; shape (k,) each."""

    true: FloatArray
    predicted: FloatArray
    agreed: FloatArray
    """The diagonal."""

    @classmethod
    def of(cls, counts: Counts) -> Margins:
        """Return the margins of a table that is not empty."""
        n = counts.sum()
        return cls(counts.sum(axis=1) / n, counts.sum(axis=0) / n, np.diag(counts) / n)


@dataclass(frozen=True, slots=True)
class Gradient:
    """Derivative of a metric by each cell's share: row[i] + column[j] + diagonal[i]·(i = j).

    It is meant up to a constant. All class metrics have this form, so their variance needs no matrix.
    """

    row: FloatArray
    column: FloatArray
    diagonal: FloatArray

    def dense(self) -> FloatArray:
        """Return the derivative of every cell, shape (k, k)."""
        return np.asarray(self.row[:, None] + self.column[None, :] + np.diag(self.diagonal))

    def variance(self, margins: Margins, product: float) -> float:
        """Return the variance of the derivative over cells.

        Args:
            margins: Of the table.
            product: Σ share[i, j]·row[i]·column[j].
        """
        both = self.row + self.column
        mean = margins.true @ self.row + margins.predicted @ self.column + margins.agreed @ self.diagonal
        square = margins.true @ self.row**2 + margins.predicted @ self.column**2 + 2 * product
        square += margins.agreed @ (2 * self.diagonal * both + self.diagonal**2)
        return max(0.0, float(square - mean**2))


def delta(metric: Metric, counts: Counts, lowest: float = 0.0) -> Estimate:
    """Return a metric with its multinomial delta-method interval, cut to [lowest, 1].

    The variance is taken at a table with 2/k more in each cell of the classes that occur (four in all for two
    classes, after Agresti & Coull 1998), because a small table without errors is not a certain one.
    Source: Bishop, Fienberg & Holland 1975, Discrete Multivariate Analysis, section 14.6.

    Args:
        metric: One of this module's metrics.
        counts: Confusion counts, shape (k, k), not all zero.
        lowest: The least value that the metric can take.
    """
    k, n = len(counts), float(counts.sum())
    margins = Margins.of(counts)
    value, _ = metric(margins)
    present = margins.true > 0
    more = 2.0 * float(present.sum())
    smooth = Margins(
        (margins.true * n + 2.0 * present) / (n + more),
        (margins.predicted * n + more / k) / (n + more),
        (margins.agreed * n + 2.0 / k * present) / (n + more),
    )
    _, gradient = metric(smooth)
    product = float(gradient.row @ counts @ gradient.column)
    product += 2.0 / k * float(gradient.row[present].sum()) * float(gradient.column.sum())
    variance = gradient.variance(smooth, product / (n + more)) / (n + more)
    interval = intervals.normal(value, variance, lowest=lowest, highest=1.0)
    return estimate(value, int(n), interval, "delta method")


def mcc(margins: Margins) -> tuple[float, Gradient]:
    """Return Matthews' correlation (Gorodkin's R_K for k > 2) and its gradient.

    Needs two classes both in the labels and in the predictions.
    Source: Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006.
    """
    true, predicted = margins.true, margins.predicted
    spread_predicted, spread_true = 1 - float(predicted @ predicted), 1 - float(true @ true)
    scale = math.sqrt(spread_true * spread_predicted)
    value = (float(margins.agreed.sum()) - float(true @ predicted)) / scale
    row = value * true / spread_true - predicted / scale
    column = value * predicted / spread_predicted - true / scale
    return value, Gradient(row, column, np.full(len(true), 1 / scale))


def kappa(margins: Margins) -> tuple[float, Gradient]:
    """Return Cohen's kappa and its gradient. Needs two classes in labels and predictions together.

    Source: Fleiss, Cohen & Everitt 1969, doi:10.1037/h0028106.
    """
    agreed, chance = float(margins.agreed.sum()), float(margins.true @ margins.predicted)
    by_chance = -(1 - agreed) / (1 - chance) ** 2
    diagonal = np.full(len(margins.true), 1 / (1 - chance))
    gradient = Gradient(by_chance * margins.predicted, by_chance * margins.true, diagonal)
    return (agreed - chance) / (1 - chance), gradient


def balanced_accuracy(margins: Margins) -> tuple[float, Gradient]:
    """Return the mean recall over the classes that occur in the labels, and its gradient."""
    present = margins.true > 0
    safe = np.where(present, margins.true, 1.0)
    recall = margins.agreed / safe
    weight = present / present.sum()
    return float(weight @ recall), Gradient(-recall * weight / safe, np.zeros(len(safe)), weight / safe)


def macro_precision(margins: Margins) -> tuple[float, Gradient]:
    """Return the mean precision over the classes that occur in labels or predictions, and its gradient.

    That of a class that is never predicted is 0, as scikit-learn's `precision_score` has it.
    """
    occurs = margins.true + margins.predicted > 0
    weight = occurs / np.count_nonzero(occurs)
    safe = np.where(margins.predicted > 0, margins.predicted, 1.0)
    precision = margins.agreed / safe
    return float(weight @ precision), Gradient(np.zeros(len(safe)), -precision * weight / safe, weight / safe)


def macro_f1(margins: Margins) -> tuple[float, Gradient]:
    """Return the mean F1 over the classes that occur in labels or predictions, and its gradient."""
    size = margins.true + margins.predicted
    return _f1_average(margins, (size > 0) / np.count_nonzero(size))


def weighted_f1(margins: Margins) -> tuple[float, Gradient]:
    """Return the F1 averaged with the classes' shares of the labels, and its gradient."""
    value, gradient = _f1_average(margins, margins.true)
    return value, Gradient(gradient.row + _f1(margins), gradient.column, gradient.diagonal)


def _f1_average(margins: Margins, weight: FloatArray) -> tuple[float, Gradient]:
    """Return Σ weight·F1 and its gradient with the weights held fixed."""
    size = margins.true + margins.predicted
    scale = weight / np.where(size > 0, size, 1.0)
    f1 = _f1(margins)
    return float(weight @ f1), Gradient(-scale * f1, -scale * f1, 2 * scale)


def _f1(margins: Margins) -> FloatArray:
    """Return each class's F1; 0 for a class that never occurs."""
    size = margins.true + margins.predicted
    return np.asarray(2 * margins.agreed / np.where(size > 0, size, 1.0))


def _number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
