"""Features sorted by how far they moved from the reference, with what is missing or wrong in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive

from mlwatch.app.drawing import Piece, cell, clean, line, wrapped
from mlwatch.app.panels.base import TALL, Panel
from mlwatch.app.units import show, show_count

if TYPE_CHECKING:
    from textual import events
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import FeatureQuality, Version


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature of the version on show, beside the baseline's drift."""

    name: str
    kind: str
    n: int
    missing: int
    missing_rate: float | None
    invalid: int
    unseen: int
    out_of_range: int
    score: float | None
    psi: float | None
    method: str
    threshold: float | None
    state: str
    """ "ok", "drifted", "too_few", or empty where there is no reference."""
    other_score: float | None
    """Drift score of the same feature in the baseline."""


@dataclass(frozen=True, slots=True)
class DriftState:
    """What the table shows."""

    version: str
    rows: tuple[FeatureRow, ...]
    glyphs: Glyphs


class DriftTable(Panel[DriftState]):
    """List features by drift score; the chosen one is explained below."""

    HELP_TEXT = (
        "Features of the candidate, the farthest from the reference first. A feature "
        "counts as drifted from its threshold on, if chance does not explain it. missing, "
        "invalid (not of the column's kind), unseen (a category that the reference has not) "
        "and out of range are counted too."
    )
    can_focus = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Previous feature", show=False),
        Binding("down,j", "move(1)", "Next feature", show=False),
        Binding("pageup", "move(-10)", "Ten features up", show=False),
        Binding("pagedown", "move(10)", "Ten features down", show=False),
        Binding("home", "move(-100000)", "First feature", show=False),
        Binding("end", "move(100000)", "Last feature", show=False),
    ]

    cursor: reactive[str] = reactive("")
    """Name of the chosen feature."""

    def digest(self, view: View) -> DriftState:
        """Return the features of the candidate, or of the only version."""
        version = view.candidate or view.baseline
        other = view.baseline if view.candidate else None
        name = clean(version.name, 24) if version else ""
        return DriftState(name, feature_rows(version, other), view.glyphs)

    def show(self, state: DriftState | None) -> None:
        """Say in the title whose features these are."""
        if state is not None and state.version:
            self.border_title = Content(f"Features of {state.version}")

    def lines(self, state: DriftState, size: Size) -> list[Content]:
        """Draw the head, the rows around the cursor, and the chosen feature in words."""
        width, height = size
        if not state.rows:
            text = (
                "No features: the records carry nothing beside their roles, or there are no predictions yet."
            )
            return [line([(part, "$quiet")], width, state.glyphs) for part in wrapped(text, width, 3)]
        layout = _Layout.fitting(width)
        chosen = self._chosen_at(state)
        explained = wrapped(explain(state.rows[chosen]), width, 2 if height >= 8 else 1)
        room = max(1, height - 1 - len(explained))
        first = max(0, min(chosen - room // 2, len(state.rows) - room))
        drawn = [line(layout.head(), width, state.glyphs)]
        for at, row in enumerate(state.rows[first : first + room], start=first):
            content = line(layout.row(row, state.glyphs), width, state.glyphs)
            marked = at == chosen and self.has_focus
            drawn.append(content.stylize("on $block-cursor-background") if marked else content)
        drawn += [Content("")] * (room - (len(drawn) - 1) if height < TALL else 0)
        return drawn + [line([(text, "$heading")], width, state.glyphs) for text in explained]

    def _chosen_at(self, state: DriftState) -> int:
        return next((at for at, row in enumerate(state.rows) if row.name == self.cursor), 0)

    def action_move(self, by: int) -> None:
        """Choose another feature."""
        if self.state is None or not self.state.rows:
            return
        at = max(0, min(self._chosen_at(self.state) + by, len(self.state.rows) - 1))
        self.cursor = self.state.rows[at].name

    def on_focus(self, _event: events.Focus) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self, _event: events.Blur) -> None:
        """Hide the cursor."""
        self.refresh()


@dataclass(frozen=True, slots=True)
class _Layout:
    """Width of the name and which optional columns there are."""

    name: int
    kind: bool
    counts: bool
    baseline: bool

    @classmethod
    def fitting(cls, width: int) -> _Layout:
        counts, baseline, kind = width >= 70, width >= 56, width >= 88
        taken = 9 + 11 + 10 + 27 * counts + 9 * baseline + 13 * kind
        return cls(max(8, min(width - taken, 40)), kind, counts, baseline)

    def head(self) -> list[Piece]:
        pieces = [cell("feature", self.name, "$quiet")]
        pieces += [cell("  kind", 13, "$quiet")] if self.kind else []
        pieces += [cell("drift", 9, "$quiet", "right")]
        pieces += [cell("baseline", 9, "$quiet", "right")] if self.baseline else []
        pieces += [cell("", 11, "$quiet"), cell("missing", 10, "$quiet", "right")]
        if self.counts:
            pieces += [cell(text, 9, "$quiet", "right") for text in ("invalid", "unseen", "outside")]
        return pieces

    def row(self, row: FeatureRow, glyphs: Glyphs) -> list[Piece]:
        tone = "bold $bad" if row.state == "drifted" else ""
        pieces = [cell(row.name, self.name, tone)]
        pieces += [cell(f"  {row.kind}", 13, "$quiet")] if self.kind else []
        pieces += [cell(show(row.score, "score"), 9, tone or "bold", "right")]
        pieces += [cell(show(row.other_score, "score"), 9, "$quiet", "right")] if self.baseline else []
        word = {"drifted": f"  {glyphs.up} drifted", "ok": "  steady", "too_few": "  too few"}.get(
            row.state, ""
        )
        pieces += [cell(word, 11, tone or "$quiet")]
        pieces += [cell(show(row.missing_rate, "share"), 10, "" if row.missing else "$quiet", "right")]
        if self.counts:
            pieces += [_count(number) for number in (row.invalid, row.unseen, row.out_of_range)]
        return pieces


def feature_rows(version: Version | None, other: Version | None) -> tuple[FeatureRow, ...]:
    """Return a version's features, the farthest from the reference first."""
    if version is None:
        return ()
    others = other.quality.features if other else {}
    rows = [_row(name, feature, others.get(name)) for name, feature in version.quality.features.items()]
    return tuple(sorted(rows, key=_harm, reverse=True))


def explain(row: FeatureRow) -> str:
    """Return everything known about a feature in one plain sentence."""
    parts = [f"{row.name}, {row.kind}, {show_count(row.n)} values"]
    parts.append(_drift_in_words(row))
    counts = (
        (row.missing, "missing"), (row.invalid, "invalid"), (row.unseen, "unseen"),
        (row.out_of_range, "out of range"),
    )  # fmt: skip
    parts += [f"{show_count(number)} {noun}" for number, noun in counts if number]
    return "; ".join(parts)


def _drift_in_words(row: FeatureRow) -> str:
    if row.score is None:
        reason = "there are too few values" if row.state == "too_few" else "there is no reference for it"
        return f"drift n/a, because {reason}"
    psi = "" if row.psi is None else f", PSI {row.psi:.3f}"
    threshold = "" if row.threshold is None else f", threshold {row.threshold:g}"
    word = {"drifted": "drifted", "too_few": "too few values to tell"}.get(row.state, "steady")
    return f"drift {row.score:.3f} by {row.method}{threshold}{psi}: {word}"


def _row(name: str, feature: FeatureQuality, other: FeatureQuality | None) -> FeatureRow:
    drift = feature.drift
    return FeatureRow(
        name=clean(name, 60),
        kind=feature.kind,
        n=feature.n,
        missing=feature.missing,
        missing_rate=feature.missing_rate,
        invalid=feature.invalid,
        unseen=feature.unseen,
        out_of_range=feature.out_of_range,
        score=drift.score if drift else None,
        psi=drift.psi if drift else None,
        method=clean(drift.method or "", 30) if drift else "",
        threshold=drift.threshold if drift else None,
        state=("drifted" if drift.drifted else drift.state) if drift else "",
        other_score=other.drift.score if other and other.drift else None,
    )


def _harm(row: FeatureRow) -> tuple[bool, float, float]:
    return (row.state == "drifted", -1.0 if row.score is None else row.score, row.missing_rate or 0.0)


def _count(number: int) -> Piece:
    return cell(show_count(number), 9, "bold $unclear" if number else "$quiet", "right")
