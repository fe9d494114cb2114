"""The third screen: what the models are fed, feature by feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from mlwatch.app.panels.deck import Deck
from mlwatch.app.panels.distribution import DistributionPanel
from mlwatch.app.panels.driftheat import DriftHeat
from mlwatch.app.panels.families import FamiliesPanel
from mlwatch.app.panels.featuretable import FeatureTable
from mlwatch.app.screens.family import FamilyScreen
from mlwatch.app.zones import chart_zone
from widgets.heatmap import Grid

if TYPE_CHECKING:
    from textual.app import ComposeResult


class QualityScreen(FamilyScreen):
    """Show features by drift, the chosen one against the reference, and drift over time."""

    MODE = "quality"
    HELP = (
        "Are the inputs what they were? The features are sorted by how far they moved from the reference. "
        "n shows the panels that there is no room for."
    )
    FAMILY = "quality"
    FIRST_METRIC = "drift"
    AUTO_FOCUS = "#features"

    def panels(self) -> ComposeResult:
        """Yield the numbers above, features and pictures of them below."""
        numbers = FamiliesPanel("numbers", self.FAMILY)
        numbers.set_reactive(FamiliesPanel.cursor, self.FIRST_METRIC)
        yield self.bound(numbers)
        with Deck(id="own"):
            table = FeatureTable("features", ascii_only=self.ascii)
            table.add_class("first-focus")
            yield self.boxed(table)
            empty = ("", None)
            yield self.boxed(DistributionPanel(empty, id="distribution", ascii_only=self.ascii))
            zone = chart_zone(self.mlwatch.zone)
            nothing = Grid.of((), [], [])
            yield self.boxed(DriftHeat(nothing, zone=zone, id="heat", ascii_only=self.ascii))
            yield self.trend("chart", self.FIRST_METRIC)

    @on(FeatureTable.Chosen)
    def _draw(self, message: FeatureTable.Chosen) -> None:
        self.query_one(DistributionPanel).choose(message.name)
