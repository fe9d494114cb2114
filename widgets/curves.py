"""Curves in the unit square, such as ROC and precision-recall curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from widgets.axes import Scale, gutter, number_axis, value_axis
from widgets.canvas import Canvas
from widgets.datawidget import DataWidget
from widgets.palette import DASHES, MARKS, series_style
from widgets.plotting import Plot
from widgets.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from widgets.canvas import Mode
    from widgets.drawn import Line, Picture

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One curve; make it with `Curve.of`."""

    name: str
    """Whose; may come from outside."""
    x: Floats
    """From 0 to 1, increasing, shape (k,)."""
    y: Floats
    """From 0 to 1, shape (k,); NaN is a gap."""
    style: str = ""
    """Style of the curve; by its position if empty."""
    remark: str = ""
    """Written behind the name, such as the area below."""

    @classmethod
    def of(cls, name: str, x: ArrayLike, y: ArrayLike, style: str = "", remark: str = "") -> Curve:
        """Return a curve of anything that numpy takes; points of equal x keep their order.

        Raises:
            ValueError: The shapes differ.
        """
        across, up = (np.asarray(part, dtype=np.float64).ravel() for part in (x, y))
        if across.shape != up.shape:
            raise ValueError(f"x and y have shapes {across.shape} and {up.shape}")
        known = np.isfinite(across)
        across, up = across[known], up[known]
        order = np.argsort(across, kind="stable")
        return cls(name, across[order], up[order], style, remark)


@dataclass(frozen=True, slots=True, eq=False)
class Square:
    """Curves over one another."""

    curves: tuple[Curve, ...] = ()
    """The last lies on top."""
    diagonal: bool = True
    """Whether the line from (0, 0) to (1, 1) is drawn behind."""
    across: str = ""
    """What x is."""
    up: str = ""
    """What y is."""


def draw_square(
    square: Square, width: int, height: int, *, mode: Mode = "braille", dashed: bool = False
) -> Picture:
    """Return the curves over their scales: legend, plot, scale, what the axes are.

    Args:
        square: What is drawn.
        width: Cells.
        height: Lines.
        mode: What the curves are drawn with.
        dashed: Whether curves differ by their dashes, for a screen without colour.
    """
    ascii_only = mode == "ascii"
    if width <= 0 or height <= 0:
        return []
    if not any(np.isfinite(curve.y).any() for curve in square.curves):
        return [[(sanitize("no curve yet", width, ascii_only=ascii_only), "muted")]]
    with_legend, with_axis = height >= 5, height >= 5 and width >= 16
    with_names = height >= 9 and bool(square.across or square.up)
    rows = height - with_legend - 2 * with_axis - with_names
    unit = Scale(0.0, 1.0)
    axis = value_axis(unit, "", width, rows, ascii_only=ascii_only)
    room = width - axis.width
    lines: Picture = []
    if with_legend:
        texts = [" ".join(part for part in (curve.name, curve.remark) if part) for curve in square.curves]
        styles = [curve.style for curve in square.curves]
        lines.append(square_legend(texts, styles, axis.width, room, ascii_only=ascii_only, dashed=dashed))
    for at, line in enumerate(square_plot(square, room, rows, mode, dashed=dashed).lines()):
        lines.append([*gutter(axis, at, ascii_only=ascii_only), *line])
    if with_axis:
        lines += number_axis(unit, room, axis.width, corner=True, ascii_only=ascii_only)
    if with_names:
        lines.append([(_axis_names(square, width, ascii_only), "muted")])
    return lines


def _axis_names(square: Square, width: int, ascii_only: bool) -> str:
    """Return what y is at the left and what x is at the right; only the latter where both do not fit."""
    up = sanitize(f"{'^' if ascii_only else '↑'} {square.up}", ascii_only=ascii_only) if square.up else ""
    across = sanitize(f"{square.across} {'>' if ascii_only else '→'}", width, ascii_only=ascii_only)
    gap = width - cell_len(up) - cell_len(across)
    return up + " " * gap + across if gap > 1 else across.rjust(width)


def square_plot(square: Square, width: int, height: int, mode: Mode, *, dashed: bool) -> Plot:
    """Return the cells of curves over the diagonal."""
    canvas = Canvas(width, height, mode)
    ends = np.array([0.0, np.nextafter(canvas.dots_across, 0.0)])
    if square.diagonal:
        canvas.line(ends, np.array([canvas.dots_down - 1.0, 0.0]), 0)
    styles = ["edge"]
    for at, curve in enumerate(square.curves):
        x = np.minimum(curve.x * canvas.dots_across, ends[1])
        canvas.line(x, (1.0 - curve.y) * (canvas.dots_down - 1), at + 1, dashed=dashed and at > 0)
        styles.append(curve.style or series_style(at))
    return Plot(canvas, styles, ascii_only=mode == "ascii")


def square_legend(
    texts: Sequence[str],
    styles: Sequence[str],
    left: int,
    width: int,
    *,
    ascii_only: bool = False,
    dashed: bool = False,
) -> Line:
    """Return as many names of curves as fit, each behind a piece of its line."""
    line: Line = [(" " * left, "")]
    room = width
    for at, (text, style) in enumerate(zip(texts, styles, strict=True)):
        mark = _mark(at, ascii_only, dashed)
        named = " " + sanitize(text, ascii_only=ascii_only)
        gap = "   " if at else ""
        room -= cell_len(gap + mark + named)
        if room < 0:
            break
        line += [(gap, ""), (mark, style or series_style(at)), (named, "label")]
    return line


def _mark(at: int, ascii_only: bool, dashed: bool) -> str:
    if ascii_only:
        return MARKS[(at + 1) % len(MARKS)] * 2
    drawn, left_out = DASHES[(at + 1) % len(DASHES)]
    return (("━" * drawn + " " * left_out) * 6)[:6] if dashed and at > 0 else "━━"


class CurvePlot(DataWidget[Square]):
    """Curves in the unit square; `update(Square((Curve.of(name, x, y), …)))`."""

    DEFAULT_CSS = "CurvePlot { height: 1fr; min-height: 2; }"

    def draw(self, width: int, height: int) -> Picture:
        """Return the curves."""
        mode: Mode = "ascii" if self.ascii_only else "braille"
        return draw_square(self.data, width, height, mode=mode, dashed=self.monochrome)
