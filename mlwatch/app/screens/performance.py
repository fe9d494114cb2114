"""The second screen: how right the models are, over time and by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.panels.confusionpanel import ConfusionPanel
from mlwatch.app.panels.trendchart import TrendChart
from mlwatch.app.screens.family import FamilyScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult


class PerformanceScreen(FamilyScreen):
    """Show the metrics of labelled predictions, the confusion matrices, and latency over time."""

    MODE = "performance"
    HELP = "How right is each version? Choose a number with up and down: the chart follows."
    FAMILY = "performance"
    FIRST_METRIC = "accuracy"

    def own(self) -> ComposeResult:
        """Yield the confusion matrices, and latency over time where there is height for it."""
        yield self.bound(ConfusionPanel("confusion", classes="boxed"))
        yield self.bound(TrendChart("second-chart", "latency_p95", classes="boxed"))
