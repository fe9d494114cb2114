from __future__ import annotations

import numpy as np
import pytest

from mlwatch.metrics.bins import edges_from_quantiles, numeric_bin
from mlwatch.metrics.loss_estimation import LossReference, regression


def sample(n: int, seed: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions and errors that grow with the prediction."""
    rng = np.random.default_rng(seed)
    prediction = rng.uniform(low, high, n)
    return prediction, rng.normal(0, 1 + prediction, n)


PREDICTIONS, ERRORS = sample(50_000, 0, 0.0, 10.0)
EDGES = edges_from_quantiles(np.quantile(PREDICTIONS, np.linspace(0, 1, 101), method="inverted_cdf"))
REFERENCE = LossReference.from_rows(numeric_bin(PREDICTIONS, EDGES), ERRORS)


@pytest.mark.parametrize(("low", "high"), [(0.0, 10.0), (7.0, 10.0), (0.0, 1.0)])
def test_bands_hold_the_realised_losses_as_predictions_move(low: float, high: float) -> None:
    prediction, error = sample(5000, 1, low, high)
    codes, counts = np.unique(numeric_bin(prediction, EDGES), return_counts=True)
    found = regression(REFERENCE, codes, counts)
    for name, value in {"mae": np.abs(error).mean(), "rmse": np.sqrt((error**2).mean())}.items():
        band = found[name]
        assert band.low is not None
        assert band.high is not None
        assert band.low < value < band.high
        assert band.high - band.low < 0.2 * value


def test_the_reference_itself_gives_its_own_losses() -> None:
    codes, counts = np.unique(numeric_bin(PREDICTIONS, EDGES), return_counts=True)
    found = regression(REFERENCE, codes, counts)
    assert found["mae"].value == pytest.approx(np.abs(ERRORS).mean(), abs=1e-9)
    assert found["rmse"].value == pytest.approx(np.sqrt((ERRORS**2).mean()), abs=1e-9)


def test_predictions_beyond_the_reference_take_the_nearest_loss() -> None:
    beyond = regression(REFERENCE, [-1, len(EDGES)], [40, 10])
    last = REFERENCE.absolute[-1] / REFERENCE.count[-1]
    assert beyond["mae"].value == pytest.approx(last)
    assert beyond["mae"].n == 10


def test_nothing_to_go_by_says_so() -> None:
    assert regression(REFERENCE, [], [])["mae"].reason == "no predictions yet"
    assert regression(LossReference.from_rows([], []), [1], [5])["rmse"].reason == "no labelled reference"
