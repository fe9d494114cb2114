"""The last line: the keys that do something here, as many as there is room for, each with its name."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from textual.widget import Widget

from mlwatch.app.drawing import Piece, line, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual import events
    from textual.binding import ActiveBinding
    from textual.content import Content
    from textual.screen import Screen

    from mlwatch.app.glyphs import Glyphs

PALETTE = "ctrl+p"


@dataclass(frozen=True, slots=True)
class Hint:
    """One entry: keys, what they do, and which key a click on each presses."""

    keys: tuple[tuple[str, str], ...]
    """Pairs of the key as it is shown, and as it is pressed."""
    said: str

    @property
    def width(self) -> int:
        """Cells that it takes."""
        return sum(cell_len(shown) for shown, _ in self.keys) + 1 + cell_len(self.said)


class KeyLine(Widget):
    """Name the keys; a click presses them. What there is no room for is left out whole: the palette has all."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="keys")
        self._glyphs = glyphs
        self._hints: tuple[Hint, ...] = ()
        self.can_focus = False

    def on_mount(self) -> None:
        """Follow the focus: other widgets have other keys."""
        self.screen.bindings_updated_signal.subscribe(self, self._renew)

    def _renew(self, screen: Screen[Any]) -> None:
        hints = tuple(_hints(self, screen)) if screen is self.screen else self._hints
        if hints != self._hints:
            self._hints = hints
            self.refresh()

    def render(self) -> Content:
        """Draw what fits."""
        pieces = [piece for hint in self._fitting() for piece in _pieces(hint)]
        palette = self._palette()
        if palette is None:
            return line(pieces, self.size.width, self._glyphs)
        return spread(pieces, _pieces(palette)[:-1], self.size.width, self._glyphs)

    def _fitting(self) -> list[Hint]:
        fitting, left = [], self.size.width
        for hint in self._hints:
            left -= hint.width
            if left < 0:
                break
            fitting.append(hint)
            left -= 1
        return fitting

    def _palette(self) -> Hint | None:
        """Return the key of the palette where there is room for it at the right."""
        active = self.screen.active_bindings.get(PALETTE)
        if active is None:
            return None
        hint = Hint(((self.app.get_key_display(active.binding), PALETTE),), "palette")
        taken = sum(one.width + 1 for one in self._hints)
        return hint if taken + hint.width < self.size.width else None

    def on_click(self, event: events.Click) -> None:
        """Press the key under the mouse."""
        at, palette = event.get_content_offset_capture(self).x, self._palette()
        if palette is not None and at >= self.size.width - palette.width:
            self.app.simulate_key(PALETTE)
            return
        for wide, key in (span for hint in self._fitting() for span in _spans(hint)):
            if at < wide:
                self.app.simulate_key(key)
                return
            at -= wide


def _hints(widget: Widget, screen: Screen[Any]) -> Iterator[Hint]:
    """Yield what is to be named, the keys of a group together."""
    by_action: dict[str, ActiveBinding] = {}
    for active in screen.active_bindings.values():
        if active.binding.show and active.enabled:
            by_action.setdefault(active.binding.action, active)
    for group, members in groupby(by_action.values(), lambda active: active.binding.group):
        bindings = [active.binding for active in members]
        keys = [(widget.app.get_key_display(one), one.key) for one in bindings]
        if group is not None and len(bindings) > 1:
            yield Hint(tuple(keys), group.description)
        else:
            yield from (
                Hint((key,), binding.description) for key, binding in zip(keys, bindings, strict=True)
            )


def _spans(hint: Hint) -> Iterator[tuple[int, str]]:
    """Yield the cells of each key from the left, and the key; the last has the words too."""
    *others, (last, key) = hint.keys
    for shown, other in others:
        yield cell_len(shown), other
    yield cell_len(f"{last} {hint.said} "), key


def _pieces(hint: Hint) -> list[Piece]:
    keys = "".join(shown for shown, _ in hint.keys)
    return [
        (keys, "bold $footer-key-foreground"),
        (f" {hint.said}", "$footer-description-foreground"),
        (" ", ""),
    ]
