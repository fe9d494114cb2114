"""`[drift] sigmas`: what the reference does by itself over time is no drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from mlwatch.cli import main
from mlwatch.metrics import drift
from mlwatch.metrics.bins import edges_from_quantiles, numeric_bin
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlwatch.metrics.drift import Drift

START = pd.Timestamp("2026-11-01T00:00:00Z")
N = 10_000


def seasonal(start: pd.Timestamp, hours: float, center: float | None, seed: int) -> pd.DataFrame:
    """Rows over some hours; without a center, it swings from -1 to 1 and back over them."""
    rng = np.random.default_rng(seed)
    share = np.arange(N) / N
    swing = np.sin(2 * np.pi * share) if center is None else center
    return pd.DataFrame(
        {
            "timestamp": (start + pd.to_timedelta(share * hours, unit="h")).as_unit("us"),
            "x": rng.normal(swing, 1.0, N),
            "prediction": rng.integers(0, 2, N),
        }
    )


def drift_of(logs: Path, settings: str, reference: Path | None = None) -> Drift:
    (logs / "mlwatch.toml").write_text(settings)
    with Session(Options(logs, db=":memory:", reference=reference)) as session:
        session.ingest_all()
        (model,) = session.snapshot().models.values()
    version = next(iter(model.versions.values()))
    found = version.quality.features["x"].drift
    assert found is not None
    return found


@pytest.fixture
def season(tmp_path: Path) -> Path:
    """A reference of a day that swings, beside logs of an evening."""
    logs = tmp_path / "logs"
    logs.mkdir()
    seasonal(START, 24, None, 1).to_parquet(tmp_path / "training.parquet")
    seasonal(START + pd.Timedelta(days=2), 3, 0.7, 2).to_parquet(logs / "log.parquet")
    return tmp_path


def test_a_season_that_the_reference_knows_does_not_alarm(season: Path) -> None:
    logs, table = season / "logs", season / "training.parquet"
    assert drift_of(logs, "", table).drifted
    found = drift_of(logs, "[drift]\nsigmas = 3\n", table)
    assert not found.drifted
    assert found.state == "ok"
    assert found.threshold > 0.2


def test_what_goes_beyond_the_season_still_alarms(season: Path) -> None:
    logs = season / "logs"
    seasonal(START + pd.Timedelta(days=2), 3, 4.0, 2).to_parquet(logs / "log.parquet")
    assert drift_of(logs, "[drift]\nsigmas = 3\n", season / "training.parquet").drifted


def test_the_threshold_is_the_mean_and_the_deviations_of_the_tenths(season: Path) -> None:
    table = pd.read_parquet(season / "training.parquet")
    found = drift_of(
        season / "logs", '[drift]\nsigmas = 2\nmethod = "hellinger"\n', season / "training.parquet"
    )
    edges = edges_from_quantiles(np.quantile(table["x"], np.linspace(0, 1, 51), method="inverted_cdf"))
    codes = numeric_bin(table["x"], edges)
    shares = [np.bincount(part, minlength=len(edges) + 1) / len(part) for part in np.array_split(codes, 10)]
    whole = np.bincount(codes, minlength=len(edges) + 1) / len(codes)
    distances = [np.sqrt(((np.sqrt(share) - np.sqrt(whole)) ** 2).sum() / 2) for share in shares]
    expected = np.mean(distances) + 2 * np.std(distances)
    assert found.threshold == pytest.approx(expected, rel=1e-3)


def labelled(kind: str, hours: float, shift: float | None, seed: int) -> pd.DataFrame:
    """Rows whose labels, or whose answers, swing over the day; with a shift they stand where that puts them."""
    rng = np.random.default_rng(seed)
    share = np.arange(N) / N
    swing = np.sin(2 * np.pi * share) if shift is None else np.full(N, shift)
    found = pd.DataFrame(
        {
            "timestamp": (START + pd.to_timedelta(share * hours, unit="h")).as_unit("us"),
            "x": rng.normal(size=N),
        }
    )
    if kind == "numbers":
        found["label"] = rng.normal(swing, 1.0).round(3)
        found["prediction"] = rng.normal(size=N).round(3)
    elif kind == "classes":
        found["label"] = (rng.random(N) < 0.5 + 0.3 * swing).astype(int)
        found["prediction"] = rng.integers(0, 2, N)
    else:
        words = np.array(["many words about the weather today", "cat"])
        tail = rng.integers(0, 10_000, N).astype(str)
        chosen = words[(rng.random(N) < 0.5 + 0.3 * swing).astype(int)]
        found["prediction"] = [f"{text} {end}" for text, end in zip(chosen, tail, strict=True)]
    return found


def moved(logs: Path, settings: str, reference: Path | None = None) -> Mapping[str, Drift | None]:
    (logs / "mlwatch.toml").write_text(settings)
    with Session(Options(logs, db=":memory:", reference=reference)) as session:
        session.ingest_all()
        (model,) = session.snapshot().models.values()
    (version,) = model.versions.values()
    return {"label": version.quality.label_drift.drift, **version.quality.text_drift}


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("kind", "names"),
    [("numbers", ("label",)), ("classes", ("label",)), ("texts", ("length", "vocabulary"))],
)
@pytest.mark.parametrize("given", ["table", "profile", "logs"])
def test_labels_and_answers_have_seasons_too(
    tmp_path: Path, kind: str, names: tuple[str, ...], given: str
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    labelled(kind, 24, None, 1).to_parquet(tmp_path / "training.parquet")
    evening = labelled(kind, 3, 0.7, 2)
    evening["timestamp"] += pd.Timedelta(days=2)
    reference, window = tmp_path / "training.parquet", ""
    if given == "profile":
        assert main(["profile", str(reference), "-o", str(tmp_path / "p.json")]) == 0
        reference = tmp_path / "p.json"
    elif given == "logs":
        reference.rename(logs / "day.parquet")
        window = '[reference]\nwindow = "2026-11-01/2026-11-02"\n'
    evening.to_parquet(logs / "log.parquet")
    asked = {"reference": None if given == "logs" else reference}
    plain = moved(logs, window, **asked)
    raised = moved(logs, f"{window}[drift]\nsigmas = 3\n", **asked)
    for name in names:
        before, after = plain[name], raised[name]
        assert before is not None
        assert after is not None
        assert before.threshold == drift.THRESHOLDS["js"]
        assert after.threshold > before.threshold
        assert after.score == pytest.approx(before.score)
        if given != "logs":  # there the day itself is among what is compared
            assert before.drifted
            assert not after.drifted


def test_the_threshold_of_labels_is_that_of_their_tenths(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    table = labelled("classes", 24, None, 1)
    table.to_parquet(tmp_path / "training.parquet")
    labelled("classes", 3, 0.7, 2).to_parquet(logs / "log.parquet")
    found = moved(logs, '[drift]\nsigmas = 2\nmethod = "hellinger"\n', tmp_path / "training.parquet")["label"]
    shares = [np.bincount(part, minlength=2) / len(part) for part in np.array_split(table["label"], 10)]
    whole = np.bincount(table["label"]) / N
    distances = [np.sqrt(((np.sqrt(share) - np.sqrt(whole)) ** 2).sum() / 2) for share in shares]
    assert found is not None
    assert found.threshold == pytest.approx(np.mean(distances) + 2 * np.std(distances), rel=1e-9)


def test_a_profile_knows_the_season_as_well(season: Path) -> None:
    profile = season / "p.json"
    assert main(["profile", str(season / "training.parquet"), "-o", str(profile)]) == 0
    settings = "[drift]\nsigmas = 3\n"
    of_rows = drift_of(season / "logs", settings, season / "training.parquet")
    assert drift_of(season / "logs", settings, profile) == of_rows


@pytest.mark.deep
def test_rollups_know_the_season_as_well(season: Path) -> None:
    lake, settings = season / "lake", "[drift]\nsigmas = 3\n"
    of_logs = drift_of(season / "logs", settings, season / "training.parquet")
    asked = ["--reference", str(season / "training.parquet"), "--db", str(season / "s.duckdb")]
    assert main(["rollup", str(season / "logs"), *asked, "-o", str(lake)]) == 0
    assert drift_of(lake, settings) == of_logs


@pytest.mark.deep
def test_a_window_of_the_logs_knows_its_season(season: Path) -> None:
    logs = season / "logs"
    seasonal(START, 24, None, 1).to_parquet(logs / "day.parquet")
    window = '[reference]\nwindow = "2026-11-01/2026-11-02"\n'
    plain = drift_of(logs, window)
    assert plain.threshold == drift.THRESHOLDS["js"]
    assert drift_of(logs, f"{window}[drift]\nsigmas = 3\n").threshold > 0.2


def test_a_steady_reference_keeps_the_threshold(season: Path) -> None:
    seasonal(START, 24, 0.0, 1).to_parquet(season / "training.parquet")
    found = drift_of(season / "logs", "[drift]\nsigmas = 3\n", season / "training.parquet")
    assert found.threshold == drift.THRESHOLDS["js"]
    assert found.drifted
