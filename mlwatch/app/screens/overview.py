"""The first screen: the verdict, the four families side by side, the feed and the last alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, Vertical

from mlwatch.app.panels.alertlist import AlertsPanel
from mlwatch.app.panels.drifttable import DriftTable
from mlwatch.app.panels.families import FamiliesPanel
from mlwatch.app.panels.feedline import FeedLine
from mlwatch.app.panels.trendchart import TrendChart
from mlwatch.app.panels.verdict import VerdictBanner
from mlwatch.app.screens.base import WatchScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult


class OverviewScreen(WatchScreen):
    """Answer "is the new version healthy?" at a glance."""

    MODE = "overview"
    HELP = (
        "Is the new version healthy? The banner gives the verdict and its first reason; below, every "
        "number of the baseline stands beside that of the candidate."
    )
    CSS_PATH = "../styles/overview.tcss"

    def panels(self) -> ComposeResult:
        """Yield banner, families, and on a large terminal the features beside them."""
        yield self.bound(VerdictBanner("verdict", classes="with-first"))
        with Horizontal(id="middle"):
            yield self.bound(FamiliesPanel("families", classes="first-focus"))
            with Vertical(id="side"):
                yield self.bound(DriftTable("features", classes="boxed"))
                yield self.bound(TrendChart("chart", "accuracy", classes="boxed"))
        yield self.bound(FeedLine("feed"))
        alerts = self.bound(AlertsPanel("alerts", self.mlwatch.zone, self.mlwatch.glyphs))
        yield alerts.data_bind(status=WatchScreen.status)

    @on(FamiliesPanel.Chosen)
    def _follow(self, message: FamiliesPanel.Chosen) -> None:
        if message.key:
            self.query_one("#chart", TrendChart).metric = message.key
