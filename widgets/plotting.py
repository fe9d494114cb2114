"""Layers around a canvas: grid, bands, upright lines, cursor; then runs of equal style."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from widgets.canvas import Canvas
    from widgets.drawn import Line

_SPACE = 32


class Plot:
    """The cells of a plot: a code point, a style and marks of the ground each.

    Args:
        canvas: The lines, already drawn.
        styles: One style a layer of the canvas.
        ascii_only: Whether to draw with ASCII characters only.
    """

    def __init__(self, canvas: Canvas, styles: Sequence[str], *, ascii_only: bool = False) -> None:
        self._ascii = ascii_only
        self._codes = canvas.codes().copy()
        self._tokens = ["", *styles]
        self._series = len(styles)
        self._fore = canvas.layers.astype(np.int64) + 1
        self._band = np.zeros(self._codes.shape, dtype=np.int64)
        self._grounds = ["", "cursor", "row"]
        self._cursor: int | None = None
        self._marked = slice(0)

    def rule(self, line: int) -> None:
        """Draw a faint line across, behind everything."""
        self._fill((line, slice(None)), "." if self._ascii else "┈", "edge")

    def band(self, top: NDArray[np.float64], bottom: NDArray[np.float64], colour: str = "") -> None:
        """Shade the cells between two edges.

        Args:
            top: Upper edge in half lines from the top, one a column; NaN shades nothing.
            bottom: Lower edge, the same.
            colour: What it is shaded with, such as `$accent 12%`; neutral if empty.
        """
        halves = np.arange(2 * self._codes.shape[0])[:, None] + 0.5
        with np.errstate(invalid="ignore"):
            inside = (halves >= np.round(top)) & (halves <= np.round(bottom))
        upper, lower = inside[0::2], inside[1::2]
        if self._ascii:
            self._fill(upper | lower, ":", "edge")
            return
        empty = self._codes == _SPACE
        self._grounds.append(f"on {colour}" if colour else "band")
        self._band[(upper & lower) | ((upper | lower) & ~empty)] = len(self._grounds) - 1
        self._fill(upper & ~lower, "▀", colour or "band-edge")
        self._fill(lower & ~upper, "▄", colour or "band-edge")

    def upright(self, column: int, style: str) -> None:
        """Draw a line upwards through a column, behind the lines of the canvas."""
        self._fill((slice(None), column), "|" if self._ascii else "╎", style, over_rules=True)

    def cursor(self, column: int) -> None:
        """Mark a column as the one that is read out."""
        self._fill((slice(None), column), "|" if self._ascii else "│", "label", over_rules=True)
        self._cursor = column

    def mark(self, first: int, last: int) -> None:
        """Mark columns, both ends included, as a stretch that is being chosen."""
        self._marked = slice(first, last + 1)
        for column in (first, last):
            self._fill((slice(None), column), "|" if self._ascii else "│", "accent", over_rules=True)

    def _fill(
        self,
        where: tuple[int | slice, int | slice] | NDArray[np.bool_],
        char: str,
        style: str,
        *,
        over_rules: bool = False,
    ) -> None:
        free = self._codes == _SPACE
        if over_rules:
            free |= self._fore > self._series
        chosen = np.zeros_like(free)
        chosen[where] = True
        chosen &= free
        self._codes[chosen] = ord(char)
        self._fore[chosen] = self._token(style)

    def _token(self, style: str) -> int:
        self._tokens.append(style)
        return len(self._tokens) - 1

    def lines(self) -> Iterator[Line]:
        """Yield the lines from the top as pieces of equal style."""
        ground = self._band.copy()
        ground[:, self._marked] = 2
        if self._cursor is not None:
            ground[:, self._cursor] = 1
        height, width = self._codes.shape
        keys = self._seen_colours() * len(self._grounds) + ground
        starting = np.ones((height, width), dtype=bool)
        np.not_equal(keys[:, 1:], keys[:, :-1], out=starting[:, 1:])
        starts = np.flatnonzero(starting)
        text = self._codes.astype("<u4").tobytes().decode("utf-32-le")
        styles = {key: self._style(key) for key in set(keys.ravel()[starts].tolist())}
        runs = zip(starts.tolist(), keys.ravel()[starts].tolist(), strict=True)
        bounds = [*starts.tolist()[1:], height * width]
        line: Line = []
        for end, (start, key) in zip(bounds, runs, strict=True):
            line.append((text[start:end], styles[key]))
            if end % width == 0:
                yield line
                line = []

    def _seen_colours(self) -> NDArray[np.int64]:
        """Return the number of each cell's colour; a space takes that before it, so that there are fewer pieces."""
        drawn = np.where(self._codes != _SPACE, np.arange(self._codes.shape[1]), 0)
        before = np.maximum.accumulate(drawn, axis=1)
        return np.asarray(np.take_along_axis(self._fore, before, axis=1))

    def _style(self, key: int) -> str:
        fore, ground = divmod(key, len(self._grounds))
        return f"{self._tokens[fore]} {self._grounds[ground]}".strip()
