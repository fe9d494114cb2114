"""Ticks on numbers and on clocks."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.ticks import moment_label, nice_ticks, number_labels, time_ticks, value_label


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [
        (0, 10, 6, [0, 2, 4, 6, 8, 10]),
        (0, 10, 3, [0, 5, 10]),
        (3, 97, 5, [20, 40, 60, 80]),
        (-1, 1, 5, [-1, -0.5, 0, 0.5, 1]),
        (0.001, 0.0042, 4, [0.001, 0.002, 0.003, 0.004]),
        (0, 1, 0, []),
        (1, 1, 5, []),
        (0, math.inf, 5, []),
    ],
)
def test_nice_ticks(low: float, high: float, most: int, ticks: list[float]) -> None:
    assert nice_ticks(low, high, most) == pytest.approx(ticks)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(1, 12))
def test_ticks_lie_inside(low: float, width: float, most: int) -> None:
    ticks = nice_ticks(low, low + width, most)
    assert len(ticks) <= most
    slack = width * 1e-6 + abs(low) * 1e-15
    assert all(low - slack <= tick <= low + width + slack for tick in ticks)


@pytest.mark.parametrize(
    ("ticks", "unit", "labels"),
    [
        ([0, 0.5, 1], "", ["0.0", "0.5", "1.0"]),
        ([0, 500, 1000], "", ["0.0 k", "0.5 k", "1.0 k"]),
        ([0.0, 0.02, 0.04], "s", ["0 ms", "20 ms", "40 ms"]),
        ([0.9, 0.95, 1.0], "%", ["90 %", "95 %", "100 %"]),
        ([-1, -0.0, 1], "", ["−1", "0", "1"]),
        ([-0.5, 0.0], "", ["−0.5", "0.0"]),
        ([7], "ms", ["7 ms"]),
        ([0.25, 0.5], "", ["0.25", "0.50"]),
        ([], "ms", []),
    ],
)
def test_number_labels(ticks: list[float], unit: str, labels: list[str]) -> None:
    assert number_labels(ticks, unit) == labels


def test_value_label() -> None:
    assert value_label(0.914, "%") == "91.4 %"
    assert value_label(1234.0, "ms") == "1.23 kms"
    assert value_label(math.nan) == "n/a"


@pytest.mark.parametrize(
    ("start", "minutes", "most", "labels"),
    [
        (datetime(2026, 3, 13, 15, 0, tzinfo=UTC), 12 * 60, 5, ["15:00", "18:00", "21:00", "03-14", "03:00"]),
        (
            datetime(2026, 3, 13, 15, 7, tzinfo=UTC),
            60,
            7,
            ["15:10", "15:20", "15:30", "15:40", "15:50", "16:00"],
        ),
        (datetime(2026, 3, 13, 15, 0, tzinfo=UTC), 1, 4, ["15:00:00", "15:00:30", "15:01:00"]),
        (datetime(2026, 3, 13, 15, 0, tzinfo=UTC), 4 * 1440, 5, ["03-14", "03-15", "03-16", "03-17"]),
        (datetime(2026, 3, 1, tzinfo=UTC), 90 * 1440, 5, ["2026-03", "2026-04", "2026-05"]),
        (datetime(2020, 3, 1, tzinfo=UTC), 6 * 365 * 1440, 6, ["2022-01", "2024-01", "2026-01"]),
    ],
)
def test_time_ticks(start: datetime, minutes: int, most: int, labels: list[str]) -> None:
    first = start.timestamp()
    drawn = [label for _, label in time_ticks(first, first + minutes * 60, most)]
    assert drawn == labels


def test_ticks_follow_summer_time() -> None:
    zone = ZoneInfo("Europe/Berlin")  # clocks went from 02:00 to 03:00 on 2026-03-29
    start = datetime(2026, 3, 28, 12, tzinfo=zone).timestamp()
    end = datetime(2026, 3, 29, 18, tzinfo=zone).timestamp()
    ticks = time_ticks(start, end, 7, zone)
    assert [label for _, label in ticks] == ["12:00", "18:00", "03-29", "06:00", "12:00", "18:00"]
    assert ticks[3][0] - ticks[2][0] == 5 * 3600


def test_ticks_of_a_zone_with_half_hours() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    start = datetime(2026, 3, 13, 9, 10, tzinfo=zone).timestamp()
    assert [label for _, label in time_ticks(start, start + 3 * 3600, 4, zone)] == ["10:00", "11:00", "12:00"]


def test_no_time_to_show() -> None:
    assert time_ticks(5.0, 5.0, 3) == []
    assert time_ticks(math.nan, 5.0, 3) == []


def test_moment_label() -> None:
    assert moment_label(0.0) == "1970-01-01 00:00:00 UTC"
    assert moment_label(1e30) == "n/a"
