"""Distances of paired answers, and what they depend on, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlwatch.metrics.pair_gaps import explained, mean_limits
from mlwatch.metrics.sequential import normal_half_width, normal_rho


def groups(spread: float, seed: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(spread * place, 1.0, size) for place, size in enumerate((40, 200, 90))]


def sums(values: list[np.ndarray]) -> tuple[list[int], list[float], list[float]]:
    return [len(v) for v in values], [v.sum() for v in values], [(v * v).sum() for v in values]


@pytest.mark.parametrize("spread", [0.0, 0.2, 2.0])
def test_p_is_that_of_one_way_analysis_of_variance(spread: float) -> None:
    values = groups(spread)
    found = explained(*sums(values))
    assert found is not None
    assert found.p == pytest.approx(stats.f_oneway(*values).pvalue, rel=1e-6)


def test_share_is_the_squared_association_less_chance() -> None:
    """Of gaps of 0 and 1, η² is Cramér's V² of the table, and ε² is (η² − c)/(1 − c) with c = (k − 1)/(n − 1)."""
    table = np.array([[300, 20], [150, 60], [80, 5]])
    found = explained(table.sum(axis=1), table[:, 1], table[:, 1])
    squared = stats.contingency.association(table, method="cramer") ** 2
    chance = 2 / (table.sum() - 1)
    assert found is not None
    assert found.share == pytest.approx(1 - (1 - squared) * (table.sum() - 1) / (table.sum() - 3), rel=1e-9)
    assert found.share == pytest.approx((squared - chance) / (1 - chance), rel=1e-9)


def test_chance_explains_nothing() -> None:
    shares = [explained(*sums(groups(0.0, seed))) for seed in range(200)]
    assert np.mean([found.share for found in shares if found]) < 0.006  # η² averages (k − 1)/(n − 1) = 0.006


@pytest.mark.parametrize(
    ("n", "total", "squares"),
    [
        ([50, 0], [3.0, 0.0], [3.0, 0.0]),
        ([5, 6], [0.0, 0.0], [0.0, 0.0]),
        ([4, 4], [4.0, 4.0], [4.0, 4.0]),
        ([], [], []),
    ],
)
def test_nothing_is_said_without_two_groups_and_a_difference(
    n: list[int], total: list[float], squares: list[float]
) -> None:
    assert explained(n, total, squares) is None


def test_groups_that_part_everything_explain_all() -> None:
    found = explained([50, 50], [0.0, 50.0], [0.0, 50.0])
    assert found is not None
    assert (found.share, found.p) == (1.0, 0.0)


def test_limits_of_a_mean_are_the_confidence_sequence() -> None:
    low, high = mean_limits(2_000, 0.3, 4.0, 0.05, 5_000)
    half = normal_half_width(8_000.0, normal_rho(20_000.0)) / 2_000
    assert low == pytest.approx(0.3 - half)
    assert high == pytest.approx(0.3 + half)
    assert half > stats.norm.ppf(0.95) * 2 / np.sqrt(2_000)  # watching costs width
    assert mean_limits(29, 0.3, 4.0, 0.05, 5_000) == (None, None)
    assert mean_limits(100, 0.0, 0.0, 0.05, 5_000) == (0.0, 0.0)


def test_limits_of_a_mean_hold_while_one_watches() -> None:
    rng = np.random.default_rng(5)
    missed = 0
    for _ in range(200):
        x = rng.normal(0.0, 1.0, 4_000)
        looks = [x[:n] for n in range(100, 4_001, 100)]
        missed += any((mean_limits(len(v), v.mean(), v.var(ddof=1), 0.05, 5_000)[0] or -1) > 0 for v in looks)
    assert missed <= 0.05 * 200
