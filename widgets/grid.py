"""Rows over time by colour and shade: the data, where its parts are, and how it is drawn; no widget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from widgets.axes import Scale, time_axis
from widgets.palette import HEAT
from widgets.text import pad, sanitize
from widgets.ticks import moment_label, value_label

if TYPE_CHECKING:
    from datetime import tzinfo

    from numpy.typing import ArrayLike, NDArray

    from widgets.drawn import Line, Picture

    Floats = NDArray[np.float64]

SHADES = "░░▒▒▓▓██"
ASCII_SHADES = ".:-=+*%#"
TALLEST = 3
"""Lines a row takes at most."""
GAP, ASCII_GAP = "·", " "


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Values by row and time; make it with `Grid.of`."""

    rows: tuple[str, ...]
    """Names from top to bottom, n of them; may come from outside."""
    times: Floats
    """Start of every column, seconds since 1970-01-01 UTC, increasing, shape (m,)."""
    values: Floats
    """One value a row and time, shape (n, m); NaN where there is none."""
    unit: str = ""
    """Unit of the values; `%` takes them as shares of one."""
    low: float | None = None
    """Value of the first colour; the least finite value if None."""
    high: float | None = None
    """Value of the last colour; the largest finite value if None."""

    @classmethod
    def of(
        cls,
        rows: tuple[str, ...],
        times: ArrayLike,
        values: ArrayLike,
        unit: str = "",
        low: float | None = None,
        high: float | None = None,
    ) -> Grid:
        """Return a grid of anything that numpy takes.

        Raises:
            ValueError: The shapes do not fit.
        """
        columns = np.asarray(times, dtype=np.float64).ravel()
        table = np.asarray(values, dtype=np.float64)
        if table.size == 0:
            table = table.reshape(len(rows), columns.size)
        if table.shape != (len(rows), columns.size):
            raise ValueError(f"{len(rows)} rows and {columns.size} times, but values of shape {table.shape}")
        return cls(tuple(rows), columns, table, unit, low, high)


@dataclass(frozen=True, slots=True)
class GridView:
    """How a grid is looked at."""

    cursor: tuple[int, int] | None = None
    """Row and column whose value is read out."""
    top: int = 0
    """First row shown."""
    zone: tzinfo = UTC
    """Whose clock the axis shows."""
    ascii_only: bool = False
    """Whether to draw with ASCII characters only."""
    textured: bool = False
    """Whether to tell values by texture, for a screen without colour."""

    @property
    def shades(self) -> str:
        """One character a step of the scale."""
        return ASCII_SHADES if self.ascii_only else SHADES if self.textured else "█" * len(HEAT)


@dataclass(frozen=True, slots=True)
class GridLayout:
    """Where the parts of a heat map are."""

    names: int
    """Cells at the left, for names."""
    plot: int
    """Cells of the plot."""
    rows: int
    """Rows that find room."""
    tall: int
    """Lines a row takes."""
    with_axis: bool
    with_readout: bool


def lay_out_grid(grid: Grid, width: int, height: int) -> GridLayout:
    """Return where the parts are in a picture of a size."""
    with_readout, with_axis = height >= 3, height >= 6 and width >= 20
    longest = max((cell_len(sanitize(name)) for name in grid.rows), default=0)
    names = min(longest + 2, max(width // 3, 0))
    least = min(max(longest, 1), 2) + 2  # a name of one letter is whole, of a longer one two say something
    names = names if names >= least else 0
    room = height - with_readout - 2 * with_axis
    tall = min(max(room // max(len(grid.rows), 1), 1), TALLEST)
    return GridLayout(names, width - names, min(room, len(grid.rows)), tall, with_axis, with_readout)


def draw_heatmap(grid: Grid, view: GridView, width: int, height: int) -> Picture:
    """Return a line a row, the time axis, and the scale or the value at the cursor.

    More times than cells are drawn together: a cell shows the largest of its values, so that nothing high
    is hidden.
    """
    if width <= 0 or height <= 0:
        return []
    if grid.values.size == 0:
        return [[(sanitize("no values yet", width, ascii_only=view.ascii_only), "muted")]]
    layout = lay_out_grid(grid, width, height)
    low, high = _limits(grid)
    lines: Picture = []
    for at in range(view.top, min(view.top + layout.rows, len(grid.rows))):
        row = _row(grid, at, view, layout, low, high)
        below: Line = [(" " * layout.names, ""), *row[1 if layout.names else 0 :]]
        lines += [row, *[below] * (layout.tall - 1)]
    if layout.with_axis:
        axis, labels, _ = time_axis(
            _times(grid), layout.plot, layout.names, view.zone, ascii_only=view.ascii_only
        )
        lines += [axis, labels]
    if layout.with_readout:
        line = _readout(grid, view, width) if view.cursor else _scale(grid, low, high, width, view)
        lines.append(
            [*line, *_part_shown(grid, view, layout, width - sum(cell_len(text) for text, _ in line))]
        )
    return lines


def _part_shown(grid: Grid, view: GridView, layout: GridLayout, room: int) -> Line:
    """Return which rows are on the screen where not all are."""
    text = f"   rows {view.top + 1} to {view.top + layout.rows} of {len(grid.rows)}"
    return [(text, "muted")] if layout.rows < len(grid.rows) and len(text) <= room else []


def _limits(grid: Grid) -> tuple[float, float]:
    finite = grid.values[np.isfinite(grid.values)]
    low = grid.low if grid.low is not None else float(finite.min()) if finite.size else 0.0
    high = grid.high if grid.high is not None else float(finite.max()) if finite.size else 1.0
    return low, high if high > low else low + 1.0


def _times(grid: Grid) -> Scale:
    """Return the times from the start of the first column to the end of the last."""
    step = float(np.median(np.diff(grid.times))) if grid.times.size > 1 else 60.0
    return Scale(float(grid.times[0]), float(grid.times[-1]) + step)


def columns_of(count: int, width: int) -> NDArray[np.int64]:
    """Return the first and the last column of data behind every cell, shape (width, 2)."""
    cells = np.arange(width)
    first = cells * count // max(width, 1)
    last = np.maximum((cells + 1) * count // max(width, 1) - 1, first)
    return np.stack([first, last], axis=1)


def _cells(values: Floats, width: int) -> Floats:
    """Return the largest value behind every cell; NaN where there is none."""
    spans = columns_of(values.size, width)
    if values.size <= width:
        return values[spans[:, 0]]
    filled = np.where(np.isnan(values), -np.inf, values)
    largest = np.maximum.reduceat(filled, spans[:, 0])
    known = np.add.reduceat((~np.isnan(values)).astype(np.int64), spans[:, 0]) > 0
    return np.where(known, largest, np.nan)


def _row(grid: Grid, at: int, view: GridView, layout: GridLayout, low: float, high: float) -> Line:
    chosen = view.cursor is not None and view.cursor[0] == at
    line: Line = []
    if layout.names:
        sign = (">" if view.ascii_only else "▸") if chosen else " "
        name = pad(
            sanitize(grid.rows[at], ascii_only=view.ascii_only), layout.names - 2, ascii_only=view.ascii_only
        )
        line.append((f"{sign}{name} ", "strong" if chosen else "label"))
    values = _cells(grid.values[at], layout.plot)
    spans = columns_of(grid.times.size, layout.plot)
    pieces = [_shade(value, low, high, view) for value in values.tolist()]
    if chosen and view.cursor is not None:
        here = np.flatnonzero((spans[:, 0] <= view.cursor[1]) & (view.cursor[1] <= spans[:, 1]))
        for cell in here.tolist():
            pieces[cell] = ("X" if view.ascii_only else "╳", "strong")
    return line + _joined(pieces)


def _shade(value: float, low: float, high: float, view: GridView) -> tuple[str, str]:
    if math.isnan(value):
        return ASCII_GAP if view.ascii_only else GAP, "faint"
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    step = min(int(share * len(HEAT)), len(HEAT) - 1)
    return view.shades[step], HEAT[step]


def _joined(cells: list[tuple[str, str]]) -> Line:
    line: Line = []
    for char, style in cells:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + char, style)
        else:
            line.append((char, style))
    return line


def _scale(grid: Grid, low: float, high: float, width: int, view: GridView) -> Line:
    ends = [value_label(end, grid.unit, ascii_only=view.ascii_only) for end in (low, high)]
    if cell_len("".join(ends)) + 2 * len(HEAT) + 2 > width:
        return []
    return [
        (ends[0] + " ", "muted"),
        *zip((char * 2 for char in view.shades), HEAT, strict=True),
        (" " + ends[1], "muted"),
    ]


def _readout(grid: Grid, view: GridView, width: int) -> Line:
    row, column = view.cursor or (0, 0)
    value = value_label(float(grid.values[row, column]), grid.unit, ascii_only=view.ascii_only)
    name = sanitize(grid.rows[row], max(width // 2, 8), ascii_only=view.ascii_only)
    moment = moment_label(float(grid.times[column]), view.zone)
    return [(sanitize(f"{value}  {name}  {moment}", width, ascii_only=view.ascii_only), "strong")]
