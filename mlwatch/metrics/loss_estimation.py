"""Regression performance without labels: what the loss was in the reference where predictions were alike.

A light form of direct loss estimation, which follows from rollups: the expected loss of a prediction is that of its
group in the reference. Groups are the leaves of a tree over features and prediction (see `loss_tree`) where the
reference is a file or a profile, else bins of the prediction. It sees that inputs moved to where the model errs more;
it is blind to a changed relation of inputs and label. Idea: NannyML's direct loss estimation, whose learner is
LightGBM.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlwatch.metrics.estimate import Estimate, undefined
from mlwatch.metrics.estimation import BAND

if TYPE_CHECKING:
    from mlwatch.metrics.bins import IntArray

FloatArray = NDArray[np.float64]

BY_VALUE = "loss by prediction bin, ± 3 sampling errors"
BY_LEAF = "loss by leaf of a tree over features and prediction, ± 3 sampling errors"
NO_REFERENCE = "no labelled reference"
TOO_LARGE = "the errors are too large to sum up"
NO_PREDICTIONS = "no predictions yet"
REGRESSION = ("mae", "rmse")


@dataclass(frozen=True, slots=True)
class LossReference:
    """Losses of the labelled reference by bin or leaf of the prediction, from code 0 up; shape (m,) each."""

    codes: IntArray
    count: FloatArray
    absolute: FloatArray
    """Σ |prediction − label|."""
    squared: FloatArray
    """Σ (prediction − label)²."""
    fourth: FloatArray
    """Σ (prediction − label)⁴."""
    method: str = BY_VALUE

    @classmethod
    def from_rows(cls, codes: ArrayLike, errors: ArrayLike) -> LossReference:
        """Sum raw rows: prediction bins (see `bins.numeric_bin`) and errors, shape (n,) each."""
        code, error = np.asarray(codes, dtype=np.int64), np.abs(np.asarray(errors, dtype=float))
        keep = (code >= 0) & np.isfinite(error)
        found, place = np.unique(code[keep], return_inverse=True)

        def by_bin(power: int) -> FloatArray:
            return np.bincount(place.ravel(), weights=error[keep] ** power, minlength=len(found)).astype(
                float
            )

        return cls(found, by_bin(0), by_bin(1), by_bin(2), by_bin(4))


def regression(reference: LossReference, codes: ArrayLike, counts: ArrayLike) -> dict[str, Estimate]:
    """Return MAE and RMSE as expected without labels.

    Args:
        reference: Of the labelled reference.
        codes: Bins or leaves of the current predictions, shape (k,); one that the reference lacks takes its
            nearest one's loss.
        counts: Predictions in each, shape (k,).
    """
    code, count = np.asarray(codes, dtype=np.int64), np.asarray(counts, dtype=float)
    code, count = code[code >= 0], count[code >= 0]
    n = int(count.sum())
    if not len(reference.codes) or n == 0:
        reason = NO_PREDICTIONS if len(reference.codes) else NO_REFERENCE
        return {name: undefined(reason, n) for name in REGRESSION}
    place = np.abs(code[:, None] - reference.codes[None, :]).argmin(axis=1)
    with np.errstate(over="ignore"):
        mae, mse, fourth = (
            float(count @ (loss / reference.count)[place]) / n
            for loss in (reference.absolute, reference.squared, reference.fourth)
        )
    if not math.isfinite(fourth) or not math.isfinite(mse * mse):
        return {name: undefined(TOO_LARGE, n) for name in REGRESSION}
    error_mae = math.sqrt(max(0.0, mse - mae**2) / n)
    error_mse = math.sqrt(max(0.0, fourth - mse**2) / n)
    return {
        "mae": Estimate(
            mae, n, max(0.0, mae - BAND * error_mae), mae + BAND * error_mae, method=reference.method
        ),
        "rmse": Estimate(
            math.sqrt(mse),
            n,
            math.sqrt(max(0.0, mse - BAND * error_mse)),
            math.sqrt(mse + BAND * error_mse),
            method=reference.method,
        ),
    }
