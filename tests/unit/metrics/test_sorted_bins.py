"""Numbers that are sorted are cut and counted as the engine's quantiles and comparisons with each edge do."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.metrics.bins import numeric_bin
from mlwatch.metrics.sorted_bins import LARGEST, all_differ, count, cut
from mlwatch.store import cuts

RANDOM = np.random.default_rng(11)
ODD = [np.nan, np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1.7976931348623157e308, 1.7976931348623157e308]
SAMPLES = {
    "normal": RANDOM.normal(size=5000),
    "whole numbers": RANDOM.integers(-300, 200, 5000).astype(float),
    "spikes": np.where(RANDOM.random(5000) < 0.4, 0.0, RANDOM.lognormal(0, 1, 5000)),
    "outliers": np.concatenate([RANDOM.normal(size=500), [-1e300, 1e308]]),
    "as wide as numbers go": 1.7e308 * np.linspace(-1, 1, 5000),
    "subnormal": 5e-324 * RANDOM.integers(0, 200, 5000),
    "thirty": np.repeat(np.arange(30.0), 7),
    "thirty-one": np.repeat(np.arange(31.0), 7),
    "few": RANDOM.integers(0, 9, 5000).astype(float),
    "constant": np.full(50, 3.0),
    "one": np.array([2.5]),
    "odd": np.array(ODD),
}


def ascending(values: np.ndarray) -> np.ndarray:
    """Return a copy in order."""
    return np.sort(np.asarray(values, dtype=float))


def by_engine(values: np.ndarray) -> tuple[float, ...]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE given AS SELECT unnest(?::DOUBLE[]) AS f", [values.tolist()])
        return cuts.edges(connection, "given", ["f"]).get("f", ())


@pytest.mark.parametrize("name", SAMPLES)
def test_edges_are_those_of_the_engine(name: str) -> None:
    for values in (SAMPLES[name], np.concatenate([SAMPLES[name], ODD[:4]])):
        assert cut(ascending(values)) == by_engine(values)


@pytest.mark.parametrize("rows", [*range(31, 60), 99, 100, 101, 149, 151, 1237])
def test_edges_are_those_of_the_engine_however_many_rows_there_are(rows: int) -> None:
    values = RANDOM.normal(size=rows)
    assert cut(ascending(values)) == by_engine(values)


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf, -np.inf]])
def test_without_a_finite_number_there_are_no_bins(values: list[float]) -> None:
    assert cut(ascending(np.array(values))) == ()


def assert_counted(values: np.ndarray, edges: tuple[float, ...], block: int) -> None:
    codes = numeric_bin(values, edges)
    summed = np.where(np.abs(values) < LARGEST, values, 0.0)
    found = count(values.copy(), edges, block)
    assert found.codes.tolist() == np.unique(codes).tolist()
    for code, n, total in zip(*found, strict=True):
        there = codes == code
        assert n == there.sum()
        expected = summed[there].sum()
        assert total == pytest.approx(expected, rel=1e-12, abs=1e-12 * np.abs(summed[there]).sum())


@pytest.mark.parametrize("block", [1, 7, 1 << 16])
@pytest.mark.parametrize("name", SAMPLES)
def test_counts_are_those_of_comparing_with_each_edge(name: str, block: int) -> None:
    edges = cut(ascending(SAMPLES[name]))
    with np.errstate(over="ignore"):
        around = [edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)]
        values = np.concatenate([*around, ODD, SAMPLES[name][:300], 3 * SAMPLES[name][:300]])
    RANDOM.shuffle(values)
    assert_counted(np.nan_to_num(values, nan=np.nan, posinf=np.inf, neginf=-np.inf), edges, block)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=60),
    st.lists(st.floats(), max_size=50),
    st.integers(1, 60),
)
def test_counts_are_those_of_comparing_whatever_the_edges(
    edges: list[float], values: list[float], block: int
) -> None:
    assert_counted(np.array(values), tuple(sorted(edges)), block)


def test_an_empty_column_has_no_counts() -> None:
    assert [len(column) for column in count(np.array([]), (0.0, 1.0))] == [0, 0, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], True),
        ([1.0], True),
        ([1.0, 2.0, np.nan], True),
        ([1.0, np.nan, np.nan], False),
        ([1.0, 1.0, 2.0], False),
        ([-0.0, 0.0], False),
        ([-np.inf, 0.0, np.inf], True),
        ([np.inf, np.inf], False),
    ],
)
def test_whether_all_differ(values: list[float], *, expected: bool) -> None:
    assert all_differ(ascending(np.array(values))) is expected
