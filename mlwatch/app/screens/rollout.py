"""The sixth screen: what the verdict rests on, how it came about, and what it still takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from textual import on
from textual.containers import Container, Vertical

from mlwatch.app.panels.base import Viewed
from mlwatch.app.panels.coursechart import CourseChart
from mlwatch.app.panels.deck import Deck, Spare
from mlwatch.app.panels.pairs import PairsPanel
from mlwatch.app.panels.rolloutforest import MetricReason, RolloutForest
from mlwatch.app.panels.shadowpanels import (
    PairAgreement,
    PairCourse,
    PairFeatures,
    PairRequests,
    PairSegments,
    findings_of,
)
from mlwatch.app.panels.traffic import TrafficPanel
from mlwatch.app.panels.trendchart import TrendChart
from mlwatch.app.panels.verdict import VerdictBanner
from mlwatch.app.panels.verdictlog import VerdictLog
from mlwatch.app.screens.turning import TurningScreen
from mlwatch.app.zones import chart_zone
from widgets.confusion import Confusion
from widgets.forest import Forest

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mlwatch.app.view import View


WIDE = 60
"""Cells that a chart or table of the deck takes at least."""


class RolloutScreen(TurningScreen):
    """Show the verdict with everything that it rests on."""

    MODE = "rollout"
    HELP = (
        "Promote, hold or roll back, and why? Choose a metric with up and down: below is how sure its "
        "difference became over time. Of a shadow, n turns to where its answers differ."
    )
    CSS_PATH = "../styles/rollout.tcss"

    def panels(self) -> ComposeResult:
        """Yield verdict, differences, their course, traffic, log and pairs."""
        yield self.bound(VerdictBanner("verdict", classes="with-first"))
        with Container(id="grounds"):
            with Vertical(id="differences"):
                forest = RolloutForest(
                    Forest(()), ascii_only=self.ascii, id="forest", classes="boxed first-focus"
                )
                yield self.bound(forest)
                yield self.bound(MetricReason("reason"))
            with Vertical(id="beside"):
                yield self.bound(TrafficPanel("traffic", classes="boxed"))
                yield self.bound(PairsPanel("pairs", classes="boxed"))
                yield self.bound(VerdictLog("log", classes="boxed"))
                with Spare(id="spare"):
                    zone = chart_zone(self.mlwatch.zone)
                    yield self.boxed(TrendChart("split", "throughput", zone=zone, ascii_only=self.ascii))
                    yield self.boxed(PairFeatures("depends", ascii_only=self.ascii))
            course = CourseChart(
                zone=chart_zone(self.mlwatch.zone), ascii_only=self.ascii, id="course", classes="boxed"
            )
            with Deck(wide=WIDE, id="deck"):
                yield self.bound(course)
                for panel in self._pair_panels():
                    yield self.boxed(panel)

    def _pair_panels(self) -> tuple[Viewed, ...]:
        ascii_only, zone = self.ascii, chart_zone(self.mlwatch.zone)
        return (
            PairSegments("pair-segments", ascii_only=ascii_only),
            PairCourse(zone=zone, ascii_only=ascii_only, id="pair-course"),
            PairAgreement(Confusion((), np.zeros((0, 0))), id="pair-agreement", ascii_only=ascii_only),
            PairFeatures("pair-features", ascii_only=ascii_only),
            PairRequests("pair-requests", ascii_only=ascii_only),
        )

    def watch_view(self, view: View | None) -> None:
        """Make room for what pairs say where there are any."""
        deck = self.query_one(Deck)
        found = findings_of(view) if view is not None else None
        self.query_one("#beside").set_class(found is not None, "-pairs")
        self.query_one("#depends").can_focus = found is not None
        pairs = [child for child in deck.children if isinstance(child, Viewed) and child.id != "course"]
        numbers = found is not None and found.measure == "distance"
        deck.leave_out(pairs if found is None else list(self.query(PairAgreement)) if numbers else ())

    @on(RolloutForest.Chosen)
    def _follow(self, message: RolloutForest.Chosen) -> None:
        self.query_one(CourseChart).choose(message.key)
        self.query_one(MetricReason).choose(message.key)
