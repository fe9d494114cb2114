"""The Python API as the README shows it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from logfiles import lines, prediction

import mlwatch
from mlwatch.choice import Choice

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


def test_a_column_of_numbers_is_one_though_there_are_none(tmp_path: Path) -> None:
    click = {"timestamp": "2026-11-03T12:00:00Z", "event": "click", "request_id": "r1"}
    (tmp_path / "a.jsonl").write_text(lines(map(prediction, range(6))))
    (tmp_path / "b.jsonl").write_text(lines([click]))
    with mlwatch.open(tmp_path, db=":memory:") as opened:
        for name in ("windows", "versions", "features"):
            found = opened.frame(name)
            words = {"model", "version", "role", "feature", "kind", "drifted"} & set(found.columns)
            assert {each for each in found if found[each].dtype.kind == "O"} <= words
            assert all(found[each].dtype.kind == "M" for each in ("first", "last", "start") if each in found)
        windows = opened.frame("windows")
        assert windows["engagement.click"].sum() > 0
        assert windows["engagement_value.click"].dtype == "float64"
        assert windows["engagement_value.click"].isna().all()


def test_a_session_without_with_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines(map(prediction, range(6))))
    store = tmp_path / "store.duckdb"
    opened = mlwatch.open(tmp_path, db=store)
    assert opened.snapshot().ingest.predictions == 6
    opened.close()
    opened.close()
    with pytest.raises(mlwatch.MlwatchError, match="the session is closed"):
        opened.snapshot()
    with mlwatch.open(tmp_path, db=store) as again:
        assert again.note is None
        again.close()


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


@pytest.mark.usual(1)
@pytest.mark.parametrize("place", [":memory:", "store.duckdb"])
def test_a_query_leaves_the_session_as_it_was(tmp_path: Path, place: str) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(map(prediction, range(6))))
    with mlwatch.open(logs, db=place if place == ":memory:" else tmp_path / place) as watch:
        assert watch.query(
            "SELECT COUNT(*) AS n, TIMESTAMPTZ '2026-11-03 10:00+02' AS t FROM predictions"
        ) == (
            ["n", "t"],
            [(6, datetime(2026, 11, 3, 8))],  # noqa: DTZ001  UTC, like all times of the store
        )
        (logs / "b.jsonl").write_text(lines(map(prediction, range(6, 9))))
        watch.ingest_all()
        assert watch.snapshot().ingest.records == 9
        assert watch.query("SELECT id FROM predictions WHERE version IS NULL OR id = 'r7'") == (
            ["id"],
            [("r7",)],
        )
        assert watch.snapshot(choice=Choice(filter="city = a")).models["m"].versions["v1"].predictions == 3


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_text('{file}')",
        "FROM '{file}'",
        "ATTACH '{file}'",
        "DELETE FROM predictions",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
        "SELECT '\ud800'",
    ],
)
def test_a_query_reaches_nothing_but_the_store(
    watch: mlwatch.session.Session, tmp_path: Path, sql: str
) -> None:
    (tmp_path / "secret.csv").write_text("TOPSECRET\n")
    with pytest.raises(mlwatch.MlwatchError) as caught:
        watch.query(sql.format(file=tmp_path / "secret.csv"))
    assert "TOPSECRET" not in str(caught.value)
    assert len(watch.frame("predictions")) == 12000


def test_a_session_of_one_model_has_nothing_of_others(tmp_path: Path) -> None:
    records = [
        prediction(n, model=name, request_id=f"{name}{n}") for name in ("alpha", "beta") for n in range(4)
    ]
    label = {"timestamp": "2026-11-03T12:00:00Z", "label": 1}
    named = [{**label, "request_id": f"{name}1", "model": name} for name in ("alpha", "beta")]
    (tmp_path / "a.jsonl").write_text(lines(records))
    (tmp_path / "named.jsonl").write_text(lines(named))
    (tmp_path / "bare.jsonl").write_text(lines([{**label, "request_id": "alpha2"}]))
    with mlwatch.open(tmp_path, db=":memory:", model="alpha") as opened:
        assert opened.frame("predictions").model.tolist() == ["alpha"] * 4
        assert set(opened.frame("outcomes").id) == {"alpha1", "alpha2"}
        assert list(opened.snapshot().models) == ["alpha"]
    with mlwatch.open(tmp_path, db=":memory:") as opened:
        assert len(opened.frame("predictions")) == 8
    with pytest.raises(mlwatch.MlwatchError, match="no such model: alhpa: did you mean alpha"):
        mlwatch.open(tmp_path, db=":memory:", model="alhpa")
