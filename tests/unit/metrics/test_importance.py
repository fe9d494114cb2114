"""Mutual information and Theil's U against scikit-learn, the correlation ratio against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy, f_oneway
from sklearn.metrics import mutual_info_score

from mlwatch.metrics.importance import correlation_ratio, importance, mutual_information

COUNTS = np.array([[400, 100, 0], [150, 300, 50], [10, 40, 900]])
CHANCE = 4 / (2 * COUNTS.sum())


def test_mutual_information_is_scikit_learns_less_what_chance_gives() -> None:
    assert mutual_information(COUNTS) == pytest.approx(
        mutual_info_score(None, None, contingency=COUNTS) - CHANCE
    )


def test_importance_is_the_share_of_the_labels_entropy() -> None:
    whole = entropy(COUNTS.sum(axis=0))
    assert importance(COUNTS) == pytest.approx(mutual_information(COUNTS) / whole)
    assert importance(np.diag([500, 500])) == pytest.approx(1.0, abs=1e-3)


def test_independent_variables_tell_nothing_of_each_other() -> None:
    random = np.random.default_rng(8)
    counts = random.multinomial(3_000, np.outer([0.3, 0.3, 0.4], [0.5, 0.5]).ravel()).reshape(3, 2)
    assert importance(counts) < 0.002
    assert mutual_info_score(None, None, contingency=counts) > 0


@pytest.mark.parametrize("counts", [[[5, 0], [7, 0]], [[0, 0]], [[3, 4]], [[-2, 5], [0, 0]]])
def test_one_label_or_one_part_tells_nothing(counts: list[list[int]]) -> None:
    assert importance(counts) == 0.0


def ratio_of(groups: list[np.ndarray]) -> float:
    sums = ([len(one), one.sum(), (one**2).sum()] for one in groups)
    counts, totals, squares = zip(*sums, strict=True)
    return correlation_ratio(counts, totals, squares)


@pytest.mark.parametrize("shift", [0.0, 0.3, 5.0])
def test_the_correlation_ratio_follows_from_the_f_of_scipy(shift: float) -> None:
    random = np.random.default_rng(4)
    groups = [random.normal(shift * at, 1.0, n) for at, n in enumerate((50, 400, 120, 7))]
    f, (k, n) = f_oneway(*groups).statistic, (4, 577)
    expected = max(0.0, (f - 1) * (k - 1) / ((k - 1) * f + n - k))
    assert ratio_of(groups) == pytest.approx(expected, rel=1e-9)


def test_what_does_not_vary_tells_nothing() -> None:
    assert ratio_of([np.full(9, 2.0), np.full(5, 2.0)]) == 0.0
    assert ratio_of([np.arange(9.0)]) == 0.0
    assert correlation_ratio([0, 0], [0, 0], [0, 0]) == 0.0
    assert ratio_of([np.full(9, 2.0), np.full(5, 3.0)]) == 1.0
    assert correlation_ratio([5, 5], [1e200, 1.0], [np.inf, 1.0]) == 0.0
    assert correlation_ratio([5, 5], [1e160, 1.0], [1e300, 1.0]) == 0.0
