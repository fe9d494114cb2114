"""What the four screens of a family share: its numbers, the chosen one over time, and panels of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal, Vertical

from mlwatch.app.panels.families import FamiliesPanel
from mlwatch.app.panels.trendchart import TrendChart
from mlwatch.app.screens.base import WatchScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mlwatch.app.catalogue import Family


class FamilyScreen(WatchScreen):
    """Show one family in full."""

    FAMILY: ClassVar[Family] = "performance"
    FIRST_METRIC: ClassVar[str] = ""
    CSS_PATH = "../styles/family.tcss"

    def panels(self) -> ComposeResult:
        """Yield the numbers above, chart and own panels below."""
        numbers = FamiliesPanel("numbers", self.FAMILY, classes="first-focus")
        numbers.set_reactive(FamiliesPanel.cursor, self.FIRST_METRIC)
        yield self.bound(numbers)
        with Horizontal(id="lower"):
            with Vertical(id="charts"):
                yield from self.charts()
            with Vertical(id="own"):
                yield from self.own()

    def charts(self) -> ComposeResult:
        """Yield the charts; the first follows the chosen number."""
        yield self.bound(TrendChart("chart", self.FIRST_METRIC, classes="boxed"))

    def own(self) -> ComposeResult:
        """Yield the panels that only this family has."""
        raise NotImplementedError

    @on(FamiliesPanel.Chosen)
    def _follow(self, message: FamiliesPanel.Chosen) -> None:
        if message.key:
            self.query_one("#chart", TrendChart).metric = message.key
