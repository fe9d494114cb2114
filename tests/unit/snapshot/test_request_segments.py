"""Where requests fail and where they are slow, from logs without labels to reports, against pandas and SciPy."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlwatch
from mlwatch.app.screens.segment import _listed, _siblings
from mlwatch.choice import Choice
from mlwatch.faces.html import html
from mlwatch.faces.markdown import markdown
from mlwatch.records.writing import filter_of
from mlwatch.snapshot import build, followed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlwatch.session import Session
    from mlwatch.snapshot.request_segments import RequestSegment
    from mlwatch.snapshot.types import Version

ROWS = 20_000


def frame_of(chance_there: float, *, seed: int = 5) -> pd.DataFrame:
    """Requests of two versions; those of v2 in Norway fail with another chance, and old cars are slow everywhere."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "timestamp": pd.date_range("2026-11-01", periods=ROWS, freq="100ms"),
            "request_id": [f"r{i}" for i in range(ROWS)],
            "model": "m",
            "version": rng.choice(["v1", "v2"], ROWS),
            "country": rng.choice(["NO", "SE", "DK", "FI"], ROWS, p=[0.1, 0.3, 0.3, 0.3]),
            "age": rng.integers(0, 80, ROWS).astype(float),
            "latency_ms": rng.lognormal(3, 0.3, ROWS),
        }
    )
    there = (frame.version == "v2") & (frame.country == "NO")
    failed = rng.uniform(size=ROWS) < np.where(there, chance_there, 0.004)
    frame.loc[frame.age >= 70, "latency_ms"] *= 3
    frame["status"] = np.where(failed, 503, 200)
    frame["prediction"] = pd.Series(rng.choice(["0", "1"], ROWS)).mask(failed)
    return frame


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    frame = frame_of(0.1)
    return frame.assign(failed=frame.status >= 400)


@pytest.fixture(scope="module")
def watch(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    directory = tmp_path_factory.mktemp("logs")
    rows.drop(columns="failed").to_parquet(directory / "log.parquet")
    with mlwatch.open(directory, db=":memory:") as opened:
        yield opened


def versions(watch: Session) -> tuple[Version, Version]:
    v1, v2 = watch.snapshot().models["m"].versions.values()
    return v1, v2


def of(version: Version, trouble: str) -> list[RequestSegment]:
    return [each for each in version.request_segments if each.trouble == trouble]


def test_the_segment_that_fails_is_found_without_labels(watch: Session, rows: pd.DataFrame) -> None:
    v1, v2 = versions(watch)
    assert of(v1, "failed") == []
    (found,) = of(v2, "failed")
    assert (found.segment.column, found.segment.value) == ("country", "NO")
    mine = rows[rows.version == "v2"]
    here, elsewhere = mine[mine.country == "NO"].failed, mine[mine.country != "NO"].failed
    before = rows[(rows.version == "v1") & (rows.country == "NO")].failed
    assert (found.requests, found.count, found.every) == (len(here), here.sum(), 1)
    assert (found.rate, found.elsewhere, found.before) == pytest.approx(
        (here.mean(), elsewhere.mean(), before.mean())
    )
    assert found.share == pytest.approx(here.sum() / mine.failed.sum())
    assert found.rest.p == pytest.approx(
        2 * stats.hypergeom(len(mine), mine.failed.sum(), len(here)).sf(here.sum() - 1), rel=1e-6
    )
    assert found.rest.excess == pytest.approx(len(here) * (here.mean() - elsewhere.mean()))


def test_slow_ones_take_longer_than_the_baselines_95th_percentile(watch: Session, rows: pd.DataFrame) -> None:
    v1, v2 = versions(watch)
    for version in (v1, v2):
        found = of(version, "slow")[0]
        assert (found.segment.column, found.limit_ms) == ("age", v1.latency.p95)
        low, _ = found.segment.bounds or (0.0, 0.0)
        mine = rows[rows.version == version.name]
        inside = mine[mine.age >= low].latency_ms > found.limit_ms
        assert (found.requests, found.count) == (len(inside), inside.sum())
        assert low >= 60


def test_reports_tell_of_it(watch: Session) -> None:
    snapshot = watch.snapshot()
    document = json.loads(json.dumps(snapshot.to_dict()))["models"]["m"]["versions"]["v2"]
    told = document["request_segments"][0]
    assert (told["trouble"], told["segment"]) == ("failed", {"country": "NO"})
    assert told["rate"] == pytest.approx(told["count"] / told["requests"])
    assert told["against_baseline"]["difference"] > 0.05
    rate = f"{100 * told['rate']:.1f} %"
    assert f"| country NO | v2 | fail | {told['requests']:,} | {rate} |" in markdown(snapshot)
    assert "<h3>Where requests fail or are slow</h3>" in html(snapshot)


def test_it_can_be_looked_at_alone(watch: Session, rows: pd.DataFrame) -> None:
    _, v2 = versions(watch)
    ((segment,), labelled), *_ = _listed(v2)
    text = filter_of(segment, _siblings(v2))
    assert (text, labelled) == ('country = "NO"', 0)
    alone = watch.snapshot(choice=Choice(filter=text)).models["m"].versions["v2"]
    assert alone.errors.count == rows[(rows.version == "v2") & (rows.country == "NO")].failed.sum()


def test_a_sample_of_many_requests_says_the_same(watch: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> RequestSegment:
        snapshot = build.snapshot(watch.connection, watch.config, build.Question(), now=datetime.now(UTC))
        return of(snapshot.models["m"].versions["v2"], "failed")[0]

    whole = found()
    monkeypatch.setattr(followed, "SAMPLE", ROWS // 3)
    half = found()
    assert (half.every, half.segment.value) == (2, "NO")
    assert half.requests == pytest.approx(whole.requests / 2, rel=0.15)
    assert half.rest.excess == pytest.approx(whole.rest.excess, rel=0.4)


def test_failures_that_may_happen_anywhere_are_no_finding(tmp_path: Path) -> None:
    frame_of(0.004, seed=8).to_parquet(tmp_path / "log.parquet")
    with mlwatch.open(tmp_path, db=":memory:") as opened:
        assert [of(version, "failed") for version in versions(opened)] == [[], []]


def test_requests_that_were_logged_without_features_say_nothing_of_where(tmp_path: Path) -> None:
    frame = frame_of(0.004)
    frame.loc[frame.status >= 400, ["country", "age"]] = None
    frame.to_parquet(tmp_path / "log.parquet")
    with mlwatch.open(tmp_path, db=":memory:") as opened:
        v1, v2 = versions(opened)
    assert v1.errors.count > 30
    assert [of(v1, "failed"), of(v2, "failed")] == [[], []]


def test_categories_without_a_segment_of_their_own_are_told_apart_from_those_with_one(tmp_path: Path) -> None:
    """A service that fails for whatever it has not seen before."""
    frame = frame_of(0.004)
    rare = np.arange(ROWS) % 50 == 0
    frame["country"] = [f"c{i % 12:02d}" for i in range(ROWS)]
    frame.loc[rare, "country"] = [f"new {i % 97}" for i in range(rare.sum())]
    frame.loc[rare & (np.arange(ROWS) % 100 == 0), "status"] = 500
    frame.to_parquet(tmp_path / "log.parquet")
    with mlwatch.open(tmp_path, db=":memory:") as opened:
        v1, v2 = versions(opened)
        found = of(v2, "failed")[0]
        text = filter_of(found.segment, _siblings(v2))
        alone = opened.snapshot(choice=Choice(filter=text)).models["m"].versions["v2"]
    assert (found.segment.column, found.segment.kind) == ("country", "others")
    assert len(found.named) == 12
    assert alone.predictions == found.requests == (rare & (frame.version == "v2")).sum()
    assert of(v1, "failed")[0].segment.kind == "others"
