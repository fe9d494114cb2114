"""Bins that are looked up by cells are those that comparisons with edge after edge give."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.metrics.bin_cells import cells_of
from mlwatch.metrics.bins import MISSING, edges_from_quantiles, numeric_bin
from mlwatch.store.bin_cells import lay_out
from mlwatch.store.feature_rollup import FeatureBins, Requests, feature_sql

RANDOM = np.random.default_rng(5)
NORMAL = RANDOM.normal(size=5000)
SAMPLES = {
    "normal": NORMAL,
    "narrow and far from zero": 1.7e9 + 40 * RANDOM.random(5000),
    "whole numbers": RANDOM.integers(-300, 200, 5000).astype(float),
    "spikes": np.where(RANDOM.random(5000) < 0.4, 0.0, RANDOM.lognormal(0, 1, 5000)),
    "outliers": np.concatenate([NORMAL, [-1e300, 1e308]]),
    "tiny": 1e-300 * NORMAL,
}
CROWDED = {
    "all in one place but some": np.concatenate([1e-9 * NORMAL, RANDOM.normal(0, 1, 1000)]),
    "as wide as numbers go": 1.7e308 * np.linspace(-1, 1, 5000),
    "subnormal": 5e-324 * RANDOM.integers(0, 200, 5000),
    "few": RANDOM.integers(0, 9, 5000).astype(float),
    "constant": np.full(5000, 3.0),
}


def edges_for(sample: np.ndarray) -> tuple[float, ...]:
    quantiles = np.quantile(sample, np.linspace(0, 1, 51), method="inverted_cdf")
    return tuple(edges_from_quantiles(quantiles).tolist())


def counted(edges: tuple[float, ...], values: np.ndarray) -> dict[int, int]:
    """Count values, and one that is missing, as the store does."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE looked (f DOUBLE, invalid VARCHAR, failed BOOLEAN)")
        connection.execute("INSERT INTO looked SELECT unnest(?::DOUBLE[]), NULL, FALSE", [values.tolist()])
        connection.execute("INSERT INTO looked VALUES (NULL, NULL, FALSE), (NULL, '|3|', FALSE)")
        others = FeatureBins(4, "g", "numeric", tuple(float(i) for i in range(40)))
        feature, _ = lay_out(connection, [FeatureBins(3, "f", "numeric", edges), others])
        sql = feature_sql(Requests("looked", who="0", quarter="0"), feature)
        return dict(connection.execute(f"SELECT bin, n FROM ({sql})").fetchall())


def expected(edges: tuple[float, ...], values: np.ndarray) -> dict[int, int]:
    codes, counts = np.unique(numeric_bin([*values, np.nan], edges), return_counts=True)
    return {-2: 1, **dict(zip(codes.tolist(), counts.tolist(), strict=True))}


def around(edges: tuple[float, ...]) -> np.ndarray:
    odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1.7976931348623157e308, 1.7976931348623157e308]
    with np.errstate(over="ignore"):
        return np.concatenate([edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), odd])


@pytest.mark.parametrize("name", [*SAMPLES, *CROWDED])
def test_a_value_has_the_same_bin_by_its_cell(name: str) -> None:
    sample = {**SAMPLES, **CROWDED}[name]
    edges = edges_for(sample)
    with np.errstate(over="ignore"):
        values = np.concatenate([sample, 3 * sample, around(edges)])
    assert counted(edges, values) == expected(edges, values)
    assert (cells_of(edges) is None) == (name in CROWDED)


def test_a_table_without_a_value_is_all_missing() -> None:
    assert counted(edges_for(NORMAL), np.array([])) == {MISSING: 1, -2: 1}


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=16, max_size=60, unique=True),
    st.lists(st.floats(), max_size=50),
)
def test_whatever_the_edges(edges: list[float], values: list[float]) -> None:
    ordered = tuple(sorted(edges))
    given_values = np.concatenate([np.array(values, dtype=float), around(ordered)])
    assert counted(ordered, given_values) == expected(ordered, given_values)


def test_every_cell_is_in_one_run() -> None:
    cells = cells_of(edges_for(NORMAL))
    assert cells is not None
    assert all(run.stop == after.first for run, after in zip(cells.runs, cells.runs[1:], strict=False))
    assert (cells.runs[0].first, cells.runs[-1].stop) == (-1, 4098)
