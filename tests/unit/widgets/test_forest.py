"""Intervals on a scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App

from widgets.drawn import plain
from widgets.forest import Forest, ForestPlot, Interval, draw_forest, forest_scale

if TYPE_CHECKING:
    from textual.app import ComposeResult

ROWS = (
    Interval("Accuracy", -0.03, -0.04, -0.02, "−3.00 pt  worse", "bad"),
    Interval("Recall", 0.0, -0.02, 0.02, "0.00 pt  unclear", "warn"),
    Interval("ROC AUC", math.nan, math.nan, math.nan, "no labels yet"),
)
FOREST = Forest(ROWS, (-0.01, 0.01), "%")


def test_scale_reaches_from_end_to_end() -> None:
    scale = forest_scale(FOREST)
    assert (scale.low, scale.high) == pytest.approx((-0.043, 0.023))
    unknown = Forest((Interval("x", math.nan, 0, 9),), zero=1.0)
    assert forest_scale(unknown).high < 3  # its ends do not count


def test_rows_and_scale() -> None:
    lines = plain(draw_forest(FOREST, 60, 6, ascii_only=True)).splitlines()
    zero = lines[2].index("|")
    assert lines[1][zero] == "o"
    assert lines[0].index("o") < lines[0].index("]") < lines[0].index(":") < zero
    assert lines[2].startswith("ROC AUC  n/a")
    assert lines[-1].split() == ["-4", "%", "-2", "%", "0", "%", "2", "%"]
    assert lines[0].endswith("-3.00 pt  worse")


def test_margin_is_shaded_behind_the_interval() -> None:
    styles = [style for _, style in draw_forest(FOREST, 60, 6)[1]]
    assert "warn band" in styles
    assert "warn" in styles


def test_open_ends_are_arrow_heads() -> None:
    line = plain(draw_forest(Forest((Interval("x", 1.0, -math.inf, 2.0),)), 40, 1))
    assert line.startswith("x ◀───")
    assert line.rstrip().endswith("┤")


def test_texts_go_before_the_plot() -> None:
    assert "worse" not in plain(draw_forest(FOREST, 30, 6))
    assert "●" in plain(draw_forest(FOREST, 30, 6))


def test_empty_and_too_many() -> None:
    assert plain(draw_forest(Forest(()), 40, 5)) == "nothing to compare yet"
    assert plain(draw_forest(FOREST, 40, 2)).splitlines()[1] == "2 more"
    assert draw_forest(FOREST, 0, 2) == []


@given(
    st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(), st.floats()), max_size=8),
    st.integers(1, 60),
    st.integers(1, 10),
)
def test_any_intervals_keep_the_size(ends: list[tuple[float, float, float]], width: int, height: int) -> None:
    forest = Forest(tuple(Interval("name", value, low, high, "text") for value, low, high in ends), (-1, 1))
    picture = draw_forest(forest, width, height)
    assert len(picture) <= height
    assert all(sum(len(text) for text, _ in line) <= width for line in picture)


async def test_picture(stage: Any, check_picture: Any) -> None:
    plot = ForestPlot(FOREST)
    async with stage(plot).run_test(size=(70, 6)) as pilot:
        check_picture("forest-70x6", pilot.app.lines())
        strips = plot._strips
        plot.update(Forest(ROWS, (-0.01, 0.01), "%"))  # NaN is the same as NaN
        assert plot._strips is strips is not None
        plot.update(Forest(ROWS[:1], None, "%"))
        await pilot.pause()
        assert not pilot.app.lines()[1].startswith("Recall")


def test_a_scale_may_have_its_own_marks_and_limits() -> None:
    forest = Forest(
        ROWS, (-1.0, 0.0), marks=((-1.0, "limit"), (0.0, "none"), (9.0, "off")), limits=(-2.0, 2.0)
    )
    lines = plain(draw_forest(forest, 60, 6)).splitlines()
    assert lines[-1].split() == ["limit", "none"]
    assert (forest_scale(forest).low, forest_scale(forest).high) == (-2.0, 2.0)


def test_the_row_with_the_cursor_is_marked_and_kept_on_the_screen() -> None:
    picture = draw_forest(Forest(ROWS), 60, 2, cursor=2)
    assert all(style.endswith("row") for _, style in picture[0])
    assert plain(picture).startswith("ROC AUC")


async def test_keys_move_the_cursor() -> None:
    class Host(App[None]):
        rows: ClassVar[list[int]] = []

        def compose(self) -> ComposeResult:
            yield Focusable(FOREST)

        def on_forest_plot_row_highlighted(self, event: ForestPlot.RowHighlighted) -> None:
            self.rows.append(event.row)

    class Focusable(ForestPlot):
        can_focus = True

    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("tab", "down", "down", "down", "up", "end")
        assert app.rows == [1, 2, 1, 2]
