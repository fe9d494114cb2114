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
Metric = Callable[[Counts], tuple[float, FloatArray]]

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


def sort_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Return distinct class labels, numerically when all of them are numbers, else as text."""
    distinct = sorted(set(labels))
    numbers = {label: _number(label) for label in distinct}
    if any(number is None for number in numbers.values()):
        return tuple(distinct)
    return tuple(sorted(distinct, key=lambda label: (numbers[label] or 0.0, label)))


def positive_class(labels: Iterable[str]) -> str | None:
    """Return the class that "positive" most likely means: a telling name, else the last in order."""
    ordered = sort_labels(labels)
    by_name = {label.strip().lower(): label for label in ordered}
    for name in POSITIVE_NAMES:
        if name in by_name:
            return by_name[name]
    return ordered[-1] if ordered else None


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


def delta(metric: Metric, counts: Counts, lowest: float = 0.0) -> Estimate:
    """Return a metric with its multinomial delta-method interval, cut to [lowest, 1].

    The variance is taken at a table with 2/k more in each cell of the classes that occur (four in all for two
    classes, after Agresti & Coull 1998), because a small table without errors is not a certain one.
    Source: Bishop, Fienberg & Holland 1975, Discrete Multivariate Analysis, section 14.6.

    Args:
        metric: Gives the value and its derivative by each cell's share, shape (k, k), up to a constant.
        counts: Confusion counts, shape (k, k), not all zero.
        lowest: The least value that the metric can take.
    """
    n = int(counts.sum())
    value, _ = metric(counts)
    smooth = counts + 2 / len(counts) * (counts.sum(axis=1) > 0)[:, None]
    _, gradient = metric(smooth)
    shares = smooth / smooth.sum()
    centred = gradient - float((shares * gradient).sum())
    variance = float((shares * centred**2).sum()) / float(smooth.sum())
    return estimate(value, n, intervals.normal(value, variance, lowest=lowest, highest=1.0), "delta method")


def mcc(counts: Counts) -> tuple[float, FloatArray]:
    """Return Matthews' correlation (Gorodkin's R_K for k > 2) and its gradient.

    Needs two classes both in the labels and in the predictions.
    Source: Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006.
    """
    shares, true, predicted = _margins(counts)
    top = float(np.trace(shares)) - float(true @ predicted)
    spread_predicted, spread_true = 1 - float(predicted @ predicted), 1 - float(true @ true)
    scale = math.sqrt(spread_true * spread_predicted)
    value = top / scale
    by_top = np.eye(len(true)) - true[None, :] - predicted[:, None]
    by_spread = predicted[None, :] / spread_predicted + true[:, None] / spread_true
    return value, by_top / scale + value * by_spread


def kappa(counts: Counts) -> tuple[float, FloatArray]:
    """Return Cohen's kappa and its gradient. Needs two classes in labels and predictions together.

    Source: Fleiss, Cohen & Everitt 1969, doi:10.1037/h0028106.
    """
    shares, true, predicted = _margins(counts)
    agreed, chance = float(np.trace(shares)), float(true @ predicted)
    by_chance = true[None, :] + predicted[:, None]
    gradient = np.eye(len(true)) / (1 - chance) - by_chance * (1 - agreed) / (1 - chance) ** 2
    return (agreed - chance) / (1 - chance), gradient


def balanced_accuracy(counts: Counts) -> tuple[float, FloatArray]:
    """Return the mean recall over the classes that occur in the labels, and its gradient."""
    shares, true, _ = _margins(counts)
    present = true > 0
    safe = np.where(present, true, 1.0)
    recall = np.diag(shares) / safe
    weight = present / present.sum()
    gradient = (np.eye(len(true)) - recall[:, None]) * (weight / safe)[:, None]
    return float(weight @ recall), gradient


def macro_f1(counts: Counts) -> tuple[float, FloatArray]:
    """Return the mean F1 over the classes that occur in labels or predictions, and its gradient."""
    shares, true, predicted = _margins(counts)
    size = true + predicted
    weight = (size > 0) / np.count_nonzero(size)
    return _f1_average(shares, size, weight)


def weighted_f1(counts: Counts) -> tuple[float, FloatArray]:
    """Return the F1 averaged with the classes' shares of the labels, and its gradient."""
    shares, true, predicted = _margins(counts)
    value, gradient = _f1_average(shares, true + predicted, true)
    return value, gradient + _f1(shares, true + predicted)[:, None]


def _f1_average(shares: FloatArray, size: FloatArray, weight: FloatArray) -> tuple[float, FloatArray]:
    """Return Σ weight·F1 and its gradient with the weights held fixed."""
    f1 = _f1(shares, size)
    scale = weight / np.where(size > 0, size, 1.0)
    gradient = 2 * np.diag(scale) - (scale * f1)[:, None] - (scale * f1)[None, :]
    return float(weight @ f1), gradient


def _f1(shares: FloatArray, size: FloatArray) -> FloatArray:
    """Return each class's F1; 0 for a class that never occurs."""
    return np.asarray(2 * np.diag(shares) / np.where(size > 0, size, 1.0))


def _margins(counts: Counts) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the cells' shares, the true margin and the predicted margin."""
    shares = counts / counts.sum()
    return shares, shares.sum(axis=1), shares.sum(axis=0)


def _number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
