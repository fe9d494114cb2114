"""What a table shows and in which order: columns, rows, widths; no widget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from rich.cells import cell_len

from widgets.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Align = Literal["left", "right", "center"]
NARROWEST = 4
"""Cells below which a column is rather left out than shown."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    key: str
    """Its name for sorting."""
    label: str
    """Its heading."""
    align: Align = "left"
    """Where the text of a cell stands."""
    width: int | None = None
    """Cells; as wide as its content if None."""
    sortable: bool = True
    """Whether the keys and the mouse may sort by it."""
    least: int = NARROWEST
    """Cells below which it is rather left out than shown."""


class Cell(NamedTuple):
    """A cell; a plain string does where it needs neither style nor order."""

    text: str
    style: str = ""
    """A style of the palette or a Textual style."""
    order: float | str | None = None
    """What to sort by; the text if None. NaN sorts last either way round."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; texts may come from outside."""

    key: str
    """Its identity: the cursor stays on it over updates."""
    cells: tuple[Cell | str, ...]
    """One cell a column; missing ones are empty."""
    style: str = ""
    """Style of cells that have none."""

    def cell(self, at: int) -> Cell:
        """Return the cell of a column."""
        found = self.cells[at] if at < len(self.cells) else ""
        return Cell(found) if isinstance(found, str) else found


def arranged(
    rows: Iterable[Row], columns: Sequence[Column], sort: str | None, reverse: bool, needle: str
) -> list[Row]:
    """Return the rows that contain a text in any cell, sorted by a column; equal rows keep their order."""
    wanted = needle.casefold()
    kept = [row for row in rows if not wanted or _contains(row, wanted)]
    at = next((at for at, column in enumerate(columns) if column.key == sort), None)
    if at is None:
        return kept
    known = [row for row in kept if not _is_unknown(row.cell(at))]
    unknown = [row for row in kept if _is_unknown(row.cell(at))]
    return sorted(known, key=lambda row: _order(row.cell(at)), reverse=reverse) + unknown


def _contains(row: Row, wanted: str) -> bool:
    return any(wanted in row.cell(at).text.casefold() for at in range(len(row.cells)))


def _is_unknown(cell: Cell) -> bool:
    if cell.order is None:
        return not cell.text or cell.text.startswith("n/a")
    return isinstance(cell.order, float) and math.isnan(cell.order)


def _order(cell: Cell) -> tuple[int, float, str]:
    """Return a key that orders numbers before texts."""
    if isinstance(cell.order, int | float):
        return 0, float(cell.order), ""
    return 1, 0.0, (cell.text if cell.order is None else cell.order).casefold()


def column_widths(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[int]:
    """Return cells a column; 0 for one that finds no room.

    A column without a width is as wide as its content. Where all do not fit, the widest of these give way first, each
    down to its least; where that is not enough, columns go from the right.
    """
    natural = [_natural(column, at, rows) for at, column in enumerate(columns)]
    for shown in range(len(columns), 0, -1):
        least = [
            size if column.width is not None else min(size, column.least)
            for column, size in zip(columns[:shown], natural, strict=False)
        ]
        if _total(least) <= width:
            return _narrowed(natural[:shown], least, width) + [0] * (len(columns) - shown)
    return [max(width, 0), *[0] * (len(columns) - 1)] if columns else []


def _narrowed(natural: list[int], least: list[int], width: int) -> list[int]:
    """Take cells off the widest columns until all fit."""
    widths = list(natural)
    while _total(widths) > width:
        soft = [at for at, size in enumerate(widths) if size > least[at]]
        widest = max(soft, key=lambda at: widths[at])
        widths[widest] -= 1
    return widths


def _natural(column: Column, at: int, rows: Sequence[Row]) -> int:
    if column.width is not None:
        return column.width
    content = max((cell_len(sanitize(row.cell(at).text)) for row in rows), default=0)
    return max(cell_len(sanitize(column.label)) + (2 if column.sortable else 0), content)


def _total(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + 2 * max(len(shown) - 1, 0)
