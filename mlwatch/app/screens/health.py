"""The fourth screen: whether the service answers, and whether mlwatch itself keeps up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.panels.bars import HostPanel
from mlwatch.app.panels.facts import IngestPanel, StatusPanel
from mlwatch.app.panels.feedline import FeedLine
from mlwatch.app.screens.family import FamilyScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult


class HealthScreen(FamilyScreen):
    """Show errors, latency, the host and the reading."""

    MODE = "health"
    HELP = "Does the service answer in time, and does mlwatch keep up with its logs?"
    FAMILY = "health"
    FIRST_METRIC = "latency_p95"

    def panels(self) -> ComposeResult:
        """Yield the family's panels, and the feed below."""
        yield from super().panels()
        yield self.bound(FeedLine("feed"))

    def own(self) -> ComposeResult:
        """Yield requests by outcome, the host, and the counters of the ingest."""
        yield self.bound(StatusPanel("status", classes="boxed"))
        yield self.bound(HostPanel("host", classes="boxed"))
        yield self.bound(IngestPanel("ingest", classes="boxed"))
