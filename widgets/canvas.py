"""A field of dots on cells: lines of many points go in, characters and layers come out, all in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from widgets.palette import DASHES, MARKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Mode = Literal["quadrant", "braille", "ascii"]

_DOTS: dict[Mode, tuple[int, int]] = {"quadrant": (2, 2), "braille": (2, 4), "ascii": (1, 1)}
"""Columns and rows of dots in a cell."""
_WEIGHTS: dict[Mode, list[list[int]]] = {
    "quadrant": [[1, 2], [4, 8]],
    "braille": [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]],
    "ascii": [[1]],
}
_QUADRANTS = np.array([ord(char) for char in " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"], dtype="<u4")
_MARK_CODES = np.array([ord(char) for char in MARKS], dtype="<u4")
_FAR = 1e6
"""Rows of dots beyond which a line is surely off the canvas."""


class Canvas:
    """Dots of several layers; the layer drawn last gives a cell its colour.

    Args:
        width: Cells.
        height: Cells.
        mode: quadrant has 2 × 2 dots in a cell, braille 2 × 4, ascii one mark.
    """

    def __init__(self, width: int, height: int, mode: Mode = "quadrant") -> None:
        self.width, self.height, self.mode = max(width, 1), max(height, 1), mode
        across, down = _DOTS[mode]
        self.dots_across, self.dots_down = self.width * across, self.height * down
        self.bits = np.zeros((self.height, self.width), dtype=np.uint8)
        self.layers = np.full((self.height, self.width), -1, dtype=np.int16)

    def line(self, x: Floats, y: Floats, layer: int, *, dashed: bool = False) -> None:
        """Draw a line through points that are sorted by `x`.

        Args:
            x: Dots from the left edge of the first column of dots, shape (n,).
            y: Dots from the top, shape (n,). NaN is a gap; points off the canvas are fine.
            layer: Number of the layer from 0.
            dashed: Whether to draw with the dashes of the layer, for a screen without colour.
        """
        if x.size == 0:
            return
        low, high = _spans(x, np.clip(y, -_FAR, _FAR), self.dots_across)
        rows = np.arange(self.dots_down)[:, None]
        dots = (rows >= low) & (rows <= high)
        if dashed:
            dots &= self._dashes(layer)
        self._add(dots, layer)

    def codes(self) -> NDArray[np.uint32]:
        """Return the code point of every cell, shape (height, width)."""
        if self.mode == "braille":
            return np.where(self.bits > 0, self.bits.astype("<u4") + 0x2800, np.uint32(32)).astype("<u4")
        if self.mode == "quadrant":
            return _QUADRANTS[self.bits]
        marks = _MARK_CODES[self.layers % len(_MARK_CODES)]
        return np.where(self.bits > 0, marks, np.uint32(32)).astype("<u4")

    def _dashes(self, layer: int) -> NDArray[np.bool_]:
        drawn, left_out = DASHES[layer % len(DASHES)]
        cells = np.arange(self.dots_across) // _DOTS[self.mode][0]
        return cells % (drawn + left_out) < drawn

    def _add(self, dots: NDArray[np.bool_], layer: int) -> None:
        across, down = _DOTS[self.mode]
        cells = dots.reshape(self.height, down, self.width, across)
        bits = np.zeros_like(self.bits)
        for row, weights in enumerate(_WEIGHTS[self.mode]):
            for column, weight in enumerate(weights):
                bits |= cells[:, row, :, column].view(np.uint8) * np.uint8(weight)
        self.bits |= bits
        self.layers[bits > 0] = layer


def _spans(x: Floats, y: Floats, columns: int) -> tuple[Floats, Floats]:
    """Return the first and the last row of dots of a line in every column; NaN where it does not pass.

    A column with points covers all of them, so no spike is lost however many fall into it (the idea of
    M4: Jugel et al. 2014, doi:10.14778/2732951.2732953). One without takes the line's height at its middle.
    Neighbours meet half-way, so that steep lines are closed and flat ones stay thin.
    """
    known = np.isfinite(y)
    part = np.cumsum(~known)[known]  # points with no gap between them share a number
    x, y = x[known], y[known]
    if x.size == 0:
        nothing = np.full(columns, np.nan)
        return nothing, nothing
    enter, leave, low, high, first, last = _between(x, y, part, columns)
    _take_points(np.floor(x).astype(np.int64), y, part, (enter, leave, low, high, first, last))
    enter, leave, low, high = (np.round(rows) for rows in (enter, leave, low, high))
    step = enter[1:] - leave[:-1]
    joined = (last[:-1] == first[1:]) & (np.abs(step) > 1)
    reach = np.where(joined, (np.abs(step) - 1) / 2, 0.0)
    before, after = np.sign(step) * np.ceil(reach), np.sign(step) * np.floor(reach)
    low[:-1] = np.fmin(low[:-1], leave[:-1] + before)
    high[:-1] = np.fmax(high[:-1], leave[:-1] + before)
    low[1:] = np.fmin(low[1:], enter[1:] - after)
    high[1:] = np.fmax(high[1:], enter[1:] - after)
    return low, high


Columns = tuple["Floats", "Floats", "Floats", "Floats", "Ints", "Ints"]
"""A column each: row where the line enters and leaves, least and most row, part at the entry and the exit."""


def _between(x: Floats, y: Floats, part: Ints, columns: int) -> Columns:
    """Return the columns of a line as if no point fell into any."""
    middles = np.arange(columns) + 0.5
    after = np.searchsorted(x, middles)
    inside = (after > 0) & (after < x.size)
    at = np.clip(after, 1, max(x.size - 1, 1))
    left, right = at - 1, np.minimum(at, x.size - 1)
    inside &= part[left] == part[right]
    height = np.where(inside, np.interp(middles, x, y), np.nan)
    parts = np.where(inside, part[left], -1)
    return height.copy(), height.copy(), height.copy(), height.copy(), parts, parts.copy()


def _take_points(at: Ints, y: Floats, part: Ints, columns: Columns) -> None:
    """Put the points into the columns they fall into."""
    enter, leave, low, high, first, last = columns
    shown = (at >= 0) & (at < enter.size)
    at, y, part = at[shown], y[shown], part[shown]
    if at.size == 0:
        return
    starts = np.flatnonzero(np.diff(at, prepend=-1))
    ends = np.append(starts[1:], at.size) - 1
    where = at[starts]
    enter[where], leave[where] = y[starts], y[ends]
    low[where], high[where] = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    first[where], last[where] = part[starts], part[ends]
