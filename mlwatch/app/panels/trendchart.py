"""One number over time, baseline and candidate on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive

from mlwatch.app.drawing import Piece, cell, clean, line
from mlwatch.app.panels.base import Panel
from mlwatch.app.plot import Canvas
from mlwatch.app.rows import MetricRow, metric_rows, steps
from mlwatch.app.sparks import scale
from mlwatch.app.units import Zone, show, zone_name

if TYPE_CHECKING:
    from datetime import datetime

    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View


HALF_A_MINUTE = timedelta(seconds=30)
"""Added before the seconds are cut off, so that the minute is rounded."""


@dataclass(frozen=True, slots=True)
class TrendState:
    """The two lines and what they mean."""

    row: MetricRow | None
    steps: tuple[datetime, ...]
    names: tuple[str, str]
    zone: Zone
    glyphs: Glyphs


class TrendChart(Panel[TrendState]):
    """Plot the chosen number of both versions."""

    HELP_TEXT = "The chosen number over time. Both versions share the scale; a gap is a step without data."
    can_focus = True

    metric: reactive[str] = reactive("", init=False)
    """Key of the number."""

    def __init__(self, identity: str, metric: str, *, classes: str | None = None) -> None:
        super().__init__(identity, classes=classes)
        self.set_reactive(TrendChart.metric, metric)

    def watch_metric(self, _metric: str) -> None:
        """Show another number."""
        if self.view is not None:
            self.renew(self.digest(self.view))

    def digest(self, view: View) -> TrendState:
        """Return both lines of the number."""
        row = next((row for row in metric_rows(view) if row.key == self.metric), None)
        versions = (view.baseline, view.candidate)
        names = tuple(clean(version.name, 24) if version else "" for version in versions)
        return TrendState(row, steps(view), (names[0], names[1]), view.zone, view.glyphs)

    def show(self, state: TrendState | None) -> None:
        """Name the number in the title."""
        label = state.row.label if state and state.row else "Over time"
        self.border_title = Content(clean(f"{label} over time" if state and state.row else label))

    def lines(self, state: TrendState, size: Size) -> list[Content]:
        """Draw legend, lines with their scale, and the times below."""
        row = state.row
        if row is None:
            return [Content.styled("No predictions in this time range.", "$quiet")]
        limits = _readable(scale(row.baseline_trend, row.candidate_trend), row)
        if not any(value is not None for value in (*row.baseline_trend, *row.candidate_trend)):
            return [Content.styled(f"{row.label} has no history in this time range.", "$quiet")]
        labels = _labels(limits, row)
        margin = max(cell_len(label) for label in labels) + 1
        width, height = size.width - margin - 1, max(2, size.height - 2)
        canvas = Canvas(width, height, ascii_only=state.glyphs.ascii)
        canvas.series(row.baseline_trend, limits, "$baseline", "o")
        canvas.series(row.candidate_trend, limits, "$candidate", "*")
        at_rows = {0: labels[0], (height - 1) // 2: labels[1], height - 1: labels[2]}
        drawn = [line(_legend(state), size.width, state.glyphs)]
        for at in range(height):
            axis: list[Piece] = [
                cell(at_rows.get(at, ""), margin, "$quiet", "right"),
                (state.glyphs.axis, "$hairline"),
            ]
            drawn.append(line([*axis, *canvas.row(at)], size.width, state.glyphs))
        return [*drawn, line([("", ""), *_times(state, margin, width)], size.width, state.glyphs)]


def _labels(limits: tuple[float, float], row: MetricRow) -> list[str]:
    return [show(value, row.unit, row.currency) for value in (limits[1], sum(limits) / 2, limits[0])]


def _readable(limits: tuple[float, float], row: MetricRow) -> tuple[float, float]:
    """Widen a scale until its labels differ: noise in the last digit is no mountain range."""
    low, high = limits
    step = max(high - low, abs(high) / 1000, 1e-6)
    while len(set(_labels((low, high), row))) < 3:
        floor = 0.0 if limits[0] >= 0 else low - step
        low, high, step = max(low - step / 2, floor), high + step / 2, step * 2
    return low, high


def _legend(state: TrendState) -> list[Piece]:
    marks = ("o ", "* ") if state.glyphs.ascii else ("━ ", "━ ")
    pieces: list[Piece] = [(marks[0], "$baseline"), (state.names[0], "bold $baseline")]
    if state.names[1]:
        pieces += [("   ", ""), (marks[1], "$candidate"), (state.names[1], "bold $candidate")]
    return pieces


def _times(state: TrendState, margin: int, width: int) -> list[Piece]:
    """Return the times at the left end, in the middle and at the right end."""
    if len(state.steps) < 2:
        return []
    first, last = state.steps[0], state.steps[-1]
    days = (last - first).total_seconds() / 86_400
    form = "%H:%M" if days <= 1 else "%m-%d %H:%M" if days <= 14 else "%Y-%m-%d"
    zone = zone_name(last, state.zone)
    moments = (first, first + (last - first) / 2, last)
    texts = [(moment + HALF_A_MINUTE).astimezone(state.zone).strftime(form) for moment in moments]
    texts[2] += f" {zone}"
    room = width + 1
    if room < sum(len(text) for text in texts) + 4:
        return [(" " * margin, ""), cell(texts[0], room - len(texts[2]), "$quiet"), (texts[2], "$quiet")]
    middle = (room - len(texts[1])) // 2
    return [
        (" " * margin, ""),
        cell(texts[0], middle, "$quiet"),
        cell(texts[1], room - middle - len(texts[2]), "$quiet"),
        (texts[2], "$quiet"),
    ]
