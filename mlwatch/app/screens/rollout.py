"""The sixth screen: what the verdict rests on, how it came about, and what it still takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.containers import Container, Vertical

from mlwatch.app.panels.coursechart import CourseChart
from mlwatch.app.panels.pairs import PairsPanel
from mlwatch.app.panels.rolloutforest import MetricReason, RolloutForest
from mlwatch.app.panels.traffic import TrafficPanel
from mlwatch.app.panels.verdict import VerdictBanner
from mlwatch.app.panels.verdictlog import VerdictLog
from mlwatch.app.screens.base import WatchScreen
from mlwatch.app.zones import chart_zone
from widgets.forest import Forest

if TYPE_CHECKING:
    from textual.app import ComposeResult


class RolloutScreen(WatchScreen):
    """Show the verdict with everything that it rests on."""

    MODE = "rollout"
    HELP = (
        "Promote, hold or roll back, and why? Choose a metric with up and down: below is how sure its "
        "difference became over time."
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
            course = CourseChart(
                zone=chart_zone(self.mlwatch.zone), ascii_only=self.ascii, id="course", classes="boxed"
            )
            yield self.bound(course)

    @on(RolloutForest.Chosen)
    def _follow(self, message: RolloutForest.Chosen) -> None:
        self.query_one(CourseChart).choose(message.key)
        self.query_one(MetricReason).choose(message.key)
