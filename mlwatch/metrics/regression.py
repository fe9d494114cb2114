"""Performance of a regression model from sums of its errors. An error is prediction − label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import intervals
from mlwatch.metrics.estimate import Estimate, estimate, undefined

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

NO_LABELS = "no labels yet"
SAME = 1e-14
"""Share of the labels' mean square below which their variance is nothing but the rounding of its sums."""
LOST = 1e-10
"""Share below which it is known to less than a millionth."""
METRICS = ("mae", "rmse", "mape", "r2", "bias")


@dataclass(frozen=True, slots=True)
class RegressionSums:
    """Sums over the labelled predictions, in the label's unit and its powers."""

    n: int = 0
    sum_error: float = 0.0
    sum_abs: float = 0.0
    sum_sq: float = 0.0
    sum_label: float = 0.0
    sum_label_sq: float = 0.0
    sum_ape: float = 0.0
    """Σ |error / label| over the rows whose label is not 0."""
    n_ape: int = 0
    """Rows whose label is not 0."""
    sum_fourth: float | None = None
    """Σ error⁴, for the interval of RMSE; without it errors are taken as normal."""
    sum_ape_sq: float | None = None
    """Σ (error / label)² over the rows whose label is not 0, for the interval of MAPE."""

    def __add__(self, other: RegressionSums) -> RegressionSums:
        """Merge two disjoint sets of rows."""
        return RegressionSums(
            self.n + other.n,
            self.sum_error + other.sum_error,
            self.sum_abs + other.sum_abs,
            self.sum_sq + other.sum_sq,
            self.sum_label + other.sum_label,
            self.sum_label_sq + other.sum_label_sq,
            self.sum_ape + other.sum_ape,
            self.n_ape + other.n_ape,
            _add(self.sum_fourth, other.sum_fourth),
            _add(self.sum_ape_sq, other.sum_ape_sq),
        )

    @classmethod
    def from_rows(cls, labels: ArrayLike, predictions: ArrayLike) -> RegressionSums:
        """Sum raw rows, shape (n,) each. Rows with a value that is not finite are left out."""
        label = np.asarray(labels, dtype=float)
        prediction = np.asarray(predictions, dtype=float)
        keep = np.isfinite(label) & np.isfinite(prediction)
        label, error = label[keep], (prediction - label)[keep]
        with np.errstate(over="ignore"):
            return cls._sums(label, error)

    @classmethod
    def _sums(cls, label: FloatArray, error: FloatArray) -> RegressionSums:
        ape = np.abs(error[label != 0] / label[label != 0])
        return cls(
            len(error),
            float(error.sum()),
            float(np.abs(error).sum()),
            float((error**2).sum()),
            float(label.sum()),
            float((label**2).sum()),
            float(ape.sum()),
            len(ape),
            float((error**4).sum()),
            float((ape**2).sum()),
        )


def regression(sums: RegressionSums) -> dict[str, Estimate]:
    """Return mae, rmse, mape, r2 and bias.

    MAPE is a share, not a percentage, and leaves out rows whose label is 0: its `n` counts the others.
    Bias is the mean of prediction − label.
    """
    if sums.n <= 0:
        return {name: undefined(NO_LABELS) for name in METRICS}
    rmse = _rmse(sums)
    return {
        "mae": intervals.mean(sums.n, sums.sum_abs, sums.sum_sq, NO_LABELS, lowest=0.0),
        "rmse": rmse,
        "mape": intervals.mean(sums.n_ape, sums.sum_ape, sums.sum_ape_sq, "every label is 0", lowest=0.0),
        "r2": _r2(sums, rmse),
        "bias": intervals.mean(sums.n, sums.sum_error, sums.sum_sq, NO_LABELS),
    }


def _rmse(sums: RegressionSums) -> Estimate:
    """Return RMSE, its interval from that of the mean square."""
    mse = sums.sum_sq / sums.n
    if sums.n < 2:
        return intervals.without_interval(math.sqrt(mse), sums.n)
    if sums.sum_fourth is None:
        variance, method = 2 * mse * mse / sums.n, "delta method, errors taken as normal"
    else:
        variance = intervals.sample_variance(sums.n, sums.sum_sq, sums.sum_fourth) / sums.n
        method = "delta method"
    low, high = intervals.normal(mse, variance, lowest=0.0)
    return estimate(math.sqrt(mse), sums.n, (math.sqrt(low), math.sqrt(high)), method)


def _r2(sums: RegressionSums, rmse: Estimate) -> Estimate:
    """Return R², its interval from that of RMSE with the labels' variance taken as known."""
    if sums.n < 2:
        return undefined("R² needs two labels", sums.n)
    spread = sums.sum_label_sq - sums.sum_label**2 / sums.n
    if spread <= SAME * sums.sum_label_sq:
        return undefined("the labels do not vary", sums.n)
    if spread <= LOST * sums.sum_label_sq:
        return undefined("the labels vary too little for numbers of their size", sums.n)
    interval = None
    if rmse.low is not None and rmse.high is not None:
        interval = (1 - sums.n * rmse.high**2 / spread, 1 - sums.n * rmse.low**2 / spread)
    return estimate(
        1 - sums.sum_sq / spread, sums.n, interval, "from RMSE's interval, label variance taken as known"
    )


def _add(one: float | None, two: float | None) -> float | None:
    """Add two optional sums; what one part did not record is not known of the whole."""
    return None if one is None or two is None else one + two
