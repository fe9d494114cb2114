"""Curves in the unit square, and pictures beside each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.chart import Band, Chart, ChartView, Series
from widgets.chartdrawing import draw_chart
from widgets.curves import Curve, Square, draw_square
from widgets.drawn import beside, plain

STEP = Curve.of("v1", [0, 0, 1], [0, 1, 1], remark="1.000")


def test_curve_goes_up_then_right_over_the_diagonal() -> None:
    picture = draw_square(Square((STEP,), True, "fpr", "tpr"), 40, 14, mode="ascii")
    lines = plain(picture).splitlines()
    assert "oo v1 1.000" in lines[0]
    plot = [line.split("|", 1)[-1].split("+", 1)[-1] for line in lines[1:11]]
    assert plot[0].count("o") > 25  # along the top
    assert all(line.startswith("o") for line in plot)  # up at the left
    assert "*" in plot[5]  # the diagonal
    assert lines[-1].startswith("^ tpr")
    assert lines[-1].endswith("fpr >")


def test_points_in_any_order_and_without_x_are_taken() -> None:
    curve = Curve.of("x", [1.0, np.nan, 0.0], [0.5, 9.0, 1.0])
    assert curve.x.tolist() == [0.0, 1.0]
    assert curve.y.tolist() == [1.0, 0.5]
    with pytest.raises(ValueError, match="shapes"):
        Curve.of("x", [1.0], [1.0, 2.0])


def test_nothing_to_draw_is_said() -> None:
    assert plain(draw_square(Square(), 30, 8)) == "no curve yet"
    assert draw_square(Square((STEP,)), 0, 8) == []


@given(st.integers(1, 60), st.integers(1, 20))
def test_any_size_fits(width: int, height: int) -> None:
    picture = draw_square(
        Square((STEP, STEP), True, "false positive rate", "true positive rate"), width, height
    )
    assert len(picture) <= height
    assert all(sum(len(text) for text, _ in line) <= width for line in picture)


def test_pictures_beside_each_other_are_padded() -> None:
    left, right = [[("ab", "x")], [("c", "")]], [[("d", "")]]
    assert plain(beside([left, right], 4, 1)) == "ab   d\nc"


def test_bands_have_colours_of_their_own() -> None:
    times = np.arange(4.0)
    line = Series.of("a", times, np.array([0.5, 0.5, 0.5, 0.5]))
    band = Band(np.zeros(4), np.ones(4), times, "$accent 12%")
    picture = draw_chart(Chart((line,), (band,), low=-1.0, high=2.0), ChartView(), 30, 12)
    assert any("on $accent 12%" in style for row in picture for _, style in row)
    unnamed = draw_chart(Chart((Series.of("", times, times), line)), ChartView(), 30, 12)
    assert plain(unnamed).splitlines()[0].split() == ["━━", "a"]
