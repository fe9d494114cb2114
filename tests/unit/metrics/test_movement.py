"""Mean and median of binned numbers against NumPy's of the raw ones."""

from __future__ import annotations

import numpy as np
import pytest

from mlwatch.metrics.bins import edges_from_quantiles, numeric_bin
from mlwatch.metrics.movement import center


@pytest.mark.parametrize("spread", [0.01, 1.0, 1e6])
def test_the_mean_is_exact_and_the_median_within_its_bin(spread: float) -> None:
    rng = np.random.default_rng(4)
    values = rng.gamma(2, spread, 20_000)
    edges = edges_from_quantiles(np.quantile(rng.gamma(2, spread, 20_000), np.linspace(0, 1, 51)))
    codes, place = np.unique(numeric_bin(values, edges), return_inverse=True)
    counts, totals = np.bincount(place), np.bincount(place, weights=values)
    found = center(codes, counts, totals, edges)
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.median == pytest.approx(np.median(values), rel=0.02)


def test_missing_values_do_not_count_and_nothing_has_no_center() -> None:
    found = center([-1, 1], [50, 10], [0, 30], [2, 4])
    assert (found.mean, found.median) == (3.0, 3.0)
    assert center([-1], [50], [0], [2, 4]).mean is None
    assert center([], [], [], []).median is None


def test_the_median_of_a_frequent_value_is_that_value() -> None:
    edges = [0.0, float(np.nextafter(0.0, 1.0)), 3.0]
    assert center([1, 2], [80, 20], [0, 30], edges).median == 0.0


def test_a_constant_is_its_median() -> None:
    assert center([1], [9], [45], [5, 5]).median == 5.0


def test_of_a_median_beyond_the_edges_only_the_side_is_known() -> None:
    above = center([2], [9], [90], [5, 6])
    assert (above.mean, above.median, above.above, above.below) == (10.0, None, 6.0, None)
    below = center([0, 1], [9, 8], [18, 44], [5, 6])
    assert (below.median, below.above, below.below) == (None, None, 5.0)
    assert center([2], [9], [54], [5, 5]) == center([2, 2], [4, 5], [24, 30], [5, 5])
    assert center([2], [9], [54], [5, 5]).above == 5.0, "a constant of 5 became 6"


@pytest.mark.parametrize("values", [[33] * 9, [30, 34] * 5, [39, 37, 35, 37], [31, 33, 35, 37, 39]])
def test_within_a_bin_the_median_lies_around_the_mean_of_what_is_there(values: list[int]) -> None:
    found = center([1], [len(values)], [sum(values)], [30, 40])
    assert found.median == pytest.approx(np.median(values))


def test_what_lies_in_other_bins_moves_the_median_within_its_own() -> None:
    low, high = [5] * 40, [31, 33, 35, 37, 39] * 20
    found = center([1, 2], [40, 100], [sum(low), sum(high)], [0, 30, 40])
    assert found.median == pytest.approx(np.median([*low, *high]), abs=1)
