"""Screens with more panels than there may be room for: a key turns to the others."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from mlwatch.app.panels.deck import Deck
from mlwatch.app.screens.base import WatchScreen, is_small


class TurningScreen(WatchScreen):
    """Turn the decks of a screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "turn(1)", "More panels", show=False, tooltip="Show the panels there was no room for"),
        Binding("N", "turn(-1)", "Panels before", show=False, tooltip="Turn back to the panels before"),
    ]

    def action_turn(self, by: int) -> None:
        """Show the panels that there was no room for; on a small terminal, the next one."""
        if is_small(self.size):
            self.action_next_panel(by)
            return
        for deck in self.query(Deck):
            deck.turn(by)
        if self.focused is not None and not self.focused.display:
            self.focus_next()
