"""How rows of strata become totals: their sum, or the running sums after each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.metrics.rollout_types import Counts, FloatArray


class Fold:
    """The sum over rows (first axis)."""

    def sum(self, values: Counts) -> FloatArray:
        """Sum over rows."""
        if values.shape[0] == 1:  # one more minute, live: nothing to sum
            return np.asarray(values[0], dtype=float)
        return np.asarray(values.sum(axis=0, dtype=float))

    def blocks(self, rows: int, size: int) -> Iterator[slice]:
        """Yield runs of rows that are folded in turn, to stay in the cache; one without any rows."""
        for start in range(0, max(rows, 1), size):
            yield slice(start, start + size)

    def outer(self, counts: Counts, basis: FloatArray) -> FloatArray:
        """Sum counts (rows, ...) times basis (rows, k) over rows: shape (..., k)."""
        total: FloatArray = counts.T @ basis
        return total

    def peak(self, values: FloatArray) -> FloatArray:
        """Return the largest value over rows, −inf without any."""
        return values[0] if values.shape[0] == 1 else np.asarray(values.max(axis=0, initial=-np.inf))


class RunningFold(Fold):
    """The totals after each row, on a leading time axis."""

    def sum(self, values: Counts) -> FloatArray:
        """Sum up to each row."""
        running: FloatArray = np.cumsum(values, axis=0, dtype=float)
        return running

    def blocks(self, rows: int, size: int) -> Iterator[slice]:
        """Yield all rows at once."""
        yield slice(0, max(rows, size))

    def outer(self, counts: Counts, basis: FloatArray) -> FloatArray:
        """Sum the products up to each row."""
        rows, k = basis.shape
        return self.sum(counts[..., None] * basis.reshape(rows, *(1,) * (counts.ndim - 1), k))

    def peak(self, values: FloatArray) -> FloatArray:
        """Return the largest value up to each row."""
        return np.maximum.accumulate(values, axis=0)


def above_edges(counts: Counts) -> FloatArray:
    """Return how many values of each row lie above each bin edge, shape (rows, bins + 1)."""
    above = np.zeros((counts.shape[0], counts.shape[1] + 1))
    np.cumsum(counts[:, ::-1], axis=1, out=above[:, -2::-1])
    return above
