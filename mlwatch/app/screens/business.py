"""The fifth screen: what the predictions led to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.panels.bars import FunnelPanel
from mlwatch.app.panels.facts import RevenuePanel
from mlwatch.app.screens.family import FamilyScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult


class BusinessScreen(FamilyScreen):
    """Show the funnel and the money of each version."""

    MODE = "business"
    HELP = "Did the predictions pay? Engagement and conversion are shares of all predictions."
    FAMILY = "business"
    FIRST_METRIC = "conversion"

    def charts(self) -> ComposeResult:
        """Yield the chosen number, and revenue below it."""
        yield from super().charts()
        yield self.trend("second-chart", "revenue")

    def own(self) -> ComposeResult:
        """Yield funnel and revenue."""
        yield self.bound(FunnelPanel("funnel", classes="boxed"))
        yield self.bound(RevenuePanel("revenue", classes="boxed"))
