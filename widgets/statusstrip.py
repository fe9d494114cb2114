"""Uptime at a glance: a square a step, a row a thing that can be up or down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len

from widgets.drawn import Drawn, Line, Picture
from widgets.text import format_percent, pad, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.geometry import Size

State = Literal["ok", "warn", "bad", "unknown"]

GLYPHS: dict[State, str] = {"ok": "■", "warn": "◆", "bad": "✖", "unknown": "·"}
ASCII_GLYPHS: dict[State, str] = {"ok": "=", "warn": "!", "bad": "X", "unknown": "."}
"""A shape of its own for every state: none is told by colour alone."""

_STYLES: dict[State, str] = {"ok": "good", "warn": "warn", "bad": "bad", "unknown": "unknown"}
_WORST: tuple[State, ...] = ("bad", "warn", "ok", "unknown")


@dataclass(frozen=True, slots=True)
class StatusRow:
    """The states of one thing."""

    name: str
    """What it is."""
    states: tuple[State, ...] = ()
    """One state a step, oldest first."""
    remark: str | None = None
    """Text at the right; the share of ok among the known states if None."""


def worst(states: Iterable[State]) -> State:
    """Return the worst of some states; unknown only where nothing else is known."""
    seen = set(states)
    return next((state for state in _WORST if state in seen), "unknown")


def condensed(states: Sequence[State], width: int) -> list[State]:
    """Return exactly `width` states, the newest at the right; a cell with several shows the worst."""
    count = len(states)
    if count <= width:
        missing: list[State] = ["unknown"] * (width - count)
        return missing + list(states)
    return [worst(states[at * count // width : (at + 1) * count // width]) for at in range(width)]


def share_ok(states: Iterable[State]) -> float:
    """Return the share of ok among the states that are known; NaN where none is."""
    known = [state for state in states if state != "unknown"]
    return sum(state == "ok" for state in known) / len(known) if known else float("nan")


def draw_status(rows: Sequence[StatusRow], width: int, height: int, *, ascii_only: bool = False) -> Picture:
    """Return a line a row: name, states, remark; the last line says how many rows found no room.

    Of a single line the first row has it.
    """
    if width <= 0 or height <= 0:
        return []
    if not rows:
        return [[(sanitize("nothing to watch yet", width, ascii_only=ascii_only), "muted")]]
    shown = rows if len(rows) <= height else rows[: max(height - 1, 1)]
    names, remarks = _side_widths(shown, width)
    lines = [_line(row, width, names, remarks, ascii_only) for row in shown]
    if len(shown) < len(rows) and len(lines) < height:
        lines.append([(sanitize(f"{len(rows) - len(shown)} more", width, ascii_only=ascii_only), "muted")])
    return lines


def _side_widths(rows: Sequence[StatusRow], width: int) -> tuple[int, int]:
    """Return the cells of names and remarks; the states keep at least a third, remarks go first."""
    names = min(max((cell_len(sanitize(row.name)) for row in rows), default=0), width // 3)
    remarks = max((cell_len(sanitize(_remark(row))) for row in rows), default=0)
    if width - names - remarks - 2 < max(width // 3, 4):
        remarks = 0
    return (names if names >= 2 else 0), remarks


def _remark(row: StatusRow) -> str:
    return format_percent(share_ok(row.states)) if row.remark is None else row.remark


def _line(row: StatusRow, width: int, names: int, remarks: int, ascii_only: bool) -> Line:
    room = width - (names + 1 if names else 0) - (remarks + 1 if remarks else 0)
    line: Line = []
    if names:
        line.append(
            (pad(sanitize(row.name, ascii_only=ascii_only), names, ascii_only=ascii_only) + " ", "label")
        )
    line += _squares(condensed(row.states, room), ascii_only)
    if remarks:
        remark = sanitize(_remark(row), ascii_only=ascii_only)
        line.append((" " + pad(remark, remarks, "right", ascii_only=ascii_only), "muted"))
    return line


def _squares(states: Iterable[State], ascii_only: bool) -> Line:
    glyphs = ASCII_GLYPHS if ascii_only else GLYPHS
    line: Line = []
    for state in states:
        style = _STYLES[state]
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + glyphs[state], style)
        else:
            line.append((glyphs[state], style))
    return line


class StatusStrip(Drawn):
    """Rows of states; `update(rows)` with a `StatusRow` each."""

    DEFAULT_CSS = "StatusStrip { height: auto; }"

    def __init__(
        self,
        rows: Iterable[StatusRow] = (),
        *,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name Textual gives it
        classes: str | None = None,
    ) -> None:
        super().__init__(ascii_only=ascii_only, name=name, id=id, classes=classes)
        self._rows = tuple(rows)

    def update(self, rows: Iterable[StatusRow]) -> None:
        """Show other rows; repaints only if they differ."""
        fresh = tuple(rows)
        if fresh == self._rows:
            return
        resized = len(fresh) != len(self._rows)
        self._rows = fresh
        self.redraw()
        if resized:
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - of Textual
        """Return a line a row."""
        return max(len(self._rows), 1)

    def draw(self, width: int, height: int) -> Picture:
        """Return the rows."""
        return draw_status(self._rows, width, height, ascii_only=self.ascii_only)
