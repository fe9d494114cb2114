"""The second screen: how right the models are, over time and by class, and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlwatch.app.panels.confusionpair import ConfusionPair
from mlwatch.app.panels.curvepanels import CalibrationPanel, PrPanel, RocPanel
from mlwatch.app.panels.deck import Deck
from mlwatch.app.panels.histograms import EMPTY, LatencyPanel, ScoresPanel
from mlwatch.app.panels.segmenttable import SegmentTable
from mlwatch.app.screens.family import FamilyScreen
from widgets.curves import Square

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget


class PerformanceScreen(FamilyScreen):
    """Show the metrics of labelled predictions, what they are made of, and latency."""

    MODE = "performance"
    HELP = (
        "How right is each version, and how fast? Choose a number with up and down: the chart follows. "
        "n shows the panels that there is no room for."
    )
    FAMILY = "performance"
    FIRST_METRIC = "accuracy"
    beside: ClassVar[type[Widget]] = Deck

    def charts(self) -> ComposeResult:
        """Yield the chosen number, and below it latency where there is height for it."""
        yield from super().charts()
        yield self.trend("second-chart", "latency_p95")

    def own(self) -> ComposeResult:
        """Yield what the metrics are made of."""
        ascii_only = self.ascii
        yield self.boxed(SegmentTable("segments", ascii_only=ascii_only))
        yield self.boxed(ConfusionPair((), id="confusion", ascii_only=ascii_only))
        yield self.boxed(CalibrationPanel((), id="calibration", ascii_only=ascii_only))
        yield self.boxed(ScoresPanel(EMPTY, id="scores", ascii_only=ascii_only))
        yield self.boxed(RocPanel(Square(), id="roc", ascii_only=ascii_only))
        yield self.boxed(PrPanel(Square(), id="pr", ascii_only=ascii_only))
        yield self.boxed(LatencyPanel(EMPTY, id="latency", ascii_only=ascii_only))
