from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from mlwatch.metrics.regression import METRICS, RegressionSums, regression

FLOATS = st.floats(-1e4, 1e4).map(lambda x: round(x, 3))


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    label = rng.gamma(2, 30, 3000)
    return label, label * 1.1 + rng.standard_t(5, 3000) * 9


def test_values_equal_scikit_learns(rows: tuple[np.ndarray, np.ndarray]) -> None:
    label, prediction = rows
    found = regression(RegressionSums.from_rows(label, prediction))
    assert tuple(found) == METRICS
    assert found["mae"].value == pytest.approx(sk.mean_absolute_error(label, prediction), abs=1e-9)
    assert found["rmse"].value == pytest.approx(sk.root_mean_squared_error(label, prediction), abs=1e-9)
    assert found["mape"].value == pytest.approx(
        sk.mean_absolute_percentage_error(label, prediction), abs=1e-9
    )
    assert found["r2"].value == pytest.approx(sk.r2_score(label, prediction), abs=1e-9)
    assert found["bias"].value == pytest.approx(float(np.mean(prediction - label)), abs=1e-9)


@pytest.mark.parametrize("name", ["mae", "rmse", "mape", "bias"])
def test_widths_agree_with_the_bootstrap(rows: tuple[np.ndarray, np.ndarray], name: str) -> None:
    label, prediction = rows
    rng = np.random.default_rng(1)
    values = []
    for _ in range(600):
        draw = rng.integers(0, len(label), len(label))
        values.append(regression(RegressionSums.from_rows(label[draw], prediction[draw]))[name].value or 0.0)
    found = regression(RegressionSums.from_rows(label, prediction))[name]
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(float(np.std(values)), rel=0.12)


def test_zero_labels_are_left_out_of_mape() -> None:
    found = regression(RegressionSums.from_rows([0.0, 2.0, 4.0], [1.0, 3.0, 2.0]))
    assert found["mape"].value == pytest.approx(0.5)
    assert found["mape"].n == 2
    assert regression(RegressionSums.from_rows([0.0, 0.0], [1.0, 2.0]))["mape"].reason == "every label is 0"


def test_no_labels_and_equal_labels_say_why() -> None:
    assert {estimate.reason for estimate in regression(RegressionSums()).values()} == {"no labels yet"}
    constant = regression(RegressionSums.from_rows([5.1] * 7, np.arange(7)))
    assert constant["r2"].reason == "the labels do not vary"
    assert constant["mae"].value is not None
    assert regression(RegressionSums.from_rows([5.0], [4.0]))["r2"].reason == "R² needs two labels"


def test_r2_interval_holds_the_value_also_below_zero() -> None:
    rng = np.random.default_rng(2)
    label = rng.normal(size=200)
    found = regression(RegressionSums.from_rows(label, rng.normal(size=200)))["r2"]
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.value < 0


def test_interval_of_rmse_without_fourth_powers_takes_errors_as_normal() -> None:
    rng = np.random.default_rng(4)
    full = RegressionSums.from_rows(np.zeros(5000) + 3, rng.normal(size=5000) + 3)
    reduced = RegressionSums(
        full.n, full.sum_error, full.sum_abs, full.sum_sq, full.sum_label, full.sum_label_sq
    )
    one, two = regression(full)["rmse"], regression(reduced)["rmse"]
    assert one.low == pytest.approx(two.low, rel=0.01)
    assert two.method == "delta method, errors taken as normal"


@given(st.lists(st.tuples(FLOATS, FLOATS, st.integers(0, 2)), min_size=1, max_size=40))
def test_any_partition_gives_the_same(rows: list[tuple[float, float, int]]) -> None:
    label, prediction, part = (np.array(column) for column in zip(*rows, strict=True))
    merged = RegressionSums(sum_fourth=0.0, sum_ape_sq=0.0)
    for which in range(3):
        merged += RegressionSums.from_rows(label[part == which], prediction[part == which])
    whole = RegressionSums.from_rows(label, prediction)
    for name in ("mae", "rmse", "mape", "bias"):
        one, two = regression(merged)[name], regression(whole)[name]
        assert one.reason == two.reason
        assert one.value is None or one.value == pytest.approx(two.value, rel=1e-9, abs=1e-9)
