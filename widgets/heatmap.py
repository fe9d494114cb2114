"""Rows over time by colour, with the value under the cursor."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from widgets.datawidget import DataWidget
from widgets.grid import Grid, GridView, columns_of, draw_heatmap, lay_out_grid

if TYPE_CHECKING:
    from datetime import tzinfo

    from textual import events

    from widgets.drawn import Picture

__all__ = ["Grid", "HeatMap"]


class HeatMap(DataWidget[Grid]):
    """Rows over time by colour.

    Keys: the arrows (h, j, k, l) move the cursor, escape hides it; the mouse reads values where it hovers.

    Args:
        data: What is shown.
        zone: Whose clock the time axis shows.
    """

    can_focus = True
    DEFAULT_CSS = "HeatMap { height: 1fr; min-height: 2; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(0, -1)", "Earlier", show=False),
        Binding("right,l", "move(0, 1)", "Later", show=False),
        Binding("up,k", "move(-1, 0)", "Up", show=False),
        Binding("down,j", "move(1, 0)", "Down", show=False),
        Binding("escape", "hide_cursor", "Hide the cursor", show=False),
    ]

    class CursorMoved(Message):
        """The cursor stands on another value, or is hidden."""

        def __init__(self, heatmap: HeatMap, cursor: tuple[int, int] | None) -> None:
            super().__init__()
            self.heatmap = heatmap
            self.cursor = cursor

        @property
        def control(self) -> HeatMap:
            """The heat map."""
            return self.heatmap

        def can_replace(self, message: Message) -> bool:
            """Let the newest position take the place of older ones."""
            return isinstance(message, HeatMap.CursorMoved) and message.heatmap is self.heatmap

    def __init__(
        self,
        data: Grid,
        *,
        zone: tzinfo = UTC,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name Textual gives it
        classes: str | None = None,
    ) -> None:
        super().__init__(data, ascii_only=ascii_only, name=name, id=id, classes=classes)
        self._zone = zone
        self._cursor: tuple[int, int] | None = None
        self._top = 0

    @property
    def cursor(self) -> tuple[int, int] | None:
        """Row and column of the cursor; None where it is hidden."""
        return self._cursor

    def draw(self, width: int, height: int) -> Picture:
        """Return the heat map."""
        if self._cursor is not None:
            self._cursor = self._inside(*self._cursor)
        layout = lay_out_grid(self.data, width, height)
        self._top = self._top_for(layout.rows)
        view = GridView(self._cursor, self._top, self._zone, self.ascii_only, self.monochrome)
        return draw_heatmap(self.data, view, width, height)

    def _top_for(self, rows: int) -> int:
        """Return the first row to show so that the cursor is on the screen."""
        row = self._cursor[0] if self._cursor else self._top
        top = max(min(self._top, row), row - max(rows, 1) + 1)
        return max(min(top, len(self.data.rows) - rows), 0)

    def _inside(self, row: int, column: int) -> tuple[int, int] | None:
        rows, columns = self.data.values.shape
        if not rows or not columns:
            return None
        return min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)

    def _put_cursor(self, cursor: tuple[int, int] | None) -> None:
        if cursor != self._cursor:
            self._cursor = cursor
            self.redraw()
            self.post_message(self.CursorMoved(self, cursor))

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor by rows and cells; the first time, show it at the newest value."""
        if self._cursor is None:
            self._put_cursor(self._inside(self._top, self.data.times.size))
            return
        # at least a cell, where a cell holds several columns
        step = max(self.data.times.size // max(lay_out_grid(self.data, *self.size).plot, 1), 1)
        self._put_cursor(self._inside(self._cursor[0] + rows, self._cursor[1] + columns * step))

    def action_hide_cursor(self) -> None:
        """Hide the cursor."""
        self._put_cursor(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - of Textual
        """Leave escape to others while no cursor is shown."""
        return action != "hide_cursor" or self._cursor is not None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Read out what the mouse points at."""
        offset = event.get_content_offset(self)
        layout = lay_out_grid(self.data, *self.size)
        if (
            offset is None
            or not 0 <= offset.y < layout.rows
            or not 0 <= offset.x - layout.names < layout.plot
        ):
            return
        column = int(columns_of(self.data.times.size, layout.plot)[offset.x - layout.names, 0])
        self._put_cursor(self._inside(self._top + offset.y // layout.tall, column))

    def on_leave(self) -> None:
        """Hide the cursor when the mouse goes."""
        if not self.is_mouse_over:
            self._put_cursor(None)
