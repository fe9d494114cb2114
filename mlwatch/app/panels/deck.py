"""Panels of which as many are shown as there is room for; a key turns to the next ones, where there are more."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING

from textual.containers import Container
from textual.reactive import reactive

from mlwatch.app.panels.base import Viewed

if TYPE_CHECKING:
    from collections.abc import Collection

    from textual import events
    from textual.geometry import Size

WIDE, HIGH = 44, 10
"""Cells and lines that a panel takes at least where there are several."""


class Deck(Container):
    """Lay panels out in a grid that fits, and turn to those that do not."""

    DEFAULT_CSS = """
    Deck { layout: grid; grid-gutter: 0; height: 1fr; width: 1fr; }
    Deck > .-turned { display: none; }
    Deck > .-turned.-maximized { display: block; }
    """

    def __init__(self, *, wide: int = WIDE, id: str | None = None) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._wide = wide
        self._left_out: frozenset[Viewed] = frozenset()

    first: reactive[int] = reactive(0, init=False, repaint=False)
    """Place of the first panel that is shown."""

    def on_mount(self) -> None:
        """Lay out for the first time."""
        self._lay_out(self.size)

    def watch_virtual_size(self) -> None:
        """Lay out anew: a layout that is refreshed by a timer does not send `Resize` to all that it makes smaller."""
        self._lay_out(self.size)

    def watch_first(self, _first: int) -> None:
        """Show others."""
        self._lay_out(self.size)

    def turn(self, by: int = 1) -> None:
        """Turn to the next panels, after the last to the first."""
        columns, rows = grid_of(self.size, len(self.panels), self._wide)
        count = len(self.panels)
        if columns * rows < count:
            self.first = (self.first + by * columns * rows) % count

    def leave_out(self, panels: Collection[Viewed]) -> None:
        """Lay out without some panels: there is nothing for them to show."""
        if self._left_out == frozenset(panels):
            return
        self._left_out, self.first = frozenset(panels), 0
        for child in self.children:
            child.can_focus = child not in self._left_out
            child.set_class(child in self._left_out, "-turned")
        self._lay_out(self.size)

    @property
    def panels(self) -> list[Viewed]:
        """The panels that there is something for, shown or not."""
        return [child for child in self.children if isinstance(child, Viewed) and child not in self._left_out]

    def _lay_out(self, size: Size) -> None:
        panels = self.panels
        if not panels or not size:
            return
        columns, rows = grid_of(size, len(panels), self._wide)
        shown = [panels[(self.first + at) % len(panels)] for at in range(min(columns * rows, len(panels)))]
        self.styles.grid_size_columns, self.styles.grid_size_rows = columns, -(-len(shown) // columns)
        for panel in panels:
            panel.set_class(panel not in shown, "-turned")
            panel.border_subtitle = ""
        if len(shown) < len(panels):
            shown[-1].border_subtitle = f"n: {len(panels) - len(shown)} more"


class Spare(Container):
    """Show what is in here where the panels before it leave room."""

    DEFAULT_CSS = """
    Spare { height: 1fr; width: 1fr; }
    Spare.-little > * { display: none; }
    """
    LEAST = 6
    """Lines that a panel is shown from."""

    def on_resize(self, event: events.Resize) -> None:
        """Show it, or not."""
        self.set_class(event.size.height < self.LEAST, "-little")


def grid_of(size: Size, count: int, wide: int = WIDE) -> tuple[int, int]:
    """Return the columns and rows that so many panels are shown in; fewer than all where there is no room."""
    columns = max(1, min(ceil(sqrt(count)), size.width // wide))
    rows = max(1, min(-(-count // columns), size.height // HIGH))
    return columns, rows
