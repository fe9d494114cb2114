"""Differences with their intervals against nought and a margin (a forest plot)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive

from widgets.axes import Scale, number_axis
from widgets.datawidget import DataWidget
from widgets.text import pad, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.geometry import Size

    from widgets.drawn import Line, Picture


@dataclass(frozen=True, slots=True)
class Interval:
    """One difference."""

    name: str
    """What differs; may come from outside."""
    value: float
    """The difference; NaN where it is not known."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end of its interval."""
    text: str = ""
    """The difference in words, at the right."""
    style: str = "accent"
    """Style of the interval, such as good, bad or warn."""


@dataclass(frozen=True, slots=True)
class Forest:
    """Differences on one scale."""

    rows: tuple[Interval, ...]
    """From top to bottom."""
    margin: tuple[float, float] | None = None
    """Range of differences that do not matter, such as (-0.01, 0.01)."""
    unit: str = ""
    """Unit of the differences; `%` takes them as shares of one."""
    zero: float = 0.0
    """Where there is no difference: 0, or 1 for ratios."""
    marks: tuple[tuple[float, str], ...] = ()
    """Positions on the scale with their labels, for a scale that is not even; round numbers if empty."""
    limits: tuple[float, float] | None = None
    """Ends of the scale; around all that is known if None."""


_HUGE = 1e300
"""Numbers beyond cannot be subtracted from one another: they count as infinite."""

_GLYPHS = {"mark": "●", "line": "─", "left": "├", "right": "┤", "more_left": "◀", "more_right": "▶"}
_ASCII = {"mark": "o", "line": "-", "left": "[", "right": "]", "more_left": "<", "more_right": ">"}


def forest_scale(forest: Forest) -> Scale:
    """Return the limits that were given, or those around all finite ends, nought and the margin."""
    if forest.limits is not None:
        return Scale(*forest.limits)
    known = [row for row in forest.rows if abs(row.value) < _HUGE]
    ends = [end for row in known for end in (row.value, row.low, row.high) if abs(end) < _HUGE]
    ends += [forest.zero, *(forest.margin or ())]
    low, high = min(ends), max(ends)
    air = (high - low) * 0.05 or 1.0
    return Scale(low - air, high + air)


def draw_forest(
    forest: Forest, width: int, height: int, *, cursor: int | None = None, ascii_only: bool = False
) -> Picture:
    """Return a line a difference: name, interval on the scale, text; the scale below.

    An end beyond the picture is an arrow head; a difference that is not known says so. The row with the cursor
    is marked.
    """
    if width <= 0 or height <= 0:
        return []
    if not forest.rows:
        return [[(sanitize("nothing to compare yet", width, ascii_only=ascii_only), "muted")]]
    with_axis = height >= 4
    room = height - 2 * with_axis
    first, count = _shown_rows(len(forest.rows), room, cursor)
    shown = forest.rows[first : first + count]
    names, texts = _side_widths(shown, width)
    plot = width - names - texts
    scale = forest_scale(forest)
    lines = [_row(row, forest, scale, (names, plot, texts), ascii_only) for row in shown]
    if cursor is not None and first <= cursor < first + count:
        lines[cursor - first] = [(text, f"{style} row") for text, style in lines[cursor - first]]
    if len(shown) < len(forest.rows):
        left = len(forest.rows) - len(shown)
        lines.append([(sanitize(f"{left} more", width, ascii_only=ascii_only), "muted")])
    if with_axis:
        lines += number_axis(scale, plot, names, forest.unit, marks=forest.marks, ascii_only=ascii_only)
    return lines[:height]


def _shown_rows(rows: int, room: int, cursor: int | None) -> tuple[int, int]:
    """Return the first row and how many to show, so that the one with the cursor is among them."""
    if rows <= room:
        return 0, rows
    count = max(room - 1, 0)
    return max(min((cursor or 0) - count + 1, rows - count), 0), count


def _side_widths(rows: Sequence[Interval], width: int) -> tuple[int, int]:
    """Return the cells of names and texts; the plot keeps a third, texts go first."""
    names = min(max((cell_len(sanitize(row.name)) for row in rows), default=0) + 1, width // 3)
    texts = max((cell_len(sanitize(row.text)) for row in rows), default=0)
    texts = texts + 2 if texts else 0
    return names, (texts if width - names - texts >= max(width // 3, 10) else 0)


def _row(row: Interval, forest: Forest, scale: Scale, widths: tuple[int, int, int], ascii_only: bool) -> Line:
    names, plot, texts = widths
    line: Line = []
    if names:
        line.append(
            (pad(sanitize(row.name, ascii_only=ascii_only), names - 1, ascii_only=ascii_only) + " ", "label")
        )
    line += _joined(_cells(row, forest, scale, plot, ascii_only))
    if texts:
        text = sanitize(row.text, ascii_only=ascii_only)
        line.append(("  " + pad(text, texts - 2, ascii_only=ascii_only), row.style))
    return line


def _cells(
    row: Interval, forest: Forest, scale: Scale, width: int, ascii_only: bool
) -> list[tuple[str, str]]:
    """Return the cells of the plot in one line."""
    glyphs = _ASCII if ascii_only else _GLYPHS
    cells = _ground(forest, scale, width, ascii_only)
    if not math.isfinite(row.value):
        text = sanitize("n/a", width)
        for at, char in enumerate(text):
            cells[at] = (char, "muted")
        return cells
    low, high = (end if not math.isnan(end) else row.value for end in (row.low, row.high))
    first, last, middle = (_column(end, scale, width) for end in (low, high, row.value))
    for at in range(first, last + 1):
        cells[at] = (glyphs["line"], _over(cells[at], row.style))
    if first < last:
        cells[first] = (glyphs["left" if low >= scale.low else "more_left"], _over(cells[first], row.style))
        cells[last] = (glyphs["right" if high <= scale.high else "more_right"], _over(cells[last], row.style))
    cells[middle] = (glyphs["mark"], _over(cells[middle], row.style))
    return cells


def _ground(forest: Forest, scale: Scale, width: int, ascii_only: bool) -> list[tuple[str, str]]:
    """Return the cells behind the intervals: the margin shaded, nought as a line."""
    cells = [(" ", "")] * width
    if forest.margin is not None:
        first, last = (_column(end, scale, width) for end in sorted(forest.margin))
        for at in range(first, last + 1):
            cells[at] = (":", "edge") if ascii_only else (" ", "band")
    zero = _column(forest.zero, scale, width)
    cells[zero] = ("|" if ascii_only else "│", _over(cells[zero], "muted"))
    return cells


def _over(cell: tuple[str, str], style: str) -> str:
    return f"{style} band" if "band" in cell[1] else style


def _column(value: float, scale: Scale, width: int) -> int:
    share = float(scale.share(np.array([value]))[0]) if abs(value) < _HUGE else float(value > 0)
    return min(max(int(share * width), 0), width - 1)


def _joined(cells: Sequence[tuple[str, str]]) -> Line:
    line: Line = []
    for char, style in cells:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + char, style)
        else:
            line.append((char, style))
    return line


class ForestPlot(DataWidget[Forest]):
    """Differences with their intervals; `update(Forest(rows, margin, unit))`.

    Keys, where it has the keyboard: up and down (k, j), home and end move the cursor.
    """

    DEFAULT_CSS = "ForestPlot { height: 1fr; min-height: 2; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Previous row", show=False),
        Binding("down,j", "move(1)", "Next row", show=False),
        Binding("home", "move(-1000)", "First row", show=False),
        Binding("end", "move(1000)", "Last row", show=False),
    ]

    cursor: reactive[int] = reactive(0, init=False)
    """Row that is marked while the widget has the keyboard."""

    class RowHighlighted(Message):
        """The cursor stands on another row."""

        def __init__(self, plot: ForestPlot, row: int) -> None:
            super().__init__()
            self.plot = plot
            self.row = row

        @property
        def control(self) -> ForestPlot:
            """The plot."""
            return self.plot

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's
        """Return a line a difference, and the scale."""
        return max(len(self.data.rows), 1) + 2

    def watch_cursor(self, row: int) -> None:
        """Mark another row."""
        self.redraw()
        self.post_message(self.RowHighlighted(self, row))

    def draw(self, width: int, height: int) -> Picture:
        """Return the intervals."""
        cursor = self.cursor if self.has_focus else None
        return draw_forest(self.data, width, height, cursor=cursor, ascii_only=self.ascii_only)

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.cursor = min(max(self.cursor + by, 0), max(len(self.data.rows) - 1, 0))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row under the mouse."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.y < len(self.data.rows):
            self.cursor = offset.y
