"""Scrollbars of ASCII characters only: Textual's own end in eighths of a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.scrollbar import ScrollBarRender

if TYPE_CHECKING:
    from textual.widget import Widget


class WholeBars(ScrollBarRender):
    """Draw the bar in whole cells, by its ground alone."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


def plain_bars(scrolled: Widget) -> None:
    """Let a widget that scrolls draw its bars without blocks."""
    for bar in (scrolled.vertical_scrollbar, scrolled.horizontal_scrollbar):
        bar.renderer = WholeBars  # type: ignore[misc]
