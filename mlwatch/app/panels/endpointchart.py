"""How long each endpoint took to answer probes over the last hour."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlwatch.app.drawing import clean
from mlwatch.app.panels.base import Plotted
from widgets.chart import Chart, Marker, Series
from widgets.timeseries import TimeSeries

if TYPE_CHECKING:
    from mlwatch.app.view import View
    from mlwatch.snapshot.health_types import Endpoint

MOST_LINES = 4


class EndpointChart(Plotted, TimeSeries):
    """Plot the latency of probes, and mark when an endpoint went down."""

    BORDER_TITLE = "Time to answer a probe"
    HELP_TEXT = (
        "Mean time to answer a probe, minute by minute over the last hour, of the endpoints with the longest; the "
        "clock starts when a probe was due, so that a stalled server shows. Marks: an endpoint went down."
    )

    def __init__(self, identity: str, **rest: Any) -> None:
        super().__init__(id=identity, **rest)

    def take(self, view: View) -> None:
        """Show the endpoints of a view, the slowest of them where there are many."""
        endpoints = view.snapshot.endpoints
        shown = sorted(endpoints, key=lambda one: -(one.latency.p95 or 0.0))[:MOST_LINES]
        lines = tuple(_line(one) for one in sorted(shown, key=lambda one: one.name) if one.history)
        self.say("" if lines else "No probes in the last hour: start with --endpoint URL.")
        self.update(Chart(lines, markers=tuple(_outages(endpoints)), unit="s", low=0.0))


def _line(endpoint: Endpoint) -> Series:
    times = np.array([point.start.timestamp() + 30 for point in endpoint.history], dtype=float)
    values = [math.nan if point.latency_ms is None else point.latency_ms / 1000 for point in endpoint.history]
    return Series.of(clean(endpoint.name.removeprefix("http://"), 32), times, np.array(values, dtype=float))


def _outages(endpoints: tuple[Endpoint, ...]) -> list[Marker]:
    """Return a mark for the beginning of each time that an endpoint was down."""
    marks = []
    for endpoint in endpoints:
        before = True
        for point in endpoint.history:
            if before and point.up == 0:
                marks.append(Marker(point.start.timestamp(), f"{clean(endpoint.name, 24)} down", "bad"))
            before = point.up > 0
    return marks
