"""Where a regression errs more: a small regression tree of its losses, learnt from labelled rows.

Its leaves are groups of predictions that are wrong by about as much. Predictions are counted by leaf without their
labels, and these counts add up, so that the losses to be expected follow from rollups; see `loss_estimation`. Growth is
that of CART (Breiman et al., Classification and Regression Trees, 1984), best leaf first, over columns that are binned
already; the categories of a column are put in order of their mean loss, which finds the best of all their partitions
(Fisher, JASA 53, 1958, DOI 10.1080/01621459.1958.10501479). A leaf is parted only where that pays by the Bayesian
information criterion.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.metrics.bins import IntArray

    SmallIntArray = NDArray[np.int32]

FloatArray = NDArray[np.float64]

MOST_LEAVES = 64
LEAST_ROWS = 50
LEAST_SHARE = 1 / 150
"""A leaf holds at least so many of the rows, and at least so large a share of them."""
CLIPPED = 0.999
"""Losses beyond this quantile count as that: one enormous error does not cut the tree."""
STEPS = 1 << 16
"""Losses are rounded to so many steps: their sums are exact then, and the tree is the same in any order of the rows."""


@dataclass(frozen=True, slots=True)
class Split:
    """A question about one column."""

    column: int
    codes: tuple[int, ...]
    """Bins of which rows go to `then`."""
    then: Tree
    other: Tree


Tree: TypeAlias = Split | None
"""None is a leaf."""


@dataclass(eq=False, slots=True)
class _Node:
    """A leaf while the tree grows: its rows, and how they are best parted."""

    rows: IntArray
    best: tuple[float, int, tuple[int, ...]] | None = None
    """Gain, column, codes."""
    parts: tuple[_Node, _Node] | None = None


def grow(codes: ArrayLike, ordered: Sequence[bool], losses: ArrayLike, most: int = MOST_LEAVES) -> Tree:
    """Return a tree of the losses; None where no question tells anything.

    Args:
        codes: Bins of each row by column, shape (n, k), from −1 (missing) up.
        ordered: Whether the bins of a column have an order; shape (k,).
        losses: How wrong each row is, shape (n,), finite.
        most: Leaves at most.
    """
    bins, loss = np.asarray(codes, dtype=np.int32) + 1, np.asarray(losses, dtype=float)
    if not bins.size:
        return None
    largest = float(np.quantile(loss, CLIPPED))
    if largest > 0:
        loss = np.rint(np.minimum(loss, largest) / largest * STEPS)
    growth = _Growth(bins, list(ordered), loss)
    root = _Node(np.arange(len(loss)))
    number, waiting = count(), list[tuple[float, int, _Node]]()

    def look_at(node: _Node) -> None:
        node.best = growth.best(node.rows)
        if node.best is not None:
            heapq.heappush(waiting, (-node.best[0], next(number), node))

    look_at(root)
    leaves = 1
    while waiting and leaves < most:
        node = heapq.heappop(waiting)[2]
        node.parts = growth.part(node)
        for part in node.parts:
            look_at(part)
        leaves += 1
    return _tree(root)


def _tree(node: _Node) -> Tree:
    if node.parts is None or node.best is None:
        return None
    _, column, codes = node.best
    return Split(column, codes, _tree(node.parts[0]), _tree(node.parts[1]))


class _Growth:
    """The rows that a tree grows on; bins are from 0 up here."""

    def __init__(self, bins: SmallIntArray, ordered: Sequence[bool], losses: FloatArray) -> None:
        self._bins, self._ordered, self._losses = bins, ordered, losses
        self._sizes = bins.max(axis=0) + 1
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)])
        self._flat = bins + self._starts[:-1].astype(np.int32)
        self._least = max(LEAST_ROWS, int(len(losses) * LEAST_SHARE))
        self._price = 2 * math.log(max(2, len(losses)))
        """What two further parameters, a mean and a place to cut, cost in units of the variance."""

    def best(self, rows: IntArray) -> tuple[float, int, tuple[int, ...]] | None:
        """Return by how much the best question reduces the squared error, its column, and the codes that say yes."""
        if len(rows) < 2 * self._least:
            return None
        losses, flat = self._losses[rows], self._flat[rows].ravel()
        n = np.bincount(flat, minlength=self._starts[-1]).astype(np.int64)
        each = np.repeat(losses, self._bins.shape[1])
        total = np.bincount(flat, weights=each, minlength=self._starts[-1]).astype(float)
        found = (self._question(column, n, total) for column in range(len(self._sizes)))
        gain, column, codes = max(found, key=lambda one: one[0])
        variance = float(losses @ losses / len(rows) - losses.mean() ** 2)
        return (gain, column, codes) if gain > self._price * variance > 0 else None

    def _question(self, column: int, n: IntArray, total: FloatArray) -> tuple[float, int, tuple[int, ...]]:
        inside = slice(self._starts[column], self._starts[column + 1])
        (place,) = np.nonzero(n[inside])
        counts, sums = n[inside][place], total[inside][place]
        if not self._ordered[column]:
            order = np.argsort(sums / counts, kind="stable")
            place, counts, sums = place[order], counts[order], sums[order]
        left, below = np.cumsum(counts)[:-1], np.cumsum(sums)[:-1]
        every, whole = int(counts.sum()), float(sums.sum())
        fits = (left >= self._least) & (every - left >= self._least)
        if not fits.any():
            return 0.0, column, ()
        gains = below**2 / left + (whole - below) ** 2 / (every - left) - whole**2 / every
        at = int(np.argmax(np.where(fits, gains, -math.inf)))
        return float(gains[at]), column, tuple(sorted((place[: at + 1] - 1).tolist()))

    def part(self, node: _Node) -> tuple[_Node, _Node]:
        """Return the rows that say yes, and the others."""
        if node.best is None:
            raise AssertionError("only what can be parted waits")
        _, column, codes = node.best
        yes = np.isin(self._bins[node.rows, column] - 1, codes)
        return _Node(node.rows[yes]), _Node(node.rows[~yes])
