"""The fifth screen: what the predictions led to, from engagement to conversion to revenue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.panels.bars import FunnelPanel
from mlwatch.app.panels.deck import Deck
from mlwatch.app.panels.facts import RevenuePanel
from mlwatch.app.panels.families import FamiliesPanel
from mlwatch.app.screens.family import FamilyScreen
from widgets.timeseries import LinkedCharts

if TYPE_CHECKING:
    from textual.app import ComposeResult


class BusinessScreen(FamilyScreen):
    """Show the funnel of each version, each of its steps over time, and the money."""

    MODE = "business"
    HELP = (
        "Did the predictions pay? Engagement and conversion are shares of all predictions; shaded is the 95 % "
        "interval. n shows the panels that there is no room for."
    )
    FAMILY = "business"
    FIRST_METRIC = "conversion"

    def panels(self) -> ComposeResult:
        """Yield the numbers above, funnel and steps below."""
        numbers = FamiliesPanel("numbers", self.FAMILY, classes="first-focus")
        numbers.set_reactive(FamiliesPanel.cursor, self.FIRST_METRIC)
        yield self.bound(numbers)
        with LinkedCharts(id="lower"), Deck(id="own", wide=40):
            yield self.boxed(FunnelPanel("funnel"))
            yield self.trend("chart", self.FIRST_METRIC)
            yield self.trend("engagement", "engagement")
            yield self.trend("per-request", "revenue")
            yield self.trend("total", "revenue_total")
            yield self.boxed(RevenuePanel("revenue"))
