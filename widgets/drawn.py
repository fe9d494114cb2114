"""The base of every widget here: pure functions make pieces of text, this class makes strips of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.filter import ANSIToTruecolor
from textual.strip import Strip
from textual.widget import Widget

from widgets.palette import ON_DARK, ON_LIGHT
from widgets.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.style import Style
    from textual.filter import LineFilter
    from textual.geometry import Region

_NARROW = re.compile("[ -~¡-¬®-ʯ←-⇿∀-⋿─-◼⠀-⣿]*")
"""Text of which every character is harmless and one cell wide, as nearly all is that is drawn here."""

Piece = tuple[str, str]
"""A text and its style: words of the palette (`"series-1 band"`) or a Textual style (`"bold $error"`)."""
Line = list[Piece]
Picture = list[Line]
"""Lines from top to bottom."""


def plain(picture: Iterable[Line]) -> str:
    """Return the characters of a picture, without spaces at the ends of lines."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in picture)


def beside(pictures: Sequence[Picture], width: int, gap: int = 1) -> Picture:
    """Return pictures of equal width beside each other.

    Args:
        pictures: Each with lines of at most `width` cells.
        width: Cells of each.
        gap: Cells between two.
    """
    tall = max((len(picture) for picture in pictures), default=0)
    lines: Picture = []
    for at in range(tall):
        line: Line = []
        for number, picture in enumerate(pictures):
            part = picture[at] if at < len(picture) else []
            taken = sum(cell_len(text) for text, _ in part)
            rest = width - taken + (gap if number < len(pictures) - 1 else 0)
            line += [*part, (" " * max(rest, 0), "")]
        lines.append(line)
    return lines


class Drawn(Widget):
    """A widget that draws pieces of text and repaints only when told so.

    A subclass implements `draw(width, height)` and calls `redraw()` after a change. Strips are kept for as
    long as neither data, size nor styles change.
    """

    DEFAULT_CSS = "Drawn { width: 1fr; }"

    RESTYLED: ClassVar[Mapping[str, str]] = {}
    """What takes the place of styles of the palette, by name: other names of it, or Textual styles."""

    ascii_only: bool = False
    """Whether to draw with ASCII characters only."""

    def __init__(
        self,
        *,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name Textual gives it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.ascii_only = ascii_only
        self._strips: list[Strip] | None = None
        self._drawn_for: tuple[int, int, bool] | None = None
        self._styles_of_tokens: dict[str, Style] = {}

    def draw(self, width: int, height: int) -> Picture:
        """Return at most `height` lines of at most `width` cells."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw again at the next repaint."""
        self._strips = None
        self.refresh()

    @property
    def monochrome(self) -> bool:
        """Whether the app goes without colour (NO_COLOR)."""
        return bool(self.app.no_color)

    def notify_style_update(self) -> None:
        """Forget what was made of styles that have changed."""
        super().notify_style_update()
        self._styles_of_tokens = {}
        self._strips = None

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return a part of the picture, drawn again if it has changed."""
        self._renew()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Return one line of the picture."""
        strips = self._strips
        if strips is None:
            strips = self._renew()
        return strips[y] if y < len(strips) else Strip.blank(self.size.width, self.style_of(""))

    def _renew(self) -> list[Strip]:
        """Draw where data, size or focus changed: the size is dear, so it is asked for once a picture, not a line."""
        width, height = self.size
        # focus changes colours through the style sheet, and a picture may draw its cursor only with focus
        key = (width, height, self.has_focus)
        if self._strips is None or self._drawn_for != key:
            picture = self.draw(width, height) if width > 0 and height > 0 else []
            self._strips = [self._strip(line, width) for line in picture]
            self._drawn_for = key
        return self._strips

    def style_of(self, token: str) -> Style:
        """Return the style of a piece."""
        style = self._styles_of_tokens.get(token)
        if style is None:
            style = self._resolved(token)
            for line_filter in super().get_line_filters():
                if isinstance(line_filter, ANSIToTruecolor):
                    style = line_filter.truecolor_style(style, self.background_colors[1].rich_color)
            self._styles_of_tokens[token] = style
        return style

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return the filters without that of ANSI colours: `style_of` asks it once a style, not once a piece."""
        filters = super().get_line_filters()
        return [one for one in filters if not isinstance(one, ANSIToTruecolor)]

    def _resolved(self, token: str) -> Style:
        """Return the style of words of the palette and of what else stands between them."""
        palette = ON_DARK if self.app.current_theme.dark else ON_LIGHT
        if self.RESTYLED:
            palette = palette | {name: palette.get(style, style) for name, style in self.RESTYLED.items()}
        words = token.split()
        parts = [palette[word] for word in words if word in palette]
        parts.append(" ".join(word for word in words if word not in palette))
        visual = self.visual_style
        for part in parts:
            if part:
                visual += self.app.stylesheet.parse_style(part)
        return visual.rich_style

    def _strip(self, line: Line, width: int) -> Strip:
        # the last guard: no text reaches the terminal with a control character in it
        style_of = self.style_of
        whole = "".join([text for text, _ in line])
        if _NARROW.fullmatch(whole):
            pieces = [Segment(text, style_of(token)) for text, token in line if text]
            strip = Strip(pieces, len(whole))
        else:
            strip = Strip([Segment(sanitize(text), style_of(token)) for text, token in line if text])
        return strip.adjust_cell_length(width, style_of(""))
