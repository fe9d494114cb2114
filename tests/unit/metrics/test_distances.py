from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from mlwatch.metrics import distances

COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=30).filter(
    lambda rows: sum(row[0] for row in rows) > 0 and sum(row[1] for row in rows) > 0
)


def sides(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    one, two = np.array(rows, dtype=float).T
    return one, two


@given(COUNTS)
def test_jensen_shannon_equals_scipys(rows: list[tuple[int, int]]) -> None:
    one, two = sides(rows)
    found = distances.jensen_shannon(one / one.sum(), two / two.sum())
    assert found == pytest.approx(float(jensenshannon(one, two, base=2)), abs=1e-7)


@given(COUNTS)
def test_hellinger_and_total_variation_keep_their_inequality(rows: list[tuple[int, int]]) -> None:
    p, q = (side / side.sum() for side in sides(rows))
    h, tv = distances.hellinger(p, q), distances.total_variation(p, q)
    assert h * h - 1e-12 <= tv <= np.sqrt(2) * h + 1e-12


def test_hellinger_and_total_variation_of_known_pairs() -> None:
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    overlap = np.sqrt(0.125) + 0.5
    assert distances.hellinger(p, q) == pytest.approx(np.sqrt(1 - overlap), abs=1e-12)
    assert distances.total_variation(p, q) == pytest.approx(0.25)


@given(COUNTS)
def test_chi_square_equals_scipys(rows: list[tuple[int, int]]) -> None:
    one, two = sides([row for row in rows if sum(row)])
    statistic, p = distances.chi_square(one, two)
    if len(one) < 2:
        assert np.isnan([statistic, p]).all()
        return
    expected = stats.chi2_contingency(np.array([one, two]), correction=False)
    assert statistic == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
    assert p == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-12)


def test_psi_is_the_symmetric_divergence() -> None:
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])
    expected = stats.entropy(p, q) + stats.entropy(q, p)
    assert distances.psi(p, q) == pytest.approx(float(expected), abs=1e-12)


def test_psi_takes_an_empty_bin_for_one_in_ten_thousand() -> None:
    p, q = np.array([1.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.0])
    expected = -0.5 * np.log(0.5) + (0.5 - 1e-4) * np.log(0.5 / 1e-4)
    assert distances.psi(p, q) == pytest.approx(float(expected), abs=1e-12)


def test_kolmogorov_smirnov_of_singletons_equals_scipys() -> None:
    rng = np.random.default_rng(0)
    for n, m, shift in [(300, 200, 0.1), (1000, 1000, 0.05), (5000, 400, 0.0)]:
        one, two = rng.integers(0, 90, n), rng.integers(0, 90, m) + int(90 * shift)
        expected = stats.ks_2samp(one, two, method="asymp")
        found = distances.kolmogorov_smirnov(
            np.bincount(one, minlength=120).astype(float), np.bincount(two, minlength=120).astype(float)
        )
        assert found[0] == pytest.approx(expected.statistic, abs=1e-12)
        assert found[1] == pytest.approx(expected.pvalue, rel=0.05, abs=1e-4)


def test_wasserstein_equals_scipys_on_weighted_values() -> None:
    rng = np.random.default_rng(1)
    values, one, two = np.sort(rng.normal(size=40)), rng.integers(0, 50, 40), rng.integers(0, 50, 40)
    expected = stats.wasserstein_distance(values, values, one, two)
    assert distances.wasserstein(values, one.astype(float), two.astype(float)) == pytest.approx(
        expected, abs=1e-12
    )


def test_an_empty_side_has_no_order_statistics() -> None:
    empty, full = np.zeros(3), np.ones(3)
    assert np.isnan(distances.kolmogorov_smirnov(empty, full)).all()
    assert np.isnan(distances.wasserstein(np.arange(3.0), full, empty))


def test_bin_values_are_means_where_known_and_edges_outside() -> None:
    assert distances.bin_values([0.0, 2.0, 10.0]).tolist() == [0.0, 1.0, 6.0, 10.0]
    assert distances.bin_values([0.0, 2.0, 10.0], [0.5, np.nan]).tolist() == [0.0, 0.5, 6.0, 10.0]


def test_nothing_is_told_of_an_empty_side() -> None:
    empty, full = np.array([0.0]), np.array([100.0])
    for one, two in ((empty, full), (full, empty)):
        with np.errstate(divide="ignore", invalid="ignore"):
            assert np.isnan(distances.wasserstein(np.array([3.0]), one, two))
