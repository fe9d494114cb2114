"""Predicted probability against observed share (a reliability diagram)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from widgets.axes import Scale, gutter, number_axis, value_axis
from widgets.curves import Curve, Square, square_legend, square_plot
from widgets.datawidget import DataWidget
from widgets.palette import series_style
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
    square = _square(curves)
    lines: Picture = []
    if with_legend:
        texts, styles = _names(curves, plot_width), [curve.style for curve in square.curves]
        lines.append(
            square_legend(texts, styles, axis.width, plot_width, ascii_only=ascii_only, dashed=dashed)
        )
    for at, line in enumerate(square_plot(square, plot_width, rows, mode, dashed=dashed).lines()):
        lines.append([*gutter(axis, at, ascii_only=ascii_only), *line])
    if with_axis:
        lines += number_axis(unit, plot_width, axis.width, corner=True, ascii_only=ascii_only)
    return (
        lines
        + [_counts(curve, at, axis.width, plot_width, ascii_only) for at, curve in enumerate(curves)][
            :counted
        ]
    )


def _square(curves: Curves) -> Square:
    found = []
    for at, curve in enumerate(curves):
        known = np.isfinite(curve.predicted)
        style = curve.style or series_style(at)
        found.append(Curve(curve.name, curve.predicted[known], curve.observed[known], style))
    return Square(tuple(found))


def _names(curves: Curves, width: int) -> list[str]:
    """Return names with remarks and counts, without these where not all finds room."""
    counts = [f"n {format_number(float(np.nansum(curve.counts)))}" for curve in curves]
    full = [" ".join(filter(None, (c.name, c.remark, n))) for c, n in zip(curves, counts, strict=True)]
    remarked = [" ".join(filter(None, (curve.name, curve.remark))) for curve in curves]

    def fits(texts: list[str]) -> bool:
        return sum(cell_len(text) + 3 for text in texts) + 3 * (len(texts) - 1) <= width

    return next((texts for texts in (full, remarked) if fits(texts)), [curve.name for curve in curves])


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
