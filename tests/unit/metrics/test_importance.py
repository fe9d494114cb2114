"""Mutual information and Theil's U against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from mlwatch.metrics.importance import importance, mutual_information

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
