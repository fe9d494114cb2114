"""Segments by the harm that is done in them: where the candidate is worse than the baseline, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from mlwatch.app.drawing import clean
from mlwatch.app.panels.base import Plotted
from mlwatch.app.units import show, show_change, show_count, show_moment
from mlwatch.words import percent
from widgets.fasttable import Cell, Column, FastTable, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.units import Unit, Zone
    from mlwatch.app.view import View
    from mlwatch.metrics.segments import Contrast
    from mlwatch.snapshot.segment_pairs import SegmentPair
    from mlwatch.snapshot.segments import Segment
    from mlwatch.snapshot.types import Version

COLUMNS = (
    Column("segment", "Segment", least=20),
    Column("excess", "Extra", "right", width=9),
    Column("state", "Judged", width=8),
    Column("change", "Change", "right", width=10),
    Column("value", "Accuracy", "right", width=9),
    Column("other", "Before", "right", width=9),
    Column("n", "Labelled", "right", width=9),
)
"""The last give way first where there is no room."""
NONE = "No segments: performance by segment needs labels, and features that the predictions carry."
LATER = "No segments so far: they are computed a while after labels come, by the features that are followed."
TOO_FEW = "No segment has labels enough to compare: 30 on either side are needed."


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One segment of the version on show."""

    name: str
    labelled: int
    value: float | None
    """Accuracy, or the mean absolute error of a regression."""
    other: float | None
    """The same of what it is compared with, in this segment; None against the version's other segments."""
    change: float
    """Change of the value."""
    excess: float
    """Wrong answers (or error) beyond what the comparison's rate gives."""
    worse: bool
    """Beyond chance."""


class SegmentTable(Plotted, FastTable):
    """List segments, the most harmful first."""

    HELP_TEXT = (
        "Parts of the traffic, by the values of a feature, the most harmful first: extra errors are the wrong answers "
        "(for numbers, the error) beyond what the baseline's rate in the same segment would have given; without a "
        "candidate, the rate of the other segments. Worse means beyond chance, with all segments allowed for. Two "
        "segments joined by and are a combination that does worse than either explains. "
        "< and > sort, / filters. Below is said since when there are more errors within the range, and which "
        "segment carries most of them."
    )

    def __init__(self, identity: str, *, ascii_only: bool = False) -> None:
        super().__init__(COLUMNS, ascii_only=ascii_only, id=identity)

    def take(self, view: View) -> None:
        """Show the segments of the candidate against the baseline, or of the only version."""
        version = view.candidate or view.baseline
        rows = segment_rows(version, view.baseline if view.candidate else None)
        against = clean(view.baseline.name, 16) if view.candidate and view.baseline else "the rest"
        if version is not None:
            self.border_title = Content(f"Segments of {clean(version.name, 16)} by harm, against {against}")
        self.border_subtitle = Content(_fell(version, view.zone) if version is not None else "")
        self.say("" if rows else _why_none(version))
        unit: Unit = "score" if version is not None and "mae" in version.performance else "share"
        self.update(_table_row(row, unit, view.glyphs) for row in rows)


def _why_none(version: Version | None) -> str:
    if version is None or not (version.labelled and version.quality.features):
        return NONE
    return TOO_FEW if version.segments else LATER


def _fell(version: Version, zone: Zone) -> str:
    """Return when performance fell, and the segment that carries most of that."""
    fall = version.fall
    if fall is None:
        return ""
    most = fall.carried[0] if fall.carried else None
    where = (
        f", {percent(most.share, 0)} of it in {clean(most.column, 24)} {clean(most.value, 24)}"
        if most
        else ""
    )
    return f"more errors since {show_moment(fall.at, zone)}{where}"


def segment_rows(version: Version | None, baseline: Version | None) -> tuple[SegmentRow, ...]:
    """Return a version's segments that can be compared, and their worst combinations, the most harmful first."""
    if version is None:
        return ()
    others = {(each.column, each.value): each for each in baseline.segments} if baseline else {}
    metric = "mae" if "mae" in version.performance else "accuracy"
    rows = [
        _row(segment, found, others, metric)
        for segment in version.segments
        if (found := segment.baseline if baseline else segment.rest) is not None
    ]
    rows += [
        _pair_row(pair, found, metric, against=baseline is not None)
        for pair in version.segment_pairs
        if (found := pair.baseline if baseline else pair.rest) is not None
    ]
    return tuple(sorted(rows, key=lambda row: -row.excess))


def _pair_row(pair: SegmentPair, found: Contrast, metric: str, *, against: bool) -> SegmentRow:
    sign = 1.0 if metric == "mae" else -1.0
    value, before = (sign * loss - min(sign, 0.0) for loss in (pair.loss, pair.loss - found.difference))
    name = clean(pair.name, 80)
    other = before if against else None
    return SegmentRow(name, pair.labelled, value, other, sign * found.difference, found.excess, worse=True)


def _row(
    segment: Segment, found: Contrast, others: Mapping[tuple[str, str], Segment], metric: str
) -> SegmentRow:
    other = others.get((segment.column, segment.value))
    return SegmentRow(
        f"{clean(segment.column, 40)} {clean(segment.value, 40)}",
        segment.labelled,
        _value(segment, metric),
        _value(other, metric) if other is not None else None,
        found.difference if metric == "mae" else -found.difference,
        found.excess,
        found.worse,
    )


def _value(segment: Segment, metric: str) -> float | None:
    estimate = segment.performance.get(metric)
    return estimate.value if estimate is not None else None


def _table_row(row: SegmentRow, unit: Unit, glyphs: Glyphs) -> Row:
    tone = "bad" if row.worse else ""
    mark = glyphs.down if unit == "share" else glyphs.up
    extra = f"{'+' if row.excess > 0 else '−' if row.excess < 0 else ''}{show_count(round(abs(row.excess)))}"
    return Row(
        row.name,
        (
            Cell(row.name, tone),
            Cell(f"{mark} {extra}" if row.worse else extra, tone, row.excess),  # "Judged" may find no room
            Cell(f"{mark} worse" if row.worse else "chance", tone or "muted"),
            Cell(show_change(row.change, unit, None), tone, row.change),
            Cell(show(row.value, unit), tone, row.value),
            Cell(show(row.other, unit), "muted", row.other),
            Cell(show_count(row.labelled), "muted", row.labelled),
        ),
    )
