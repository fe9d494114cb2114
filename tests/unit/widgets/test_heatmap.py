"""Rows over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.events import MouseMove

from widgets.drawn import plain
from widgets.grid import Grid, GridView, columns_of, draw_heatmap, lay_out_grid
from widgets.heatmap import HeatMap

START = 1_773_414_000.0  # 2026-03-13 15:00 UTC
GRID = Grid.of(
    ("age", "income"),
    START + 3600.0 * np.arange(4),
    [[0.0, 0.5, np.nan, 1.0], [1.0, 0.0, 0.25, 0.75]],
)
ODD = st.sampled_from([0.0, np.nan, np.inf])
ASCII = GridView(ascii_only=True)


def cursor(heat: HeatMap) -> tuple[int, int] | None:
    return heat.cursor


def test_shades() -> None:
    lines = plain(draw_heatmap(Grid.of(("a", "b"), GRID.times, GRID.values), ASCII, 4, 2)).splitlines()
    assert lines == [".+ #", "#.-%"]


def test_colours_follow_the_value() -> None:
    picture = draw_heatmap(Grid.of(("a", "b"), GRID.times, GRID.values), GridView(), 4, 2)
    assert [style for _, style in picture[0]] == ["heat-0", "heat-4", "faint", "heat-7"]
    assert picture[0][2][0] == "·"


def test_axis_scale_and_readout() -> None:
    lines = plain(draw_heatmap(GRID, ASCII, 40, 7)).splitlines()
    assert lines[-1] == "0 ..::--==++**%%## 1"
    assert lines[-2].split() == ["16:00", "18:00"]
    read = plain(draw_heatmap(GRID, GridView(cursor=(1, 3), ascii_only=True), 50, 7)).splitlines()
    assert read[-1] == "0.750  income  2026-03-13 18:00:00 UTC"
    assert "X" in "".join(line for line in read if not line.startswith(" age"))


def test_many_times_show_the_largest() -> None:
    values = np.zeros((1, 1000))
    values[0, 777] = 5.0
    line = plain(draw_heatmap(Grid.of(("",), START + np.arange(1000), values), ASCII, 10, 1))
    assert line == ".......#.."


def test_columns_cover_everything() -> None:
    spans = columns_of(1000, 7)
    assert spans[0, 0] == 0
    assert spans[-1, 1] == 999
    assert (spans[1:, 0] == spans[:-1, 1] + 1).all()


def test_nothing_and_wrong_shapes() -> None:
    assert plain(draw_heatmap(Grid.of((), [], []), ASCII, 40, 5)) == "no values yet"
    assert plain(draw_heatmap(Grid.of(("a",), [1.0], [[np.nan]]), ASCII, 1, 1)) == ""
    with pytest.raises(ValueError, match="values of shape"):
        Grid.of(("a",), [1.0], [[1.0, 2.0]])


@given(
    st.integers(1, 9),
    st.integers(1, 70),
    st.integers(1, 50),
    st.integers(1, 14),
    st.sampled_from([0.0, np.nan, np.inf]),
)
def test_any_size_is_kept(rows: int, columns: int, width: int, height: int, odd: float) -> None:
    values = np.arange(rows * columns, dtype=float).reshape(rows, columns)
    values[0, 0] = odd
    grid = Grid.of(tuple(f"row {at}" for at in range(rows)), START + np.arange(columns), values)
    picture = draw_heatmap(grid, GridView(cursor=(0, 0)), width, height)
    assert len(picture) <= height
    assert all(sum(len(text) for text, _ in line) <= width for line in picture)


async def test_keys_and_mouse(stage: Any) -> None:
    heat = HeatMap(GRID)
    app = stage(heat)
    async with app.run_test(size=(40, 7), message_hook=app.on_message_hook) as pilot:
        await pilot.press("left")
        assert cursor(heat) == (0, 3)
        await pilot.press("left", "down", "j")
        assert cursor(heat) == (1, 2)
        await pilot.pause()
        assert app.heard(HeatMap.CursorMoved)[-1].cursor == (1, 2)
        assert app.lines()[-1].startswith("0.250  income")
        await pilot.press("escape")
        assert cursor(heat) is None
        await pilot._post_mouse_events([MouseMove], heat, offset=(9, 0))
        assert cursor(heat) == (0, 0)


async def test_scrolls_to_the_cursor(stage: Any) -> None:
    names = tuple(f"feature {at}" for at in range(30))
    heat = HeatMap(Grid.of(names, START + np.arange(5), np.arange(150.0).reshape(30, 5)))
    async with stage(heat).run_test(size=(70, 8)) as pilot:
        await pilot.press("right")
        heat.action_move(20, 0)
        await pilot.pause()
        assert pilot.app.lines()[-1].endswith("   rows 17 to 21 of 30")
        assert any(line.startswith("▸feature 20") for line in pilot.app.lines())
        heat.update(GRID)  # fewer rows: the cursor stays inside
        await pilot.pause()
        assert cursor(heat) == (1, 3)


@pytest.mark.parametrize(
    ("name", "width", "cells"),
    [("x", 40, 3), ("ab", 40, 4), ("x", 8, 0), ("income", 11, 0), ("income", 12, 4)],
)
def test_names_are_left_out_only_where_they_would_say_nothing(name: str, width: int, cells: int) -> None:
    grid = Grid.of((name, name), START + np.arange(5), np.arange(10.0).reshape(2, 5))
    assert lay_out_grid(grid, width, 8).names == cells


async def test_picture(stage: Any, check_picture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage(HeatMap(GRID)).run_test(size=(50, 9)) as pilot:
        check_picture("heatmap-nocolor-50x9", pilot.app.lines())
