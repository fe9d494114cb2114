"""The line that says of which records and versions everything is shown, where a reader chose them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.reactive import reactive

from mlwatch.app.drawing import Piece, clean, spread
from mlwatch.app.panels.base import Panel
from mlwatch.app.units import show_count
from mlwatch.app.view import Status, View
from mlwatch.choice import USUAL, Choice

if TYPE_CHECKING:
    from textual.content import Content
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs


@dataclass(frozen=True, slots=True)
class ChoiceState:
    """What was chosen, and how much there is of it."""

    choice: Choice
    predictions: int | None
    """None while they are counted."""


class ChoiceBanner(Panel[ChoiceState]):
    """Say what was chosen; not there while everything is shown as usual."""

    HELP_TEXT = (
        "A segment or versions were chosen: every number, interval and verdict is that of these alone. Only records "
        "that are still stored can be told apart."
    )

    status: reactive[Status] = reactive(Status(), init=False)

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__("choice")
        self._glyphs = glyphs
        self.display = False
        self.can_focus = False

    def watch_status(self, status: Status) -> None:
        """Appear with the choice, or go."""
        self._tell(status.choice)

    def watch_view(self, view: View | None) -> None:  # noqa: ARG002 - it is looked up
        """Say how much there is."""
        self._tell(self.status.choice)

    def _tell(self, choice: Choice) -> None:
        self.display = choice != USUAL
        view = self.view if self.view is not None and self.view.choice == choice else None
        model = view.model if view is not None else None
        counted = sum(version.predictions for version in model.versions.values()) if model is not None else 0
        self.renew(ChoiceState(choice, None if view is None else counted) if self.display else None)

    def lines(self, state: ChoiceState, size: Size) -> list[Content]:
        """Draw the sentence."""
        left: list[Piece] = [("Only  ", "bold $heading"), *_pieces(state, self._glyphs)]
        right: list[Piece] = [("f segment  v versions", "$quiet")] if size.width >= 100 else []
        return [spread(left, right, size.width, self._glyphs)]


def _pieces(state: ChoiceState, glyphs: Glyphs) -> list[Piece]:
    choice = state.choice
    pieces: list[Piece] = []
    if choice.filter:
        pieces.append((clean(choice.filter, 200), "bold $primary"))
    if choice.baseline or choice.candidate:
        names = [clean(name, 30) for name in (choice.baseline, choice.candidate) if name]
        text = names[0] if choice.alone else " against ".join(reversed(names))
        pieces += [(glyphs.dot, "$quiet")] if pieces else []
        pieces.append((text, "bold $primary"))
    if state.predictions is None:
        return [*pieces, (glyphs.dot, "$quiet"), ("counting its records", "$unclear")]
    if choice.filter:
        pieces += [(glyphs.dot, "$quiet"), (f"{show_count(state.predictions)} predictions", "")]
    return pieces
