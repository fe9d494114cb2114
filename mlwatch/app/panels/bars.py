"""Lines with a bar, such as the funnel from prediction to conversion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from mlwatch.app.drawing import Piece, cell, clean, line, short, wrapped
from mlwatch.app.panels.base import Panel
from mlwatch.app.rows import unseen
from mlwatch.app.units import show, show_count, show_interval

if TYPE_CHECKING:
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.types import Version


@dataclass(frozen=True, slots=True)
class Bar:
    """One line: a name, a share from 0 to 1 and what it says in numbers. Without a share it is a heading."""

    label: str
    share: float | None
    text: str
    style: str
    more: str = ""
    """What is said too where there is room."""


@dataclass(frozen=True, slots=True)
class BarsState:
    """Lines with bars."""

    bars: tuple[Bar, ...]
    glyphs: Glyphs
    empty: str = "n/a, because nothing is known yet"
    note: str = ""
    """A sentence below the bars."""


class BarsPanel(Panel[BarsState]):
    """Draw bars of one length scale with their numbers at the right."""

    can_focus = True

    def lines(self, state: BarsState, size: Size) -> list[Content]:
        """Draw a line a bar."""
        if not state.bars:
            return [Content.styled(text, "$quiet") for text in wrapped(state.empty, size.width, 3)]
        label = max((len(bar.label) for bar in state.bars if bar.share is not None), default=18) + 2
        roomy = size.width >= label + 50 and any(bar.more for bar in state.bars)
        texts = [f"{bar.text}  {bar.more:<18}" if roomy else bar.text for bar in state.bars]
        widths = [len(said) for bar, said in zip(state.bars, texts, strict=True) if bar.share is not None]
        text = max(widths, default=0) + 1
        label = min(label, max(8, size.width - text - 4))  # names give way, numbers never
        room = max(4, min(60, size.width - label - text))
        drawn = [
            line(_pieces(replace(bar, text=said), label, room, text, state.glyphs), size.width, state.glyphs)
            for bar, said in zip(state.bars, texts, strict=True)
        ]
        left = max(0, min(3, size.height - len(drawn)))
        return drawn + [Content.styled(part, "$quiet") for part in wrapped(state.note, size.width, left)]


def _pieces(bar: Bar, label: int, room: int, text: int, glyphs: Glyphs) -> list[Piece]:
    if bar.share is None:
        own = min(label + room, cell_len(bar.label) + 1)
        return [
            cell(short(bar.label, own - 1), own, bar.style),
            cell(bar.text, label - own + room + text, "$quiet", "right"),
        ]
    full = round(min(1.0, max(0.0, bar.share)) * room)
    if bar.share > 0:
        full = max(1, full)
    block, rest = ("#", ".") if glyphs.ascii else ("█", "░")
    return [
        cell(bar.label, label),
        (block * full, bar.style),
        (rest * (room - full), "$hairline"),
        cell(bar.text, text, "bold", "right"),
    ]


class FunnelPanel(BarsPanel):
    """Show how many predictions led to engagement and to conversion."""

    HELP_TEXT = "Of all predictions, how many led to an engagement, how many to a conversion."
    BORDER_TITLE = "Funnel"

    def digest(self, view: View) -> BarsState:
        """Return the steps of each version; a bar is a share of that version's predictions."""
        bars: list[Bar] = []
        pairs = ((view.baseline, "$baseline"), (view.candidate, "$candidate"))
        for version, style in pairs:
            if version is not None:
                bars += _funnel(version, style)
        if bars and not any(bar.label.strip() in ("engaged", "converted") for bar in bars):
            return BarsState(tuple(bars), view.glyphs, note=NO_EVENTS)
        empty = "n/a, because there are no predictions in this time range"
        shown = [version for version, _ in pairs if version is not None]
        return BarsState(tuple(bars), view.glyphs, empty, note=unseen(shown))


NO_EVENTS = "No engagement or conversion yet: an event is a record with a request id and an event name."


def _funnel(version: Version, style: str) -> list[Bar]:
    steps = (("  engaged", version.business.engagement), ("  converted", version.business.conversion))
    return [
        Bar(short(version.name, 24), None, "", f"bold {style}"),
        Bar("  predictions", 1.0, f"{show_count(version.predictions)}  100.00 %", style),
        *(_step(label, step, style) for label, step in steps if step.value is not None),
        *_money(version, style),
    ]


def _step(label: str, step: Estimate, style: str) -> Bar:
    share = step.value or 0.0
    interval = show_interval(step.low, step.high, "share")
    return Bar(label, share, f"{show_count(share * step.n)}  {100 * share:>6.2f} %", style, interval)


def _money(version: Version, style: str) -> list[Bar]:
    """Return the end of the funnel: what a prediction brought in."""
    revenue = version.business.revenue
    if revenue.per_prediction is None:
        return []
    currency = clean(revenue.currency or "", 8)
    text = f"{show(revenue.per_prediction, 'money', currency)} each"
    interval = show_interval(revenue.low, revenue.high, "money", currency)
    return [Bar("  revenue", None, text, style, interval)]
