"""A range is read from the widest buckets that fit it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mlwatch.snapshot.span import Grid
from mlwatch.store import rollups

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
