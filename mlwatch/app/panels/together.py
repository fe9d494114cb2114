"""All features together: whether relations between them hold that the reference had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message

from mlwatch.app.drawing import clean
from mlwatch.app.panels.facts import Fact, FactsPanel, FactsState
from mlwatch.app.units import show_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View

    Found = Mapping[str, Any]
    """What is known of a version; see `snapshot.peers.multivariate`."""

LOOKING = "Looking at samples of the raw rows, which takes some seconds."


class TogetherPanel(FactsPanel):
    """Compare how well principal components of the reference describe the rows of each version."""

    BORDER_TITLE = "All features together"
    HELP_TEXT = (
        "All features together: how far rows lie from what the main components of the reference make of them, in "
        "standard deviations (sd). It sees relations between features break while each by itself looks as before. "
        "Usual is what the reference's own tenths reach. Computed from samples of the raw rows, at most every five "
        "minutes."
    )

    class Wanted(Message):
        """The panel is shown: it is worth computing."""

    def __init__(self, identity: str) -> None:
        super().__init__(identity)
        self._found: Mapping[str, Mapping[str, Found]] = {}
        self._reason = LOOKING

    def on_show(self) -> None:
        """Ask for what is shown here: nothing is computed for a panel that nobody sees."""
        self.post_message(self.Wanted())

    @property
    def found(self) -> Mapping[str, Mapping[str, Found]]:
        """What was found last, by model and version."""
        return self._found

    def tell(self, found: Mapping[str, Mapping[str, Found]], reason: str = "") -> None:
        """Take what was found.

        Args:
            found: By model and version.
            reason: Why there is nothing, as a sentence.
        """
        self._found, self._reason = found, reason
        if self.view is not None:
            self.renew(self.digest(self.view))

    def digest(self, view: View) -> FactsState:
        """Return what is known of both versions."""
        names = [version.name for version in (view.baseline, view.candidate) if version is not None]
        of_model = self._found.get(view.model_name or "", {})
        known = [(name, of_model[name]) for name in names if name in of_model]
        found = [(name, one) for name, one in known if one.get("error") is not None]
        if not found:
            why = next((because(one["reason"]) for _, one in known if one.get("reason")), "")
            return FactsState((), (), view.glyphs, self._reason or why or LOOKING)
        heads = tuple(clean(name, 20) for name, _ in found)
        return FactsState(heads, tuple(_facts([one for _, one in found], view.glyphs)), view.glyphs)


def because(reason: str) -> str:
    """Return a reason as a sentence."""
    return f"n/a, because there {'is' if reason.startswith('no ') else 'are'} {reason}."


def _facts(found: list[Found], glyphs: Glyphs) -> list[Fact]:
    rows: tuple[tuple[str, Callable[[Found], str]], ...] = (
        ("State", lambda one: f"{glyphs.up} drifted" if one["drifted"] else "steady"),
        ("Distance of rows", lambda one: f"{one['error']:.3f} sd"),
        ("Usual", lambda one: f"{one['low']:.3f} to {one['high']:.3f} sd"),
        ("Of the reference", lambda one: f"{one['reference']:.3f} sd"),
        ("Components", lambda one: show_count(one["components"])),
        ("Rows looked at", lambda one: show_count(one["n_current"])),
        ("Rows of the reference", lambda one: show_count(one["n_reference"])),
    )
    drifted = any(one["drifted"] for one in found)
    return [
        Fact(label, tuple(read(one) for one in found), notable=drifted and place == 0, quiet=place > 2)
        for place, (label, read) in enumerate(rows)
    ]
