"""The fourth screen: whether the service answers, and whether mlwatch itself keeps up."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from mlwatch.app.panels.deck import Deck
from mlwatch.app.panels.endpointchart import EndpointChart
from mlwatch.app.panels.endpoints import EndpointsPanel
from mlwatch.app.panels.facts import IngestPanel, StatusPanel
from mlwatch.app.panels.families import FamiliesPanel
from mlwatch.app.panels.feedline import FeedLine
from mlwatch.app.panels.host import HostChart, HostPanel, TrafficChart
from mlwatch.app.panels.serverhistory import ServerHistoryPanel
from mlwatch.app.panels.troubletable import TroubleTable, troubles
from mlwatch.app.screens.family import FamilyScreen
from mlwatch.app.zones import chart_zone
from widgets.timeseries import LinkedCharts

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

    from mlwatch.app.panels.base import Viewed
    from mlwatch.app.view import View


class HealthScreen(FamilyScreen):
    """Show endpoints, errors, latency, the host and the reading."""

    MODE = "health"
    HELP = (
        "Does the service answer in time, what does it serve, and does mlwatch keep up with its logs? "
        "n shows the panels that there is no room for."
    )
    FAMILY = "health"
    FIRST_METRIC = "latency_p95"
    beside: ClassVar[type[Widget]] = Deck
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "next_measure", "Next metric", show=False, tooltip="Show the next metric of servers"),
    ]

    def panels(self) -> ComposeResult:
        """Yield the family's numbers, the endpoints, charts and counters, and the feed below."""
        numbers = FamiliesPanel("numbers", self.FAMILY, classes="first-focus")
        numbers.set_reactive(FamiliesPanel.cursor, self.FIRST_METRIC)
        yield self.bound(numbers)
        yield self.boxed(EndpointsPanel("endpoints"))
        with Horizontal(id="lower"):
            with LinkedCharts(id="charts"):
                yield from self.charts()
            with self.beside(id="own"):
                yield from self.own()
        yield self.bound(FeedLine("feed"))

    def action_next_measure(self) -> None:
        """Draw the next of what is known of endpoints over time."""
        chart = self.query_one(EndpointChart)
        chart.next_measure()
        self.query_one(ServerHistoryPanel).metric = chart.measure

    def watch_view(self, view: View | None) -> None:
        """Make room for what servers say about themselves where any does, and for segments in trouble."""
        endpoints = view.snapshot.endpoints if view is not None else ()
        idle: list[Viewed] = []
        if not any(one.server_history for one in endpoints):
            idle.append(self.query_one(ServerHistoryPanel))
        if view is None or not any(troubles(view)):
            idle.append(self.query_one(TroubleTable))
        self.query_one(Deck).leave_out(idle)

    def own(self) -> ComposeResult:
        """Yield requests by outcome, the host, the counters of the ingest, and what has a history of an hour."""
        zone, ascii_only = chart_zone(self.mlwatch.zone), self.ascii
        yield self.boxed(StatusPanel("status"))
        yield self.boxed(TroubleTable("troubles", ascii_only=ascii_only))
        yield self.boxed(HostPanel("host"))
        yield self.boxed(IngestPanel("ingest"))
        yield self.boxed(ServerHistoryPanel("serverhistory"))
        yield self.boxed(EndpointChart("probes", zone=zone, ascii_only=ascii_only))
        yield self.boxed(HostChart("hosthistory", zone=zone, ascii_only=ascii_only))
        yield self.boxed(TrafficChart("hosttraffic", zone=zone, ascii_only=ascii_only))

    @on(ServerHistoryPanel.Chosen)
    def _follow_metric(self, message: ServerHistoryPanel.Chosen) -> None:
        self.query_one(EndpointChart).choose(message.key)

    @on(EndpointsPanel.Chosen)
    def _follow_endpoint(self, message: EndpointsPanel.Chosen) -> None:
        self.query_one(ServerHistoryPanel).endpoint = message.name
