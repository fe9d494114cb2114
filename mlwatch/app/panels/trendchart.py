"""One number over time, baseline and candidate on one scale, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.content import Content
from textual.reactive import reactive

from mlwatch.app.charts import metric_of, trend_chart
from mlwatch.app.drawing import clean
from mlwatch.app.panels.base import Plotted
from mlwatch.app.waiting import reading
from widgets.timeseries import TimeSeries

if TYPE_CHECKING:
    from mlwatch.app.view import View


class TrendChart(Plotted, TimeSeries):
    """Plot one number of both versions."""

    HELP_TEXT = (
        "A number over time; shaded is the 95 % interval of each step, a gap is a step without data. Left and right "
        "read values, + and − zoom, 0 shows all; the charts of a screen move together. Enter takes the stretch that is "
        "zoomed to, or the moment of the cursor, to the whole app; so does dragging the mouse over a stretch."
    )

    metric: reactive[str] = reactive("", init=False, repaint=False)
    """Key of the number."""

    def __init__(self, identity: str, metric: str, **rest: Any) -> None:
        super().__init__(id=identity, **rest)
        self.set_reactive(TrendChart.metric, metric)

    def watch_metric(self, _metric: str) -> None:
        """Show another number."""
        if self.view is not None:
            self.take(self.view)

    def take(self, view: View) -> None:
        """Show the number of a view."""
        metric = metric_of(view, self.metric)
        label = f"{metric.label} over time" if metric else "Over time"
        if metric and metric.unit == "per_s":
            label += ", per second"
        self.border_title = Content(clean(label))
        chart = trend_chart(view, self.metric)
        self.say("" if chart.series else self._why_none(view))
        self.update(chart)

    def _why_none(self, view: View) -> str:
        """Return why there is nothing over time, and what to do about it."""
        metric = metric_of(view, self.metric)
        if metric is None or view.baseline is None:
            return reading(view) or "No predictions in this time range. Press ] for a longer one."
        found = metric.read(view.baseline)
        if found.value is None and found.reason:
            return f"{metric.label}: n/a, because {found.reason}."
        return f"{metric.label} has no history in this time range."
