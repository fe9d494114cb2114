from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlwatch.metrics import latency
from mlwatch.metrics.latency import LatencyHistogram, latency_bin, latency_bin_sql

if TYPE_CHECKING:
    from collections.abc import Callable

QS = np.array([0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0])
UNEASY = [0.0, -3.0, 1e-12, 1e-9, 0.5, 1.0, 1.0101, 3e9, 1e15, 1e300, np.inf, -np.inf, 5e-324]


@pytest.mark.parametrize("n", [1, 2, 3, 17, 1000, 100_000])
@pytest.mark.parametrize("shape", ["lognormal", "uniform", "spikes", "tiny"])
def test_quantiles_are_within_one_per_cent_of_numpys(n: int, shape: str) -> None:
    rng = np.random.default_rng(n)
    values = {
        "lognormal": rng.lognormal(3, 1.5, n),
        "uniform": rng.uniform(1, 2, n),
        "spikes": rng.choice([1.0, 100.0, 5000.0], n),
        "tiny": rng.exponential(1e-4, n),
    }[shape]
    histogram = LatencyHistogram.from_values(values)
    found = latency.quantiles(histogram.bins, histogram.counts, QS)
    np.testing.assert_allclose(found, np.quantile(values, QS), rtol=0.01 + 1e-9)


def test_sql_bins_equal_numpys(sql_column: Callable[[str, np.ndarray], list[Any]]) -> None:
    values = np.concatenate([np.random.default_rng(0).lognormal(2, 4, 50_000), UNEASY])
    np.testing.assert_array_equal(sql_column(latency_bin_sql("x"), values), latency_bin(values))


def test_sql_bin_of_nothing_is_null() -> None:
    query = f"SELECT {latency_bin_sql('x')} FROM (VALUES (NULL::DOUBLE), ('nan'::DOUBLE)) t(x)"
    assert duckdb.connect().execute(query).fetchall() == [(None,), (None,)]
    assert latency_bin([np.nan])[0] == latency.NO_BIN


def test_sql_takes_whole_and_decimal_numbers() -> None:
    source = "(SELECT 12::INTEGER AS x, 12.5::DECIMAL(9,2) AS y)"
    query = f"SELECT {latency_bin_sql('x')}, {latency_bin_sql('y')} FROM {source}"
    assert duckdb.connect().execute(query).fetchall() == [tuple(latency_bin([12.0, 12.5]).tolist())]


def test_every_value_lies_in_its_bin_within_one_per_cent_of_its_representative() -> None:
    values = np.random.default_rng(1).lognormal(0, 5, 10_000)
    bins = latency_bin(values)
    low, high = latency.bin_edges(bins)
    assert np.all((values > low * (1 - 1e-12)) & (values <= high * (1 + 1e-12)))
    assert np.all(np.abs(latency.bin_values(bins) / values - 1) <= 0.01 + 1e-9)


def test_zero_and_negative_values_share_a_bin_of_their_own() -> None:
    histogram = LatencyHistogram.from_values([0.0, -5.0, 10.0])
    assert histogram.bins[0] == latency.ZERO_BIN
    assert histogram.counts.tolist() == [2, 1]
    assert latency.quantile_estimates(histogram, (0.0,))[0].value == 0.0


def test_mean_and_maximum_are_exact() -> None:
    values = np.random.default_rng(2).gamma(2, 10, 5000)
    histogram = LatencyHistogram.from_values(values)
    assert latency.mean(histogram).value == pytest.approx(values.mean(), abs=1e-9)
    assert latency.quantile_estimates(histogram, (1.0,))[0].value == values.max()
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    found = latency.mean(histogram)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=2e-3)


def test_quantile_interval_equals_scipys_order_statistics() -> None:
    values = np.random.default_rng(3).lognormal(3, 1, 500)
    for q in (0.5, 0.9, 0.95):
        expected = stats.quantile_test(values, q=0, p=q).confidence_interval(0.95)
        (found,) = latency.quantile_estimates(LatencyHistogram.from_values(values), (q,))
        ends = tuple(np.asarray(expected, dtype=float))
        assert (found.low, found.high) == pytest.approx(ends, rel=0.011)


def test_quantile_interval_of_a_large_sample_covers_the_truth() -> None:
    truth = stats.lognorm(1.0).ppf(0.99)
    hits = 0
    for seed in range(200):
        values = np.random.default_rng(seed).lognormal(0, 1.0, 5000)
        (found,) = latency.quantile_estimates(LatencyHistogram.from_values(values), (0.99,))
        assert found.low is not None
        assert found.high is not None
        hits += found.low * 0.99 <= truth <= found.high * 1.01
    assert hits >= 185


def test_twenty_values_leave_the_upper_end_of_the_99th_percentile_open() -> None:
    (found,) = latency.quantile_estimates(LatencyHistogram.from_values(np.arange(1, 21)), (0.99,))
    assert found.value is not None
    assert found.low is not None
    assert found.high is None


def test_apdex_follows_its_definition() -> None:
    histogram = LatencyHistogram.from_values([50.0] * 60 + [200.0] * 30 + [900.0] * 10)
    assert latency.apdex(histogram, 100.0).value == pytest.approx((60 + 30 / 2) / 100)
    assert latency.share_above(histogram, 100.0) == pytest.approx(0.4)


def test_no_latency_says_so() -> None:
    empty = LatencyHistogram.from_rows([], [])
    for found in (*latency.quantile_estimates(empty, (0.5,)), latency.mean(empty), latency.apdex(empty, 1.0)):
        assert found.reason == "no latency in the logs"
    assert np.isnan(latency.quantiles([], [], [0.5])).all()
    assert latency.share_above(empty, 1.0) is None


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 3)), min_size=1, max_size=60))
def test_any_partition_and_order_gives_the_same(rows: list[tuple[float, int]]) -> None:
    values, part = (np.array(column) for column in zip(*rows, strict=True))
    pieces = [LatencyHistogram.from_values(values[part == which]) for which in (2, 0, 3, 1)]
    merged = LatencyHistogram.from_rows(
        np.concatenate([piece.bins for piece in pieces]), np.concatenate([piece.counts for piece in pieces])
    )
    whole = LatencyHistogram.from_values(values)
    np.testing.assert_array_equal(merged.bins, whole.bins)
    np.testing.assert_array_equal(merged.counts, whole.counts)
