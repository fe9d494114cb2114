"""Combinations of two segments that do worse than either alone explains: a search over all pairs of columns.

The loss of a prediction is that of `mlwatch.metrics.segments`. What is counted are sums by cell, a cell being the
predictions in one part of each of two columns; sums of parts of the data add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.drift import benjamini_hochberg
from mlwatch.metrics.scipy_special import special
from mlwatch.metrics.segments import LEAST, SURE, Contrast, Losses, contrast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

METHOD = (
    "the largest p of z tests against the comparison, against what is left of either segment, and of the interaction, "
    "corrected for all pairs by Benjamini and Hochberg"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A combination that does worse."""

    columns: tuple[int, int]
    parts: tuple[int, int]
    losses: Losses
    found: Contrast


def cell_sums(parts: IntArray, losses: FloatArray, size: int) -> FloatArray:
    """Sum up losses by cell.

    Args:
        parts: Shape (columns, rows): which part of each column a prediction is in, from 0.
        losses: Shape (rows,).
        size: More than the largest part.

    Returns:
        Shape (3, pairs, size, size): number of predictions, Σ loss and Σ loss², the pairs in the order of
        `itertools.combinations`.
    """
    pairs = list(combinations(range(len(parts)), 2))
    found = np.zeros((3, len(pairs), size * size))
    for place, (one, other) in enumerate(pairs):
        code = parts[one] * size + parts[other]
        for measure, weights in enumerate((None, losses, losses * losses)):
            found[measure, place] = np.bincount(code, weights, minlength=size * size)
    return found.reshape(3, len(pairs), size, size)


def search(columns: int, mine: FloatArray, baseline: FloatArray | None, *, proportion: bool) -> list[Cell]:
    """Return the cells that do worse beyond chance, those with the most extra errors first.

    Without a baseline a cell has to do worse than all other predictions; with one, worse than the baseline's
    predictions in the same cell. Either way it also has to do so by more than what is left of either of its segments
    without it, and by more than both of these effects added up: what single columns explain is no finding about two.
    The p value is the largest of the four (intersection-union test, Berger 1982,
    doi:10.1080/00401706.1982.10487790), corrected over all cells that were looked at.

    Args:
        columns: How many columns the pairs are of.
        mine: Sums by cell, see `cell_sums`.
        baseline: The same of what it is compared with; None for the other predictions.
        proportion: Whether losses are 0 and 1.
    """
    cell = _Effect.of(mine, baseline, proportion=proportion)
    one, other, both = (cell.left_of(axes) for axes in ((3,), (2,), (2, 3)))
    neither = cell.left_of((2, 3), apart=True)
    gaps = [
        cell if baseline is not None else cell - both,
        cell - one,
        cell - other,
        (cell - one) - (other - neither),
    ]
    enough = np.logical_and.reduce([gap.enough for gap in gaps])
    if not enough.any():
        return []
    p = np.max([gap.p_higher() for gap in gaps], axis=0)[enough]
    q = benjamini_hochberg(p)
    pairs = list(combinations(range(columns), 2))
    cells = []
    for (pair, first, second), p_one, q_one in zip(
        np.argwhere(enough)[q <= SURE], p[q <= SURE], q[q <= SURE], strict=True
    ):
        losses = _losses(mine[:, pair, first, second], proportion=proportion)
        rest = mine[:, pair].sum(axis=(1, 2)) if baseline is None else baseline[:, pair, first, second]
        compared = _losses(rest, proportion=proportion)
        found = contrast(losses, compared - losses if baseline is None else compared)
        if found is not None:
            found = replace(found, p=float(p_one), q=float(q_one))
            cells.append(Cell(pairs[pair], (int(first), int(second)), losses, found))
    return sorted(cells, key=lambda cell: -cell.found.excess)


@dataclass(frozen=True, slots=True)
class _Effect:
    """Mean loss of many disjoint sets of predictions, or its change from a baseline, with its variance."""

    sums: FloatArray
    baseline: FloatArray | None
    proportion: bool
    mean: FloatArray
    variance: FloatArray
    enough: NDArray[np.bool_]

    @classmethod
    def of(cls, sums: FloatArray, baseline: FloatArray | None, *, proportion: bool) -> _Effect:
        mean, variance = _moments(sums, proportion=proportion)
        enough = sums[0] >= LEAST
        if baseline is not None:
            before, more = _moments(baseline, proportion=proportion)
            mean, variance = mean - before, variance + more
            enough = enough & (baseline[0] >= LEAST)
        return cls(sums, baseline, proportion, mean, variance, enough)

    def left_of(self, axes: tuple[int, ...], *, apart: bool = False) -> _Effect:
        """Return the same of what is left of the sums over some axes.

        Args:
            axes: Over which.
            apart: Leave out whatever shares a part with the cell, not the cell alone.
        """
        baseline = None if self.baseline is None else _left(self.baseline, axes, apart=apart)
        return _Effect.of(_left(self.sums, axes, apart=apart), baseline, proportion=self.proportion)

    def __sub__(self, other: _Effect) -> _Effect:
        enough = self.enough & other.enough
        return replace(
            self, mean=self.mean - other.mean, variance=self.variance + other.variance, enough=enough
        )

    def p_higher(self) -> FloatArray:
        """Return the two-sided p of being above 0; 1 where it is not."""
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(self.mean > 0, self.mean / np.sqrt(self.variance), 0.0)
        found: FloatArray = special.erfc(z / np.sqrt(2))
        return found


def _left(sums: FloatArray, axes: tuple[int, ...], *, apart: bool) -> FloatArray:
    left = sums.sum(axis=axes, keepdims=True) - sums
    if apart:
        left = left - (sums.sum(axis=3, keepdims=True) - sums) - (sums.sum(axis=2, keepdims=True) - sums)
    found: FloatArray = left
    return found


def _moments(sums: FloatArray, *, proportion: bool) -> tuple[FloatArray, FloatArray]:
    """Return the mean and its variance; a proportion's with half a success and half a failure more, never 0."""
    n, total, squares = sums
    safe = np.maximum(n, 2.0)
    mean = total / safe
    if proportion:
        share = (total + 0.5) / (safe + 1)
        return mean, share * (1 - share) / safe
    return mean, np.maximum(squares - total * mean, 0.0) / (safe - 1) / safe


def _losses(sums: FloatArray, *, proportion: bool) -> Losses:
    return Losses(int(sums[0]), float(sums[1]), float(sums[2]), proportion)
