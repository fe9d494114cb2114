"""Small trends in eighth-blocks: as text for a table cell, and as a widget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from widgets.drawn import Drawn, Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EIGHTHS = "▁▂▃▄▅▆▇█"
ASCII_LEVELS = "_.,-=+*#"
_GAP = " "


def sparkline(
    values: Iterable[float | None],
    width: int,
    low: float | None = None,
    high: float | None = None,
    *,
    ascii_only: bool = False,
) -> str:
    """Return a trend of exactly `width` cells, the newest value at the right.

    Args:
        values: One number a step; None and NaN are gaps. More values than cells are averaged a cell.
        width: Cells.
        low: Value of the lowest level; the smallest finite value if None.
        high: Value of the highest level; the largest finite value if None.
        ascii_only: Use ASCII characters.
    """
    levels = ASCII_LEVELS if ascii_only else EIGHTHS
    shares = scaled(resampled(_numbers(values), width), low, high)
    cells = [_GAP if math.isnan(share) else levels[min(int(share * 8), 7)] for share in shares]
    return "".join(cells).rjust(max(width, 0))


def columns(
    values: Iterable[float | None],
    width: int,
    height: int,
    low: float | None = None,
    high: float | None = None,
    *,
    ascii_only: bool = False,
) -> list[str]:
    """Return a trend as bars over several lines, from top to bottom; every value shows at least a trace."""
    if height <= 1:
        return [sparkline(values, width, low, high, ascii_only=ascii_only)][: max(height, 0)]
    shares = scaled(resampled(_numbers(values), width), low, high)
    full = ["#" if ascii_only else "█", " "]
    lines = []
    for line in range(height):
        floor = 8 * (height - 1 - line)
        cells = []
        for share in shares:
            eighths = 0 if math.isnan(share) else max(round(share * 8 * height), 1) - floor
            part = EIGHTHS[eighths - 1] if 0 < eighths < 8 else full[eighths <= 0]
            cells.append((" ", ".", ":", "#")[max(min((eighths + 2) // 3, 3), 0)] if ascii_only else part)
        lines.append("".join(cells).rjust(max(width, 0)))
    return lines


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [math.nan if value is None else float(value) for value in values]


def resampled(values: Sequence[float], width: int) -> list[float]:
    """Return at most `width` numbers; each is the mean of the numbers that fall into its cell."""
    if width <= 0:
        return []
    count = len(values)
    if count <= width:
        return list(values)
    return [_mean(values[at * count // width : (at + 1) * count // width]) for at in range(width)]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def scaled(values: Sequence[float], low: float | None, high: float | None) -> list[float]:
    """Return shares from 0 to 1 between two limits; NaN stays, and equal values lie in the middle."""
    finite = [value for value in values if math.isfinite(value)]
    bottom = low if low is not None else min(finite, default=0.0)
    top = high if high is not None else max(finite, default=bottom)
    return [_share(value, bottom, top) for value in values]


def _share(value: float, low: float, high: float) -> float:
    if math.isnan(value):
        return value
    if math.isinf(value):
        return 1.0 if value > 0 else 0.0
    return min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.5


class Sparkline(Drawn):
    """A trend of bars over one line or more.

    Args:
        values: One number a step, oldest first; None and NaN are gaps.
        low: Value of the lowest level; the smallest value shown if None.
        high: Value of the highest level; the largest value shown if None.
        style: Style of the bars.
    """

    DEFAULT_CSS = "Sparkline { height: 1; }"

    def __init__(
        self,
        values: Iterable[float | None] = (),
        *,
        low: float | None = None,
        high: float | None = None,
        style: str = "accent",
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name Textual gives it
        classes: str | None = None,
    ) -> None:
        super().__init__(ascii_only=ascii_only, name=name, id=id, classes=classes)
        self._values = _numbers(values)
        self._limits = (low, high)
        self._token = style

    def update(self, values: Iterable[float | None]) -> None:
        """Show other values; repaints only if they differ."""
        numbers = _numbers(values)
        if repr(numbers) != repr(self._values):  # as text, because NaN differs from itself
            self._values = numbers
            self.redraw()

    def draw(self, width: int, height: int) -> Picture:
        """Return the bars."""
        lines = columns(self._values, width, height, *self._limits, ascii_only=self.ascii_only)
        return [[(line, self._token)] for line in lines]
