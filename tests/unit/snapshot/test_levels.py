"""A range is read from the widest buckets that fit it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from logfiles import lines, prediction

from mlwatch.session import Options, Session
from mlwatch.snapshot.span import Grid
from mlwatch.store import rollups

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = datetime(2026, 11, 3, 12)  # noqa: DTZ001  as in the store


@pytest.mark.parametrize(
    ("start", "hours", "apart", "whole"),
    [
        (NOON - timedelta(hours=12), 24.0, 900, 86400),  # a day
        (NOON, 3.0, 900, 3600),  # whole hours
        (NOON, 2.5, 900, 900),  # ends within an hour
        (NOON + timedelta(minutes=30), 23.5, 900, 900),  # begins within one
    ],
)
def test_the_widest_buckets_that_fit(start: datetime, hours: float, apart: int, whole: int) -> None:
    grid = Grid(start, start + timedelta(hours=hours), 1800)
    assert grid.level(rollups.DECIDED) == apart
    assert grid.level(rollups.DECIDED, whole=True) == whole


def test_wide_windows_fit_both_ways() -> None:
    grid = Grid(NOON - timedelta(hours=12), NOON + timedelta(hours=13), 3600)
    assert (grid.level(rollups.DECIDED), grid.level(rollups.DECIDED, whole=True)) == (3600, 3600)


def test_windows_narrower_than_a_bucket_have_the_value_of_the_bucket_that_they_lie_in() -> None:
    start = NOON - timedelta(minutes=115)
    lattice = Grid(start, start + timedelta(hours=1), 600)
    counted = [0.1, 0.2, 0.0, None, 0.4, 0.5]  # buckets of 10:00, 10:15, 10:30, 10:45, 11:00
    assert lattice.held(counted, 900) == [0.1, 0.2, 0.0, 0.0, 0.4, 0.5]
    assert lattice.held(counted, 600) == counted
    assert lattice.held([{}, {"a": 1}, {}, {}, {}, {}], 900)[2:4] == [{"a": 1}, {}], (
        "what nobody counted stays unknown"
    )


def test_drift_and_missing_values_have_no_gaps_in_narrow_windows(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    moments = [
        NOON + timedelta(seconds=20 * number) for number in range(1800)
    ]  # ten hours: windows of 10 min
    records = [prediction(at, timestamp=f"{moment:%FT%TZ}") for at, moment in enumerate(moments)]
    (logs / "a.jsonl").write_text(lines(records))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        version = session.snapshot().models["m"].versions["v1"]
    assert {(window.end - window.start).total_seconds() for window in version.windows[1:-1]} == {600.0}
    assert all(window.missing_rate is not None for window in version.windows)


DAYS = 40


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Give a session on a request every five minutes of forty days up to noon; all fail in the last half hour."""
    logs = tmp_path_factory.mktemp("past") / "logs"
    logs.mkdir()
    moments = [NOON + timedelta(minutes=5 * number) for number in range(-DAYS * 288, 0)]
    last = NOON - timedelta(minutes=30)
    (logs / "a.jsonl").write_text(
        lines(
            prediction(
                at, timestamp=f"{moment:%FT%TZ}", status=500 if moment >= last else 200, label=at % 3 // 2
            )
            for at, moment in enumerate(moments)
        )
    )
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        yield session


@pytest.mark.usual(2)
@pytest.mark.parametrize("days", [None, 35, 7, 3, 1])
def test_nothing_behind_the_end_of_a_range_is_counted(past: Session, days: int | None) -> None:
    """Wide buckets would count up to their own end."""
    end = NOON.replace(tzinfo=UTC) - timedelta(minutes=30)
    found = past.snapshot(None if days is None else timedelta(days=days), end)
    assert found.range is not None
    assert found.range.end == end
    version = found.models["m"].versions["v1"]
    first = NOON.replace(tzinfo=UTC) - timedelta(days=DAYS)
    requests = (end - max(first, found.range.start)) // timedelta(minutes=5)
    assert (version.predictions, version.errors.count, version.labelled) == (requests, 0, requests)
    assert version.last == end - timedelta(minutes=5)
    assert version.scores is not None
    assert sum(version.scores.positive) + sum(version.scores.negative) == requests
    assert version.windows[-1].end == end
    assert sum(window.predictions for window in version.windows) == requests


def test_a_range_ends_with_a_full_minute(past: Session) -> None:
    """The last minute would be counted whole otherwise, with what came after the moment that was asked for."""
    end = NOON.replace(tzinfo=UTC) - timedelta(minutes=35)
    found = past.snapshot(timedelta(hours=1), end + timedelta(seconds=30))
    assert found.range is not None
    assert found.range.end == end
    assert found.models["m"].versions["v1"].last == end - timedelta(minutes=5)
