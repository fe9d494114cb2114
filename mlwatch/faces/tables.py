"""Rows in columns for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_WIDTH = 60
"""Characters of a cell that are shown."""


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay rows out in columns; text is made fit for a terminal, numbers stand to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    heads = [one_line(name) for name in names]
    widths = [max([len(head), *(len(row[i]) for row in cells)]) for i, head in enumerate(heads)]
    right = [
        all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(heads))
    ]

    def line(parts: Sequence[str]) -> str:
        padded = (
            part.rjust(width) if to_right else part.ljust(width)
            for part, width, to_right in zip(parts, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip() + "\n"

    body = "".join(line(row) for row in cells)
    return line(heads) + line(["-" * width for width in widths]) + body


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else one_line(str(value))
    return text if len(text) <= MAX_WIDTH else text[: MAX_WIDTH - 1] + "…"
