"""Trends in a line of text and as bars."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.sparkline import Sparkline, columns, sparkline

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        (range(8), 8, "▁▂▃▄▅▆▇█"),
        ([0, 1], 5, "   ▁█"),  # the newest stands at the right
        ([0, 0, 4, 4, 8, 8], 3, "▁▅█"),  # the mean of two a cell
        ([0, NAN, None, 7], 4, "▁  █"),
        ([3, 3, 3], 3, "▅▅▅"),
        ([NAN, NAN], 3, "   "),
        ([], 3, "   "),
        ([0, math.inf, -math.inf, 1], 4, "▁█▁█"),
        ([1, 2, 3], 1, "▅"),
        ([1, 2, 3], 0, ""),
    ],
)
def test_sparkline(values: list[float | None], width: int, drawn: str) -> None:
    assert sparkline(values, width) == drawn


def test_sparkline_between_limits() -> None:
    assert sparkline([0, 50, 100, 200], 4, low=0, high=100) == "▁▅██"


def test_sparkline_in_ascii() -> None:
    assert sparkline(range(8), 8, ascii_only=True) == "_.,-=+*#"


@given(st.lists(st.one_of(st.none(), st.floats())), st.integers(0, 40))
def test_sparkline_takes_exactly_the_width(values: list[float | None], width: int) -> None:
    assert len(sparkline(values, width)) == width


def test_columns_over_lines() -> None:
    assert columns([0, 4, 8, NAN], 4, 2, low=0, high=8) == ["  █ ", "▁██ "]
    assert columns([1, 2], 2, 0) == []


async def test_widget_repaints_only_on_change(stage: Any) -> None:
    trend = Sparkline([1, 2, NAN])
    async with stage(trend).run_test(size=(6, 2)) as pilot:
        assert pilot.app.lines()[0] == "   ▁█"
        strips = trend._strips
        trend.update([1, 2, NAN])
        assert trend._strips is strips
        trend.update([2, 1])
        await pilot.pause()
        assert pilot.app.lines()[0] == "    █▁"
