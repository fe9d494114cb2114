"""Lines below each other that are rendered anew only where they differ from the last time.

A key that chooses another row changes two lines of a panel; rendering all is most of what the answer to it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from textual.strip import Strip
    from textual.style import Style
    from textual.visual import RenderOptions


class Rendered:
    """What the lines of one widget became when they were rendered last."""

    def __init__(self) -> None:
        self._way: Hashable = None
        self._lines: Sequence[Content] = ()
        self._strips: Sequence[Strip] = ()

    def forget(self) -> None:
        """Render all lines the next time, as styles may have changed."""
        self._way = None

    def keep(self, way: Hashable, lines: Sequence[Content], strips: Sequence[Strip]) -> None:
        """Remember lines that were rendered in some way."""
        self._way, self._lines, self._strips = way, lines, strips

    def of(self, way: Hashable, lines: Sequence[Content]) -> list[Strip | None]:
        """Return what lines became that were rendered in this way, each in its place; None for the others."""
        if way != self._way or len(lines) != len(self._lines):
            return [None] * len(lines)
        return [
            strip if line.is_same(before) else None
            for line, before, strip in zip(lines, self._lines, self._strips, strict=True)
        ]


class Lines(Content):
    """Text of several lines.

    Args:
        lines: Each without a line break, and not wider than the widget: else all are rendered.
        rendered: Of the widget.
        theme: That the app has.
    """

    __slots__ = ["_lines", "_rendered", "_theme"]

    def __init__(self, lines: Sequence[Content], rendered: Rendered, theme: str) -> None:
        text = Content("\n").join(lines)
        super().__init__(text.plain, list(text.spans), strip_control_codes=False)
        self._lines, self._rendered, self._theme = lines, rendered, theme

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        """Return a strip for each line."""
        if options.selection is not None or options.post_style is not None:
            return super().render_strips(width, height, style, options)
        way = (width, style, self._theme)
        kept = self._rendered.of(way, self._lines)
        # where a line is says what the mouse selects: those that are known leave their places empty
        news = [line if strip is None else Content("") for line, strip in zip(self._lines, kept, strict=True)]
        fresh = Content("\n").join(news).render_strips(width, None, style, options)
        if len(fresh) != len(self._lines):  # one was too wide, and took more than one line
            self._rendered.forget()
            return super().render_strips(width, height, style, options)
        strips = [new if old is None else old for new, old in zip(fresh, kept, strict=True)]
        self._rendered.keep(way, self._lines, strips)
        return strips[:height]
