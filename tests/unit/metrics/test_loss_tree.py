from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from mlwatch.metrics import loss_tree
from mlwatch.metrics.loss_tree import Split, grow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlwatch.metrics.loss_tree import Tree


def leaves_of(tree: Tree, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the leaf of each row, from left to right."""
    found = np.zeros(len(codes), dtype=np.int64)

    def fill(node: Tree, rows: NDArray[np.int64], first: int) -> int:
        if node is None:
            found[rows] = first
            return first + 1
        yes = np.isin(codes[rows, node.column], node.codes)
        return fill(node.other, rows[~yes], fill(node.then, rows[yes], first))

    fill(tree, np.arange(len(codes)), 0)
    return found


def means(leaf: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row's leaf."""
    mean: NDArray[np.float64] = np.bincount(leaf, values) / np.bincount(leaf)
    return mean[leaf]


def sample(rows: int = 6_000) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(3)
    codes = rng.integers(-1, 20, (rows, 4))
    scale = 1 + codes[:, 0] ** 2 / 40 + 9 * (codes[:, 1] > 12) * (codes[:, 2] < 5)
    return codes, np.round(rng.uniform(0, scale) / 20 * loss_tree.STEPS)


def test_it_is_the_tree_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_tree, "CLIPPED", 1.0)
    codes, losses = sample()
    losses[0] = (
        losses.max() if losses.max() == loss_tree.STEPS else loss_tree.STEPS
    )  # nothing is rounded then
    least = max(loss_tree.LEAST_ROWS, int(len(codes) * loss_tree.LEAST_SHARE))
    for most in (2, 5, 12):
        tree = grow(codes, [True] * 4, losses, most)
        theirs = DecisionTreeRegressor(max_leaf_nodes=most, min_samples_leaf=least).fit(codes, losses)
        leaf = leaves_of(tree, codes)
        assert leaf.max() == most - 1
        assert means(leaf, losses) == pytest.approx(theirs.predict(codes), rel=1e-9)


def test_categories_are_parted_as_well_as_can_be() -> None:
    rng = np.random.default_rng(8)
    codes = rng.integers(-1, 7, (4_000, 1))
    losses = rng.uniform(0, np.array([3, 1, 4, 1, 5, 9, 2, 6])[codes[:, 0] + 1])
    tree = grow(codes, [False], losses, 2)
    assert isinstance(tree, Split)

    def left(some: tuple[int, ...]) -> float:
        leaf = np.isin(codes[:, 0], some).astype(np.int64)
        return float(((losses - means(leaf, losses)) ** 2).sum())

    every = range(-1, 7)
    parted = min(chain.from_iterable(combinations(every, size) for size in range(1, 8)), key=left)
    assert set(tree.codes) in ({*parted}, {*every} - {*parted})


def test_the_order_of_rows_makes_no_difference() -> None:
    codes, losses = sample()
    order = np.random.default_rng(1).permutation(len(codes))
    scaled = losses * 0.1 + 1e-3
    tree = grow(codes, [True, True, False, False], scaled)
    assert isinstance(tree, Split)
    assert grow(codes[order], [True, True, False, False], scaled[order]) == tree


def test_one_enormous_error_cuts_nothing() -> None:
    codes, losses = sample()
    losses[17] = 1e140
    assert leaves_of(grow(codes, [True] * 4, losses), codes).max() > 5


@pytest.mark.parametrize(
    "losses", [np.random.default_rng(4).exponential(size=5_000), np.ones(5_000), np.zeros(5_000)]
)
def test_what_tells_nothing_makes_no_tree(losses: NDArray[np.float64]) -> None:
    codes = np.random.default_rng(5).integers(-1, 50, (5_000, 20))
    assert grow(codes, [True] * 20, losses) is None


def test_too_few_rows_make_none() -> None:
    codes = np.arange(99).reshape(-1, 1)
    assert grow(codes, [True], codes[:, 0].astype(float)) is None
    assert grow(np.zeros((0, 3)), [True] * 3, []) is None
