"""The names of the screens with their keys, the present one marked; only where there is height for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

from mlwatch.app.drawing import Piece, line
from mlwatch.app.modes import SCREENS

if TYPE_CHECKING:
    from textual import events
    from textual.content import Content

    from mlwatch.app.glyphs import Glyphs


class Tabs(Widget):
    """Show where one is and which key leads where; a click goes there."""

    def __init__(self, mode: str, glyphs: Glyphs) -> None:
        super().__init__(id="tabs")
        self._mode, self._glyphs = mode, glyphs

    def render(self) -> Content:
        """Draw the names."""
        pieces = [piece for _, piece in self._pieces()]
        return line(pieces, self.content_size.width, self._glyphs)

    def _pieces(self) -> list[tuple[str, Piece]]:
        made: list[tuple[str, Piece]] = []
        for place, (mode, title, _) in enumerate(SCREENS, start=1):
            style = "bold $background on $primary" if mode == self._mode else "$quiet"
            made += [(mode, (f" {place} {title} ", style)), ("", (" ", ""))]
        return made

    async def on_click(self, event: events.Click) -> None:
        """Go to the screen under the mouse."""
        at = event.get_content_offset_capture(self).x
        for mode, (text, _) in self._pieces():
            if at < len(text) and mode:
                await self.run_action(f"app.screen('{mode}')")
                return
            at -= len(text)
