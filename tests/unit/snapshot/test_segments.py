"""Segments of the sample logs against pandas on the raw rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import mlwatch
from mlwatch.faces.segment_rows import falls, worst_segments
from mlwatch.metrics.bins import INVALID, MISSING, UNSEEN
from mlwatch.snapshot.features import FeatureInfo
from mlwatch.snapshot.segments import part_name, part_of
from mlwatch.store import fold, rollups, slices
from mlwatch.store.rollup import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logfiles import SampleStore

    from mlwatch.session import Session
    from mlwatch.snapshot.segments import Segment
    from mlwatch.snapshot.types import Model

SAMPLES = Path(__file__).parents[3] / "sample_logs"


@pytest.fixture(scope="module")
def watch(sample_store: SampleStore) -> Iterator[Session]:
    with mlwatch.open(SAMPLES, db=sample_store()) as opened:
        yield opened


@pytest.fixture(scope="module")
def model(watch: Session) -> Model:
    return watch.snapshot().models["flight-delay"]


@pytest.fixture(scope="module")
def rows(watch: Session) -> pd.DataFrame:
    """One row a successful request, with its label or None."""
    names, found = watch.query(
        """SELECT p.* REPLACE (COALESCE(o.label, p.label) AS label)
        FROM predictions AS p LEFT JOIN outcomes AS o ON o.id = p.id WHERE NOT p.failed"""
    )
    return pd.DataFrame(found, columns=names)


def named(model: Model, version: str, column: str) -> dict[str, Segment]:
    return {each.value: each for each in model.versions[version].segments if each.column == column}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_segments_of_categories_equal_groups_of_the_raw_rows(
    model: Model, rows: pd.DataFrame, version: str
) -> None:
    found = named(model, version, "origin")
    for origin, group in rows[rows.version == version].groupby("origin"):
        segment, labelled = found[str(origin)], group[group.label.notna()]
        assert (segment.predictions, segment.labelled) == (len(group), len(labelled))
        assert segment.performance["accuracy"].value == pytest.approx(
            (labelled.label == labelled.prediction).mean()
        )
    assert set(found) == set(rows.origin)


def test_segments_of_numbers_equal_ranges_of_the_raw_rows(
    watch: Session, model: Model, rows: pd.DataFrame
) -> None:
    found = named(model, "v2", "dep_delay")
    _, ((edges,),) = watch.query(
        "SELECT edges FROM bins JOIN features USING (feature) WHERE name = 'dep_delay'"
    )
    limits = [-np.inf, *slices.cuts_of(edges), np.inf]
    of_v2 = rows[rows.version == "v2"]
    groups = of_v2.groupby(pd.cut(of_v2.dep_delay, limits, right=False), observed=False)
    numbers = [segment for value, segment in found.items() if value != "missing"]
    assert [segment.predictions for segment in numbers] == groups.size().tolist()
    right = of_v2.label == of_v2.prediction
    inside = of_v2.label.notna() & (of_v2.dep_delay >= 0) & (of_v2.dep_delay < 5)
    assert found["0 to 5"].performance["accuracy"].value == pytest.approx(right[inside].mean())


def test_missing_values_are_a_segment(model: Model, rows: pd.DataFrame) -> None:
    missing = rows[(rows.version == "v1") & rows.wind_speed.isna()]
    assert named(model, "v1", "wind_speed")["missing"].predictions == len(missing) > 0


def test_the_fault_is_found(model: Model) -> None:
    """Hours where there were minutes: late departures of v2 look like ones almost on time."""
    compared = [each for each in model.versions["v2"].segments if each.baseline is not None]
    worst = max(compared, key=lambda each: each.baseline.excess if each.baseline else 0.0)
    assert (worst.column, worst.value) == ("dep_delay", "0 to 5")
    assert worst.baseline is not None
    assert worst.baseline.worse
    assert worst.baseline.difference == pytest.approx(0.255, abs=0.01)
    assert all(segment.baseline is None for segment in model.versions["v1"].segments)


def test_reports_name_it(model: Model) -> None:
    segment, version, against, labelled, error, interval, extra = worst_segments(model)[0]
    assert (segment, version, against, labelled) == ("dep_delay 0 to 5", "v2", "v1", "895")
    assert (error, extra) == ("+25.5 points", "+228")
    assert interval.startswith("+21.")


def test_the_moment_of_the_fault_and_what_carries_it_are_found(model: Model, rows: pd.DataFrame) -> None:
    """The look-up begins to fail at 17:00; before and after are those of the raw rows."""
    fall = model.versions["v2"].fall
    assert model.versions["v1"].fall is None
    assert fall is not None
    assert fall.at == datetime(2026, 11, 3, 17, tzinfo=UTC)
    mine = rows[(rows.version == "v2") & rows.label.notna()]
    late = mine.ts >= pd.Timestamp("2026-11-03T17:00")
    wrong = mine.label != mine.prediction
    assert (fall.n_before, fall.n_after) == ((~late).sum(), late.sum())
    assert (fall.before, fall.after) == pytest.approx((wrong[~late].mean(), wrong[late].mean()))
    most = fall.carried[0]
    inside = (mine.dep_delay >= 0) & (mine.dep_delay < 5)
    assert (most.column, most.value) == ("dep_delay", "0 to 5")
    assert (most.n_before, most.n_after) == ((inside & ~late).sum(), (inside & late).sum())
    assert (most.before, most.after) == pytest.approx(
        (wrong[inside & ~late].mean(), wrong[inside & late].mean())
    )
    assert most.before is not None
    assert most.after is not None
    shares = inside[~late].mean(), inside[late].mean()
    assert most.rate == pytest.approx(sum(shares) / 2 * (most.after - most.before))
    assert most.share == pytest.approx((most.rate + most.mix) / (fall.after - fall.before))
    (sentence,) = falls(model)
    assert sentence.startswith(
        "v2 has more errors since 2026-11-03 17:00 UTC: 9.9 % before (n 2,121), 21.7 % after"
    )
    assert "94 % of that is in dep_delay 0 to 5, whose own errors went from 12.8 % to 45.8 %." in sentence


def test_counting_as_labels_come_equals_counting_all_at_once(watch: Session) -> None:
    def counted() -> list[tuple[object, ...]]:
        merged = rollups.SEGMENTS.merged(rollups.SEGMENTS.table(HOUR))
        return cursor.execute(f"SELECT * FROM ({merged}) WHERE n <> 0 ORDER BY ALL").fetchall()

    cursor, registry = watch.connection, watch._ingest.registry
    before = counted()
    fold.refold_segments(cursor, registry, slices.columns(cursor, registry))
    assert counted() == before
    assert len(before) > 1000


def test_corrected_labels_move_between_cells_and_numbers_sum_errors(tmp_path: Path) -> None:
    start, rng = datetime(2026, 11, 1, tzinfo=UTC), np.random.default_rng(3)
    size, noise = rng.uniform(0, 100, 1200), rng.normal(0, 5, 1200)
    predictions, labels = size + rng.normal(0, 1, 1200), size + noise
    log = tmp_path / "logs"
    log.mkdir()

    def write(name: str, records: list[dict[str, object]]) -> None:
        (log / name).write_text("".join(json.dumps(record) + "\n" for record in records))

    times = [(start + timedelta(seconds=i)).isoformat() for i in range(1200)]
    write(
        "predictions.jsonl",
        [
            {
                "timestamp": at,
                "request_id": f"r{i}",
                "prediction": predictions[i],
                "size": size[i],
                "version": "v1",
            }
            for i, at in enumerate(times)
        ],
    )
    write(
        "labels-1.jsonl",
        [{"timestamp": at, "request_id": f"r{i}", "label": 1000.0} for i, at in enumerate(times)],
    )
    with mlwatch.open(log, db=":memory:") as opened:
        write(
            "labels-2.jsonl",
            [
                {"timestamp": (start + timedelta(hours=1)).isoformat(), "request_id": f"r{i}", "label": label}
                for i, label in enumerate(labels)
            ],
        )
        opened.ingest_all()
        (model,) = opened.snapshot().models.values()
    assert model.task == "regression"
    found = named(model, "v1", "size")
    assert sum(segment.labelled for segment in found.values()) == 1200
    assert len(found) == slices.PARTS
    first = next(iter(found.values()))
    smallest = np.argsort(size)[: first.labelled]
    expected = np.abs(predictions - labels)[smallest].mean()
    assert first.performance["mae"].value == pytest.approx(expected)


def test_parts_have_names() -> None:
    numeric = FeatureInfo(1, "x", "numeric", (0.0, 1.0, 2.0, 4.0), binned=True)
    assert [part_name(numeric, part) for part in (-1, 0, 1, 2)] == [
        "missing",
        "below 1",
        "1 to 2",
        "2 and more",
    ]
    codes = np.array([MISSING, INVALID, 0, 1, 2, 3, 4])
    assert part_of(numeric, codes).tolist() == [-1, -1, 0, 0, 1, 2, 2]
    named_ = FeatureInfo(2, "c", "categorical", (), binned=True, categories={0: "a", 1: "b"})
    assert part_of(named_, np.array([0, 1, UNSEEN, MISSING])).tolist() == [0, 1, 2, -1]
    assert part_name(named_, 2) == "all others"
