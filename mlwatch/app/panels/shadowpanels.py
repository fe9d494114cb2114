"""Where, when and for what a shadow answers differently: over time, by segment, by feature, request by request."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from textual.content import Content

from mlwatch.app.charts import SHADE
from mlwatch.app.drawing import clean
from mlwatch.app.panels.base import Plotted
from mlwatch.app.units import show, show_change, show_count
from mlwatch.faces.shadow import answer_text, values_text
from mlwatch.snapshot.pair_types import MEASURES
from widgets.confusion import Confusion, draw_confusion
from widgets.datawidget import DataWidget
from widgets.fasttable import Cell, Column, FastTable, Row
from widgets.timeseries import Band, Chart, Series, TimeSeries

if TYPE_CHECKING:
    from mlwatch.app.units import Unit
    from mlwatch.app.view import View
    from mlwatch.snapshot.pair_types import PairFeature, PairFindings, PairPart, PairRequest
    from widgets.drawn import Picture

NO_SHADOW = "n/a, because this is no shadow: the versions do not answer the same requests."
NO_PAIRS = "No request was answered by both versions yet."


def findings_of(view: View) -> PairFindings | None:
    """Return where the answers of the rollout on show differ; None where it is no shadow, or has no pairs."""
    shadow = view.rollout.shadow if view.rollout else None
    return shadow.findings if shadow else None


def _missing(view: View) -> str:
    return NO_PAIRS if view.rollout and view.rollout.shadow else NO_SHADOW


def _unit(found: PairFindings) -> Unit:
    return "share" if found.measure == "disagreement" else "score"


class PairCourse(Plotted, TimeSeries):
    """Plot how often, or how far, the answers differ over time."""

    HELP_TEXT = (
        "Requests that both versions answered: the share of different answers, or the mean distance of numbers, over "
        "time. Shaded is the 95 % interval of each step."
    )

    def take(self, view: View) -> None:
        """Show the steps of the pairs."""
        found = findings_of(view)
        if found is not None:
            self.border_title = Content(f"{MEASURES[found.measure].capitalize()}, over time")
        self.say("" if found is not None and found.steps else _missing(view))
        self.update(pair_chart(found) if found is not None else Chart())


def pair_chart(found: PairFindings) -> Chart:
    """Return the measure of the pairs over time as a chart."""
    times = np.array([step.start.timestamp() for step in found.steps])
    value, low, high = (
        np.array([math.nan if one is None else one for one in column], dtype=float)
        for column in (
            [step.value for step in found.steps],
            [step.low for step in found.steps],
            [step.high for step in found.steps],
        )
    )
    unit = "%" if found.measure == "disagreement" else ""
    line = Series.of("", times, value, "$candidate")
    return Chart((line,), (Band(low, high, times, f"$candidate {SHADE}"),), (), unit)


class PairAgreement(Plotted, DataWidget[Confusion]):
    """Draw the answers of the baseline against those of the candidate."""

    HELP_TEXT = (
        "Requests that both versions answered: a row an answer of the baseline, a column one of the candidate; "
        "percentages are of the baseline's answer. What lies off the diagonal are the different answers."
    )

    def take(self, view: View) -> None:
        """Show the table of answers."""
        rollout = view.rollout
        table = rollout.shadow.confusion if rollout and rollout.shadow else None
        if rollout is not None and table is not None:
            names = f"{clean(rollout.baseline, 16)} (rows), {clean(rollout.candidate, 16)} (columns)"
            self.border_title = Content(f"Answers of {names}")
        numbers = "n/a, because the answers are numbers, not classes."
        self.say("" if table is not None else numbers if findings_of(view) else _missing(view))
        labels = tuple(clean(label, 30) for label in table.labels) if table else ()
        names_of = (clean(rollout.baseline, 10), clean(rollout.candidate, 10)) if rollout else ("", "")
        counts = np.array(table.counts if table else np.zeros((0, 0)), dtype=np.int64)
        self.update(Confusion(labels, counts, *names_of))

    def picture(self, width: int, height: int) -> Picture:
        """Return the matrix."""
        return draw_confusion(self.data, width, height, ascii_only=self.ascii_only)


class PairSegments(Plotted, FastTable):
    """List the parts of the traffic in which the answers differ, the most beyond the rest first."""

    HELP_TEXT = (
        "Parts of the traffic, by the values of a feature: how often (for numbers, how far) the answers of both "
        "versions differ there, and by how much more than elsewhere. More means beyond chance, with all segments "
        "allowed for. < and > sort, / filters."
    )
    COLUMNS = (
        Column("segment", "Segment", least=16),
        Column("value", "Differ", "right", width=9),
        Column("more", "Vs elsewhere", "right", width=13),
        Column("state", "Judged", width=8),
        Column("n", "Pairs", "right", width=9),
    )

    def __init__(self, identity: str, *, ascii_only: bool = False) -> None:
        super().__init__(self.COLUMNS, ascii_only=ascii_only, id=identity)

    def take(self, view: View) -> None:
        """Show the segments."""
        found = findings_of(view)
        self.border_title = "Where the answers differ"
        few = "n/a, because the features have no parts yet: some hundred requests are needed."
        self.say("" if found and found.parts else few if found else _missing(view))
        unit = _unit(found) if found else "share"
        self.update(_segment(part, unit) for part in (found.parts if found else ()))


def _segment(part: PairPart, unit: Unit) -> Row:
    found = part.contrast
    worse = found is not None and found.worse
    tone = "bad" if worse else ""
    name = f"{clean(part.column, 40)} {clean(part.value, 40)}"
    more = "n/a" if found is None else show_change(found.difference, unit)
    return Row(
        name,
        (
            Cell(name, tone),
            Cell(show(part.mean, unit), tone, part.mean),
            Cell(more, tone, found.difference if found else math.nan),
            Cell("more" if worse else "few" if found is None else "chance", tone or "muted"),
            Cell(show_count(part.pairs), "muted", part.pairs),
        ),
    )


class PairFeatures(Plotted, FastTable):
    """List the features by how much the difference of the answers depends on them."""

    HELP_TEXT = (
        "How much of the variance of the difference goes with each feature (what chance gives is taken off), whether "
        "that is beyond chance, and for how many requests the versions logged different values of it: the same "
        "request should look the same to both."
    )
    COLUMNS = (
        Column("feature", "Feature", least=12),
        Column("share", "Explains", "right", width=9),
        Column("state", "Judged", width=8),
        Column("unequal", "Logged differently", "right", width=19),
    )
    SURE = 0.05

    def __init__(self, identity: str, *, ascii_only: bool = False) -> None:
        super().__init__(self.COLUMNS, ascii_only=ascii_only, id=identity)

    def take(self, view: View) -> None:
        """Show the features."""
        found = findings_of(view)
        self.border_title = "What the difference depends on"
        none = "n/a, because the answers never differ, or the features have no parts yet."
        self.say("" if found and found.features else none if found else _missing(view))
        self.update(self._row(one) for one in (found.features if found else ()))

    def _row(self, one: PairFeature) -> Row:
        sure = one.q <= self.SURE
        name = clean(one.name, 60)
        return Row(
            one.name,
            (
                Cell(name, "" if sure else "muted"),
                Cell(show(one.explained, "share"), "" if sure else "muted", one.explained),
                Cell("depends" if sure else "chance", "" if sure else "muted"),
                Cell(
                    f"{show_count(one.unequal)} of {show_count(one.compared)}",
                    "warn" if one.unequal else "muted",
                    one.unequal,
                ),
            ),
        )


class PairRequests(Plotted, FastTable):
    """List the requests whose answers differ most, with their features."""

    HELP_TEXT = (
        "The requests whose answers (or else scores, in brackets) differ most, with their features; an arrow stands "
        "where the versions logged different values. Key 7 shows all records."
    )
    COLUMNS = (
        Column("id", "Request", width=10),
        Column("old", "Baseline", width=10),
        Column("new", "Candidate", width=10),
        Column("label", "Label", width=6),
        Column("features", "Features", least=16),
    )

    def __init__(self, identity: str, *, ascii_only: bool = False) -> None:
        super().__init__(self.COLUMNS, ascii_only=ascii_only, id=identity)

    def take(self, view: View) -> None:
        """Show the requests."""
        found = findings_of(view)
        self.border_title = "Requests that differ most"
        self.say("" if found and found.requests else "No two answers differ." if found else _missing(view))
        self.update(_request(one) for one in (found.requests if found else ()))


def _request(one: PairRequest) -> Row:
    return Row(
        one.id,
        (
            Cell(clean(one.id, 40)),
            Cell(clean(answer_text(one.old, one.old_score), 30)),
            Cell(clean(answer_text(one.new, one.new_score), 30)),
            Cell(clean(one.label if one.label is not None else "n/a", 20), "muted"),
            Cell(clean(values_text(one), 300), "muted"),
        ),
    )
