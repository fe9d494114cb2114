"""The third screen: what the models are fed, feature by feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.panels.drifttable import DriftTable
from mlwatch.app.screens.family import FamilyScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult


class QualityScreen(FamilyScreen):
    """Show features by drift with what is missing or wrong in them."""

    MODE = "quality"
    HELP = "Are the inputs what they were? The features are sorted by how far they moved from the reference."
    FAMILY = "quality"
    FIRST_METRIC = "drift"
    AUTO_FOCUS = "#features"

    def own(self) -> ComposeResult:
        """Yield the table of features."""
        yield self.bound(DriftTable("features", classes="boxed"))
