from __future__ import annotations

import pytest
from scipy import stats

from mlwatch.metrics.quality import feature_counts, rate_change, stuck


def test_numeric_cells_are_counted_by_what_they_held() -> None:
    found = feature_counts("numeric", [-1, -2, 0, 1, 2, 3, -1], [5, 2, 1, 40, 40, 7, 5], inner_bins=2)
    assert (found.n, found.missing, found.invalid, found.unseen, found.out_of_range) == (100, 10, 2, 0, 8)
    expected = stats.binomtest(10, 100).proportion_ci(method="wilson")
    assert found.missing_rate.value == 0.1
    assert (found.missing_rate.low, found.missing_rate.high) == pytest.approx((expected.low, expected.high))


def test_categorical_cells_have_no_range() -> None:
    found = feature_counts("categorical", [-3, 0, 1, 2], [4, 50, 30, 16])
    assert (found.n, found.unseen, found.out_of_range) == (100, 4, 0)


def test_no_rows_says_so() -> None:
    found = feature_counts("numeric", [], [], inner_bins=3)
    assert found.n == 0
    assert found.missing_rate.reason == "no rows yet"


def test_stuck_needs_one_bin_enough_rows_and_a_reference_that_varies() -> None:
    assert stuck([-1, 4], [3, 200], [1, 2, 3, 4])
    assert not stuck([3, 4], [1, 200], [1, 2, 3, 4])
    assert not stuck([4], [10], [1, 2, 3, 4])
    assert not stuck([1], [200], [-1, 1])
    assert not stuck([-1], [200], [1, 2])
    assert feature_counts("categorical", [0], [99], reference_codes=[0, 1]).stuck


def test_rate_change_equals_newcombes_published_example() -> None:
    # Newcombe 1998, table II, case (a): 56/70 against 48/80, method 10 gives 0.0524 to 0.3339.
    found = rate_change((48, 80), (56, 70))
    assert found is not None
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_a_change_counts_by_size_and_certainty() -> None:
    risen, level = rate_change((100, 10_000), (600, 10_000)), rate_change((100, 10_000), (110, 10_000))
    few = rate_change((100, 10_000), (0, 10))
    assert risen is not None
    assert level is not None
    assert few is not None
    assert risen.beyond(0.02)
    assert not level.beyond(0.02)
    assert not few.beyond(0.02)
    assert rate_change((0, 0), (1, 2)) is None
