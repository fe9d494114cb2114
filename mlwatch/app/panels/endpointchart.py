"""How long each endpoint took to answer probes over the last hour, and what servers say about themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlwatch.app.drawing import clean
from mlwatch.app.panels.base import Plotted
from mlwatch.app.serverlines import axis_of, server_lines, title_of
from mlwatch.app.serverwords import METRICS, drawn_of
from widgets.chart import Chart, Marker, Series
from widgets.timeseries import TimeSeries

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.app.view import View
    from mlwatch.snapshot.health_types import Endpoint

MOST_LINES = 4
PROBES = "probes"
"""What is drawn at first: the time to answer."""


class EndpointChart(Plotted, TimeSeries):
    """Plot the latency of probes or a metric that servers tell, and mark when an endpoint went down."""

    BORDER_TITLE = "Time to answer a probe"
    HELP_TEXT = (
        "Mean time to answer a probe, minute by minute over the last hour, of the endpoints with the longest; the "
        "clock starts when a probe was due, so that a stalled server shows. Marks: an endpoint went down. o turns "
        "to what the servers say about themselves: requests, errors, latency, queue, CPU, memory and GPU."
    )

    def __init__(self, identity: str, **rest: Any) -> None:
        super().__init__(id=identity, **rest)
        self._measure = PROBES

    @property
    def measure(self) -> str:
        """What is drawn: `PROBES` or the key of a server's metric."""
        return self._measure

    def choose(self, measure: str) -> None:
        """Draw something else; what nobody tells leaves the time to answer."""
        if measure != self._measure:
            self._measure = measure
            if self.view is not None:
                self.take(self.view)

    def take(self, view: View) -> None:
        """Show the endpoints of a view, those with the most of what is drawn where there are many."""
        endpoints = view.snapshot.endpoints
        measures = [PROBES, *(metric.key for metric in drawn_of(endpoints))]
        measure = self._measure if self._measure in measures else PROBES
        place = f" ({measures.index(measure) + 1} of {len(measures)}, o: next)" if len(measures) > 1 else ""
        if measure == PROBES:
            title, unit, lines = self.BORDER_TITLE, "s", _probe_lines(endpoints)
        else:
            metric = METRICS[measure]
            title, (_, unit) = title_of(metric), axis_of(metric)
            lines = server_lines(endpoints, metric, MOST_LINES)
        self.border_title = title + place
        self.say("" if lines else "No probes in the last hour: start with --endpoint URL.")
        self.update(Chart(tuple(lines), markers=tuple(_outages(endpoints)), unit=unit, low=0.0))

    def next_measure(self) -> None:
        """Turn to the next metric that any server tells, after the last to the time to answer."""
        if self.view is not None:
            measures = [PROBES, *(metric.key for metric in drawn_of(self.view.snapshot.endpoints))]
            at = measures.index(self._measure) if self._measure in measures else 0
            self.choose(measures[(at + 1) % len(measures)])


def _probe_lines(endpoints: Iterable[Endpoint]) -> list[Series]:
    slowest = sorted(endpoints, key=lambda one: -(one.latency.p95 or 0.0))[:MOST_LINES]
    return [_line(one) for one in sorted(slowest, key=lambda one: one.name) if one.history]


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
