"""A comparison of two reports as Markdown and as HTML: one set of sections, two ways to write them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mlwatch.faces.html_page import page, table
from mlwatch.faces.markdown import escaped
from mlwatch.faces.markdown import table as markdown_table
from mlwatch.faces.markup import Markup, tag
from mlwatch.faces.rows import title_of
from mlwatch.faces.segment_rows import loss
from mlwatch.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from mlwatch.faces.comparison import Change, Comparison
    from mlwatch.faces.comparison_segments import Carrier

WORDS = {"promote": "promote", "hold": "hold", "rollback": "roll back", None: "no verdict"}
TITLE = "mlwatch: two reports compared"
MOST_ROWS = 100
"""Rows of a list that are shown."""


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    sentences: Sequence[str] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def markdown(found: Comparison) -> str:
    """Return the comparison for a pull request."""
    parts = [f"# {TITLE}", escaped(_span(found))]
    for section in _sections(found):
        parts.append(f"## {escaped(section.title)}")
        if section.sentences:
            parts.append("\n".join(f"- {escaped(sentence)}" for sentence in section.sentences))
        if section.rows:
            parts.append(
                markdown_table(section.heads, [[escaped(cell) for cell in row] for row in section.rows])
            )
    return "\n\n".join(parts) + "\n"


def html(found: Comparison) -> str:
    """Return the comparison as one HTML file."""
    header = tag("header", tag("h1", TITLE), tag("p", _span(found)))
    return page(TITLE, header, *(_html(section) for section in _sections(found)))


def _html(section: _Section) -> Markup:
    return tag(
        "section",
        tag("h2", section.title),
        tag("ul", *(tag("li", sentence) for sentence in section.sentences)) if section.sentences else "",
        table(section.heads, section.rows) if section.rows else "",
    )


def _span(found: Comparison) -> str:
    return f"Before: {_range(found.before)}. After: {_range(found.after)}."


def _range(head: Mapping[str, Any]) -> str:
    limits = head["range"]
    if limits["start"] is None:
        return "no data"
    return " to ".join(str(limits[end])[:16].replace("T", " ") for end in ("start", "end")) + " UTC"


def _sections(found: Comparison) -> Iterator[_Section]:
    yield _Section("Verdicts", [_turn(turn) for turn in found.verdicts] or ["Neither report has a rollout."])
    yield from _families(found)
    drifts = [
        f"{one.feature} of {one.model} {one.version} {'drifts now' if one.after else 'drifts no longer'}"
        for one in found.features
    ]
    yield from _list("Drift", drifts)
    yield from _list("Where the errors rose", [_carrier(one) for one in found.carriers])
    only = [f"only before: {name}" for name in found.only_before]
    yield from _list(
        "Versions in one report only", only + [f"only after: {name}" for name in found.only_after]
    )
    alerts = [f"new: {text}" for text in found.alerts_new] + [f"gone: {text}" for text in found.alerts_gone]
    yield from _list("Alerts", alerts)
    made = [
        [name.replace("_", " "), before or "n/a", after or "n/a"] for name, before, after in found.provenance
    ]
    if made:
        yield _Section("Made by others", (), ["", "Before", "After"], made)


def _turn(turn: Any) -> str:
    before, after = WORDS.get(turn.before, turn.before), WORDS.get(turn.after, turn.after)
    who = f"{turn.candidate} ({turn.model})"
    return f"{who}: {after}, as before" if before == after else f"{who}: {before} became {after}"


def _carrier(one: Carrier) -> str:
    said, own = partial(loss, shares=one.unit == "ratio"), ""
    if one.before is not None and one.after is not None:
        own = f", whose own went from {said(one.before)} to {said(one.after)}"
    return (
        f"{one.version} ({one.model}): {percent(one.share, 0)} of the rise from {said(one.all_before)} to "
        f"{said(one.all_after)} is in {one.column} {one.value}{own} (n {one.n_before:,}, then {one.n_after:,})"
    )


def _list(title: str, sentences: list[str]) -> Iterator[_Section]:
    if not sentences:
        return
    shown = sentences[:MOST_ROWS]
    if len(sentences) > MOST_ROWS:
        shown.append(f"and {len(sentences) - MOST_ROWS:,} more")
    yield _Section(title, shown)


def _families(found: Comparison) -> Iterator[_Section]:
    versions = dict.fromkeys((change.model, change.version) for change in found.metrics)
    for model, version in versions:
        rows = [
            [title_of(one.metric), _value(one.before, one), _value(one.after, one), _moved(one), _judged(one)]
            for one in found.metrics
            if (one.model, one.version) == (model, version) and not (one.before is None and one.after is None)
        ]
        yield _Section(f"{model} {version}", (), ["", "Before", "After", "Change", "What it means"], rows)


def _value(value: float | None, change: Change) -> str:
    if value is None:
        return "n/a"
    if change.unit == "ratio":
        return percent(value, 2)
    return f"{value:,.4g} {change.unit}".rstrip()


def _moved(one: Change) -> str:
    if one.change is None:
        return "n/a"
    if one.unit == "ratio":
        return f"{100 * one.change:+.2f} points"
    return f"{one.change:+,.4g} {one.unit}".rstrip()


def _judged(one: Change) -> str:
    if one.better is None:
        return "unchanged" if one.change == 0 else ""
    word = "better" if one.better else "worse"
    if one.clear is None:
        return word
    return f"{word}, clearly" if one.clear else f"{word}, within the intervals"
