"""Small tables of named numbers, a column a version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from mlwatch.app.drawing import Piece, cell, clean, line, short, wrapped
from mlwatch.app.panels.base import Panel
from mlwatch.app.units import show_bytes, show_count, show_duration, show_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import Stream, Version


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: a name, its values, and whether it deserves attention."""

    label: str
    values: tuple[str, ...]
    short: tuple[str, ...] = ()
    """What to show instead where columns are narrow."""
    notable: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class FactsState:
    """A table of facts."""

    heads: tuple[str, ...]
    facts: tuple[Fact, ...]
    glyphs: Glyphs
    empty: str = "n/a, because there are no predictions in this time range"


class FactsPanel(Panel[FactsState]):
    """Draw facts in aligned columns."""

    can_focus = True

    def lines(self, state: FactsState, size: Size) -> list[Content]:
        """Draw the heads, where there are any, and a line a fact."""
        if not state.facts:
            return [Content.styled(text, "$quiet") for text in wrapped(state.empty, size.width, 3)]
        columns = max(len(fact.values) for fact in state.facts)
        widest = max((len(text) for fact in state.facts for text in fact.values), default=0) + 1
        label = max(len(fact.label) for fact in state.facts) + 1
        label = min(label, max(size.width // 2, size.width - columns * max(widest, 6)))
        value = max(6, min(22, (size.width - label) // columns))
        drawn = []
        if any(state.heads):
            styles = ("bold $baseline", "bold $candidate")
            heads = [
                cell(short(name, value - 1), value, style, "right")
                for name, style in zip(state.heads, styles, strict=False)
            ]
            drawn.append(line([cell("", label), *heads], size.width, state.glyphs))
        fits = all(len(text) < value for fact in state.facts for text in fact.values)
        drawn += [
            line(_pieces(fact, label, value, full=fits), size.width, state.glyphs) for fact in state.facts
        ]
        hidden = len(drawn) - size.height
        if hidden > 0 and size.height > 2:
            more = f"{hidden + 1} more: {self.key_of('zoom')} shows all"
            drawn[size.height - 1 :] = [Content.styled(more, "$quiet")]
        return drawn


def _pieces(fact: Fact, label: int, value: int, *, full: bool) -> list[Piece]:
    style = "bold $unclear" if fact.notable else "$quiet" if fact.quiet else ""
    name = cell(fact.label, label, "$quiet" if fact.quiet else "")
    texts = fact.values if full or not fact.short else fact.short
    return [name, *(cell(text, value, style, "right") for text in texts)]


class StatusPanel(FactsPanel):
    """Count requests by how they ended."""

    HELP_TEXT = (
        "How requests ended: 4xx is the caller's fault, 5xx the server's; the rest gave no prediction."
    )
    BORDER_TITLE = "Requests by outcome"

    def digest(self, view: View) -> FactsState:
        """Return counts and shares of each class, a column a version."""
        versions = _versions(view)
        rows: tuple[tuple[str, Callable[[Version], int], bool], ...] = (
            ("Answered", lambda v: v.predictions - v.errors.count, False),
            ("4xx client", lambda v: v.errors.client, True),
            ("5xx server", lambda v: v.errors.server, True),
            ("No prediction", lambda v: v.errors.count - v.errors.client - v.errors.server, True),
        )
        facts = tuple(
            Fact(
                label,
                tuple(f"{show_count(count(v))}  {_part(count(v), v.predictions):>8}" for v in versions),
                tuple(_part(count(v), v.predictions) for v in versions),
                bad and any(map(count, versions)),
            )
            for label, count, bad in rows
        )
        return FactsState(_names(versions), facts if versions else (), view.glyphs)


class IngestPanel(FactsPanel):
    """Say what became of every record that was read."""

    HELP_TEXT = (
        "Records are rows + rejected + duplicates, always. Unmatched outcomes and events name a request that "
        "was not seen yet; they count as soon as it is."
    )
    BORDER_TITLE = "Reading"

    def digest(self, view: View) -> FactsState:
        """Return the counters of the ingest."""
        ingest, feed = view.snapshot.ingest, view.snapshot.feed
        lag = "n/a" if feed.lag_s is None else show_duration(feed.lag_s)
        counts = (
            ("Records", ingest.records, False), ("Rows taken in", ingest.rows, False),
            ("Rejected", ingest.rejected, True), ("Duplicates", ingest.duplicates, False),
            ("Outcomes unmatched", ingest.outcomes_unmatched, True),
            ("Events unmatched", ingest.events_unmatched, True), ("Predictions", ingest.predictions, False),
            ("Outcomes", ingest.outcomes, False), ("Events", ingest.events, False),
            ("Files", ingest.files, False),
        )  # fmt: skip
        facts = [
            *(Fact(label, (show_count(count),), notable=bad and count > 0) for label, count, bad in counts),
            Fact("Read", (show_bytes(ingest.bytes),)),
            Fact("Rate", (show_rate(feed.rows_per_s or 0.0).replace(" /", " rows/"),)),
            Fact("Lag", (lag,)),
            *_streams(ingest.streams),
        ]
        return FactsState((), tuple(facts), view.glyphs)


MOST_STREAMS = 20
"""Partitions that are shown, those with the most unread messages; the total counts all."""


def _streams(streams: Sequence[Stream]) -> Iterator[Fact]:
    """Yield how many messages of each partition are not read yet."""
    if not streams:
        return
    behind = sum(one.lag for one in streams)
    yield Fact("Unread messages", (show_count(behind),), notable=behind > 0)
    for one in sorted(streams, key=lambda each: -each.lag)[:MOST_STREAMS]:
        yield Fact(f"  {clean(one.topic, 40)}/{one.partition}", (show_count(one.lag),), notable=one.lag > 0)


class RevenuePanel(FactsPanel):
    """Show the money that came of the predictions."""

    HELP_TEXT = "Money as the events carry it; refunds are subtracted from gross."
    BORDER_TITLE = "Revenue"

    def digest(self, view: View) -> FactsState:
        """Return gross, refunds and what is left, a column a version."""
        versions = [v for v in _versions(view) if v.business.revenue.known]
        rows: tuple[tuple[str, Callable[[Version], float]], ...] = (
            ("Gross", lambda v: v.business.revenue.gross),
            ("Refunds", lambda v: -v.business.revenue.refunds),
            ("Revenue", lambda v: v.business.revenue.total),
        )
        facts = [Fact(label, tuple(_money(read(v), v) for v in versions)) for label, read in rows]
        empty = "n/a, because no event carries money yet: a record with an id, an event and a value does"
        return FactsState(_names(versions), tuple(facts) if versions else (), view.glyphs, empty)


def _versions(view: View) -> list[Version]:
    return [version for version in (view.baseline, view.candidate) if version is not None]


def _names(versions: list[Version]) -> tuple[str, ...]:
    return tuple(clean(version.name, 40) for version in versions)


def _part(count: int, of: int) -> str:
    return f"{100 * count / of:.2f} %" if of else "n/a"


def _money(value: float, version: Version) -> str:
    currency = clean(version.business.revenue.currency or "", 8)
    sign = "−" if value < 0 else ""
    return f"{sign}{show_count(abs(value))} {currency}".rstrip()
