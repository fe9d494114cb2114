"""Distributions beside their reference, drift by window, and the mix of labels, on the sample logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import mlwatch
from mlwatch.metrics.bins import INVALID, MISSING, UNSEEN
from mlwatch.snapshot.features import FeatureInfo
from mlwatch.snapshot.mix import answers_of, labels_of
from mlwatch.snapshot.read import Table
from mlwatch.snapshot.reference import Counts
from mlwatch.snapshot.shapes import shape

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def counts(**by_code: int) -> Counts:
    codes = [int(code.removeprefix("c").replace("m", "-")) for code in by_code]
    n = np.array(list(by_code.values()))
    return Counts(np.array(codes), n, np.zeros(len(codes)))


def test_numbers_are_laid_over_even_bins() -> None:
    info = FeatureInfo(0, "x", "numeric", (0.0, 16.0, 32.0), binned=True)
    found = shape(info, counts(c1=160, c2=320), counts(c0=5, c1=32, c3=7, cm1=9), {})
    assert found is not None
    assert (found.edges[0], found.edges[-1], len(found.edges)) == (0.0, 32.0, 33)
    assert found.reference == pytest.approx([10.0] * 16 + [20.0] * 16)
    # below and above go to the outer bins; missing values are none
    assert found.current == pytest.approx([2.0 + 5.0, *[2.0] * 15, *[0.0] * 15, 7.0])


def test_few_extreme_values_do_not_hide_all_others() -> None:
    edges = (0.0, *(float(edge) for edge in range(10, 20)), 100_000.0)
    found = shape(FeatureInfo(0, "x", "numeric", edges, binned=True), counts(c2=100), counts(c11=50), {})
    assert found is not None
    assert (found.edges[0], found.edges[-1]) == (10.0, 19.0)
    assert sum(found.reference) == pytest.approx(100)
    assert found.current[-1] == pytest.approx(50)


def test_a_constant_has_a_bin_around_it() -> None:
    found = shape(FeatureInfo(0, "x", "numeric", (3.0, 3.0), binned=True), counts(c1=4), counts(c1=8), {})
    assert found is not None
    assert found.edges[0] < 3.0 < found.edges[-1]
    assert sum(found.current) == pytest.approx(8)


def test_categories_have_names_and_what_is_missing_or_new_too() -> None:
    names = {0: "a", 1: "b", 2: ""}
    info = FeatureInfo(0, "x", "categorical", (), binned=True, categories=names)
    now = Counts(np.array([1, MISSING, UNSEEN, INVALID]), np.array([5, 2, 3, 4]), np.zeros(4))
    found = shape(info, counts(c0=1, c1=9, c2=4), now, names)
    assert found is not None
    table = dict(zip(found.labels, zip(found.reference, found.current, strict=True), strict=True))
    assert table == {
        "b": (9.0, 5.0), "other categories": (4.0, 0.0), "a": (1.0, 0.0),
        "unseen": (0.0, 3.0), "missing": (0.0, 2.0),
    }  # fmt: skip
    assert found.labels[0] == "b"


def test_shapes_of_the_samples_are_those_of_their_values(watch: Session, version: Version) -> None:
    reference = pd.read_parquet(SAMPLES / "reference.parquet")
    rows = watch.frame("predictions")
    rows = rows[rows.version == "v2"]
    features = pd.json_normalize(rows["features"].tolist()) if "features" in rows else rows
    carrier = version.quality.features["carrier"].shape
    assert carrier is not None
    column = next(name for name in reference.columns if name.endswith("carrier"))
    before = reference[column].value_counts()
    assert dict(zip(carrier.labels, carrier.reference, strict=True)) == pytest.approx(before.to_dict())
    after = features["carrier"][~rows.failed.to_numpy()].value_counts().to_dict()
    assert dict(zip(carrier.labels, carrier.current, strict=True)) == pytest.approx(after)


def test_drift_by_window_shows_the_fault(version: Version) -> None:
    over = version.quality.features["dep_delay"].drift_over
    assert len(over) == len(version.windows)
    before = [
        value
        for value, window in zip(over, version.windows, strict=True)
        if value is not None and window.start.hour < 17
    ]
    after = [
        value
        for value, window in zip(over, version.windows, strict=True)
        if value is not None and window.start.hour >= 17
    ]
    assert max(before) < 0.1
    assert min(after) > 0.6
    mean = [
        np.mean([f.drift_over[at] for f in version.quality.features.values() if f.drift_over[at] is not None])
        for at in (30, 40)
    ]
    assert [version.windows[at].drift for at in (30, 40)] == pytest.approx(mean)


def test_mix_of_labels_and_answers(watch: Session, version: Version) -> None:
    rows = watch.frame("predictions")
    known = rows[(rows.version == "v2") & rows.label.notna() & ~rows.failed]
    assert version.labels is not None
    assert version.answers is not None
    assert version.labels.value == pytest.approx((known.label.astype(str) == "1").mean(), abs=1e-12)
    assert version.answers.value == pytest.approx((known.prediction.astype(str) == "1").mean(), abs=1e-12)


def test_mix_of_numbers_is_their_mean() -> None:
    rows = Table({
        "n_number": np.array([2, 2]), "sum_label": np.array([10.0, 30.0]), "sum_error": np.array([1.0, 3.0]),
        "sum_label_sq": np.array([58.0, 458.0]),
    })  # fmt: skip
    label, answer = labels_of("regression", rows, None), answers_of("regression", rows, None)
    assert label is not None
    assert answer is not None
    assert (label.value, answer.value) == (10.0, 11.0)
    assert label.low is not None
    assert labels_of("multiclass", rows, None) is None
    nothing = labels_of("binary", None, "1")
    assert nothing is not None
    assert nothing.reason == "there are no labels yet"
