"""The rows of features by bin, laid out in one table of all features and bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlwatch.snapshot.read import Table

    IntArray = NDArray[np.int64]
    FloatArray = NDArray[np.float64]


def place_of(numbers: IntArray, rows: Table) -> IntArray:
    """Return where the feature of each row is among some, and their number for those of others.

    Numbers of features lie close to each other: looking them up is several times as fast as searching.

    Args:
        numbers: The features, ascending.
        rows: Feature rows.

    Returns:
        Shape (rows,).
    """
    feature = rows["feature"]
    lowest, highest = int(feature.min(initial=0)), int(feature.max(initial=0))
    known = np.flatnonzero((numbers >= lowest) & (numbers <= highest))
    place = np.full(highest - lowest + 1, len(numbers), dtype=np.int64)
    place[numbers[known] - lowest] = known
    return place.take(feature - lowest)


class Cells:
    """A place for each feature and each bin that feature rows are of.

    Args:
        rows: Feature rows.
    """

    def __init__(self, rows: Table) -> None:
        feature, code = rows["feature"], rows["bin"]
        first = int(feature.min(initial=0))
        self.numbers: IntArray = np.flatnonzero(np.bincount(feature - first)) + first
        """The features, ascending."""
        self.lowest = int(code.min(initial=0))
        """Code of the first bin."""
        self.shape = (len(self.numbers), int(code.max(initial=0)) + 1 - self.lowest)
        self._place = place_of(self.numbers, rows) * self.shape[1] + (code - self.lowest)

    def summed(self, weights: NDArray[np.generic] | None = None) -> FloatArray:
        """Return the sum of what each row has, or the number of rows, shape (features, bins)."""
        found = np.bincount(self._place, weights, self.shape[0] * self.shape[1])
        return found.astype(float).reshape(self.shape)
