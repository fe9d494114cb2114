"""Sparklines as text: one character a step, on a scale that several lines share."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇"  # no full block: a high line would melt into the row above
WIDEST = 3
"""Cells that one step may take where there is room."""
_ASCII = "_.-~=+*"


def scale(*series: Sequence[float | None]) -> tuple[float, float]:
    """Return the smallest and largest value of all series; (0, 0) where there is none."""
    known = [value for values in series for value in values if value is not None]
    return (min(known), max(known)) if known else (0.0, 0.0)


def spark(
    values: Sequence[float | None], width: int, limits: tuple[float, float], *, ascii_only: bool = False
) -> str:
    """Return `width` characters; a step without a value is a space.

    Args:
        values: One value a step, oldest first. More steps than cells are averaged, fewer are drawn up to
            `WIDEST` cells wide at the right, so that the newest is always at the right end.
        width: Cells to fill.
        limits: Value of the lowest and of the highest character.
        ascii_only: Use no block characters.
    """
    levels = _ASCII if ascii_only else _BLOCKS
    wide = max(1, min(WIDEST, width // max(len(values), 1)))
    cells = [_level(value, limits, levels) * wide for value in _squeezed(values, width)]
    return "".join(cells).rjust(width)


def _squeezed(values: Sequence[float | None], width: int) -> list[float | None]:
    count = len(values)
    if count <= width:
        return list(values)
    edges = [at * count // width for at in range(width + 1)]
    return [_mean(values[start:end]) for start, end in pairwise(edges)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _level(value: float | None, limits: tuple[float, float], levels: str) -> str:
    if value is None:
        return " "
    low, high = limits
    if high <= low:
        return levels[len(levels) // 2 - 1]
    share = (value - low) / (high - low)
    return levels[min(len(levels) - 1, max(0, int(share * len(levels))))]
