"""The judged metrics of a rollout on one scale of margins, and the chosen one in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from mlwatch.app.drawing import capital, clean, line, wrapped
from mlwatch.app.judging import (
    STYLES,
    bent,
    change_in_words,
    in_margins,
    interval_in_margins,
    interval_in_words,
    label_of,
)
from mlwatch.app.panels.base import Panel, Plotted
from mlwatch.app.units import show_count
from widgets.forest import Forest, ForestPlot, Interval

if TYPE_CHECKING:
    from textual import events
    from textual.content import Content
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import RolloutMetric

MARKS = (-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100)
"""Numbers of margins that the scale names."""
LEAST = 3.0
"""Margins to either side that are always on the scale."""
ROOMY = 100
"""Cells from which intervals are written out too."""


NOTHING = (
    "Nothing to compare yet: two versions of a model must have traffic at the same time. Name them in [rollout] "
    "baseline and candidate of mlwatch.toml, or with --baseline and --candidate."
)


class RolloutForest(Plotted, ForestPlot):
    """Each judged metric's difference with its anytime-valid interval, against its margin."""

    HELP_TEXT = (
        "Every judged metric as candidate less baseline, in margins: right of 0 is better, the shaded part is worse "
        "but allowed, left of −1 is harm. The scale is logarithmic beyond one margin. The intervals hold at every "
        "look, however often one looks."
    )
    BORDER_TITLE = "Differences in margins"

    class Chosen(Message):
        """A metric was chosen."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    _keys: tuple[str, ...] = ()

    def take(self, view: View) -> None:
        """Show the metrics of the rollout."""
        before, rows = self.chosen, len(self._keys)
        rollout = view.rollout
        self._keys = tuple(rollout.metrics) if rollout else ()
        self.say("" if self._keys else NOTHING)
        self.update(forest_of(view, wide=self.size.width >= ROOMY))
        if len(self._keys) != rows:
            self.refresh(layout=True)
        if before in self._keys:
            self.cursor = self._keys.index(before)
        elif self._keys:
            self.cursor = 0
            self.post_message(self.Chosen(self._keys[0]))

    @property
    def chosen(self) -> str:
        """Key of the chosen metric; empty where there is none."""
        return self._keys[self.cursor] if self.cursor < len(self._keys) else ""

    def on_forest_plot_row_highlighted(self, event: ForestPlot.RowHighlighted) -> None:
        """Name the metric that was chosen."""
        event.stop()
        self.post_message(self.Chosen(self.chosen))

    def on_resize(self, event: events.Resize) -> None:
        """Write intervals out where there is room for them."""
        if self.view is not None:
            self.update(forest_of(self.view, wide=event.size.width >= ROOMY))


def forest_of(view: View, *, wide: bool) -> Forest:
    """Return the metrics of a view's rollout as rows on the bent scale of margins."""
    rollout = view.rollout
    if rollout is None:
        return Forest(())
    currency = view.baseline.business.revenue.currency if view.baseline else None
    rows = tuple(_row(key, metric, currency, view, wide) for key, metric in rollout.metrics.items())
    ends = [row.value for row in rows if not math.isnan(row.value)]
    low, high = min([*ends, -bent(LEAST)]), max([*ends, bent(LEAST)])
    air = (high - low) * 0.12
    minus = "-" if view.glyphs.ascii else "−"
    marks = tuple((bent(mark), f"{minus}{-mark}" if mark < 0 else str(mark)) for mark in MARKS)
    return Forest(rows, (bent(-1.0), 0.0), marks=marks, limits=(low - air, high + air))


def _row(key: str, metric: RolloutMetric, currency: str | None, view: View, wide: bool) -> Interval:
    text = change_in_words(key, metric, currency, view.glyphs)
    interval = interval_in_words(key, metric, currency)
    if wide and interval:
        text += f"  ({interval})"
    low, high = interval_in_margins(metric)
    value = in_margins(metric.difference, metric)
    return Interval(clean(label_of(key, metric), 24), value, low, high, text, STYLES[metric.status])


@dataclass(frozen=True, slots=True)
class ReasonState:
    """What is known of the chosen metric."""

    sentences: tuple[str, ...]
    glyphs: Glyphs


class MetricReason(Panel[ReasonState]):
    """Say the chosen metric in words: the effect, the evidence, what is missing."""

    HELP_TEXT = (
        "The chosen metric in words, the evidence of harm as odds, and how many requests would decide."
    )
    _key = ""

    def choose(self, key: str) -> None:
        """Explain another metric."""
        self._key = key
        if self.view is not None:
            self.take(self.view)

    def digest(self, view: View) -> ReasonState:
        """Return the sentences on the chosen metric."""
        metric = view.rollout.metrics.get(self._key) if view.rollout else None
        return ReasonState(sentences(metric) if metric else (), view.glyphs)

    def lines(self, state: ReasonState, size: Size) -> list[Content]:
        """Draw the sentences in at most three lines."""
        parts = wrapped(" ".join(state.sentences), size.width, min(size.height, 3))
        return [line([(part, "$heading")], size.width, state.glyphs) for part in parts]


def show_odds(value: float) -> str:
    """Return an e-value as the first number of odds to one."""
    if value >= 1e6:
        return "over a million"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def sentences(metric: RolloutMetric) -> tuple[str, ...]:
    """Return what is known of a metric as plain sentences."""
    reason = clean(metric.reason, 300)
    said = [capital(reason) + "."] if reason else []
    if metric.e_value is not None and metric.level:
        odds = show_odds(metric.e_value)
        said.append(f"Evidence of harm {odds} to 1; {1 / metric.level:,.0f} to 1 rolls back.")
    n = (metric.n_baseline or 0) + (metric.n_candidate or 0)
    if metric.design_effect > 1 and n:
        alone = n / metric.design_effect
        said.append(f"{show_count(n)} requests tell as much as {show_count(alone)} independent ones.")
    said += [clean(note, 200).capitalize() + "." for note in metric.notes]
    return tuple(said)
