"""The Python API as the README shows it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import mlwatch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def watch() -> object:
    with mlwatch.open(ROOT / "sample_logs", db=":memory:") as session:
        yield session


def test_frames_hold_what_the_snapshot_holds(watch: mlwatch.session.Session) -> None:
    versions = watch.frame("versions").set_index("version")
    assert versions.loc["v1", "predictions"] == 7973
    windows = watch.frame("windows")
    assert windows.groupby("version").predictions.sum().to_dict() == {"v1": 7973, "v2": 4027}
    features = watch.frame("features")
    assert features[features.drifted][["version", "feature"]].to_numpy().tolist() == [["v2", "dep_delay"]]
    with pytest.raises(mlwatch.MlwatchError, match="no such table: rows: one of windows"):
        watch.frame("rows")


def test_stored_rows_carry_their_present_label(watch: mlwatch.session.Session) -> None:
    rows = watch.frame("predictions")
    assert len(rows) == 12000
    labelled = rows[rows.label.notna() & ~rows.failed]
    accuracy = (labelled.label == labelled.prediction).groupby(labelled.version).mean()
    snapshot = watch.snapshot().models["flight-delay"].versions
    for name in ("v1", "v2"):
        assert accuracy[name] == pytest.approx(snapshot[name].performance["accuracy"].value, abs=1e-12)
    assert isinstance(rows.ts.iloc[0], pd.Timestamp)


def test_a_wrong_path_is_a_clear_error() -> None:
    with pytest.raises(mlwatch.MlwatchError, match="no such file or directory"):
        mlwatch.open("/no/such/place")
