"""What requests that both versions answered say: how often they agree, and who is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.panels.facts import Fact, FactsPanel, FactsState
from mlwatch.app.units import show, show_change, show_count, show_interval

if TYPE_CHECKING:
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import Shadow


class PairsPanel(FactsPanel):
    """Count the pairs of a shadow; not there for other rollouts."""

    HELP_TEXT = "Requests that both versions answered: how often the answers differ, and who was right then."
    BORDER_TITLE = "Shadow pairs"

    def digest(self, view: View) -> FactsState:
        """Return the facts on pairs."""
        shadow = view.rollout.shadow if view.rollout else None
        return FactsState((), _facts(shadow) if shadow else (), view.glyphs, "n/a, because this is no shadow")

    def show(self, state: FactsState | None) -> None:
        """Be there only where there are pairs."""
        self.display = bool(state and state.facts)


def _facts(shadow: Shadow) -> tuple[Fact, ...]:
    disagreement = show(shadow.disagreement_rate, "share")
    span = show_interval(shadow.disagreement_low, shadow.disagreement_high, "share")
    difference = (
        "n/a" if shadow.accuracy_difference is None else show_change(shadow.accuracy_difference, "share")
    )
    facts = (
        ("Pairs", show_count(shadow.pairs)),
        ("With a label", show_count(shadow.labelled)),
        ("Answers differ", disagreement),
        ("  interval", span or "n/a"),
        ("Kappa", show(shadow.kappa, "score")),
        ("Only baseline right", show_count(shadow.only_baseline_right)),
        ("Only candidate right", show_count(shadow.only_candidate_right)),
        ("Accuracy", difference),
    )
    return tuple(Fact(label, (value,)) for label, value in facts)
