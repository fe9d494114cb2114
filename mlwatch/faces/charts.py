"""The charts of reports as Vega-Lite, by Altair: names are data in them, never fields, expressions or addresses."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import altair as alt

from mlwatch.errors import one_line
from mlwatch.faces.pens import DASHES, PENS, light

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    Row = dict[str, Any]

WIDTH, HEIGHT = 310, 120
WIDE = 650
MARKS = (-1000, -100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100, 1000)
"""Numbers of margins that the scale of differences names."""
LEAST, MOST_MARGINS = 3.0, 3000.0
"""Margins to either side that are always on the scale, and those that never are."""
LARGEST = 1e15
"""Larger numbers are not drawn: scales lose their steps."""
LONGEST_NAME = 30
CONFIG: Row = {
    "aria": False,
    "background": "transparent",
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domainColor": light("hairline"),
        "gridColor": light("hairline"),
        "tickColor": light("hairline"),
        "labelColor": light("quiet"),
        "titleColor": light("quiet"),
        "labelFontSize": 10,
        "titleFontSize": 10,
        "titleFontWeight": "normal",
        "tickSize": 3,
        "ticks": False,
        "domain": False,
    },
}


@dataclass(frozen=True, slots=True)
class Line:
    """One version's values."""

    pen: int
    points: tuple[tuple[float, float | None], ...]
    """The first number is an `instant` where the other axis is time."""
    band: tuple[tuple[float, float] | None, ...] = ()
    """Interval of each value; empty without."""
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """One row of a forest plot, in margins."""

    name: str
    value: float
    low: float
    high: float
    """Ends may be infinite; all three are NaN where nothing is known."""
    colour: str


def over_time(
    lines: Sequence[Line],
    shape: str,
    *,
    levels: Sequence[float] = (),
    moment: float | None = None,
    nought: bool = False,
) -> alt.LayerChart:
    """Return lines over a common time axis; intervals are cut to where the lines are.

    Args:
        lines: At least one with a value.
        shape: How values are written, as d3-format says it.
        levels: Values to compare with, as dashed lines.
        moment: When the verdict turned, an `instant`.
        nought: The scale begins at 0.
    """
    times = [time for line in lines for time, _ in line.points]
    begin, end = min(times), max(times)
    x = _over(begin, end)
    bottom, top = _reach([*levels, *(value for line in lines for _, value in line.points)], nought=nought)
    scale = alt.Scale(domain=[bottom, top], nice=nought)
    y = alt.Y("y:Q", title=None, scale=scale, axis=alt.Axis(format=shape, tickCount=4))
    layers = [_marker(x, moment)] if moment is not None and begin <= moment <= end else []
    layers += [_level(value, y) for value in levels]
    layers += [part for line in lines for part in _drawn(_cut(line, bottom, top), x, y)]
    return _sized(layers)


def curves(lines: Sequence[Line], across: str, up: str, *, diagonal: bool) -> alt.LayerChart:
    """Return lines in the unit square, such as ROC or calibration."""
    unit = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X("x:Q", title=across, scale=unit, axis=alt.Axis(tickCount=5, grid=False))
    y = alt.Y("y:Q", title=up, scale=unit, axis=alt.Axis(tickCount=5))
    layers = [part for line in lines for part in _drawn(line, x, y)]
    if diagonal:
        ends = _data([{"x": 0, "y": 0}, {"x": 1, "y": 1}])
        layers.insert(0, ends.mark_line(color=light("quiet"), strokeWidth=1, strokeDash=[2, 3]).encode(x, y))
    return _sized(layers)


def steps(parts: Sequence[tuple[int, Sequence[float], Sequence[float]]], across: str) -> alt.LayerChart:
    """Return histograms over each other on a logarithmic axis.

    Args:
        parts: Pen, edges and shares of each; one edge more than shares, all above 0.
        across: What the axis measures.
    """
    x = alt.X(
        "x:Q", title=across, scale=alt.Scale(type="log", nice=False), axis=alt.Axis(grid=False, tickCount=6)
    )
    y = alt.Y("y:Q", title=None, axis=alt.Axis(format=".0%", tickCount=4))
    return _sized(
        [
            _data(_stairs(edges, shares)).mark_line(interpolate="step-after", **_pen(pen)).encode(x, y)
            for pen, edges, shares in parts
        ]
    )


def beside_reference(
    pen: int, edges: Sequence[float], reference: Sequence[float], current: Sequence[float]
) -> alt.LayerChart:
    """Return the histogram of a number, as a line over the filled one of its reference: shares by equal bins."""
    x = alt.X(
        "x:Q", title=None, scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(grid=False, tickCount=5)
    )
    y = alt.Y("y:Q", title=None, axis=alt.Axis(format=".0%", tickCount=3))
    was = _data(_stairs(edges, reference)).mark_area(
        interpolate="step-after", color=light("quiet"), opacity=0.35
    )
    now = _data(_stairs(edges, current)).mark_line(
        interpolate="step-after", color=light(PENS[_place(pen)]), strokeWidth=1.6
    )
    return _sized([was.encode(x, y), now.encode(x, y)])


def categories(
    pen: int, labels: Sequence[str], reference: Sequence[float], current: Sequence[float]
) -> alt.LayerChart:
    """Return shares of categories as bars over the wider ones of their reference."""
    names = unlike(labels)
    rows = [{"y": n, "was": was, "now": now} for n, was, now in zip(names, reference, current, strict=True)]
    y = alt.Y("y:N", title=None, sort=None, axis=alt.Axis(labelLimit=110))
    axis = alt.Axis(format=".0%", tickCount=4)
    wide = _data(rows).mark_bar(color=light("quiet"), opacity=0.35, height={"band": 0.85})
    slim = _data(rows).mark_bar(color=light(PENS[_place(pen)]), height={"band": 0.35})
    chart = [
        wide.encode(alt.X("was:Q", title=None, axis=axis), y),
        slim.encode(alt.X("now:Q", title=None, axis=axis), y),
    ]
    return _sized(chart, height=max(60, 13 * len(names)), width=WIDTH - 70)


def forest(effects: Sequence[Effect]) -> alt.LayerChart:
    """Return differences with their intervals on a scale of margins, logarithmic beyond one margin."""
    reach = max([LEAST, *(abs(one.value) * 1.5 for one in effects if math.isfinite(one.value))])
    reach = min(reach, MOST_MARGINS)
    rows = [
        _effect(name, one, reach)
        for name, one in zip(unlike([e.name for e in effects]), effects, strict=True)
    ]
    marks = [mark for mark in MARKS if abs(mark) <= reach]
    x = alt.X(
        "low:Q",
        title="← worse  ·  in margins  ·  better →",
        scale=alt.Scale(type="symlog", constant=1, domain=[-reach, reach], nice=False),
        axis=alt.Axis(values=marks, format=",.0f"),
    )
    y = alt.Y("name:N", title=None, sort=None, axis=alt.Axis(labelFontSize=11, labelColor=light("text")))
    colour = alt.Color("colour:N", scale=None, legend=None)
    allowed = _data([{"low": -1, "high": 0}]).mark_rect(color=light("unclear"), opacity=0.16)
    known = _data([row for row in rows if row["value"] is not None])
    chart = [
        allowed.encode(x, alt.X2("high:Q")),
        _data([{"low": 0}]).mark_rule(color=light("quiet"), strokeWidth=1).encode(x),
        _data(rows).mark_point(opacity=0).encode(alt.X("low:Q"), y),
        known.mark_rule(strokeWidth=2).encode(x, alt.X2("high:Q"), y, colour),
        known.mark_point(filled=True, size=55, opacity=1).encode(alt.X("value:Q"), y, colour),
    ]
    return _sized(chart, width=WIDE - 90, height=26 * len(rows))


def course(
    times: Sequence[float],
    difference: Sequence[float | None],
    limits: Sequence[tuple[float, float]],
    margin: Sequence[float | None],
    *,
    span: tuple[float, float],
    moment: float | None,
) -> alt.LayerChart:
    """Return a difference over a rollout with the limits that hold at every look, and its margin.

    Args:
        times: Of each value, as an `instant`.
        difference: Candidate less baseline.
        limits: Of the difference; may be infinite.
        margin: As a difference.
        span: Ends of the value axis, to which everything is cut.
        moment: When harm was shown, an `instant`.
    """
    bottom, top = span

    def cut(value: float) -> float:
        return min(max(value, bottom), top)

    x = _over(times[0], times[-1])
    y = alt.Y(
        "y:Q", title=None, scale=alt.Scale(domain=[bottom, top], nice=False), axis=alt.Axis(tickCount=4)
    )
    band = [
        {"x": time, "y": cut(low), "y2": cut(high)}
        for time, (low, high) in zip(times, limits, strict=True)
        if low == low and high == high  # noqa: PLR0124  not NaN
    ]
    marks = [] if moment is None else [_marker(x, moment)]
    inside = [None if value is None else cut(value) for value in difference]
    return _sized(
        [
            _data(band).mark_area(color=light("candidate"), opacity=0.18).encode(x, y, alt.Y2("y2:Q")),
            _data([{"y": 0.0}]).mark_rule(color=light("quiet"), strokeWidth=1).encode(y),
            *marks,
            _data(_points(list(zip(times, [None if m is None else cut(m) for m in margin], strict=True))))
            .mark_line(color=light("unclear"), strokeDash=[3, 3], strokeWidth=1.2).encode(x, y),
            *_drawn(Line(1, tuple(zip(times, inside, strict=True))), x, y),
        ]
    )  # fmt: skip


def unlike(names: Iterable[str]) -> list[str]:
    """Return names for an axis, short, on one line each and no two alike."""
    found: list[str] = []
    for name in names:
        line = one_line(name)
        short = line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"
        number = 1
        while (text := short if number == 1 else f"{short} ({number})") in found:
            number += 1
        found.append(text)
    return found


def _sized(layers: Sequence[Any], width: int = WIDTH, height: int = HEIGHT) -> alt.LayerChart:
    return alt.LayerChart(layer=list(layers), width=width, height=height)


def _data(rows: list[Row]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))


def _drawn(line: Line, x: alt.X, y: alt.Y) -> Iterator[Any]:
    """Yield the interval, the line itself, which breaks where nothing is known, and values that stand alone."""
    colour = light(PENS[_place(line.pen)])
    if line.band:
        rows = [
            {"x": time, "y": band[0], "y2": band[1]} if band else {"x": time, "y": None}
            for (time, _), band in zip(line.points, line.band, strict=True)
        ]
        yield _data(rows).mark_area(color=colour, opacity=0.14).encode(x, y, alt.Y2("y2:Q"))
    look = _pen(line.pen) | ({"strokeWidth": 1, "opacity": 0.6, "strokeDash": [1, 2]} if line.faint else {})
    yield _data(_points(line.points)).mark_line(**look).encode(x, y)
    if lone := _points(list(_lone(line.points))):
        yield _data(lone).mark_point(filled=True, size=14, color=colour, opacity=1).encode(x, y)


def _lone(
    points: Sequence[tuple[float, float | None]],
) -> Iterator[tuple[float, float]]:
    values = [None, *(value for _, value in points), None]
    for n, (time, value) in enumerate(points):
        if value is not None and values[n] is None and values[n + 2] is None:
            yield time, value


def _level(value: float, y: alt.Y) -> Any:
    rule = _data([{"y": value}]).mark_rule(color=light("quiet"), strokeDash=[5, 3], strokeWidth=1)
    return rule.encode(y)


def _marker(x: alt.X, moment: float) -> Any:
    rule = _data([{"x": moment}]).mark_rule(color=light("bad"), strokeDash=[2, 2], strokeWidth=1)
    return rule.encode(x)


def _effect(name: str, one: Effect, reach: float) -> Row:
    if math.isnan(one.value):
        return {"name": name, "value": None, "low": 0, "high": 0}
    low, value, high = (min(max(end, -reach), reach) for end in (one.low, one.value, one.high))
    return {"name": name, "value": value, "low": low, "high": high, "colour": light(one.colour)}


def _points(points: Iterable[tuple[float, float | None]]) -> list[Row]:
    return [{"x": x, "y": y if y is not None and abs(y) < LARGEST else None} for x, y in points]


def _stairs(edges: Sequence[float], shares: Sequence[float]) -> list[Row]:
    return [{"x": edge, "y": share} for edge, share in zip(edges, [*shares, shares[-1]], strict=True)]


def _pen(pen: int) -> dict[str, Any]:
    place = _place(pen)
    return {"color": light(PENS[place]), "strokeDash": list(DASHES[place]), "strokeWidth": 1.8}


def _place(pen: int) -> int:
    return min(pen, len(PENS) - 1)


def instant(time: datetime) -> float:
    """Return an aware time as Vega has it: milliseconds since 1970."""
    return 1000 * time.timestamp()


def _over(begin: float, end: float) -> alt.X:
    """Return an axis of UTC time that says hours, days or months."""
    days = (end - begin) / 86_400_000
    shape = "%H:%M" if days <= 1.5 else "%d %b" if days < 90 else "%b %Y"
    scale = alt.Scale(type="utc", domain=[begin, end])
    return alt.X("x:T", title=None, scale=scale, axis=alt.Axis(format=shape, tickCount=4, grid=False))


def _reach(values: Iterable[float | None], *, nought: bool) -> tuple[float, float]:
    """Return the ends of a scale: around all values, and 0 where that is asked for."""
    known = [value for value in values if value is not None and abs(value) < LARGEST]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if nought:
        low, high = min(low, 0.0), max(high, 0.0)
        return low, high if high > low else low + 1.0
    air = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
    return low - air, high + air


def _cut(line: Line, bottom: float, top: float) -> Line:
    band = tuple(pair and (max(pair[0], bottom), min(pair[1], top)) for pair in line.band)
    return replace(line, band=band)
