"""How far the answers to a fixed input were from the expected ones, in one line of blocks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from mlwatch.app.drawing import Piece, cell, line
from widgets.sparkline import ASCII_LEVELS, EIGHTHS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.content import Content

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.snapshot.health_types import Deviation

HEAD, VALUE = 13, 10


def golden_line(label: str, steps: Sequence[Deviation | None], width: int, glyphs: Glyphs) -> Content:
    """Return a line: the label, a block for each step, the largest deviation.

    A step whose answers are as expected is low, one with another answer as high as its deviation is large; one that
    differs in more than numbers is a cross, one without answers a gap.
    """
    room = max(1, min(60, len(steps), width - HEAD - VALUE))
    ends = [at * len(steps) // room for at in range(room + 1)]
    groups = [[step for step in steps[a:b] if step is not None] for a, b in pairwise(ends)]
    largest = max((step.difference for group in groups for step in group), default=None)
    pieces: list[Piece] = [cell(label, HEAD, "$quiet")]
    pieces += [_block(group, largest or 0.0, glyphs) for group in groups]
    said = "n/a" if largest is None else f"≤ {largest:.{3 if largest < 1000 else 2}g}"
    return line([*pieces, cell(said, VALUE, "bold", "right")], width, glyphs)


def _block(steps: Sequence[Deviation], largest: float, glyphs: Glyphs) -> Piece:
    if not steps:
        return "." if glyphs.ascii else "·", "$quiet"
    levels = ASCII_LEVELS if glyphs.ascii else EIGHTHS
    size = max(step.difference for step in steps)
    if not any(step.bad for step in steps):
        return levels[1 if size else 0], "$good"
    if not size:
        return "X" if glyphs.ascii else "✖", "bold $bad"
    return levels[max(2, min(int(8 * size / largest), 7))], "bold $bad"
