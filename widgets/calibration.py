"""Predicted probability against observed share (a reliability diagram)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from widgets.axes import Scale, gutter, number_axis, value_axis
from widgets.canvas import Canvas
from widgets.datawidget import DataWidget
from widgets.palette import MARKS, series_style
from widgets.plotting import Plot
from widgets.sparkline import sparkline
from widgets.text import format_number, sanitize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from widgets.canvas import Mode
    from widgets.drawn import Line, Picture

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """One curve; make it with `Reliability.of`."""

    name: str
    """Whose probabilities; may come from outside."""
    predicted: Floats
    """Mean predicted probability a bin, increasing, shape (k,)."""
    observed: Floats
    """Share of positives a bin, shape (k,); NaN where there are no labels."""
    counts: Floats
    """Predictions a bin, shape (k,)."""
    style: str = ""
    """Style of the curve; by its position if empty."""
    remark: str = ""
    """Written behind the name, such as the calibration error."""

    @classmethod
    def of(
        cls,
        name: str,
        predicted: ArrayLike,
        observed: ArrayLike,
        counts: ArrayLike,
        style: str = "",
        remark: str = "",
    ) -> Reliability:
        """Return a curve of anything that numpy takes, in any order.

        Raises:
            ValueError: The shapes differ.
        """
        arrays = [np.asarray(part, dtype=np.float64).ravel() for part in (predicted, observed, counts)]
        if len({part.shape for part in arrays}) != 1:
            raise ValueError(f"predicted, observed and counts have shapes {[part.shape for part in arrays]}")
        order = np.argsort(arrays[0], kind="stable")
        x, y, n = (part[order] for part in arrays)
        return cls(name, x, y, n, style, remark)


Curves = tuple[Reliability, ...]


def draw_calibration(
    curves: Curves, width: int, height: int, *, mode: Mode = "braille", dashed: bool = False
) -> Picture:
    """Return the curves over the diagonal of perfect calibration, with the counts of each below.

    Args:
        curves: What is drawn; the last lies on top.
        width: Cells.
        height: Lines.
        mode: What the curves are drawn with.
        dashed: Whether curves differ by their dashes, for a screen without colour.
    """
    ascii_only = mode == "ascii"
    if width <= 0 or height <= 0:
        return []
    if not any(np.isfinite(curve.observed).any() for curve in curves):
        text = "no labels yet" if any(curve.counts.sum() for curve in curves) else "no probabilities yet"
        return [[(sanitize(text, width, ascii_only=ascii_only), "muted")]]
    with_legend, with_axis = height >= 5, height >= 5 and width >= 16
    counted = len(curves) if height >= 12 + len(curves) else 0
    rows = height - with_legend - 2 * with_axis - counted
    unit = Scale(0.0, 1.0)
    axis = value_axis(unit, "", width, rows, ascii_only=ascii_only)
    plot_width = width - axis.width
    lines: Picture = [_legend(curves, axis.width, plot_width, ascii_only)] if with_legend else []
    for at, line in enumerate(_plot(curves, plot_width, rows, mode, dashed).lines()):
        lines.append([*gutter(axis, at, ascii_only=ascii_only), *line])
    if with_axis:
        lines += number_axis(unit, plot_width, axis.width, corner=True, ascii_only=ascii_only)
    return (
        lines
        + [_counts(curve, at, axis.width, plot_width, ascii_only) for at, curve in enumerate(curves)][
            :counted
        ]
    )


def _plot(curves: Curves, width: int, height: int, mode: Mode, dashed: bool) -> Plot:
    canvas = Canvas(width, height, mode)
    ends = np.array([0.0, np.nextafter(canvas.dots_across, 0.0)])
    canvas.line(ends, np.array([canvas.dots_down - 1.0, 0.0]), 0)
    styles = ["edge"]
    for at, curve in enumerate(curves):
        x = np.minimum(curve.predicted * canvas.dots_across, ends[1])
        known = np.isfinite(x)
        y = (1.0 - curve.observed[known]) * (canvas.dots_down - 1)
        canvas.line(x[known], y, at + 1, dashed=dashed and at > 0)
        styles.append(curve.style or series_style(at))
    return Plot(canvas, styles, ascii_only=mode == "ascii")


def _legend(curves: Curves, left: int, width: int, ascii_only: bool) -> Line:
    line: Line = [(" " * left, "")]
    room = width
    for at, curve in enumerate(curves):
        mark = MARKS[(at + 1) % len(MARKS)] * 2 if ascii_only else "━━"
        text = sanitize(_named(curve), ascii_only=ascii_only)
        gap = "   " if at else ""
        room -= cell_len(gap + mark + text)
        if room < 0:
            break
        line += [(gap, ""), (mark, curve.style or series_style(at)), (text, "label")]
    return line


def _named(curve: Reliability) -> str:
    parts = [curve.name, curve.remark, f"n {format_number(float(np.nansum(curve.counts)))}"]
    return " " + " ".join(part for part in parts if part)


def _counts(curve: Reliability, at: int, left: int, width: int, ascii_only: bool) -> Line:
    """Return how many predictions fell where, as a line below the axis."""
    cells = np.zeros(max(width, 1))
    known = np.isfinite(curve.predicted)
    where = np.clip((curve.predicted[known] * cells.size).astype(np.int64), 0, cells.size - 1)
    np.add.at(cells, where, curve.counts[known])
    drawn = sparkline(np.where(cells > 0, cells, np.nan).tolist(), cells.size, low=0.0, ascii_only=ascii_only)
    return [("n ".rjust(left)[:left], "muted"), (drawn, curve.style or series_style(at))]


class CalibrationPlot(DataWidget[Curves]):
    """A reliability diagram; `update((Reliability.of(name, predicted, observed, counts), …))`."""

    DEFAULT_CSS = "CalibrationPlot { height: 1fr; min-height: 2; }"

    def draw(self, width: int, height: int) -> Picture:
        """Return the diagram."""
        mode: Mode = "ascii" if self.ascii_only else "braille"
        return draw_calibration(self.data, width, height, mode=mode, dashed=self.monochrome)
