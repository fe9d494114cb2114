"""One record in full: its roles, each feature against the reference, its outcome, its events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlwatch.app.panels.base import Viewed
from mlwatch.app.units import show, show_moment
from widgets.fasttable import Cell, Column, FastTable, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.app.units import Zone
    from mlwatch.app.view import View
    from mlwatch.records.detail import Detail, FeatureFact

COLUMNS = (
    Column("name", "field", sortable=False, least=12),
    Column("value", "value", sortable=False, least=14),
    Column("against", "against the reference", sortable=False, least=14),
)
LONGEST = 2000


class RecordDetail(Viewed, FastTable):
    """Show what is known of the chosen record."""

    can_focus = True
    HELP_TEXT = (
        "The chosen record in full. A number's quantile is the share of the reference below it: 0 % is its least, "
        "100 % its greatest value. A category's share is how often the reference has it. c copies the record as JSON."
    )
    BORDER_TITLE = "Record"

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__(COLUMNS, ascii_only=ascii_only, id="record", classes="boxed")

    def take(self, view: View) -> None:
        """Wait for the record: the screen asks for it."""

    def show_detail(self, detail: Detail | None, zone: Zone) -> None:
        """Show a record, or nothing."""
        self.update([] if detail is None else _rows(detail, zone))


def _rows(detail: Detail, zone: Zone) -> list[Row]:
    lines = [_label(detail, zone), *_features(detail), *_events(detail, zone), *_roles(detail, zone)]
    return [Row(f"{at}", cells) for at, cells in enumerate(lines)]


Cells = tuple[Cell | str, ...]


def _label(detail: Detail, zone: Zone) -> Cells:
    known = f"known {show_moment(detail.label_at, zone)}" if detail.label_at else ""
    return Cell("label", "header"), _outcome(detail), Cell(known, "muted")


def _roles(detail: Detail, zone: Zone) -> Iterator[Cells]:
    yield Cell("request", "header"), "", ""
    for name, value in detail.roles.items():
        if name not in ("label", "correct") and value is not None and value is not False:
            yield Cell(name, "muted"), Cell(_value(name, value, zone), "strong"), ""


def _outcome(detail: Detail) -> Cell:
    label = detail.roles.get("label")
    if label is None:
        return Cell("n/a, because no outcome came yet", "muted")
    wrong = detail.roles.get("correct") is False
    return Cell(
        str(label)[:LONGEST] + (" (predicted otherwise)" if wrong else ""), "$bad" if wrong else "strong"
    )


def _value(name: str, value: Any, zone: Zone) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S.%f} {value.astimezone(zone):%Z}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return show(value, "ms") if name == "latency" else _number(value)


def _number(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)[:LONGEST]


def _features(detail: Detail) -> Iterator[Cells]:
    if not detail.features:
        return
    yield Cell("features", "header"), "", Cell(detail.reference[:LONGEST], "header")
    for fact in detail.features:
        words, notable = against(fact)
        value = "n/a" if fact.value is None else _number(fact.value)
        tone = "$bad" if notable else ""
        yield Cell(fact.name[:LONGEST], tone), Cell(value, tone or "strong"), Cell(words, tone or "muted")


def against(fact: FeatureFact) -> tuple[str, bool]:
    """Return in words how a value stands to the reference, and whether that is notable."""
    span = f"{fact.range[0]:.6g} to {fact.range[1]:.6g}" if fact.range else ""
    said = {
        "missing": "missing",
        "invalid": "not a value of this feature's kind",
        "unseen": "never in the reference",
        "below": f"below the reference: {span}",
        "above": f"above the reference: {span}",
    }
    if fact.state in said:
        return said[fact.state], True
    rare = "rare: " if fact.state == "rare" else ""
    if fact.low is not None and fact.high is not None:
        low, high = show(fact.low, "share"), show(fact.high, "share")
        return f"{rare}quantile {low} to {high}", bool(rare)
    if fact.share is not None:
        return f"{rare}{show(fact.share, 'share')} of the reference", bool(rare)
    return "n/a, because the reference has no value", False


def _events(detail: Detail, zone: Zone) -> Iterator[Cells]:
    if not detail.events:
        yield Cell("events", "header"), Cell("none", "muted"), ""
        return
    yield Cell("events", "header"), "", ""
    for event in detail.events:
        money = "" if event.value is None else f"  {event.value:.10g} {event.currency or ''}".rstrip()
        when = show_moment(event.at, zone) if event.at else ""
        yield Cell(when, "muted"), Cell(f"{event.kind[:200]}{money}", "strong"), Cell(event.means, "muted")
