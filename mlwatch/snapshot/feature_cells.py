"""The rows of features by bin, laid out in one table of all features and bins."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from mlwatch.snapshot.read import Table

    IntArray = NDArray[np.int64]
    FloatArray = NDArray[np.float64]


class Cells:
    """Feature rows, with a place for each feature and each bin that they are of.

    Args:
        rows: Feature rows.
    """

    def __init__(self, rows: Table) -> None:
        self.rows = rows
        feature, code = rows["feature"], rows["bin"]
        first = int(feature.min(initial=0))
        self.numbers: IntArray = np.flatnonzero(np.bincount(feature - first)) + first
        """The features, ascending."""
        self.lowest = int(code.min(initial=0))
        """Code of the first bin."""
        self.highest = int(code.max(initial=0))
        self.shape = (len(self.numbers), self.highest + 1 - self.lowest)
        # numbers of features lie close to each other: looking them up is several times as fast as searching
        place = np.zeros(int(feature.max(initial=0)) + 1 - first, dtype=np.int64)
        place[self.numbers - first] = np.arange(len(self.numbers))
        self.feature: IntArray = place.take(feature - first)
        """Which of the features each row is of, shape (rows,)."""
        self._place = self.feature * self.shape[1] + (code - self.lowest)

    def summed(self, weights: NDArray[np.generic] | None = None, at: IntArray | None = None) -> FloatArray:
        """Return sums over rows by feature and bin, shape (features, bins).

        Args:
            weights: What each row has; None counts the rows.
            at: Of these rows alone.
        """
        place = self._place if at is None else self._place.take(at)
        found = np.bincount(place, weights, self.shape[0] * self.shape[1])
        return found.astype(float, copy=False).reshape(self.shape)

    @cached_property
    def n(self) -> FloatArray:
        """Counted rows by feature and bin."""
        return self.summed(self.rows["n"])

    def marked(self, numbers: Collection[int]) -> NDArray[np.bool_]:
        """Tell which of the features are among some, shape (features,)."""
        return np.array([number in numbers for number in self.numbers.tolist()], dtype=bool)
