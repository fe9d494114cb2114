"""What every numbered screen has: header, banner, footer, and the view handed on to its panels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer

from mlwatch.app.modes import SCREENS
from mlwatch.app.panels.base import Panel
from mlwatch.app.panels.header import FrozenBanner, HeaderLine
from mlwatch.app.panels.tabs import Tabs
from mlwatch.app.view import Status, View

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.widget import Widget

    from mlwatch.app.app import MlwatchApp


class WatchScreen(Screen[None]):
    """A screen that hands each view to its panels and, on a small terminal, shows one panel at a time."""

    MODE: ClassVar[str] = ""
    """The mode whose base this screen is."""
    HELP: ClassVar[str] = ""
    """What the screen is for, in a sentence or two."""
    ALLOW_IN_MAXIMIZED_VIEW = "Footer, HeaderLine, FrozenBanner"
    AUTO_FOCUS = ".first-focus"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Next panel", show=False),
        Binding("shift+tab", "app.focus_previous", "Previous panel", show=False),
    ]

    view: reactive[View | None] = reactive(None, init=False, repaint=False)
    status: reactive[Status] = reactive(Status(), init=False, repaint=False)

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
        yield FrozenBanner(app.zone, app.glyphs).data_bind(WatchScreen.status)
        with Vertical(id="content"):
            yield from self.panels()
        yield Footer(compact=True)

    def panels(self) -> ComposeResult:
        """Yield the screen's own widgets; those that show a view are handed it through `bound`."""
        raise NotImplementedError

    def bound(self, panel: Widget) -> Widget:
        """Bind a panel to the screen's view."""
        return panel.data_bind(view=WatchScreen.view)

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was on show."""
        self.set_class(self.mlwatch.options.ascii, "-ascii")
        self.status = self.mlwatch.status
        self.view = self.mlwatch.view

    def on_resize(self, event: events.Resize) -> None:
        """Leave the palette's key out of a footer that has no room for it."""
        self.query_one(Footer).show_command_palette = event.size.width >= 100

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Mark the panel with the focus: on a small terminal it is the only one."""
        for panel in self.query(".-current"):
            panel.remove_class("-current")
        event.widget.add_class("-current")


__all__ = ["Panel", "WatchScreen"]
