"""One small line chart as inline SVG: a line a version, gaps where there is no value."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from mlwatch.faces.markup import Markup, joined, tag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

WIDTH, HEIGHT = 340, 130
LEFT, RIGHT, TOP, BOTTOM = 8, 332, 14, 112
"""The frame that the lines fill, in user units."""
DASHES = {"baseline": "none", "candidate": "6 2", "other": "2 2"}
PEN = {"fill": "none", "stroke": "currentColor", "stroke_width": 1.8}
"""Drawn like this where a reader of the file knows no style sheets; they set the colours."""
LETTERS = {"font_size": 10, "fill": "currentColor"}


@dataclass(frozen=True, slots=True)
class Line:
    """One version's values over time."""

    name: str
    style: str
    """Its class in the style sheet: lines differ by dashes as well as by colour."""
    points: tuple[tuple[datetime, float | None], ...]


def chart(title: str, lines: Sequence[Line], show: Callable[[float], str]) -> Markup | None:
    """Draw lines over a common scale.

    Args:
        title: What is drawn.
        lines: At least one.
        show: Writes a value with its unit, for the ends of the scale.

    Returns:
        A figure; None where no line has a value.
    """
    values = [value for line in lines for _, value in line.points if value is not None]
    if not values:
        return None
    times = [moment for line in lines for moment, _ in line.points]
    scale = _Scale(min(times), max(times), min(values), max(values))
    drawn = [part for line in lines for part in _strokes(line, scale)]
    period = f"{scale.begin:%d %b %H:%M} to {scale.end:%d %b %H:%M}"
    labels = (
        tag("text", show(scale.high), x=LEFT, y=TOP - 4, **LETTERS),
        tag("text", show(scale.low), x=LEFT, y=BOTTOM + 13, **LETTERS),
        tag("text", period, x=RIGHT, y=BOTTOM + 13, text_anchor="end", **LETTERS),
    )
    frame = tag("line", x1=LEFT, y1=BOTTOM, x2=RIGHT, y2=BOTTOM, class_="axis", **PEN)
    picture = tag(
        "svg",
        frame,
        *drawn,
        *labels,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=_spoken(title, lines, show),
    )
    return tag("figure", tag("figcaption", title), picture)


@dataclass(frozen=True, slots=True)
class _Scale:
    begin: datetime
    end: datetime
    low: float
    high: float

    def x(self, moment: datetime) -> float:
        length = (self.end - self.begin).total_seconds()
        share = (moment - self.begin).total_seconds() / length if length else 0.5
        return round(LEFT + share * (RIGHT - LEFT), 1)

    def y(self, value: float) -> float:
        # halves first: the distance of two huge values may be more than a float holds
        half = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / half if half else 0.5
        return round(BOTTOM - share * (BOTTOM - TOP), 1)


def _strokes(line: Line, scale: _Scale) -> list[Markup]:
    """Draw each stretch without a gap; a value alone is a dot."""
    strokes = []
    for has_value, stretch in groupby(line.points, key=lambda point: point[1] is not None):
        places = [(scale.x(moment), scale.y(value)) for moment, value in stretch if value is not None]
        if has_value and len(places) == 1:
            strokes.append(tag("circle", cx=places[0][0], cy=places[0][1], r=2, class_=line.style))
        elif has_value:
            strokes.append(_polyline(places, line.style))
    return strokes


def _polyline(places: Sequence[tuple[float, float]], style: str) -> Markup:
    # not through `tag`, which would cut an attribute of many points short; all of it is numbers
    points = " ".join(f"{x},{y}" for x, y in places)
    rest = tag("polyline", class_=style, stroke_dasharray=DASHES[style], **PEN)
    return Markup(f'<polyline points="{points}"{rest.removeprefix("<polyline")}')


def _spoken(title: str, lines: Sequence[Line], show: Callable[[float], str]) -> str:
    """Say what the picture shows, for those who do not see it."""
    last = [
        f"{line.name} ends at {show(known[-1])}"
        for line in lines
        if (known := [value for _, value in line.points if value is not None])
    ]
    return f"{title}: {', '.join(last)}"


def legend(lines: Sequence[tuple[str, str]]) -> Markup:
    """Return the key to the lines: names and styles."""
    samples = (
        tag(
            "span",
            tag(
                "svg",
                tag("line", x1=0, y1=5, x2=28, y2=5, class_=style, stroke_dasharray=DASHES[style], **PEN),
                viewBox="0 0 28 10",
                class_="sample",
            ),
            f" {name}",
        )
        for name, style in lines
    )
    return tag("p", joined(*samples), class_="legend")
