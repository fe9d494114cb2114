"""A field of dots on cells: lines of many points go in, characters and layers come out, all in numpy."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

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
        self._lines: list[int] = []
        """The layer of each line, in the order of drawing."""
        self._dots = np.full((self.dots_down, self.dots_across), -1, dtype=np.int16)
        """The line that drew a dot last."""

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
        rows = np.arange(self.dots_down, dtype=np.int16)[:, None]
        dots = rows >= _whole(low, self.dots_down)
        dots &= rows <= _whole(high, self.dots_down)
        if dashed:
            dots &= self._dashes(layer)
        self._lines.append(layer)
        np.copyto(self._dots, np.int16(len(self._lines) - 1), where=dots)

    @property
    def bits(self) -> NDArray[np.uint8]:
        """Return which dots of every cell are drawn, shape (height, width)."""
        drawn = self._cells(self._dots >= 0)
        bits = np.zeros((self.height, self.width), dtype=np.uint8)
        for row, weights in enumerate(_WEIGHTS[self.mode]):
            for column, weight in enumerate(weights):
                bits |= drawn[:, row, :, column].view(np.uint8) * np.uint8(weight)
        return bits

    @property
    def layers(self) -> NDArray[np.int16]:
        """Return the layer that was drawn last in every cell, -1 where there is none; shape (height, width)."""
        across, down = _DOTS[self.mode]
        dots = self._cells(self._dots)
        rows = reduce(np.maximum, (dots[:, row] for row in range(down)))
        last = reduce(np.maximum, (rows[:, :, column] for column in range(across)))
        layers: NDArray[np.int16] = np.array([*self._lines, -1], dtype=np.int16)[last]
        return layers

    def _cells(self, dots: NDArray[Any]) -> NDArray[Any]:
        across, down = _DOTS[self.mode]
        return dots.reshape(self.height, down, self.width, across)

    def codes(self) -> NDArray[np.uint32]:
        """Return the code point of every cell, shape (height, width)."""
        bits = self.bits
        if self.mode == "braille":
            return np.where(bits > 0, bits.astype("<u4") + 0x2800, np.uint32(32)).astype("<u4")
        if self.mode == "quadrant":
            return _QUADRANTS[bits]
        marks = _MARK_CODES[self.layers % len(_MARK_CODES)]
        return np.where(bits > 0, marks, np.uint32(32)).astype("<u4")

    def _dashes(self, layer: int) -> NDArray[np.bool_]:
        drawn, left_out = DASHES[layer % len(DASHES)]
        cells = np.arange(self.dots_across) // _DOTS[self.mode][0]
        return cells % (drawn + left_out) < drawn


def _whole(rows: Floats, height: int) -> NDArray[np.int16]:
    """Return rows as small whole numbers; one that is not there lies below the last."""
    whole: NDArray[np.int16] = np.maximum(np.fmin(rows, height), -1).astype(np.int16)
    return whole


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
    first_of_column = np.ones(at.size, dtype=bool)
    np.not_equal(at[1:], at[:-1], out=first_of_column[1:])
    starts = np.flatnonzero(first_of_column)
    ends = np.append(starts[1:], at.size) - 1
    where = at[starts]
    enter[where], leave[where] = y[starts], y[ends]
    low[where], high[where] = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    first[where], last[where] = part[starts], part[ends]
