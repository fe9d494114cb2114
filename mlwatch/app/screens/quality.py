"""The third screen: what the models are fed, feature by feature."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from textual import on, work
from textual.message import Message

from mlwatch.app.drawing import clean
from mlwatch.app.panels.deck import Deck
from mlwatch.app.panels.distribution import DistributionPanel
from mlwatch.app.panels.driftheat import DriftHeat
from mlwatch.app.panels.families import FamiliesPanel
from mlwatch.app.panels.featuretable import FeatureTable
from mlwatch.app.panels.together import LOOKING, TogetherPanel
from mlwatch.app.screens.family import FamilyScreen
from mlwatch.app.zones import chart_zone
from widgets.heatmap import Grid

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mlwatch.app.feed import Source
    from mlwatch.app.view import Status, View

TOGETHER_EVERY = timedelta(minutes=5)
"""Time between two looks at all features together, while it is the newest data that is shown."""
CHOSEN = "n/a, because records were chosen: it is computed of all of them."
PLAYED = "n/a while the past is played: it takes some seconds."


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

    class Together(Message):
        """What was found of all features together, or why nothing was."""

        def __init__(self, found: dict[str, Any], reason: str) -> None:
            super().__init__()
            self.found, self.reason = found, reason

    _looking = False
    _together_asked: tuple[timedelta | None, datetime | None] | None = None
    _together_at = datetime.min.replace(tzinfo=UTC)

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
            yield self.boxed(TogetherPanel("together"))
            yield self.trend("missing", "missing_rate")

    def watch_status(self, _status: Status) -> None:
        """Say it while the past is played, and look once that has ended: no new view comes then."""
        self._look_together()

    def watch_view(self, _view: View | None) -> None:
        """Look at all features together where that is due."""
        self._look_together()

    @on(TogetherPanel.Wanted)
    def _look_together(self) -> None:
        """Look, off the screen's thread, where the panel is seen and there may be something new to say."""
        view, status, panel = self.mlwatch.view, self.mlwatch.status, self.query_one(TogetherPanel)
        if view is None or view.snapshot.range is None or not (self.is_current and panel.display):
            return
        if view.choice.filter or status.speed:
            self._together_asked = None  # what is said instead holds no longer then
            panel.tell({}, CHOSEN if view.choice.filter else PLAYED)
            return
        at = status.moment or (view.snapshot.range.end if status.frozen_at is not None else None)
        asked, now = (status.range.span, at), self.mlwatch.options.clock()
        fresh = at is not None or now - self._together_at < TOGETHER_EVERY
        another = asked != self._together_asked
        if another:
            panel.tell({}, LOOKING)  # what was found is of the range before
        if self._looking or (fresh and not another):
            return
        self._looking, self._together_asked, self._together_at = True, asked, now
        self._fetch_together(self.mlwatch.source, *asked)

    @work(thread=True, exclusive=True, group="together", exit_on_error=False)
    def _fetch_together(self, source: Source, span: timedelta | None, at: datetime | None) -> None:
        try:
            found = source.together(span, at)
        except Exception as error:  # noqa: BLE001 - whatever the source raises is said in the panel
            self.post_message(self.Together({}, clean(f"n/a, because: {error}", 300)))
        else:
            self.post_message(self.Together(found, ""))

    @on(Together)
    def _take_together(self, message: Together) -> None:
        self._looking = False
        self.query_one(TogetherPanel).tell(message.found, message.reason)
        self._look_together()  # another range may have been chosen meanwhile

    @on(FeatureTable.Chosen)
    def _draw(self, message: FeatureTable.Chosen) -> None:
        self.query_one(DistributionPanel).choose(message.name)
