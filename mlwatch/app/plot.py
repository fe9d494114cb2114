"""Line plots as text: two braille dots by four in a cell, or one ASCII mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a braille character by column and row of dots."""


class Canvas:
    """A field of cells; each holds dots and the style of the series that drew there last."""

    def __init__(self, width: int, height: int, *, ascii_only: bool = False) -> None:
        self.width, self.height = max(width, 1), max(height, 1)
        self._ascii = ascii_only
        self._bits = [[0] * self.width for _ in range(self.height)]
        self._style = [[""] * self.width for _ in range(self.height)]
        self._mark = [["."] * self.width for _ in range(self.height)]

    @property
    def dots(self) -> tuple[int, int]:
        """Columns and rows of dots."""
        return (self.width, self.height) if self._ascii else (2 * self.width, 4 * self.height)

    def series(
        self, values: Sequence[float | None], limits: tuple[float, float], style: str, mark: str = "*"
    ) -> None:
        """Draw one value a step over the whole width, joined by lines; a step without a value is a gap."""
        columns, rows = self.dots
        low, high = limits
        span = (high - low) or 1.0
        before: tuple[int, int] | None = None
        for at, value in enumerate(values):
            if value is None:
                before = None
                continue
            x = round((at + 0.5) * columns / len(values) - 0.5)
            y = round((rows - 1) * (1 - (value - low) / span))
            self._line(before or (x, y), (x, y), style, mark)
            before = (x, y)

    def _line(self, start: tuple[int, int], end: tuple[int, int], style: str, mark: str) -> None:
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for step in range(steps + 1):
            x = start[0] + (end[0] - start[0]) * step / steps
            y = start[1] + (end[1] - start[1]) * step / steps
            self._dot(round(x), round(y), style, mark)

    def _dot(self, x: int, y: int, style: str, mark: str) -> None:
        columns, rows = self.dots
        x, y = min(max(x, 0), columns - 1), min(max(y, 0), rows - 1)
        across, down = (1, 1) if self._ascii else (2, 4)
        column, row = x // across, y // down
        self._bits[row][column] |= 1 if self._ascii else _DOTS[x % 2][y % 4]
        self._style[row][column] = style
        self._mark[row][column] = mark

    def row(self, at: int) -> list[tuple[str, str]]:
        """Return one line as pieces of equal style, from left to right."""
        pieces: list[tuple[str, str]] = []
        for column in range(self.width):
            char, style = self._char(at, column), self._style[at][column]
            if pieces and pieces[-1][1] == style:
                pieces[-1] = (pieces[-1][0] + char, style)
            else:
                pieces.append((char, style))
        return pieces

    def _char(self, row: int, column: int) -> str:
        bits = self._bits[row][column]
        if not bits:
            return " "
        return self._mark[row][column] if self._ascii else chr(0x2800 + bits)
