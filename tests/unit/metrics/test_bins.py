from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.metrics import bins
from mlwatch.metrics.bins import edges_from_quantiles, numeric_bin, numeric_bin_sql

if TYPE_CHECKING:
    from collections.abc import Callable

QS = np.linspace(0, 1, bins.MAX_BINS + 1)
SAMPLES = {
    "normal": np.random.default_rng(0).normal(size=5000),
    "spike": np.where(
        np.random.default_rng(1).random(5000) < 0.4, 0.0, np.random.default_rng(2).lognormal(0, 2, 5000)
    ),
    "binary": np.array([0.0, 1.0] * 50),
    "few": np.random.default_rng(3).choice([0.1, 0.2, 0.30000000000000004, 7.0], 1000),
    "constant": np.full(9, 3.7),
    "whole": np.random.default_rng(4).poisson(400, 5000).astype(float),
    "huge": np.random.default_rng(5).normal(size=2000) * 1e300,
    "none": np.empty(0),
}


def edges_of(name: str) -> np.ndarray:
    sample = SAMPLES[name]
    return edges_from_quantiles(np.quantile(sample, QS, method="inverted_cdf") if len(sample) else sample)


@pytest.mark.parametrize("name", list(SAMPLES))
def test_sql_bins_equal_numpys(name: str, sql_column: Callable[[str, np.ndarray], list[Any]]) -> None:
    edges = edges_of(name)
    near = np.concatenate([edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)])
    values = np.concatenate([SAMPLES[name], near, [np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1e308]])
    np.testing.assert_array_equal(sql_column(numeric_bin_sql("x", edges), values), numeric_bin(values, edges))


def test_sql_bin_of_null_is_missing() -> None:
    query = f"SELECT {numeric_bin_sql('x', [0.0, 1.0])} FROM (SELECT NULL::DOUBLE AS x)"
    assert duckdb.connect().execute(query).fetchall() == [(bins.MISSING,)]


def test_sql_depth_grows_with_the_logarithm_of_the_bins() -> None:
    sql = numeric_bin_sql("x", np.linspace(0, 1, bins.MAX_BINS + 1))
    depth = deepest = 0
    for word in sql.split():
        depth += (word == "CASE") - (word == "END")
        deepest = max(deepest, depth)
    assert deepest <= 9


def test_codes_follow_numpys_histogram() -> None:
    sample, edges = SAMPLES["normal"], edges_of("normal")
    counts = np.bincount(numeric_bin(sample, edges), minlength=len(edges) + 1)
    np.testing.assert_array_equal(counts[1:-1], np.histogram(sample, edges)[0])
    assert counts[0] == counts[-1] == 0
    outside = [sample.min() - 1, sample.max(), sample.max() + 1]
    assert numeric_bin(outside, edges).tolist() == [0, bins.MAX_BINS, bins.MAX_BINS + 1]


def test_bins_hold_at_most_a_little_over_two_per_cent() -> None:
    sample, edges = SAMPLES["normal"], edges_of("normal")
    assert np.bincount(numeric_bin(sample, edges)).max() <= 0.0203 * len(sample)


@pytest.mark.parametrize("name", ["binary", "few"])
def test_few_distinct_values_get_a_bin_each(name: str) -> None:
    sample, edges = SAMPLES[name], edges_of(name)
    assert len(np.unique(numeric_bin(sample, edges))) == len(np.unique(sample)) == len(edges) - 1


def test_a_spike_gets_a_bin_of_its_own() -> None:
    sample, edges = SAMPLES["spike"], edges_of("spike")
    codes = numeric_bin(sample, edges)
    spike = numeric_bin([0.0], edges)[0]
    np.testing.assert_array_equal(codes == spike, sample == 0.0)
    assert len(edges) <= bins.MAX_BINS + 2


def test_a_constant_has_one_bin() -> None:
    edges = edges_of("constant")
    assert edges.tolist() == [3.7, 3.7]
    assert numeric_bin([3.6, 3.7, 3.8], edges).tolist() == [0, 1, 2]


def test_a_reference_without_values_puts_every_number_out_of_range() -> None:
    assert len(edges_from_quantiles([np.nan, np.inf])) == 0
    assert numeric_bin([1.0, np.nan], []).tolist() == [0, bins.MISSING]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_edges_hold_the_whole_reference(values: list[float]) -> None:
    edges = edges_from_quantiles(np.quantile(values, QS, method="inverted_cdf"))
    codes = numeric_bin(values, edges)
    assert np.all((codes >= 1) & (codes <= len(edges) - 1))
    assert np.all(np.diff(edges) >= 0)
    assert 2 <= len(edges) <= bins.MAX_BINS + 1
