"""Charts as text: layout, gaps, bands, markers, readout."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.axes import value_limits
from widgets.chart import Band, Chart, ChartView, Marker, Series, extent, seconds
from widgets.chartdrawing import draw_chart, lay_out
from widgets.datawidget import same
from widgets.drawn import plain

if TYPE_CHECKING:
    from widgets.canvas import Mode

START = datetime(2026, 3, 13, 15, tzinfo=UTC).timestamp()
TIMES = START + 60.0 * np.arange(121, dtype=np.float64)
RAMP = Series.of("v1", TIMES, np.linspace(0, 120, 121))


def drawn(chart: Chart, view: ChartView | None = None, width: int = 40, height: int = 10) -> list[str]:
    return plain(draw_chart(chart, view or ChartView(mode="ascii"), width, height)).splitlines()


def test_a_ramp() -> None:
    lines = drawn(Chart((RAMP,), unit="ms", low=0, high=120), width=40, height=9)
    assert lines[0] == "        ** v1"
    assert lines[-1].split() == ["15:00", "16:00", "17:00"]
    assert [line[:8] for line in lines[1:-2]] == [
        "       |",
        "100 ms +",
        "       |",
        " 50 ms +",
        "       |",
        "  0 ms +",
    ]


def test_long_names_share_the_legend() -> None:
    names = [f"xgb-2026.11.0{day}-{end}" for day, end in ((1, "3f9c"), (3, "77ab"))]
    chart = Chart(tuple(Series.of(name, TIMES, RAMP.values) for name in names))
    assert drawn(chart, width=80)[0].split() == ["**", names[0], "oo", names[1]]
    assert drawn(chart, width=44)[0].split() == ["**", "xgb-202~1-3f9c", "oo", "xgb-202~3-77ab"]


def test_readout_at_the_cursor() -> None:
    lines = drawn(Chart((RAMP,), unit="ms"), ChartView(mode="ascii", cursor=START + 3600), width=60)
    assert lines[0].split() == ["2026-03-13", "16:00:00", "UTC", "**", "v1", "60", "ms"]
    late = ChartView(mode="ascii", cursor=START + 3600, zone=ZoneInfo("Asia/Kolkata"))
    assert "21:30:00 IST" in drawn(Chart((RAMP,)), late, width=60)[0]


def test_readout_does_not_reach_over_gaps() -> None:
    sparse = Series.of("v1", [START, START + 60, START + 120, START + 36_000], [1, 2, 3, 4])
    view = ChartView(mode="ascii", cursor=START + 20_000)
    assert drawn(Chart((sparse,)), view, width=70)[0].endswith("** v1 n/a")


def test_band_is_shaded_behind_the_line() -> None:
    chart = Chart((RAMP,), (Band(40, 80),), low=0, high=120)
    assert any(":" in line for line in drawn(chart))
    styles = {style for line in draw_chart(chart, ChartView(), 40, 12) for _, style in line}
    assert {"band", "series-1 band"} <= styles


def test_band_with_edges_over_time() -> None:
    chart = Chart((RAMP,), (Band(RAMP.values - 10, RAMP.values + 10, TIMES),), low=-10, high=130)
    picture = draw_chart(chart, ChartView(), 60, 20)
    grounds = sum(len(text) for line in picture for text, style in line if "band" in style.split())
    edges = sum(
        char in "▀▄" for line in picture for text, style in line if "band-edge" in style for char in text
    )
    shaded = grounds + edges
    assert 100 < shaded < 400


def test_markers_have_lines_and_labels() -> None:
    marks = (
        Marker(START + 3600, "deploy\x1b[2J v2"),
        Marker(START + 3900, "alert", "bad"),
        Marker(0, "long ago"),
    )
    lines = drawn(Chart((RAMP,), (), marks), width=60, height=12)
    assert lines[1].split() == ["deploy", "v2", "v", "v", "alert"], "the first has room at the left"
    column = lines[1].index("v2 v") + 3
    assert sum(line[column] in "|*" for line in lines[2:-2]) == 8
    close = (Marker(START + 60, "deploy of v2"), Marker(START + 900, "alert", "bad"))
    lines = drawn(Chart((RAMP,), (), close), width=60, height=12)
    assert lines[1].split()[0] == "v", "there is no room at either side"


def test_series_take_colours_in_order() -> None:
    other = Series.of("v2", TIMES, np.linspace(120, 0, 121), "$error")
    styles = {style for line in draw_chart(Chart((RAMP, other)), ChartView(), 40, 10) for _, style in line}
    assert {"series-1", "$error"} <= styles


@pytest.mark.parametrize(
    "values", [[], [np.nan] * 5, [np.inf, -np.inf, np.inf], [3.0], [3.0, 3.0], [1e300, -1e300]]
)
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (15, 5), (40, 2), (40, 4), (40, 6), (120, 40)])
def test_odd_data_and_sizes(values: list[float], size: tuple[int, int]) -> None:
    line = Series.of("v1", START + np.arange(len(values)), values)
    modes: tuple[Mode, ...] = ("ascii", "braille", "quadrant")
    for mode in modes:
        lines = drawn(Chart((line,)), ChartView(mode=mode, cursor=START), *size)
        assert len(lines) <= size[1]
        assert all(len(text) <= size[0] for text in lines)


@given(st.integers(1, 60), st.integers(1, 30))
def test_any_size_is_kept(width: int, height: int) -> None:
    picture = draw_chart(Chart((RAMP,), (Band(10, 20),), (Marker(START, "x"),)), ChartView(), width, height)
    assert len(picture) == height
    assert all(sum(len(text) for text, _ in line) <= width for line in picture)


def test_without_data() -> None:
    assert drawn(Chart()) == ["no data yet"]
    assert drawn(Chart((Series.of("v1", [], []),))) == ["no data yet"]
    assert draw_chart(Chart(), ChartView(), 0, 5) == []


def test_limits_leave_air_and_do_not_cross_zero() -> None:
    scale = value_limits([np.array([0.0, 10.0, np.nan, np.inf])])
    assert (scale.low, scale.high) == pytest.approx((0.0, 10.6))
    assert value_limits([np.array([-10.0, 0.0])]).high == 0.0
    nothing = value_limits([np.zeros(3)])  # a rate of nought is no reason to show what is below it
    assert nothing.low == 0.0 < nothing.high
    flat = value_limits([np.array([5.0, 5.0])])
    assert flat.low < 5.0 < flat.high
    empty = value_limits([])
    assert empty.low < empty.high
    assert value_limits([np.array([1.0])], low=4, high=2).low < 2


def test_limits_are_those_of_the_stretch_shown() -> None:
    layout = lay_out(Chart((RAMP,)), ChartView(span=(START, START + 600)), 60, 20)
    assert layout is not None
    assert 10 <= layout.values.high <= 12


def test_times_of_many_kinds() -> None:
    moment = np.array(["2026-03-13T15:00:00.5"], dtype="datetime64[ms]")
    assert seconds(moment) == pytest.approx([START + 0.5])
    assert seconds([datetime.fromtimestamp(START, UTC)]) == pytest.approx([START])
    unsorted = Series.of("x", [3, 1, np.nan, 2], [30, 10, 99, 20])
    assert unsorted.times.tolist() == [1, 2, 3]
    assert unsorted.values.tolist() == [10, 20, 30]
    with pytest.raises(ValueError, match=r"times have shape \(2,\), values \(1,\)"):
        Series.of("x", [1, 2], [1])


def test_extent_and_equality() -> None:
    assert extent(Chart((RAMP,))) == (START, START + 7200)
    assert extent(Chart((Series.of("x", [5.0], [1.0]),))) == (-25.0, 35.0)
    again = Series.of("v1", TIMES, np.linspace(0, 120, 121))
    assert same(Chart((RAMP,)), Chart((again,)))
    gap = Series.of("v1", TIMES, np.full(121, np.nan))
    assert same(Chart((gap,)), Chart((Series.of("v1", TIMES, np.full(121, np.nan)),)))
    assert not same(Chart((RAMP,)), Chart((gap,)))
    assert not same(Chart((RAMP,), (Band(1, 2),)), Chart((RAMP,), (Band(1, 3),)))
