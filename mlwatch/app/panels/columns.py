"""The columns of the table of families: which there are at a width, and how a row fills them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.app.catalogue import FAMILIES
from mlwatch.app.drawing import Piece, cell, short
from mlwatch.app.units import show, show_change, show_interval, show_rate, show_relative
from widgets.sparkline import sparkline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.readings import Reading
    from mlwatch.app.rows import Change, MetricRow, Verdict


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the two versions, already sanitized."""

    baseline: str
    candidate: str | None


@dataclass(frozen=True, slots=True)
class Columns:
    """Width in cells of each column; 0 where it is left out."""

    family: int
    label: int
    baseline: int
    candidate: int
    change: int
    interval: int
    baseline_trend: int
    candidate_trend: int

    @classmethod
    def fitting(cls, width: int, names: Names, *, headings: bool, longest: int = 0) -> Columns:
        """Return the columns that fit a width.

        Args:
            width: Cells of the table.
            names: Of the versions.
            headings: Whether families have lines of their own, so that there is no column for them.
            longest: Cells of the longest label.
        """
        roomy = width >= 96
        family = 0 if headings else 12
        label = 20 if roomy else 18 if width >= 66 else 16
        if headings and width >= 72:
            label = max(label, min(longest + 1, 30 if roomy else 22))
        value = 12 if roomy else 11 if headings and width >= 72 else 10
        change = 0 if names.candidate is None else 22 if roomy else 19 if width >= 60 else 11
        candidate = 0 if names.candidate is None else value
        baseline = 0 if candidate and width < 48 else value
        left = width - family - label - baseline - candidate - change
        interval = 26 if left >= 44 else 0
        left -= interval
        if names.candidate is None:
            return cls(family, label, baseline, 0, 0, interval, max(0, left), 0)
        both = left >= 24
        half = min(left // 2, 40) if both else 0
        return cls(family, label, baseline, candidate, change, interval, half, half if both else max(0, left))


def head(columns: Columns, names: Names, glyphs: Glyphs) -> list[Piece]:
    """Return the heading line."""
    candidate = names.candidate or ""
    interval = f"  95 % interval ({glyphs.delta} change)" if columns.change else "  95 % interval"
    return [
        cell("", columns.family),
        cell("", columns.label),
        _named(names.baseline, columns.baseline, "bold $baseline"),
        _named(candidate, columns.candidate, "bold $candidate"),
        cell("  change" if columns.change else "", columns.change, "$quiet"),
        cell(interval if columns.interval else "", columns.interval, "$quiet"),
        *_trend_head(columns.baseline_trend, names.baseline, "$baseline"),
        *_trend_head(columns.candidate_trend, candidate, "$candidate"),
    ]


def _named(name: str, width: int, style: str) -> Piece:
    """Return a version's name, apart from what stands before it."""
    return cell(short(name, width - 1), width, style, "right")


def row_pieces(row: MetricRow, columns: Columns, glyphs: Glyphs, *, first: bool) -> list[Piece]:
    """Return one row; `first` says that it is the first of its family."""
    family = FAMILIES[row.family][1] if first else ""
    known = [value for value in (*row.baseline_trend, *row.candidate_trend) if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    limits = (low, high + (high - low) / 7)  # no full block: a high line would melt into the row above
    return [
        cell(family, columns.family, "bold $heading"),
        cell(row.label, columns.label),
        _value(row.baseline, row, columns.baseline),
        _value(row.candidate, row, columns.candidate),
        *_change(row, columns.change, glyphs),
        cell(f"  {_interval(row, glyphs)}" if columns.interval else "", columns.interval, "$quiet"),
        *_trend(row.baseline_trend, columns.baseline_trend, limits, "$baseline 70%", glyphs),
        *_trend(row.candidate_trend, columns.candidate_trend, limits, "$candidate 85%", glyphs),
    ]


STYLES: dict[Verdict, str] = {
    "better": "bold $good",
    "worse": "bold $bad",
    "fine": "$good",
    "unclear": "$unclear",
    "higher": "$quiet",
    "lower": "$quiet",
    "same": "$quiet",
}

WORDS: dict[Verdict, str] = {
    "better": "better",
    "worse": "worse",
    "fine": "fine",
    "unclear": "unclear",
    "higher": "",
    "lower": "",
    "same": "same",
}


def arrow(change: Change, glyphs: Glyphs) -> str:
    """Return the direction of a change as a character."""
    if change.verdict == "same" or change.difference == 0:
        return glyphs.flat
    return glyphs.up if change.difference > 0 else glyphs.down


def _value(reading: Reading | None, row: MetricRow, width: int) -> Piece:
    if width == 0 or reading is None:
        return cell("", width)
    style = "$quiet" if reading.value is None else "bold"
    text = show(reading.value, row.unit, row.currency)
    if row.unit == "per_s" and reading.value is not None:
        text = show_rate(reading.value, like=row.baseline.value)
    return cell(text, width, style, "right")


def _change(row: MetricRow, width: int, glyphs: Glyphs) -> list[Piece]:
    if width == 0:
        return []
    if row.change is None:
        return [cell("", width)]
    style = STYLES[row.change.verdict]
    sign = arrow(row.change, glyphs)
    before = " " if width < 20 else "  "
    if row.change.verdict == "same":
        return [cell(f"{before}{sign} same", width, style)]
    word, amount = WORDS[row.change.verdict], _amount(row, row.change)
    less = _shorter(row, amount, row.change)
    texts = [f"{before}{sign} {part} {word}".rstrip() for part in (amount, less)]
    short = f"{before}{sign} {word or less}"
    return [cell(next((text for text in texts if len(text) <= width), short), width, style)]


def _shorter(row: MetricRow, amount: str, change: Change) -> str:
    """Return a change with less: without the unit where that stands in the columns beside, else with fewer digits."""
    if row.unit == "share":
        return show_change(float(f"{change.difference:.1g}"), row.unit)
    return amount.rpartition(" ")[0] or amount


def _amount(row: MetricRow, change: Change) -> str:
    """Return the size of a change; that of a rate in percent, as its unit depends on its size."""
    if row.unit == "per_s" and row.baseline.value:
        return show_relative(change.difference / row.baseline.value)
    return show_change(change.difference, row.unit, row.currency)


def _interval(row: MetricRow, glyphs: Glyphs) -> str:
    """Return the interval of a judged change, marked as such, or else that of the value."""
    change = row.change
    if change is not None and (change.low is not None or change.high is not None):
        shown = show_interval(change.low, change.high, row.unit, row.currency, change=True)
        return f"{glyphs.delta} {shown}"
    reading = row.candidate or row.baseline
    return show_interval(reading.low, reading.high, row.unit, row.currency)


def _trend_head(width: int, name: str, style: str) -> list[Piece]:
    return [cell(f"  {name}", width, style, "right")] if width >= 6 else [cell("", width)]


def _trend(
    values: Sequence[float | None], width: int, limits: tuple[float, float], style: str, glyphs: Glyphs
) -> list[Piece]:
    if width < 6:
        return [cell("", width)]
    drawn = sparkline(_widened(values, width - 2), width - 2, *limits, ascii_only=glyphs.ascii)
    return [("  ", ""), (drawn, style)]


WIDEST = 3
"""Cells that one step may take where there is room."""


def _widened(values: Sequence[float | None], width: int) -> list[float | None]:
    """Return values as often as a step may take cells."""
    wide = max(1, min(WIDEST, width // max(len(values), 1)))
    return [value for value in values for _ in range(wide)]
