"""The first screen: the verdict, the four families side by side, the feed and the last alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, Vertical

from mlwatch.app.panels.alertlist import AlertsPanel
from mlwatch.app.panels.endpoints import EndpointStrip
from mlwatch.app.panels.families import FamiliesPanel
from mlwatch.app.panels.feedline import FeedLine
from mlwatch.app.panels.verdict import VerdictBanner
from mlwatch.app.screens.base import WatchScreen
from mlwatch.app.zones import chart_zone

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
            yield Vertical(id="side")
        yield self.bound(EndpointStrip("strip", ascii_only=self.ascii))
        yield self.bound(FeedLine("feed"))
        alerts = self.bound(AlertsPanel("alerts", self.mlwatch.zone, self.mlwatch.glyphs))
        yield alerts.data_bind(status=WatchScreen.status)

    def on_mount(self) -> None:
        """Add the rest once the first picture is painted."""
        self.call_after_refresh(self._add_side)

    async def _add_side(self) -> None:
        """Add features and chart, after the first paint: they need NumPy."""
        from mlwatch.app.panels.featuretable import FeatureTable  # noqa: PLC0415 - not for the first paint
        from mlwatch.app.panels.trendchart import TrendChart  # noqa: PLC0415

        chosen = self.query_one(FamiliesPanel).cursor or "accuracy"
        chart = TrendChart("chart", chosen, zone=chart_zone(self.mlwatch.zone), ascii_only=self.ascii)
        await self.query_one("#side").mount(
            self.boxed(FeatureTable("features", ascii_only=self.ascii)), self.boxed(chart)
        )
        self.fit_panels()

    @on(FamiliesPanel.Chosen)
    def _follow(self, message: FamiliesPanel.Chosen) -> None:
        for chart in self.query("TrendChart"):
            if message.key:
                setattr(chart, "metric", message.key)  # noqa: B010 - its class is imported only where it is shown
