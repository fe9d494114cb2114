"""Distributions of the sample logs against scikit-learn and NumPy on the raw rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

import mlwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from logfiles import SampleStore

    from mlwatch.session import Session
    from mlwatch.snapshot.types import Version

SAMPLES = Path(__file__).parents[3] / "sample_logs"


@pytest.fixture(scope="module")
def watch(sample_store: SampleStore) -> Iterator[Session]:
    with mlwatch.open(SAMPLES, db=sample_store()) as opened:
        yield opened


@pytest.fixture(scope="module")
def version(watch: Session) -> Version:
    return watch.snapshot().models["flight-delay"].versions["v2"]


@pytest.fixture(scope="module")
def rows(watch: Session) -> pd.DataFrame:
    frame = watch.frame("predictions")
    return frame[frame.version == "v2"]


def test_latencies_are_counted_between_the_edges(version: Version, rows: pd.DataFrame) -> None:
    bars = version.latency_bars
    assert bars is not None
    values = rows.latency_ms.dropna().to_numpy(dtype=float)
    expected, _ = np.histogram(values, bars.edges)
    assert sum(bars.counts) == len(values)
    # edges are inclusive above here and below in NumPy
    assert np.abs(expected - np.array(bars.counts)).sum() <= 4


def test_scores_by_class(version: Version, rows: pd.DataFrame) -> None:
    assert version.scores is not None
    known = rows.dropna(subset=["score", "label"])
    truth = (known.label.astype(str) == "1").to_numpy()
    score = known.score.to_numpy(dtype=float)
    assert sum(version.scores.positive) == truth.sum()
    assert sum(version.scores.negative) == (~truth).sum()
    expected, _ = np.histogram(score[truth], version.scores.edges)
    # a fine bin that straddles an edge goes wholly to one side
    assert np.abs(expected - np.array(version.scores.positive)).sum() < 0.05 * truth.sum()


def test_curves_are_those_of_scikit_learn(version: Version, rows: pd.DataFrame) -> None:
    assert version.scores is not None
    known = rows.dropna(subset=["score", "label"])
    truth = (known.label.astype(str) == "1").to_numpy()
    score = known.score.to_numpy(dtype=float)
    false_rate, true_rate, _ = roc_curve(truth, score)
    x, y = np.array(version.scores.roc).T
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.abs(np.interp(x[1:-1], false_rate, true_rate) - y[1:-1])[x[1:-1] > 0.01].max() < 0.02
    precision, recall, _ = precision_recall_curve(truth, score)
    x, y = np.array(version.scores.pr).T
    inside = (x > 0.1) & (x < 0.99)
    assert np.abs(np.interp(x[inside], recall[::-1], precision[::-1]) - y[inside]).max() < 0.03
    share, mean = calibration_curve(truth, score, n_bins=10)
    points = version.scores.calibration
    assert [point.score for point in points] == pytest.approx(mean, abs=0.02)
    assert [point.share for point in points] == pytest.approx(share, abs=0.06)
    assert sum(point.n for point in points) == len(score)
