"""What keys and mouse do to a chart, and how charts follow one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from textual.events import MouseMove, MouseScrollDown, MouseScrollUp
from textual.widgets import Static

from widgets.timeseries import Band, Chart, LinkedCharts, Marker, Series, TimeSeries

START = 1_773_414_000.0  # 2026-03-13 15:00 UTC
TIMES = START + 60.0 * np.arange(241, dtype=np.float64)


def cursor(plot: TimeSeries) -> float | None:
    return plot.cursor


def span(plot: TimeSeries) -> tuple[float, float] | None:
    return plot.span


def chart(shift: float = 0.0, count: int = 241) -> Chart:
    at = np.arange(count)
    one = 50 + 10 * np.sin(at / 20) + shift
    other = np.where((at > 100) & (at < 130), np.nan, 45 + 8 * np.cos(at / 13))
    times = START + 60.0 * at
    return Chart(
        (Series.of("v1", times, one), Series.of("v2", times, other)),
        (Band(40.0, 55.0),),
        (Marker(START + 4000, "deploy v2"), Marker(START + 9000, "alert: p95", "bad")),
        unit="ms",
    )


@pytest.mark.parametrize("mode", ["quadrant", "braille", "ascii"])
@pytest.mark.parametrize("size", [(80, 16), (30, 6)])
async def test_pictures(stage: Any, check_picture: Any, mode: Any, size: tuple[int, int]) -> None:
    plot = TimeSeries(chart(), mode=mode, ascii_only=mode == "ascii")
    async with stage(plot).run_test(size=size) as pilot:
        plot.show_cursor(START + 3600)
        await pilot.pause()
        check_picture(f"timeseries-{mode}-{size[0]}x{size[1]}", pilot.app.lines())


async def test_cursor_keys(stage: Any) -> None:
    plot = TimeSeries(chart())
    app = stage(plot)
    async with app.run_test(size=(80, 16), message_hook=app.on_message_hook) as pilot:
        await pilot.press("left")  # appears at the end
        last = plot.cursor
        assert last == pytest.approx(TIMES[-1], abs=120)
        await pilot.press("left", "h")
        assert plot.cursor == pytest.approx(last - 2 * (TIMES[-1] - TIMES[0]) / (80 - 7))
        await pilot.press("home", "left")  # no further than the first column
        assert plot.cursor == pytest.approx(TIMES[0], abs=120)
        await pilot.pause()
        assert app.heard(TimeSeries.CursorMoved)[-1].at == plot.cursor
        assert "UTC" in app.lines()[0]
        await pilot.press("escape")
        assert plot.cursor is None


async def test_zoom_and_pan_keys(stage: Any) -> None:
    plot = TimeSeries(chart())
    app = stage(plot)
    async with app.run_test(size=(80, 16), message_hook=app.on_message_hook) as pilot:
        await pilot.press("plus")  # without a cursor around the end
        assert plot.span == pytest.approx((TIMES[-1] - 9600, TIMES[-1]))
        await pilot.press("shift+left")
        assert plot.span == pytest.approx((TIMES[-1] - 9600 * 1.2, TIMES[-1] - 9600 * 0.2))
        await pilot.press("H", "H", "H", "H")  # no further than the data
        assert plot.span == pytest.approx((TIMES[0], TIMES[0] + 9600))
        await pilot.press("minus", "minus")
        assert span(plot) is None
        for _ in range(40):
            plot.action_zoom(1)
        deepest = span(plot)
        assert deepest is not None
        assert deepest[1] - deepest[0] == pytest.approx(1.0, abs=1e-3)
        await pilot.press("0")
        await pilot.pause()
        assert app.heard(TimeSeries.SpanChanged)[-1].span is None


async def test_zoom_keeps_the_cursor_in_place(stage: Any) -> None:
    plot = TimeSeries(chart())
    async with stage(plot).run_test(size=(80, 16)) as pilot:
        plot.show_cursor(START + 3600)
        await pilot.press("plus")
        assert plot.span == pytest.approx((START + 1200, START + 1200 + 9600))


async def test_mouse_hovers_and_zooms(stage: Any) -> None:
    plot = TimeSeries(chart())
    async with stage(plot).run_test(size=(80, 16)) as pilot:
        await pilot._post_mouse_events([MouseMove], plot, offset=(7, 8))
        assert plot.cursor == pytest.approx(TIMES[0], abs=120)
        await pilot._post_mouse_events([MouseScrollUp], plot, offset=(7, 8))
        assert plot.span == pytest.approx((TIMES[0], TIMES[0] + 9600), abs=120)
        await pilot._post_mouse_events([MouseScrollDown], plot, offset=(7, 8))
        assert span(plot) is None
        await pilot._post_mouse_events([MouseMove], plot, offset=(2, 8))  # on the labels: stays


async def test_the_cursor_goes_with_the_mouse(stage: Any) -> None:
    plot, other = TimeSeries(chart()), Static("elsewhere")
    async with stage(plot, other).run_test(size=(80, 16)) as pilot:
        await pilot.hover(plot, offset=(30, 5))
        assert plot.cursor is not None
        await pilot.hover(other)
        await pilot.pause()
        assert cursor(plot) is None


async def test_dragging_marks_and_chooses_a_stretch(stage: Any) -> None:
    plot = TimeSeries(chart())
    app = stage(plot)
    async with app.run_test(size=(80, 16), message_hook=app.on_message_hook) as pilot:
        column = (TIMES[-1] - TIMES[0]) / (80 - 7)
        await pilot.mouse_down(plot, offset=(17, 8))
        await pilot.hover(plot, offset=(36, 8))
        marked = [strip for strip in app.lines() if strip.count("│") == 3]  # axis and both ends
        assert len(marked) > 4
        await pilot.mouse_up(plot, offset=(36, 8))
        await pilot.pause()
        (chosen,) = set(app.heard(TimeSeries.StretchChosen))
        assert (chosen.start, chosen.end) == pytest.approx((TIMES[0] + 10 * column, TIMES[0] + 30 * column))
        assert not chosen.to_end
        assert span(plot) is None  # whoever listens decides what becomes of it
        await pilot.mouse_down(plot, offset=(70, 8))
        await pilot.hover(plot, offset=(79, 8))
        await pilot.mouse_up(plot, offset=(79, 8))
        await pilot.click(plot, offset=(40, 8))  # marks nothing
        await pilot.pause()
        assert {message.to_end for message in app.heard(TimeSeries.StretchChosen)} == {False, True}


async def test_enter_chooses_what_is_zoomed_to_else_the_moment(stage: Any) -> None:
    plot = TimeSeries(chart())
    app = stage(plot)
    async with app.run_test(size=(80, 16), message_hook=app.on_message_hook) as pilot:
        await pilot.press("enter")  # nothing to choose
        await pilot.press("home", "enter", "plus", "enter")
        await pilot.pause()
        assert {message.at for message in app.heard(TimeSeries.MomentChosen)} == {plot.cursor}
        assert {(m.start, m.end) for m in app.heard(TimeSeries.StretchChosen)} == {plot.span}


async def test_a_stretch_beside_the_data_gives_way_to_them(stage: Any) -> None:
    plot = TimeSeries(chart())
    async with stage(plot).run_test(size=(80, 16)):
        plot.show_span((TIMES[10], TIMES[20]))
        plot.update(Chart((Series.of("v1", TIMES + 1e6, np.sin(TIMES)),)))
        assert span(plot) is None


async def test_linked_charts(stage: Any) -> None:
    one, other = TimeSeries(chart(), id="one"), TimeSeries(chart(100.0), id="other")
    app = stage(LinkedCharts(one, other))
    async with app.run_test(size=(80, 24), message_hook=app.on_message_hook) as pilot:
        one.focus()
        await pilot.press("home", "plus")
        await pilot.pause()
        assert other.cursor == one.cursor is not None
        assert other.span == one.span is not None
        assert {message.chart for message in app.heard(TimeSeries.CursorMoved)} == {one}  # no echo


async def test_escape_goes_on_where_no_cursor_is_shown(stage: Any) -> None:
    plot = TimeSeries(chart())
    app = stage(plot)
    asked: list[str] = []
    app.action_leave = lambda: asked.append("leave")
    app.bind("escape", "leave")
    async with app.run_test(size=(80, 16)) as pilot:
        await pilot.press("home", "escape")
        assert asked == []
        await pilot.press("escape")
        assert asked == ["leave"]


async def test_equal_data_repaint_nothing_and_the_end_is_followed(stage: Any) -> None:
    plot = TimeSeries(chart())
    async with stage(plot).run_test(size=(80, 16)) as pilot:
        await pilot.pause()
        strips = plot._strips
        plot.update(chart())
        assert plot._strips is strips is not None
        await pilot.press("plus")
        plot.update(chart(count=251))
        assert plot.span == pytest.approx((TIMES[-1] - 9000, TIMES[-1] + 600))
        await pilot.press("shift+left")
        held = plot.span
        plot.update(chart(count=261))
        assert plot.span == held


async def test_without_data_keys_do_nothing(stage: Any) -> None:
    plot = TimeSeries()
    async with stage(plot).run_test(size=(40, 8)) as pilot:
        await pilot.press("left", "plus", "minus", "home", "shift+left")
        await pilot.pause()
        assert pilot.app.lines()[0] == "no data yet"
        assert plot.cursor is None


async def test_without_colour_lines_differ_by_dashes(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    flat = [Series.of(name, TIMES, np.full(241, level)) for name, level in (("a", 1.0), ("b", 2.0))]
    plot = TimeSeries(Chart(tuple(flat), low=0, high=3))
    async with stage(plot).run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        lines = pilot.app.lines()
        solid = [line for line in lines if "▀▀▀▀▀▀▀▀" in line or "▄▄▄▄▄▄▄▄" in line]
        dashed = [line for line in lines if ("▀▀▀" in line or "▄▄▄" in line) and line not in solid]
        assert len(solid) == len(dashed) == 1
        assert lines[0].split("a", 1)[0].strip() == "━━━━━━"
        assert lines[0].split("a", 1)[1].split("b", 1)[0].strip() == "━━━  ━"
