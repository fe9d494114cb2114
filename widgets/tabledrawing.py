"""Lines of a table: heading, rows, scroll mark; no widget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from widgets.text import pad, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from widgets.drawn import Line, Picture
    from widgets.tablerows import Column, Row


@dataclass(frozen=True, slots=True)
class View:
    """Which part of a table is on the screen, and how."""

    top: int = 0
    """Position of the first row shown."""
    cursor: int | None = None
    """Position of the row with the cursor."""
    focused: bool = True
    """Whether the table has the keyboard."""
    sort: str | None = None
    """Key of the column it is sorted by."""
    reverse: bool = False
    """Whether the largest comes first."""
    ascii_only: bool = False
    """Whether to draw with ASCII characters only."""


def draw_table(
    rows: Sequence[Row], columns: Sequence[Column], widths: Sequence[int], view: View, width: int, height: int
) -> Picture:
    """Return the heading and the rows of a view; a mark at the right tells where it is among all rows."""
    if width <= 0 or height <= 0:
        return []
    lines = [_heading(columns, widths, view)]
    body = height - 1
    shown = rows[view.top : view.top + max(body, 0)]
    lines += [_row(row, columns, widths, view, at == view.cursor) for at, row in enumerate(shown, view.top)]
    if len(rows) > body > 0:
        _add_scrollbar(lines, view.top, len(rows), body, width, view.ascii_only)
    return lines


def _heading(columns: Sequence[Column], widths: Sequence[int], view: View) -> Line:
    line: Line = [(" ", "")]
    up, down = ("^", "v") if view.ascii_only else ("▲", "▼")
    for column, cells in zip(columns, widths, strict=True):
        if not cells:
            continue
        label = sanitize(column.label, ascii_only=view.ascii_only)
        if column.key == view.sort:
            label = f"{label} {down if view.reverse else up}"
        text = pad(label, cells, column.align, ascii_only=view.ascii_only)
        line += [("  ", "")] if len(line) > 1 else []
        line.append((text, "strong" if column.key == view.sort else "header"))
    return line


def _row(row: Row, columns: Sequence[Column], widths: Sequence[int], view: View, under_cursor: bool) -> Line:
    mark = ("row" if view.focused else "row-blurred") if under_cursor else ""
    line: Line = [((">" if view.ascii_only else "▸") if under_cursor else " ", f"accent {mark}".strip())]
    for at, (column, cells) in enumerate(zip(columns, widths, strict=True)):
        if not cells:
            continue
        cell = row.cell(at)
        text = pad(
            sanitize(cell.text, ascii_only=view.ascii_only), cells, column.align, ascii_only=view.ascii_only
        )
        line += [("  ", mark)] if len(line) > 1 else []
        line.append((text, f"{cell.style or row.style} {mark}".strip()))
    return line


def _add_scrollbar(lines: Picture, top: int, count: int, body: int, width: int, ascii_only: bool) -> None:
    size = max(body * body // count, 1)
    start = round((body - size) * top / max(count - body, 1))
    thumb, track = ("#", "|") if ascii_only else ("┃", "│")
    for at, line in enumerate(lines[1:]):
        taken = sum(cell_len(text) for text, _ in line)
        inside = start <= at < start + size
        line.append((" " * max(width - 1 - taken, 0), ""))
        line.append((thumb if inside else track, "muted" if inside else "faint"))
