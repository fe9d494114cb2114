"""What a person should know, the gravest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.reactive import reactive

from mlwatch.app.drawing import Piece, clean, line
from mlwatch.app.panels.base import Panel
from mlwatch.app.units import Zone, show_moment
from mlwatch.app.view import Status, View

if TYPE_CHECKING:
    from datetime import datetime

    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.snapshot.types import Alert


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert, already sanitized."""

    severity: str
    state: str
    since: datetime | None
    message: str
    silence: str | None = None
    """What somebody said about it: "mute" or "acknowledge"."""
    alert: Alert | None = None
    """What it was made of; None for the source's own trouble."""

    @property
    def ended(self) -> datetime | None:
        """When it was over; None where it is not, or where that is not known."""
        return self.alert.resolved if self.alert is not None else None


@dataclass(frozen=True, slots=True)
class AlertsState:
    """The alerts, the gravest first."""

    alerts: tuple[AlertLine, ...]
    zone: Zone
    glyphs: Glyphs


class AlertsPanel(Panel[AlertsState]):
    """List the gravest alerts, and the source's own trouble first."""

    can_focus = True
    HELP_TEXT = (
        "Firing alerts are happening now; resolved ones are over. In the list of all alerts, m mutes one and k "
        "acknowledges it."
    )

    status: reactive[Status] = reactive(Status(), init=False)

    def __init__(self, identity: str, zone: Zone, glyphs: Glyphs) -> None:
        super().__init__(identity)
        self._zone, self._glyphs = zone, glyphs

    def digest(self, view: View) -> AlertsState:
        """Return the alerts as lines."""
        return AlertsState(alert_lines(view, self.status), self._zone, self._glyphs)

    def watch_status(self, status: Status) -> None:
        """Take in what the source complains of, before there is a view too."""
        if self.view is not None or status.failure is not None:
            self.renew(AlertsState(alert_lines(self.view, status), self._zone, self._glyphs))

    def lines(self, state: AlertsState, size: Size) -> list[Content]:
        """Draw one line an alert, and how many more there are."""
        width, height = size
        if not state.alerts:
            return [line([("Alerts  ", "bold $heading"), ("none", "$quiet")], width, state.glyphs)]
        if len(state.alerts) <= height:
            return [draw_alert(alert, state, width) for alert in state.alerts]
        more = f"  +{len(state.alerts) - height} more: {self.key_of('alerts')}"
        drawn = [draw_alert(alert, state, width) for alert in state.alerts[: height - 1]]
        last = draw_alert(state.alerts[height - 1], state, width - len(more))
        return [
            *drawn,
            Content.assemble(last.pad_right(width - len(more) - last.cell_length), (more, "$quiet")),
        ]


def alert_lines(view: View | None, status: Status) -> tuple[AlertLine, ...]:
    """Return the source's own trouble, then the alerts that are not over, then the resolved ones."""
    own = [AlertLine("critical", "firing", None, clean(status.failure, 400))] if status.failure else []
    alerts = view.alerts if view else ()
    known = [AlertLine(a.severity, a.state, a.since, clean(a.message, 400), a.silence, a) for a in alerts]
    return tuple(own + sorted(known, key=lambda alert: (alert.state == "resolved", alert.silence == "mute")))


def draw_alert(alert: AlertLine, state: AlertsState, width: int) -> Content:
    """Return an alert as one line: shape, word, since when or when it was over, what."""
    mark, style = _look(alert, state.glyphs)
    moment = alert.ended or alert.since
    when = show_moment(moment, state.zone) + "  " if moment and width >= 60 else ""
    word = alert.severity if alert.state == "firing" else alert.state
    word = {"mute": "muted", "acknowledge": "seen"}.get(alert.silence or "", word)
    pieces: list[Piece] = [(f"{mark} {word:<9}", f"bold {style}"), (when, "$quiet"), (alert.message, "")]
    return line(pieces, width, state.glyphs)


def _look(alert: AlertLine, glyphs: Glyphs) -> tuple[str, str]:
    if alert.state != "firing" or alert.silence == "mute":
        return glyphs.info, "$quiet"
    return {
        "critical": (glyphs.critical, "$bad"),
        "warning": (glyphs.warning, "$unclear"),
        "info": (glyphs.info, "$primary"),
    }[alert.severity]
