"""What every numbered screen has: header, banner, footer, and the view handed on to its panels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from mlwatch.app.modes import SCREENS
from mlwatch.app.panels.base import Panel, Viewed
from mlwatch.app.panels.choicebanner import ChoiceBanner
from mlwatch.app.panels.header import FrozenBanner, HeaderLine
from mlwatch.app.panels.keyline import KeyLine
from mlwatch.app.panels.tabs import Tabs
from mlwatch.app.view import Status, View

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.geometry import Size

    from mlwatch.app.app import MlwatchApp


class WatchScreen(Screen[None]):
    """A screen that hands each view to its panels and, on a small terminal, shows one panel at a time."""

    MODE: ClassVar[str] = ""
    """The mode whose base this screen is."""
    HELP: ClassVar[str] = ""
    """What the screen is for, in a sentence or two."""
    ALLOW_IN_MAXIMIZED_VIEW = "KeyLine, HeaderLine, FrozenBanner, ChoiceBanner"
    AUTO_FOCUS = ".first-focus"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_panel(1)", "Next panel", show=False, tooltip="Go to the next panel"),
        Binding("shift+tab", "next_panel(-1)", "Panel before", show=False, tooltip="Go to the panel before"),
    ]

    view: reactive[View | None] = reactive(None, init=False, repaint=False)
    status: reactive[Status] = reactive(Status(), init=False, repaint=False)
    place: reactive[int] = reactive(0, init=False, repaint=False)
    """Which panel is shown on a small terminal."""

    @property
    def ascii(self) -> bool:
        """Whether to draw with ASCII characters only."""
        return self.mlwatch.options.ascii

    @property
    def mlwatch(self) -> MlwatchApp:
        """The app, with its own type."""
        return cast("MlwatchApp", self.app)

    def compose(self) -> ComposeResult:
        """Frame the screen's own panels."""
        app = self.mlwatch
        title = next(title for mode, title, _ in SCREENS if mode == self.MODE)
        header = HeaderLine(app.source.title, title, app.options.clock, app.zone, app.glyphs)
        yield header.data_bind(WatchScreen.view, WatchScreen.status)
        yield Tabs(self.MODE, app.glyphs)
        yield FrozenBanner(app.zone, app.glyphs).data_bind(WatchScreen.view, WatchScreen.status)
        yield ChoiceBanner(app.glyphs).data_bind(WatchScreen.view, WatchScreen.status)
        with Vertical(id="content"):
            yield from self.panels()
        yield KeyLine(app.glyphs)

    def panels(self) -> ComposeResult:
        """Yield the screen's own widgets; those that show a view are handed it through `bound`."""
        raise NotImplementedError

    def bound(self, panel: Widget) -> Widget:
        """Bind a panel to the screen's view."""
        return panel.data_bind(view=WatchScreen.view)

    def boxed(self, panel: Widget) -> Widget:
        """Bind a panel to the screen's view, and draw a box around it."""
        panel.add_class("boxed")
        return self.bound(panel)

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was on show."""
        self.set_class(self.mlwatch.options.ascii, "-ascii")
        self.status = self.mlwatch.status
        self.view = self.mlwatch.view

    def on_resize(self, event: events.Resize) -> None:
        """Leave out the panels that there is no room for on a small screen."""
        self.fit_panels(event.size)

    def watch_place(self, _place: int) -> None:
        """Show another panel."""
        self.fit_panels()

    def action_next_panel(self, by: int) -> None:
        """Go to the next panel; on a small terminal it takes the place of the last."""
        if not is_small(self.size):
            (self.focus_next if by > 0 else self.focus_previous)()
            return
        self.place = (self.place + by) % len(self._stops())
        self.set_focus(self._stops()[self.place])

    def _stops(self) -> list[Viewed]:
        """Return the panels in the order of `tab`: the one with the first focus comes first."""
        panels = self.query("#content Viewed").results(Viewed)
        panels = (panel for panel in panels if panel.can_focus and not panel.is_absent)
        return sorted(panels, key=lambda panel: not panel.has_class("first-focus"))

    def fit_panels(self, size: Size | None = None) -> None:
        """On a small terminal leave out all panels but one, and containers that would stand empty."""
        small = is_small(size or self.size)
        stops = self._stops()
        chosen = stops[self.place % len(stops)]
        kept = {chosen, *chosen.ancestors}
        if self.place == 0:
            kept |= set(self.query(".with-first"))
        for widget in self.query("#content *").results(Widget):
            widget.set_class(small and widget not in kept, "-away")
            widget.set_class(small and widget is chosen, "-only")
            widget.set_class(small and widget in chosen.ancestors, "-around")


def is_small(size: Size) -> bool:
    """Tell whether there is room for one panel only."""
    return size.width < 80 or size.height < 24


__all__ = ["Panel", "Viewed", "WatchScreen", "is_small"]
