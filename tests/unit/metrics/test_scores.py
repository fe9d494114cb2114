from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.metrics import scores
from mlwatch.metrics.scores import ScoreHistogram, score_bin, score_bin_sql

if TYPE_CHECKING:
    from collections.abc import Callable

UNEASY = [
    0.0,
    -0.0,
    1.0,
    0.5,
    1e-12,
    1 - 1e-12,
    1 + 1e-12,
    -1e-300,
    1e300,
    np.inf,
    -np.inf,
    5e-324,
    2.0,
    -2.0,
]


def test_sql_bins_equal_numpys(sql_column: Callable[[str, np.ndarray], list[Any]]) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [
            rng.random(40_000),
            10 ** rng.uniform(-12, 0, 20_000),
            rng.normal(0, 50, 20_000),
            np.arange(1001) / 1000,
        ]
    )
    values = np.concatenate([values, UNEASY])
    np.testing.assert_array_equal(sql_column(score_bin_sql("x"), values), score_bin(values))


def test_sql_bin_of_nothing_is_null() -> None:
    query = f"SELECT {score_bin_sql('x')} FROM (VALUES (NULL::DOUBLE), ('nan'::DOUBLE)) t(x)"
    assert duckdb.connect().execute(query).fetchall() == [(None,), (None,)]
    assert score_bin([np.nan, 0.5]).tolist() == [scores.NO_BIN, 0]


def test_sql_takes_whole_and_decimal_numbers() -> None:
    query = f"SELECT {score_bin_sql('x')}, {score_bin_sql('y')} FROM (SELECT 1 AS x, 0.25::DECIMAL(9,2) AS y)"
    assert duckdb.connect().execute(query).fetchall() == [tuple(score_bin([1.0, 0.25]).tolist())]


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=50))
def test_bins_rise_with_the_score(values: list[float]) -> None:
    assert np.all(np.diff(score_bin(np.sort(values))) >= 0)


def test_values_lie_between_the_edges_of_their_bin() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.random(1000), -rng.lognormal(0, 3, 1000), 1 + rng.lognormal(0, 3, 1000)])
    low, high = scores.score_bin_edges(score_bin(values))
    middle = scores.score_bin_middle(score_bin(values))
    tolerance = 1e-9 * np.abs(values)
    assert np.all((values >= low - tolerance) & (values <= high + tolerance))
    assert np.all((low < middle) & (middle < high))


def test_missing_scores_are_left_out_and_infinite_ones_kept() -> None:
    histogram = ScoreHistogram.from_scores([True, False, True], [np.nan, 0.2, np.inf])
    assert histogram.n == 2
    assert not histogram.in_unit_interval
    assert np.isfinite(histogram.score_sum).all()


def test_a_corrected_label_moves_its_score_to_the_other_class() -> None:
    bins, n, sums = score_bin([0.3, 0.3, 0.3, 0.7]), [2, -1, 1, 1], [0.6, -0.3, 0.3, 0.7]
    found = ScoreHistogram.from_rows([True, True, False, True], bins, n, sums)
    expected = ScoreHistogram.from_scores([True, False, True], [0.3, 0.3, 0.7])
    np.testing.assert_array_equal(found.positive, expected.positive)
    np.testing.assert_array_equal(found.negative, expected.negative)
    np.testing.assert_allclose(found.score_sum, expected.score_sum)


def test_class_gap_is_zero_exactly_for_ties() -> None:
    tied = ScoreHistogram.from_scores([True] * 7 + [False] * 3, [0.1] * 10)
    assert tied.class_gap.tolist() == [0.0]
    apart = ScoreHistogram.from_scores([True, False], [0.5004, 0.5001])
    assert apart.class_gap == pytest.approx([0.0003])


@given(
    st.lists(st.tuples(st.booleans(), st.floats(-2, 2), st.integers(0, 3)), min_size=1, max_size=60),
)
def test_any_partition_and_order_gives_the_same(rows: list[tuple[bool, float, int]]) -> None:
    label, score, part = (np.array(column) for column in zip(*rows, strict=True))
    merged = ScoreHistogram.from_rows([], [], [])
    for which in (3, 1, 0, 2):
        merged += ScoreHistogram.from_scores(label[part == which], score[part == which])
    whole = ScoreHistogram.from_scores(label, score)
    np.testing.assert_array_equal(merged.bins, whole.bins)
    np.testing.assert_array_equal(merged.positive, whole.positive)
    np.testing.assert_array_equal(merged.negative, whole.negative)
    np.testing.assert_allclose(merged.score_sum, whole.score_sum, rtol=1e-12, atol=1e-12)
