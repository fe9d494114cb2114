"""Texts of overlays that break where their width wants it: tables with a hanging indent, and lines of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from mlwatch.app.drawing import wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.geometry import Size

MOST_LINES = 20


class Wrapping(Widget):
    """Draw lines that depend on the width."""

    DEFAULT_CSS = "Wrapping { height: auto; }"

    def lines(self, width: int) -> list[Content]:
        """Return the lines."""
        raise NotImplementedError

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's
        """Return how many lines there are."""
        return len(self.lines(width))

    def render(self) -> Content:
        """Draw the lines."""
        return Content("\n").join(self.lines(self.content_size.width))


class NamedTexts(Wrapping):
    """Show what each of some names means, the texts below each other."""

    NAME_CELLS = 15

    def __init__(self, title: str, rows: Sequence[tuple[str, str]], *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self._title, self._rows = title, rows

    def lines(self, width: int) -> list[Content]:
        """Return a line a name, and more where its text is long."""
        drawn = [Content.styled(self._title, "bold $heading")]
        for name, text in self._rows:
            head = f"{name:<{self.NAME_CELLS}}"
            for part in wrapped(text, max(width - self.NAME_CELLS, 8), MOST_LINES):
                drawn.append(Content.assemble((head, "bold $primary"), part))
                head = " " * self.NAME_CELLS
        return drawn


class Hints(Wrapping):
    """Show what keys do, none of them broken in two."""

    GAP = "   "

    def __init__(self, hints: Sequence[str]) -> None:
        super().__init__(classes="hint")
        self._hints = hints

    def lines(self, width: int) -> list[Content]:
        """Return as few lines as hold all hints."""
        found: list[str] = []
        for hint in self._hints:
            longer = f"{found[-1]}{self.GAP}{hint}" if found else hint
            if found and cell_len(longer) <= width:
                found[-1] = longer
            else:
                found.append(hint)
        return [Content(each) for each in found]
