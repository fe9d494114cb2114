"""The search over combinations of two segments, against pandas, SciPy and statistics of many repetitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlwatch.metrics.segment_pairs import cell_sums, search

ROWS = 20_000


def drawn(seed: int, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Return parts of four columns of five, and losses of one in ten anywhere."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 5, (4, rows)), (rng.uniform(size=rows) < 0.1).astype(float)


def test_sums_equal_groups_of_pandas_and_add_up() -> None:
    parts, losses = drawn(1)
    whole = cell_sums(parts, losses, 5)
    frame = pd.DataFrame({"b": parts[1], "d": parts[3], "loss": losses})
    expected = frame.groupby(["b", "d"]).loss.agg(["size", "sum"])
    assert (
        whole[0, 4].ravel().tolist() == expected["size"].tolist()
    )  # (1, 3) is the fifth pair of four columns
    assert whole[1, 4].ravel().tolist() == expected["sum"].tolist()
    halves = [
        cell_sums(parts[:, chosen], losses[chosen], 5) for chosen in (slice(0, 7000), slice(7000, None))
    ]
    np.testing.assert_array_equal(sum(halves), whole)


def test_only_the_combination_is_found_not_what_one_column_explains() -> None:
    parts, losses = drawn(2)
    rng = np.random.default_rng(3)
    alone, both = parts[0] == 4, (parts[1] == 2) & (parts[3] == 0)
    losses[alone] = rng.uniform(size=alone.sum()) < 0.3
    losses[both] = rng.uniform(size=both.sum()) < 0.6
    (found,) = search(4, cell_sums(parts, losses, 5), None, proportion=True)
    assert (found.columns, found.parts, found.losses.n) == ((1, 3), (2, 0), both.sum())
    assert found.found.difference == pytest.approx(losses[both].mean() - losses[~both].mean())
    assert found.found.low < found.found.difference < found.found.high
    assert found.found.excess == pytest.approx(found.found.difference * both.sum())


def test_a_baseline_with_the_same_weakness_is_no_finding() -> None:
    parts, losses = drawn(4)
    other, before = drawn(5)
    for rows, loss in ((parts, losses), (other, before)):
        loss[(rows[0] == 1) & (rows[2] == 1)] = 1.0
    both = (parts[1] == 3) & (parts[2] == 3)
    losses[both] = np.random.default_rng(6).uniform(size=both.sum()) < 0.5
    (found,) = search(4, cell_sums(parts, losses, 5), cell_sums(other, before, 5), proportion=True)
    there = (other[1] == 3) & (other[2] == 3)
    assert (found.columns, found.parts) == ((1, 2), (3, 3))
    assert found.found.difference == pytest.approx(losses[both].mean() - before[there].mean())


def test_the_p_is_the_largest_of_four_tests() -> None:
    parts, _ = drawn(7)
    losses = np.random.default_rng(8).gamma(2.0, size=ROWS)
    one, other = parts[0] == 1, parts[1] == 1
    losses[one & other] *= 1.2
    (found,) = search(2, cell_sums(parts[:2], losses, 5), None, proportion=False)
    sides = [losses[chosen] for chosen in (one & other, one & ~other, ~one & other, ~one & ~other)]
    rests = ~(one & other), one & ~other, ~one & other
    welch = [stats.ttest_ind(sides[0], losses[rest], equal_var=False).pvalue for rest in rests]
    gap = sides[0].mean() - sides[1].mean() - sides[2].mean() + sides[3].mean()
    error = np.sqrt(sum(side.var(ddof=1) / len(side) for side in sides))
    expected = max(*welch, 2 * stats.norm.sf(gap / error))
    assert np.log(found.found.p) == pytest.approx(np.log(expected), rel=0.02)  # z for t
    assert found.found.q == pytest.approx(25 * found.found.p)


def test_nothing_is_found_where_nothing_is() -> None:
    """All hypotheses true: a finding in at most one set of twenty."""
    found = 0
    for seed in range(200):
        parts, losses = drawn(100 + seed, 3000)
        found += bool(search(4, cell_sums(parts, losses, 5), None, proportion=True))
    assert found <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)


def test_small_cells_say_nothing() -> None:
    parts, losses = drawn(9, 200)
    assert search(4, cell_sums(parts, np.ones_like(losses), 5), None, proportion=True) == []
