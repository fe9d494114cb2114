"""How far each feature lay from the reference, step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from textual.content import Content

from mlwatch.app.drawing import clean
from mlwatch.app.panels.base import Plotted
from mlwatch.app.panels.featuretable import feature_rows
from mlwatch.app.waiting import reading
from widgets.heatmap import Grid, HeatMap

if TYPE_CHECKING:
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import Version

HIGH = 0.5
"""Drift score of the last colour, unless there are higher ones."""
NO_REFERENCE = (
    "No drift over time: nothing to compare with, or fewer values a step than [drift] floor, 100 unless configured. "
    "Put reference.parquet, .csv or .jsonl into the directory, or give --reference."
)


class DriftHeat(Plotted, HeatMap):
    """Draw a row a feature, the farthest first, and a column a step."""

    HELP_TEXT = (
        "Drift of each feature of the candidate over time: the brighter, the farther from the reference. Arrows read "
        "values; 0 is what chance may give too, a gap a step with too few values. Of many features the first ones are "
        "followed, and of the others the farthest that drifted over the whole range."
    )

    def take(self, view: View) -> None:
        """Show the features of the candidate, or of the only version."""
        grid = drift_grid(view)
        version = view.candidate or view.baseline
        if version is not None:
            self.border_title = Content(
                f"Drift of {clean(version.name, 24)} over time{_left_out(version, len(grid.rows))}"
            )
        there = any(math.isfinite(value) for value in grid.values.ravel().tolist())
        self.say("" if there else reading(view) or NO_REFERENCE)
        self.update(grid)


def _left_out(version: Version, shown: int) -> str:
    """Say how many of the features are shown, where some are not followed step by step."""
    compared = sum(feature.drift is not None for feature in version.quality.features.values())
    return f", {shown} of {compared} features" if 0 < shown < compared else ""


def drift_grid(view: View) -> Grid:
    """Return the drift of the candidate's features by step."""
    version = view.candidate or view.baseline
    rows = [row for row in feature_rows(version, None) if row.over]
    if version is None or not rows:
        return Grid.of((), [], [])
    times = [window.start.timestamp() for window in version.windows]
    values = [[math.nan if value is None else value for value in row.over] for row in rows]
    high = max([HIGH, *(value for row in values for value in row if math.isfinite(value))])
    return Grid.of(tuple(row.name for row in rows), times, values, low=0.0, high=high)
