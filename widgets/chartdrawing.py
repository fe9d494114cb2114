"""Where the parts of a chart are, and how it is drawn; no widget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from widgets.axes import Scale, ValueAxis, column_of, gutter, time_axis, value_axis, value_limits
from widgets.canvas import Canvas
from widgets.chart import extent
from widgets.palette import DASHES, MARKS, series_style
from widgets.plotting import Plot
from widgets.text import sanitize, shorten
from widgets.ticks import moment_label, value_label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from widgets.chart import Band, Chart, ChartView, Series
    from widgets.drawn import Line, Picture

    Floats = NDArray[np.float64]


LONGEST = 32
"""Cells of a marker's label at most, where it stands at the left."""
DAY_S = 86_400.0
GAP = 3
"""Cells between two names of the legend."""
NAMES = (24, 18, 14, 11, 8)
"""Cells that a name may take in the legend, the more the better."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a chart are; the widget needs it to tell what the mouse points at."""

    width: int
    """Cells of the picture."""
    axis: ValueAxis
    """Labels at the left."""
    top: int
    """Lines above the plot: legend and labels of markers."""
    plot_width: int
    """Cells of the plot."""
    plot_height: int
    """Lines of the plot."""
    times: Scale
    """What the plot shows from left to right."""
    values: Scale
    """What it shows from bottom to top."""
    with_legend: bool
    with_markers: bool
    with_time_axis: bool


def lay_out(chart: Chart, view: ChartView, width: int, height: int) -> Layout | None:
    """Return where the parts are; None where there is nothing to draw or no room for it."""
    span = view.span or extent(chart)
    if span is None or width < 1 or height < 1:
        return None
    times = Scale(*span)
    with_legend = view.legend and height >= 4
    with_time_axis = height >= 6 and width >= 16
    with_markers = height >= 8 and any(span[0] <= marker.time <= span[1] for marker in chart.markers)
    top = with_legend + with_markers
    plot_height = height - top - 2 * with_time_axis
    values = value_limits(_values_in(chart, span), chart.low, chart.high)
    axis = value_axis(values, chart.unit, width, plot_height, ascii_only=view.ascii_only)
    plot_width = width - axis.width
    return Layout(
        width, axis, top, plot_width, plot_height, times, values, with_legend, with_markers, with_time_axis
    )  # fmt: skip


def _values_in(chart: Chart, span: tuple[float, float]) -> list[Floats]:
    """Return the values that lie in a span, with one neighbour at either side."""
    arrays = []
    for line in chart.series:
        first, last = _window(line.times, span)
        arrays.append(line.values[first:last])
    for band in chart.bands:
        for edge in (band.low, band.high):
            inside = slice(None) if band.times is None else slice(*_window(band.times, span))
            arrays.append(np.atleast_1d(np.asarray(edge, dtype=np.float64))[inside])
    return arrays


def _window(times: Floats, span: tuple[float, float]) -> tuple[int, int]:
    first, last = np.searchsorted(times, span[0]), np.searchsorted(times, span[1], side="right")
    return max(int(first) - 1, 0), int(last) + 1


def draw_chart(chart: Chart, view: ChartView, width: int, height: int) -> Picture:
    """Return a chart as lines: legend, labels of markers, plot, time axis; less where there is less room."""
    layout = lay_out(chart, view, width, height)
    if layout is None:
        text = sanitize("no data yet", max(width, 0), ascii_only=view.ascii_only)
        return [[(text, "muted")]] if width > 0 and height > 0 else []
    plot = _plot(chart, view, layout)
    left = layout.axis.width
    lines: Picture = []
    if layout.with_legend:
        lines.append(legend(chart, view, layout))
    if layout.with_markers:
        lines.append([(" " * left, ""), *_marker_labels(chart, view, layout)])
    bottom: Picture = []
    if layout.with_time_axis:
        axis, labels, _ = time_axis(
            layout.times, layout.plot_width, left, view.zone, ascii_only=view.ascii_only
        )
        bottom = [axis, labels]
    for at, line in enumerate(plot.lines()):
        lines.append([*gutter(layout.axis, at, ascii_only=view.ascii_only), *line])
    return lines + bottom


def _plot(chart: Chart, view: ChartView, layout: Layout) -> Plot:
    canvas = Canvas(layout.plot_width, layout.plot_height, view.mode)
    for at, line in enumerate(chart.series):
        x, y = _dots(line.times, line.values, layout, canvas)
        canvas.line(x, y, at, dashed=view.dashed)
    styles = [line.style or series_style(at) for at, line in enumerate(chart.series)]
    plot = Plot(canvas, styles, ascii_only=view.ascii_only)
    for at in layout.axis.labels:
        plot.rule(at)
    for band in chart.bands:
        plot.band(*_band_rows(band, layout), band.colour)
    for marker in chart.markers:
        if layout.times.low <= marker.time <= layout.times.high:
            plot.upright(column_of(layout.times, marker.time, layout.plot_width), marker.style)
    if view.cursor is not None and layout.times.low <= view.cursor <= layout.times.high:
        plot.cursor(column_of(layout.times, view.cursor, layout.plot_width))
    if view.marked is not None:
        first, last = (column_of(layout.times, at, layout.plot_width) for at in view.marked)
        plot.mark(first, last)
    return plot


def _dots(times: Floats, values: Floats, layout: Layout, canvas: Canvas) -> tuple[Floats, Floats]:
    """Return points as dots from the upper left, only those that can be seen and their neighbours."""
    first, last = _window(times, (layout.times.low, layout.times.high))
    x = layout.times.share(times[first:last]) * canvas.dots_across
    # the last moment belongs to the last column
    x = np.where(x == canvas.dots_across, np.nextafter(float(canvas.dots_across), 0.0), x)
    with np.errstate(invalid="ignore"):
        y = (1.0 - layout.values.share(values[first:last])) * (canvas.dots_down - 1)
    return x, y


def _band_rows(band: Band, layout: Layout) -> tuple[Floats, Floats]:
    """Return the half lines between which a band lies, one a column."""
    edges = []
    for edge in (band.high, band.low):
        values = np.asarray(edge, dtype=np.float64)
        if band.times is not None and values.ndim:
            step = (layout.times.high - layout.times.low) / layout.plot_width
            middles = layout.times.low + step * (np.arange(layout.plot_width) + 0.5)
            values = np.interp(middles, band.times, values, left=np.nan, right=np.nan)
        rows = (1.0 - layout.values.share(values)) * (2 * layout.plot_height)
        edges.append(np.broadcast_to(rows, (layout.plot_width,)))
    return edges[0], edges[1]


def legend(chart: Chart, view: ChartView, layout: Layout) -> Line:
    """Return the names of the series, with the time and the values at the cursor where there is one.

    Names are shortened as far as they must be; what finds no room even so is left out, the longest first.
    """
    line: Line = [(" " * layout.axis.width, "")]
    entries, room = _entries(chart, view, layout, NAMES[0]), layout.plot_width
    for most in NAMES:
        entries = _entries(chart, view, layout, most)
        if _taken(entries) <= room:
            break
    if view.cursor is not None:
        text = _time_read(view.cursor, view, layout, room - _taken(entries))
        line.append((text, "strong"))
        room -= len(text)
    while entries and _taken(entries) > room:
        entries.remove(max(entries, key=lambda entry: cell_len(entry[2])))
    for at, (mark, style, text) in enumerate(entries):
        line += [(" " * GAP if at else "", ""), (mark, style), (text, "label")]
    return line


def _entries(chart: Chart, view: ChartView, layout: Layout, most: int) -> list[tuple[str, str, str]]:
    """Return mark, style and text of each series, its name in at most `most` cells."""

    def name(series: Series) -> str:
        return shorten(sanitize(series.name, ascii_only=view.ascii_only), most, ascii_only=view.ascii_only)

    return [
        (
            _mark(at, view),
            series.style or series_style(at),
            f" {name(series)}{_readout(series, chart, view, layout)}",
        )
        for at, series in enumerate(chart.series)
        if series.name
    ]


def _taken(entries: list[tuple[str, str, str]]) -> int:
    return sum(cell_len(mark + text) + GAP for mark, _, text in entries) - GAP


def _time_read(at: float, view: ChartView, layout: Layout, room: int) -> str:
    """Return the time of the cursor in full, or without date and zone where `room` cells are too few for that."""
    text = moment_label(at, view.zone)
    if len(text) + 2 > room and layout.times.high - layout.times.low < DAY_S:
        text = text[11:19] or text
    return (sanitize(text, layout.plot_width, ascii_only=view.ascii_only) + "  ")[: layout.plot_width]


def _mark(at: int, view: ChartView) -> str:
    """Return a piece of a line as the legend shows it."""
    if view.ascii_only:
        return MARKS[at % len(MARKS)] * 2
    drawn, left_out = DASHES[at % len(DASHES)]
    return (("━" * drawn + " " * left_out) * 6)[:6] if view.dashed else "━━"


def _readout(series: Series, chart: Chart, view: ChartView, layout: Layout) -> str:
    if view.cursor is None:
        return ""
    column = (layout.times.high - layout.times.low) / layout.plot_width
    spacing = float(np.median(np.diff(series.times))) if series.times.size > 1 else 0.0
    value = series.at(view.cursor, max(column, spacing / 2 * 1.01))
    return " " + ("n/a" if value is None else value_label(value, chart.unit, ascii_only=view.ascii_only))


def _marker_labels(chart: Chart, view: ChartView, layout: Layout) -> Line:
    """Return the labels of markers above their lines, at the right or else at the left of their sign.

    One that finds no whole room at either side is cut, or only a sign.
    """
    line: Line = []
    free = 0
    sign = "v" if view.ascii_only else "▼"
    inside = [mark for mark in chart.markers if layout.times.low <= mark.time <= layout.times.high]
    inside.sort(key=lambda mark: mark.time)
    columns = [column_of(layout.times, mark.time, layout.plot_width) for mark in inside]
    for mark, column, after in zip(inside, columns, [*columns[1:], layout.plot_width], strict=True):
        if column < free:
            continue
        room = max(after - column - 2, 0)
        whole = sanitize(mark.label, LONGEST, ascii_only=view.ascii_only)
        if room - 1 < cell_len(whole) < column - free - 1:
            line += [(" " * (column - free - cell_len(whole) - 1), ""), (f"{whole} {sign}", mark.style)]
            free = column + 1
            continue
        label = sanitize(mark.label, room - 1, ascii_only=view.ascii_only) if room > 3 else ""
        text = f"{sign} {label}".rstrip()
        line += [(" " * (column - free), ""), (text, mark.style)]
        free = column + cell_len(text)
    return line
