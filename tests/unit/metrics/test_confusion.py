from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.metrics import confusion as table
from mlwatch.metrics.confusion import Confusion, positive_class, sort_labels

if TYPE_CHECKING:
    from collections.abc import Callable

CELLS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.integers(0, 9)), max_size=20)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "9", "-1", "2.5"], ("-1", "2.5", "9", "10")),
        (["b", "10", "9"], ("10", "9", "b")),
        (["1", "1.0", "0"], ("0", "1", "1.0")),
        (["nan", "1"], ("1", "nan")),
        ([], ()),
    ],
)
def test_labels_sort_as_numbers_only_if_all_are(labels: list[str], expected: tuple[str, ...]) -> None:
    assert sort_labels(labels) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["0", "1"], "1"),
        (["True", "False"], "True"),
        (["no", "YES"], "YES"),
        (["neg", "pos"], "pos"),
        (["legit", "fraud"], "fraud"),
        (["-1", "1"], "1"),
        (["1", "2"], "1"),
        (["a", "b"], "b"),
        ([], None),
    ],
)
def test_positive_class_is_a_telling_name_else_the_last(labels: list[str], expected: str | None) -> None:
    assert positive_class(labels) == expected


def value_of(name: str) -> Callable[[np.ndarray], float]:
    metric = getattr(table, name)
    return lambda counts: float(metric(table.Margins.of(counts))[0])


def test_a_corrected_label_leaves_no_trace() -> None:
    found = Confusion.from_rows([("typo", "a", 1), ("a", "a", 4), ("typo", "a", -1), ("b", "a", 1)])
    assert found.labels == ("a", "b")
    assert found.counts.tolist() == [[4, 0], [1, 0]]


def test_cells_of_a_class_against_the_rest() -> None:
    found = Confusion.from_rows([("a", "a", 5), ("a", "b", 2), ("b", "a", 3), ("c", "b", 1), ("c", "c", 4)])
    assert found.labels == ("a", "b", "c")
    assert found.cells("a") == (5, 3, 2, 5)
    assert found.cells("c") == (4, 0, 1, 10)
    assert found.cells("unknown") == (0, 0, 0, 15)


@given(CELLS, CELLS)
def test_merging_equals_counting_at_once(
    one: list[tuple[str, str, int]], two: list[tuple[str, str, int]]
) -> None:
    merged = Confusion.from_rows(one) + Confusion.from_rows(two)
    whole = Confusion.from_rows(one + two)
    assert merged.labels == whole.labels
    np.testing.assert_array_equal(merged.counts, whole.counts)


@pytest.mark.parametrize(
    "name", ["mcc", "kappa", "balanced_accuracy", "macro_precision", "macro_f1", "weighted_f1"]
)
@pytest.mark.parametrize("k", [2, 3, 5])
def test_gradients_equal_numerical_ones(name: str, k: int) -> None:
    counts = np.random.default_rng(k).integers(1, 60, (k, k)) + 50 * np.eye(k, dtype=int)
    metric = value_of(name)
    gradient = getattr(table, name)(table.Margins.of(counts))[1].dense()
    numeric = np.empty((k, k))
    step = 1e-4 * counts.sum()
    for cell in np.ndindex(k, k):
        shift = np.zeros((k, k))
        shift[cell] = step
        numeric[cell] = (metric(counts + shift) - metric(counts - shift)) / 2e-4
    # The gradient is meant up to a constant, since shares add up to one.
    shares = counts / counts.sum()
    centred = gradient - (shares * gradient).sum()
    np.testing.assert_allclose(centred, numeric, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["mcc", "kappa", "balanced_accuracy", "macro_precision", "macro_f1", "weighted_f1"]
)
def test_widths_agree_with_multinomial_draws(name: str) -> None:
    counts = np.array([[300, 40, 20], [30, 200, 35], [15, 10, 90]])
    metric = value_of(name)
    draws = np.random.default_rng(0).multinomial(counts.sum(), (counts / counts.sum()).ravel(), 3000)
    sd = float(np.std([metric(draw.reshape(3, 3)) for draw in draws]))
    found = table.delta(getattr(table, name), counts)
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(sd, rel=0.06)


def test_a_small_table_without_errors_is_not_certain() -> None:
    found = table.delta(table.mcc, np.array([[3, 0], [0, 3]]), lowest=-1.0)
    assert found.value == 1.0
    assert found.low is not None
    assert found.low < 0.6


@pytest.mark.parametrize(
    "name", ["mcc", "kappa", "balanced_accuracy", "macro_precision", "macro_f1", "weighted_f1"]
)
def test_variance_without_a_matrix_equals_the_dense_one(name: str) -> None:
    counts = np.random.default_rng(6).integers(0, 30, (7, 7))
    margins = table.Margins.of(counts)
    gradient = getattr(table, name)(margins)[1]
    shares = counts / counts.sum()
    product = float(gradient.row @ shares @ gradient.column)
    dense = gradient.dense()
    expected = (shares * dense**2).sum() - (shares * dense).sum() ** 2
    assert gradient.variance(margins, product) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["anomaly", "normal"], "anomaly"),
        (["1", "2"], "2"),
        (["legit", "fraud"], "fraud"),
        (["0", "1"], "1"),
        (["anomaly", "normal", "unsure"], "unsure"),
    ],
)
def test_scores_tell_the_positive_class_where_names_do_not(labels: list[str], expected: str) -> None:
    told = {"anomaly": "anomaly", "1": "2", "legit": "legit", "0": "0"}
    assert positive_class(labels, lambda: told[labels[0]]) == expected
    assert positive_class(["a", "b"], lambda: None) == "b"
