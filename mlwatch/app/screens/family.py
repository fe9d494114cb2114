"""What the four screens of a family share: its numbers, the chosen one over time, and panels of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal, Vertical

from mlwatch.app.panels.families import FamiliesPanel
from mlwatch.app.panels.trendchart import TrendChart
from mlwatch.app.screens.turning import TurningScreen
from mlwatch.app.zones import chart_zone
from widgets.timeseries import LinkedCharts

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

    from mlwatch.app.catalogue import Family


class FamilyScreen(TurningScreen):
    """Show one family in full."""

    FAMILY: ClassVar[Family] = "performance"
    FIRST_METRIC: ClassVar[str] = ""
    CSS_PATH = "../styles/family.tcss"

    def panels(self) -> ComposeResult:
        """Yield the numbers above, charts and own panels below."""
        numbers = FamiliesPanel("numbers", self.FAMILY, classes="first-focus")
        numbers.set_reactive(FamiliesPanel.cursor, self.FIRST_METRIC)
        yield self.bound(numbers)
        with Horizontal(id="lower"):
            with LinkedCharts(id="charts"):
                yield from self.charts()
            with self.beside(id="own"):
                yield from self.own()

    beside: ClassVar[type[Widget]] = Vertical
    """The container of the panels that only this family has."""

    def charts(self) -> ComposeResult:
        """Yield the charts; the first follows the chosen number."""
        yield self.trend("chart", self.FIRST_METRIC)

    def trend(self, identity: str, metric: str) -> Widget:
        """Return the chart of a number."""
        zone = chart_zone(self.mlwatch.zone)
        return self.bound(TrendChart(identity, metric, zone=zone, ascii_only=self.ascii, classes="boxed"))

    def own(self) -> ComposeResult:
        """Yield the panels that only this family has."""
        raise NotImplementedError

    @on(FamiliesPanel.Chosen)
    def _follow(self, message: FamiliesPanel.Chosen) -> None:
        if message.key:
            self.query_one("#chart", TrendChart).metric = message.key
