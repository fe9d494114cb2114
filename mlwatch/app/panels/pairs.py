"""What requests that both versions answered say: how often they agree, and who is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.panels.facts import Fact, FactsPanel, FactsState
from mlwatch.app.units import show, show_change, show_count, show_interval, show_moment

if TYPE_CHECKING:
    from mlwatch.app.units import Zone
    from mlwatch.app.view import View
    from mlwatch.metrics.pair_gaps import PairedDistance
    from mlwatch.snapshot.types import Shadow


class PairsPanel(FactsPanel):
    """Count the pairs of a shadow; not there for other rollouts."""

    HELP_TEXT = "Requests that both versions answered: how often the answers differ, and who was right then."
    BORDER_TITLE = "Shadow pairs"

    def digest(self, view: View) -> FactsState:
        """Return the facts on pairs."""
        shadow = view.rollout.shadow if view.rollout else None
        facts = _facts(shadow, view.zone) if shadow else ()
        return FactsState((), facts, view.glyphs, "n/a, because this is no shadow")

    def show(self, state: FactsState | None) -> None:
        """Be there only where there are pairs."""
        self.display = bool(state and state.facts)


def _facts(shadow: Shadow, zone: Zone) -> tuple[Fact, ...]:
    found = shadow.findings
    numbers = found.outputs if found else None
    counts = (
        ("Pairs", show_count(shadow.pairs)),
        *((("  since", show_moment(shadow.since, zone)),) if shadow.since else ()),
        ("With a label", show_count(shadow.labelled)),
    )
    said = _of_numbers(numbers, found.errors if found else None) if numbers else _of_classes(shadow)
    scores = found.scores if found else None
    apart = (("Scores apart", show(scores.mean_abs, "score")),) if scores else ()
    return tuple(Fact(label, (value,)) for label, value in (*counts, *said, *apart))


def _of_classes(shadow: Shadow) -> tuple[tuple[str, str], ...]:
    span = show_interval(shadow.disagreement_low, shadow.disagreement_high, "share")
    difference = (
        "n/a" if shadow.accuracy_difference is None else show_change(shadow.accuracy_difference, "share")
    )
    return (
        ("Answers differ", show(shadow.disagreement_rate, "share")),
        ("  interval", span or "n/a"),
        ("Kappa", show(shadow.kappa, "score")),
        ("Only baseline right", show_count(shadow.only_baseline_right)),
        ("Only candidate right", show_count(shadow.only_candidate_right)),
        ("Accuracy", difference),
    )


def _of_numbers(found: PairedDistance, errors: PairedDistance | None) -> tuple[tuple[str, str], ...]:
    span = show_interval(found.low, found.high, "score", change=True)
    return (
        ("Answers apart", show(found.mean_abs, "score")),
        ("  95 % of them", f"up to {show(found.p95, 'score')}"),
        ("Mean shift", show_change(found.mean, "score")),
        ("  interval", span or "n/a"),
        ("Correlation", show(found.correlation, "score")),
        ("Absolute error", show_change(errors.mean, "score") if errors else "n/a"),
    )
