"""Send the terminal only what differs from what it shows: over a slow line, bytes are what a refresh costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from rich.control import Control
from rich.segment import Segment
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType
    from textual.screen import Screen

Piece: TypeAlias = tuple[int, int, Strip]
"""Column, row and what is drawn from there on."""


class Shown:
    """What the terminal shows, as far as it was sent."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[tuple[int, int], Strip]] = {}
        """By row: what was drawn, by its columns, first and behind the last."""

    def news(self, piece: Piece) -> Iterator[Piece]:
        """Yield the parts of a piece that the terminal does not show yet, and remember all of it."""
        x, y, strip = piece
        columns = (x, x + strip.cell_length)
        row = self._rows.setdefault(y, {})
        before = row.get(columns)
        if before is None:
            for other in [other for other in row if other[0] < columns[1] and columns[0] < other[1]]:
                del row[other]
            row[columns] = strip
            yield piece
            return
        row[columns] = strip
        if before != strip:
            yield from ((x + column, y, run) for column, run in _changed(before, strip))


class Difference(CompositorUpdate):
    """An update of the screen that sends what is new."""

    def __init__(self, update: CompositorUpdate, shown: Shown) -> None:
        self._update, self._shown = update, shown

    def render_segments(self, console: Console) -> str:
        """Return what to send: text with escape sequences."""
        if isinstance(self._update, ChopsUpdate):
            found = (new for piece in _chopped(self._update) for new in self._shown.news(piece))
        elif isinstance(self._update, LayoutUpdate):
            found = (new for piece in _laid_out(self._update) for new in self._shown.news(piece))
        else:
            return self._update.render_segments(console)
        return "".join(Control.move_to(x, y).segment.text + strip.render(console) for x, y, strip in found)


class Thrifty(App[Any]):
    """An app that redraws only what changed, not all of each widget that was refreshed."""

    _shown: Shown | None = None
    _last: Screen[Any] | None = None

    def on_mount(self) -> None:
        """Redraw all of it when the terminal is ours again."""
        self.app_resume_signal.subscribe(self, self._forget)

    def on_resize(self) -> None:
        """Redraw all of it: terminals move what they show when their size changes."""
        self._forget()

    def _forget(self, *_: object) -> None:
        self._shown = None

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if screen is not self._last:  # a good moment to mend what another program may have written over
            self._forget()
        self._last = screen
        self._shown = self._shown or Shown()
        news = Difference(renderable, self._shown) if isinstance(renderable, CompositorUpdate) else renderable
        super()._display(screen, news)


def _chopped(update: ChopsUpdate) -> Iterator[Piece]:
    """Yield what a partial update draws, cut to what it says is to be drawn."""
    for y, first, last in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < last and end > first:
                yield x, y, strip if end <= last else strip.crop(0, last - x)


def _laid_out(update: LayoutUpdate) -> Iterator[Piece]:
    for y, strips in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in strips:
            yield x, y, strip
            x += strip.cell_length


def _changed(before: Strip, after: Strip) -> Iterator[tuple[int, Strip]]:
    """Yield each run in which a strip is not as before, with its first column.

    Runs are of whole segments: to cut them off the strip, rich would remember both halves of each text that changed.
    """
    were = dict(_placed(before))
    begun, run = 0, list[Segment]()
    for x, segment in _placed(after):
        if were.get(x) != segment:
            begun = begun if run else x
            run.append(segment)
        elif run:
            yield begun, Strip(run)
            run = []
    if run:
        yield begun, Strip(run)


def _placed(strip: Strip) -> Iterator[tuple[int, Segment]]:
    x = 0
    for segment in strip:
        yield x, segment
        x += segment.cell_length
