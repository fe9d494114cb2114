"""A chart over time that can be read, zoomed and moved with keys and mouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message

from widgets.axes import time_of
from widgets.chart import Band, Chart, ChartView, Marker, Series, extent
from widgets.chartdrawing import draw_chart, lay_out
from widgets.datawidget import same
from widgets.drawn import Drawn, Picture

if TYPE_CHECKING:
    from datetime import tzinfo

    from textual import events

    from widgets.canvas import Mode
    from widgets.chartdrawing import Layout

__all__ = ["Band", "Chart", "LinkedCharts", "Marker", "Series", "TimeSeries"]

_SHORTEST = 1.0
"""Seconds that the axis can be zoomed in to."""
_ZOOM = 1.5
_PAN = 0.2


class TimeSeries(Drawn):
    """A chart over time.

    Keys: left and right (h, l) move the cursor, with shift (H, L) the picture; `+` and `-` zoom around the
    cursor, `0` shows all again; home and end put the cursor on the first and the last column; escape hides
    it; enter chooses the stretch that is zoomed to, else the moment of the cursor. The mouse reads values where
    it hovers; its wheel zooms there, with shift or sideways it moves; dragging chooses a stretch. What is chosen
    is told in a message and changes nothing here.

    Args:
        chart: What is shown.
        mode: quadrant for dense lines, braille for thin ones; ASCII if `ascii_only`.
        zone: Whose clock the time axis shows.
        legend: Whether the first line names the series and reads out values.
    """

    can_focus = True
    DEFAULT_CSS = "TimeSeries { height: 1fr; min-height: 3; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move_cursor(-1)", "Cursor left", show=False),
        Binding("right,l", "move_cursor(1)", "Cursor right", show=False),
        Binding("home", "cursor_to(0)", "First", show=False),
        Binding("end", "cursor_to(-1)", "Last", show=False),
        Binding("shift+left,H", "pan(-1)", "Earlier", show=False),
        Binding("shift+right,L", "pan(1)", "Later", show=False),
        Binding("plus,equals_sign", "zoom(1)", "Zoom in", show=False),
        Binding("minus", "zoom(-1)", "Zoom out", show=False),
        Binding("0", "show_all", "Show all", show=False),
        Binding("escape", "hide_cursor", "Hide the cursor", show=False),
        Binding(
            "enter", "choose", "Choose", show=False, tooltip="Choose the stretch or the moment of the chart"
        ),
    ]

    class CursorMoved(Message):
        """The cursor stands at another time, or is hidden."""

        def __init__(self, chart: TimeSeries, at: float | None) -> None:
            super().__init__()
            self.chart = chart
            self.at = at

        @property
        def control(self) -> TimeSeries:
            """The chart."""
            return self.chart

        def can_replace(self, message: Message) -> bool:
            """Let the newest position take the place of older ones."""
            return isinstance(message, TimeSeries.CursorMoved) and message.chart is self.chart

    class SpanChanged(Message):
        """The chart shows another stretch of time; None is all of it."""

        def __init__(self, chart: TimeSeries, span: tuple[float, float] | None) -> None:
            super().__init__()
            self.chart = chart
            self.span = span

        @property
        def control(self) -> TimeSeries:
            """The chart."""
            return self.chart

        def can_replace(self, message: Message) -> bool:
            """Let the newest stretch take the place of older ones."""
            return isinstance(message, TimeSeries.SpanChanged) and message.chart is self.chart

    class StretchChosen(Message):
        """A reader wants to see a stretch of time, in seconds since 1970-01-01 UTC."""

        def __init__(self, chart: TimeSeries, start: float, end: float, *, to_end: bool) -> None:
            super().__init__()
            self.chart = chart
            self.start, self.end = start, end
            self.to_end = to_end
            """Whether it reaches the end of the data."""

        @property
        def control(self) -> TimeSeries:
            """The chart."""
            return self.chart

    class MomentChosen(Message):
        """A reader wants to see a moment, in seconds since 1970-01-01 UTC."""

        def __init__(self, chart: TimeSeries, at: float) -> None:
            super().__init__()
            self.chart = chart
            self.at = at

        @property
        def control(self) -> TimeSeries:
            """The chart."""
            return self.chart

    def __init__(
        self,
        chart: Chart | None = None,
        *,
        mode: Mode = "quadrant",
        zone: tzinfo = UTC,
        legend: bool = True,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name Textual gives it
        classes: str | None = None,
    ) -> None:
        super().__init__(ascii_only=ascii_only, name=name, id=id, classes=classes)
        self._chart = chart or Chart()
        self._grasped: float | None = None
        """Time at which the mouse was pressed."""
        self._view = ChartView(mode="ascii" if ascii_only else mode, zone=zone, legend=legend)

    # --- data and view ---------------------------------------------------------------------------

    @property
    def chart(self) -> Chart:
        """What is shown."""
        return self._chart

    @property
    def cursor(self) -> float | None:
        """Time of the cursor in seconds since 1970-01-01 UTC; None where it is hidden."""
        return self._view.cursor

    @property
    def span(self) -> tuple[float, float] | None:
        """First and last time shown; None while all of the data is."""
        return self._view.span

    def update(self, chart: Chart) -> None:
        """Show another chart; repaints only if it differs.

        A stretch of time stays as it is, but one that reaches to the end of the data follows the end, and one
        that lies beside the data gives way to all of them.
        """
        if same(chart, self._chart):
            return
        before, after = extent(self._chart), extent(chart)
        self._chart = chart
        if self.span and before and after and self.span[1] >= before[1]:
            moved = after[1] - before[1]
            self.show_span((self.span[0] + moved, self.span[1] + moved))
        if self.span and after and not (self.span[0] < after[1] and after[0] < self.span[1]):
            self.show_span(None)
        self.redraw()

    def show_cursor(self, time: float | None) -> None:
        """Put the cursor at a time, or hide it, without telling anyone."""
        self._look(replace(self._view, cursor=time))

    def show_span(self, span: tuple[float, float] | None) -> None:
        """Show a stretch of time, or all, without telling anyone."""
        self._look(replace(self._view, span=span))

    def show_mode(self, mode: Mode) -> None:
        """Draw with other characters."""
        self._look(replace(self._view, mode="ascii" if self.ascii_only else mode))

    def _look(self, view: ChartView) -> None:
        if view != self._view:
            self._view = view
            self.redraw()

    def draw(self, width: int, height: int) -> Picture:
        """Return the chart."""
        return draw_chart(self._chart, replace(self._view, dashed=self.monochrome), width, height)

    def _layout_now(self) -> Layout | None:
        return lay_out(self._chart, self._view, *self.size)

    # --- what keys and mouse do ------------------------------------------------------------------

    def _move_to(self, time: float | None) -> None:
        if time != self.cursor:
            self.show_cursor(time)
            self.post_message(self.CursorMoved(self, time))

    def zoom_to(self, span: tuple[float, float] | None) -> None:
        """Show a stretch of time, or all, and tell."""
        if span != self.span:
            self.show_span(span)
            self.post_message(self.SpanChanged(self, span))

    def action_move_cursor(self, by: int) -> None:
        """Move the cursor by columns; the first time, show it at the last one."""
        layout = self._layout_now()
        if layout is None:
            return
        if self.cursor is None:
            self.action_cursor_to(-1)
            return
        step = (layout.times.high - layout.times.low) / layout.plot_width
        ends = (
            time_of(layout.times, 0, layout.plot_width),
            time_of(layout.times, layout.plot_width - 1, layout.plot_width),
        )
        self._move_to(min(max(self.cursor + by * step, ends[0]), ends[1]))

    def action_cursor_to(self, column: int) -> None:
        """Put the cursor on the first or the last column."""
        layout = self._layout_now()
        if layout is not None:
            self._move_to(time_of(layout.times, range(layout.plot_width)[column], layout.plot_width))

    def action_hide_cursor(self) -> None:
        """Hide the cursor."""
        self._move_to(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - of Textual
        """Leave escape to others while no cursor is shown, and enter while there is nothing to choose."""
        if action == "choose":
            return self.cursor is not None or self.span is not None
        return action != "hide_cursor" or self.cursor is not None

    def action_choose(self) -> None:
        """Choose the stretch that is zoomed to, else the moment of the cursor."""
        if self.span is not None:
            self._choose(*self.span)
        elif self.cursor is not None:
            self.post_message(self.MomentChosen(self, self.cursor))

    def _choose(self, start: float, end: float) -> None:
        whole = extent(self._chart)
        to_end = whole is not None and end >= whole[1]
        self.post_message(self.StretchChosen(self, start, end, to_end=to_end))

    def action_pan(self, by: int) -> None:
        """Move the picture by a fifth of its width."""
        layout, whole = self._layout_now(), extent(self._chart)
        if layout is None or whole is None or self.span is None:
            return
        start, end = self.span
        step = by * _PAN * (end - start)
        step = (
            min(max(step, whole[0] - start), whole[1] - end)
            if whole[0] <= start and end <= whole[1]
            else step
        )
        self.zoom_to((start + step, end + step))

    def action_zoom(self, by: int) -> None:
        """Zoom around the cursor, or around the end where there is none."""
        layout = self._layout_now()
        if layout is not None:
            self._zoom(by, layout.times.high if self.cursor is None else self.cursor)

    def _zoom(self, by: int, around: float) -> None:
        """Zoom so that a time stays where it is; out to the whole of the data at most."""
        layout, whole = self._layout_now(), extent(self._chart)
        if layout is None or whole is None:
            return
        start, end = layout.times.low, layout.times.high
        factor = max(_ZOOM**-by, _SHORTEST / (end - start)) if by > 0 else _ZOOM**-by
        around = min(max(around, start), end)
        width = (end - start) * factor
        if width >= whole[1] - whole[0]:
            self.zoom_to(None)
            return
        first = around - (around - start) * factor
        first = min(max(first, whole[0]), whole[1] - width)
        self.zoom_to((first, first + width))

    def action_show_all(self) -> None:
        """Show all of the data."""
        self.zoom_to(None)

    def _time_under(self, event: events.MouseEvent) -> float | None:
        layout, offset = self._layout_now(), event.get_content_offset(self)
        if layout is None or offset is None:
            return None
        column = offset.x - layout.axis.width
        return time_of(layout.times, column, layout.plot_width) if 0 <= column < layout.plot_width else None

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to mark a stretch."""
        self._grasped = self._time_under(event) if event.button == 1 else None
        if self._grasped is not None:
            self.capture_mouse()

    def on_mouse_up(self) -> None:
        """Choose the stretch that was marked."""
        layout, marked, self._grasped = self._layout_now(), self._view.marked, None
        self.release_mouse()
        self._look(replace(self._view, marked=None))
        if marked is not None and layout is not None:
            half = (layout.times.high - layout.times.low) / layout.plot_width / 2
            self._choose(marked[0] - half, marked[1] + half)

    def _mark(self, event: events.MouseMove) -> None:
        """Mark all columns between where the mouse was pressed and where it is, at the ends of the plot at most."""
        layout = self._layout_now()
        if layout is None or self._grasped is None:
            return
        column = event.get_content_offset_capture(self).x - layout.axis.width
        column = min(max(column, 0), layout.plot_width - 1)
        here = time_of(layout.times, column, layout.plot_width)
        ends = (min(here, self._grasped), max(here, self._grasped))
        self._look(replace(self._view, marked=ends if ends[0] < ends[1] else None))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Read out what the mouse points at; while it is pressed, mark what it was drawn over."""
        self._mark(event)
        time = self._time_under(event)
        if time is not None:
            self._move_to(time)

    def on_leave(self) -> None:
        """Hide the cursor when the mouse goes."""
        if not self.is_mouse_over:
            self._move_to(None)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in where the mouse is, or move with shift."""
        self._wheel(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out where the mouse is, or move with shift."""
        self._wheel(event, -1)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """Move to earlier times."""
        event.stop()
        self.action_pan(-1)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """Move to later times."""
        event.stop()
        self.action_pan(1)

    def _wheel(self, event: events.MouseEvent, by: int) -> None:
        event.stop()
        time = self._time_under(event)
        if event.shift:
            self.action_pan(-by)
        elif time is not None:
            self._zoom(by, time)


class LinkedCharts(Vertical):
    """A container whose charts share one cursor and one stretch of time."""

    def on_time_series_cursor_moved(self, message: TimeSeries.CursorMoved) -> None:
        """Put the cursors of the other charts at the same time."""
        for chart in self.walk_children(TimeSeries):
            if chart is not message.chart:
                chart.show_cursor(message.at)

    def on_time_series_span_changed(self, message: TimeSeries.SpanChanged) -> None:
        """Let the other charts show the same stretch of time."""
        for chart in self.walk_children(TimeSeries):
            if chart is not message.chart:
                chart.show_span(message.span)
