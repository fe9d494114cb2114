"""The second screen: how right the models are, over time and by class, and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlwatch.app.panels.confusionpair import ConfusionPair
from mlwatch.app.panels.curvepanels import CalibrationPanel, PrPanel, RocPanel
from mlwatch.app.panels.deck import Deck
from mlwatch.app.panels.histograms import EMPTY, LatencyPanel, ResidualsPanel, ScoresPanel
from mlwatch.app.panels.segmenttable import SegmentTable
from mlwatch.app.screens.family import FamilyScreen
from widgets.curves import Square

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

    from mlwatch.app.view import View


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
        yield self.boxed(ResidualsPanel(EMPTY, id="residuals", ascii_only=ascii_only))
        yield self.boxed(LatencyPanel(EMPTY, id="latency", ascii_only=ascii_only))

    def watch_view(self, view: View | None) -> None:
        """Make room for what is drawn of the task: residuals of numbers, or matrix and curves of classes."""
        if view is None or view.model is None:
            return
        of_classes = (ConfusionPair, CalibrationPanel, ScoresPanel, RocPanel, PrPanel)
        left_out = of_classes if view.model.task == "regression" else (ResidualsPanel,)
        deck = self.query_one(Deck)
        deck.leave_out([panel for panel in deck.children if isinstance(panel, left_out)])
