"""A table of up to a few hundred rows that is cheap to update: sort, filter, cursor, scroll."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive

from widgets.drawn import Drawn, Line, Picture
from widgets.tabledrawing import View, draw_table
from widgets.tablerows import Cell, Column, Row, arranged, column_widths
from widgets.text import pad, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events

__all__ = ["Cell", "Column", "FastTable", "Row"]


class FastTable(Drawn):
    """A table of up to a few hundred rows; drawing costs only the rows on the screen.

    Keys: arrows, j and k, page up and down, ctrl+u and ctrl+d, home and end move the cursor; enter selects;
    `<` and `>` sort by the column before or after, `r` turns the order round; `/` filters while typing, escape
    shows all again. A click on a heading sorts by it, once more turns the order round.

    Args:
        columns: The columns, from left to right.
        rows: The rows, in the order they are shown without sorting.
        sort: Key of the column to sort by at first.
        reverse: Whether the largest comes first.
        sorted_elsewhere: The rows come sorted: keys and mouse only send `SortWanted`.
    """

    can_focus = True
    DEFAULT_CSS = "FastTable { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False),
        Binding("home,g", "jump(0)", "First", show=False),
        Binding("end,G", "jump(-1)", "Last", show=False),
        Binding("enter", "select", "Select", show=False),
        Binding("less_than_sign", "sort_beside(-1)", "Sort by the column before", show=False),
        Binding("greater_than_sign", "sort_beside(1)", "Sort by the column after", show=False),
        Binding("r", "turn_round", "Turn the order round", show=False),
        Binding("slash", "type_filter", "Filter", show=False),
        Binding("escape", "clear_filter", "Show all", show=False),
    ]

    needle: reactive[str] = reactive("")
    """Rows are shown that contain this text."""

    class RowHighlighted(Message):
        """The cursor stands on another row."""

        def __init__(self, table: FastTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> FastTable:
            """The table."""
            return self.table

        def can_replace(self, message: Message) -> bool:
            """Let the newest position take the place of older ones."""
            return isinstance(message, FastTable.RowHighlighted) and message.table is self.table

    class RowSelected(Message):
        """Enter or a second click on the row with the cursor."""

        def __init__(self, table: FastTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> FastTable:
            """The table."""
            return self.table

    class SortWanted(Message):
        """Another order is wanted of a table whose rows are sorted elsewhere."""

        def __init__(self, table: FastTable, key: str | None, reverse: bool) -> None:
            super().__init__()
            self.table = table
            self.key = key
            self.reverse = reverse

        @property
        def control(self) -> FastTable:
            """The table."""
            return self.table

    empty = "no rows yet"
    """What is said where there is no row."""

    def __init__(
        self,
        columns: Iterable[Column],
        rows: Iterable[Row] = (),
        *,
        sort: str | None = None,
        reverse: bool = False,
        sorted_elsewhere: bool = False,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name Textual gives it
        classes: str | None = None,
    ) -> None:
        super().__init__(ascii_only=ascii_only, name=name, id=id, classes=classes)
        self._columns = tuple(columns)
        self._rows = tuple(rows)
        self._sort, self._reverse = sort, reverse
        self._sorted_elsewhere = sorted_elsewhere
        self._typing = False
        self._top = 0
        self._shown = arranged(self._rows, self._columns, None if sorted_elsewhere else sort, reverse, "")
        self._key = self._shown[0].key if self._shown else None

    # --- data ------------------------------------------------------------------------------------

    @property
    def cursor_key(self) -> str | None:
        """Key of the row with the cursor; None in an empty table."""
        return self._key

    @property
    def visible_keys(self) -> list[str]:
        """Keys of the rows that pass the filter, in the order shown."""
        return [row.key for row in self._shown]

    @property
    def sorted_by(self) -> tuple[str | None, bool]:
        """Key of the column sorted by, and whether the largest comes first."""
        return self._sort, self._reverse

    def set_columns(self, columns: Iterable[Column]) -> None:
        """Show other columns; the rows are to follow."""
        self._columns = tuple(columns)
        self._rows = ()
        self._arrange()

    def update(self, rows: Iterable[Row]) -> None:
        """Show other rows; the cursor stays on its row, and equal rows repaint nothing."""
        fresh = tuple(rows)
        if fresh != self._rows:
            self._rows = fresh
            self._arrange()

    def sort_by(self, key: str | None, *, reverse: bool = False) -> None:
        """Sort by a column; None keeps the order given."""
        self._sort, self._reverse = key, reverse
        if self._sorted_elsewhere:
            self.post_message(self.SortWanted(self, key, reverse))
        self._arrange()

    def move_to(self, key: str) -> None:
        """Put the cursor on a row, if it is shown."""
        if key in self.visible_keys:
            self._put_cursor(self.visible_keys.index(key))

    def watch_needle(self) -> None:
        """Filter again."""
        self._arrange()

    def _arrange(self) -> None:
        before = self._position()
        self._shown = self._arranged()
        self._put_cursor(self._position(before))

    def _arranged(self) -> list[Row]:
        sort = None if self._sorted_elsewhere else self._sort
        return arranged(self._rows, self._columns, sort, self._reverse, self.needle)

    def _position(self, otherwise: int = 0) -> int:
        """Return where the row with the cursor is, or a place that exists."""
        for at, row in enumerate(self._shown):
            if row.key == self._key:
                return at
        return min(otherwise, max(len(self._shown) - 1, 0))

    def _put_cursor(self, at: int) -> None:
        before = self._key
        self._key = self._shown[at].key if self._shown else None
        body = max(self.size.height - 1 - self._has_foot, 1)
        self._top = max(min(self._top, at, len(self._shown) - body), at - body + 1, 0)
        self.redraw()
        if self._key is not None and self._key != before:
            self.post_message(self.RowHighlighted(self, self._key))

    # --- drawing ---------------------------------------------------------------------------------

    @property
    def _has_foot(self) -> bool:
        return self._typing or bool(self.needle)

    def draw(self, width: int, height: int) -> Picture:
        """Return the heading, the rows that fit, and the filter where there is one."""
        body = height - self._has_foot
        view = View(
            self._top, self._position(), self.has_focus, self._sort, self._reverse, self.ascii_only
        )  # fmt: skip
        lines = draw_table(self._shown, self._columns, self._widths(width), view, width, body)
        if not self._shown and body > 1:
            said = "no row contains this text" if self.needle else self.empty
            lines.append([(" " + sanitize(said, max(width - 1, 0), ascii_only=self.ascii_only), "muted")])
        if self._has_foot:
            lines += [[] for _ in range(body - len(lines))]
            lines.append(self._foot(width))
        return lines

    def _widths(self, width: int) -> list[int]:
        # by all rows, not by those shown: columns must not jump while a filter is typed
        return column_widths(self._columns, self._rows, width - 3)

    def _foot(self, width: int) -> Line:
        caret = ("_" if self.ascii_only else "▏") if self._typing else ""
        counts = f"  {len(self._shown)} of {len(self._rows)} rows"
        text = sanitize(self.needle, ascii_only=self.ascii_only)
        return [
            ("/", "accent"),
            (pad(text + caret, max(min(cell_len(text) + 1, width - 12), 1)), ""),
            (counts, "muted"),
        ]

    def on_resize(self) -> None:
        """Keep the cursor on the screen."""
        self._put_cursor(self._position())

    # --- keys and mouse --------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        if self._shown:
            self._put_cursor(min(max(self._position() + by, 0), len(self._shown) - 1))

    def action_page(self, by: float) -> None:
        """Move the cursor by screens."""
        self.action_move(round(by * max(self.size.height - 2, 2)))

    def action_jump(self, at: int) -> None:
        """Put the cursor on the first or the last row."""
        if self._shown:
            self._put_cursor(range(len(self._shown))[at])

    def action_select(self) -> None:
        """Tell that the row with the cursor is wanted."""
        if self._key is not None and self._shown:
            self.post_message(self.RowSelected(self, self._key))

    def action_sort_beside(self, by: int) -> None:
        """Sort by the next column that can be sorted by."""
        keys = [column.key for column in self._columns if column.sortable]
        if keys:
            at = keys.index(self._sort) + by if self._sort in keys else (0 if by > 0 else -1)
            self.sort_by(keys[at % len(keys)], reverse=self._reverse)

    def action_turn_round(self) -> None:
        """Turn the order round."""
        self.sort_by(self._sort, reverse=not self._reverse)

    def action_type_filter(self) -> None:
        """Take the keys that follow as the filter."""
        self._typing = True
        self._put_cursor(self._position())

    def action_clear_filter(self) -> None:
        """Show all rows."""
        self._typing = False
        self.needle = ""
        self.redraw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - of Textual
        """Leave escape to others while nothing is filtered."""
        return action != "clear_filter" or self._has_foot

    def on_key(self, event: events.Key) -> None:
        """Type into the filter while that is wanted."""
        if not self._typing or event.key == "escape":
            return
        if event.key == "enter":
            self._typing = False
            self._put_cursor(self._position())
        elif event.key == "backspace":
            self.needle = self.needle[:-1]
        elif event.is_printable and event.character:
            self.needle += event.character
        else:
            return
        event.stop()
        event.prevent_default()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move down."""
        event.stop()
        self.action_move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move up."""
        event.stop()
        self.action_move(-3)

    def on_click(self, event: events.Click) -> None:
        """Sort by a heading, move to a row, or select the row with the cursor."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self._sort_by_heading(offset.x)
            return
        at = self._top + offset.y - 1
        if at >= len(self._shown):
            return
        if self._shown[at].key == self._key:
            self.action_select()
        self._put_cursor(at)

    def _sort_by_heading(self, x: int) -> None:
        left = 1
        for column, cells in zip(self._columns, self._widths(self.size.width), strict=True):
            if cells and left <= x < left + cells + 2:
                if column.sortable:
                    self.sort_by(column.key, reverse=column.key == self._sort and not self._reverse)
                return
            left += cells + 2 if cells else 0
