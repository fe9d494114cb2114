"""The worst combinations of two segments, from logs to every face, against pandas on the same rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import mlwatch
from mlwatch.app.panels.segmenttable import segment_rows
from mlwatch.app.screens.segment import _row
from mlwatch.faces.segment_rows import worst_segments
from mlwatch.records.writing import filter_of
from mlwatch.snapshot import build, followed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlwatch.session import Session
    from mlwatch.snapshot.segment_pairs import SegmentPair

ROWS = 12_000


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions, one answer in ten wrong; the newer one is wrong half the time for old customers in Norway."""
    directory, rng = tmp_path_factory.mktemp("logs"), np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "timestamp": pd.date_range("2026-11-01", periods=ROWS, freq="5s"),
            "request_id": [f"r{i}" for i in range(ROWS)],
            "model": "m",
            "version": rng.choice(["v1", "v2"], ROWS),
            "country": rng.choice(["NO", "SE", "DK", "FI"], ROWS),
            "plan": rng.choice(["a", "b"], ROWS),
            "age": rng.integers(0, 80, ROWS).astype(float),
            "prediction": rng.integers(0, 2, ROWS),
        }
    )
    faulty = (frame.version == "v2") & (frame.country == "NO") & (frame.age >= 60)
    wrong = rng.uniform(size=ROWS) < np.where(faulty, 0.5, 0.1)
    frame["label"] = frame.prediction ^ wrong
    frame.to_parquet(directory / "log.parquet")
    return directory


@pytest.fixture(scope="module")
def rows(logs: Path) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_parquet(logs / "log.parquet")
    return frame.assign(wrong=frame.label != frame.prediction)


@pytest.fixture(scope="module")
def watch(logs: Path) -> Iterator[Session]:
    with mlwatch.open(logs, db=":memory:") as opened:
        yield opened


def test_a_fault_of_two_columns_together_is_told_everywhere(watch: Session, rows: pd.DataFrame) -> None:
    model = watch.snapshot().models["m"]
    v1, v2 = model.versions.values()
    assert v1.segment_pairs == ()
    worst = v2.segment_pairs[0]
    text = " and ".join(filter_of(part, v2.segments) for part in worst.parts)
    assert text.startswith('country = "NO" and age >= ')
    limit = float(text.rpartition(" ")[2])
    inside = rows[(rows.country == "NO") & (rows.age >= limit)]
    mine, before = (inside[inside.version == name].wrong for name in ("v2", "v1"))
    assert (worst.labelled, worst.looked_at, worst.every) == (len(mine), (rows.version == "v2").sum(), 1)
    assert worst.loss == pytest.approx(mine.mean())
    assert worst.rest is not None
    assert worst.baseline is not None
    assert worst.baseline.difference == pytest.approx(mine.mean() - before.mean())
    others = rows[(rows.version == "v2") & ~rows.index.isin(mine.index)].wrong
    assert worst.rest.difference == pytest.approx(mine.mean() - others.mean())
    (found, *_) = [row for row in segment_rows(v2, v1) if row.name == worst.name]
    assert (found.value, found.other) == pytest.approx((1 - mine.mean(), 1 - before.mean()))
    assert worst.name in [cells[0] for cells in worst_segments(model)]
    cells = _row(0, worst.parts, worst.labelled).cells
    offered = [cell if isinstance(cell, str) else cell.text for cell in cells]
    assert offered == ["country and age", f"NO and {worst.parts[1].value}", "n/a", f"{worst.labelled:,}"]


def test_a_sample_of_many_records_says_the_same(watch: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def worst() -> SegmentPair:
        snapshot = build.snapshot(watch.connection, watch.config, build.Question(), now=datetime.now(UTC))
        return snapshot.models["m"].versions["v2"].segment_pairs[0]

    whole = worst()
    monkeypatch.setattr(followed, "SAMPLE", ROWS // 3)
    half = worst()
    assert half.every == 2
    assert half.looked_at == pytest.approx(ROWS / 4, rel=0.1)
    assert half.name == whole.name
    assert half.excess == pytest.approx(whole.excess, rel=0.25)
