"""Features sorted by how far they moved from the reference, with what is missing or wrong in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message

from mlwatch.app.drawing import clean
from mlwatch.app.panels.base import Plotted
from mlwatch.app.units import show, show_count
from mlwatch.app.waiting import reading
from widgets.fasttable import Cell, Column, FastTable, Row
from widgets.sparkline import sparkline

if TYPE_CHECKING:
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
    over: tuple[float | None, ...] = ()
    """Drift score window by window."""
    how: str = ""
    """How it moved from the reference, in words."""
    importance: float | None = None
    """Share of the label's uncertainty that the feature takes away, or what the configuration says."""

    @property
    def harm(self) -> float | None:
        """Drift times importance: the drift of what does not matter to the label does no harm."""
        return None if self.importance is None or self.score is None else self.importance * self.score


TREND = 14
"""Cells of the trend."""
COLUMNS = (
    Column("feature", "Feature", least=14),
    Column("drift", "Drift", "right", width=7),
    Column("state", "State", width=9),
    Column("missing", "Missing", "right", width=9),
    Column("trend", "Over time", width=TREND, sortable=False),
    Column("importance", "Matters", "right", width=9),
    Column("baseline", "Baseline", "right", width=10),
    Column("invalid", "Invalid", "right", width=9),
    Column("unseen", "Unseen", "right", width=8),
    Column("outside", "Outside", "right", width=9),
    Column("kind", "Kind", width=11),
)
"""The last give way first where there is no room."""
STATES = {"drifted": "drifted", "ok": "steady", "too_few": "too few"}
NO_FEATURES = "No features: the records carry nothing beside their roles, or there are no predictions yet."


class FeatureTable(Plotted, FastTable):
    """List features by drift; the chosen one is drawn beside."""

    HELP_TEXT = (
        "Features of the candidate, the farthest from the reference first. A feature counts as drifted from its "
        "threshold on, if chance does not explain it. Missing, invalid (not of the column's kind), unseen (a "
        "category that the reference has not) and outside its range are counted too. What matters is drift times how "
        "much the feature tells about the label. < and > sort, r turns the order round, / filters."
    )

    class Chosen(Message):
        """A feature was chosen."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, identity: str, *, ascii_only: bool = False) -> None:
        super().__init__(COLUMNS, ascii_only=ascii_only, id=identity)
        self._count = 0

    def take(self, view: View) -> None:
        """Show the features of the candidate, or of the only version."""
        version = view.candidate or view.baseline
        rows = feature_rows(version, view.baseline if view.candidate else None)
        if version is not None:
            self.border_title = Content(f"Features of {clean(version.name, 24)}")
        self.say("" if rows else reading(view) or NO_FEATURES)
        self.update(_table_row(row, view.glyphs) for row in rows)
        if len(rows) != self._count:
            self._count = len(rows)
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's
        """Return how many lines all features take."""
        return 3 if self.missing else 1 + self._count

    def on_fast_table_row_highlighted(self, event: FastTable.RowHighlighted) -> None:
        """Name the feature that was chosen."""
        event.stop()
        self.post_message(self.Chosen(event.key))


def _table_row(row: FeatureRow, glyphs: Glyphs) -> Row:
    drifted = row.state == "drifted"
    state = f"{glyphs.up} {STATES['drifted']}" if drifted else STATES.get(row.state, "")
    tone = "bad" if drifted else ""
    high = max([0.5, *(value or 0.0 for value in row.over)])
    trend = sparkline(row.over, TREND, 0.0, high, ascii_only=glyphs.ascii)
    return Row(
        row.name,
        (
            Cell(row.name, tone),
            Cell(show(row.score, "score"), tone, row.score),
            Cell(state, tone or "muted"),
            Cell(show(row.missing_rate, "share"), "warn" if row.missing else "muted", row.missing_rate),
            Cell(trend, "$candidate"),
            Cell("n/a" if row.harm is None else show(row.harm, "score"), "muted", row.harm),
            Cell(show(row.other_score, "score"), "muted", row.other_score),
            _count(row.invalid),
            _count(row.unseen),
            _count(row.out_of_range),
            Cell(row.kind, "muted"),
        ),
    )


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
    if row.importance is not None:
        parts.append(f"importance {row.importance:.3f}")
    counts = (
        (row.missing, "missing"), (row.invalid, "invalid"), (row.unseen, "unseen"),
        (row.out_of_range, "out of range"),
    )  # fmt: skip
    parts += [f"{show_count(number)} {noun}" for number, noun in counts if number]
    if row.how and row.state == "drifted":
        parts.insert(2, row.how)
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
        over=feature.drift_over,
        how=clean(feature.move.sentence, 300) if feature.move else "",
        importance=feature.importance,
    )


def _harm(row: FeatureRow) -> tuple[bool, float, float]:
    return (row.state == "drifted", -1.0 if row.score is None else row.score, row.missing_rate or 0.0)


def _count(number: int) -> Cell:
    return Cell(show_count(number), "warn" if number else "muted", number)
