"""The overlay with all alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from mlwatch.app.panels.alertlist import AlertLine, AlertsState, alert_lines, draw_alert
from mlwatch.app.units import Zone, show_moment

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import Status, View


class AlertsScreen(ModalScreen[None]):
    """List every alert with its whole message."""

    CSS_PATH = "../styles/overlays.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,a,q,enter", "dismiss", "Close", priority=True),
    ]

    def __init__(self, view: View | None, status: Status, zone: Zone, glyphs: Glyphs) -> None:
        super().__init__()
        self._state = AlertsState(alert_lines(view, status), zone, glyphs)

    def compose(self) -> ComposeResult:
        """Yield a paragraph an alert."""
        with VerticalScroll(classes="overlay") as box:
            box.border_title = "Alerts"
            if not self._state.alerts:
                yield Static("No alerts: nothing has crossed a threshold in this time range.", markup=False)
                return
            for alert in self._state.alerts:
                yield Static(_paragraph(alert, self._state), markup=False, classes="paragraph")


def _paragraph(alert: AlertLine, state: AlertsState) -> Content:
    head = draw_alert(AlertLine(alert.severity, alert.state, None, ""), state, 40)
    since = f"since {show_moment(alert.since, state.zone)}" if alert.since else ""
    return Content.assemble(head, (since, "$quiet"), "\n  " + alert.message)
