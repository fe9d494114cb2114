"""The overlay with all alerts, where one is muted or acknowledged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from mlwatch.app.panels.alertlist import AlertLine, AlertsState, alert_lines, draw_alert
from mlwatch.app.panels.wrapping import Hints
from mlwatch.app.units import Zone, show_moment
from mlwatch.errors import one_line

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mlwatch.app.feed import Source
    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import Status, View
    from mlwatch.silences import Word

MUTED_FOR = timedelta(hours=1)
NONE = "No alerts: nothing has crossed a threshold in this time range."
KEYS = ("m mute for 1 h", "M mute until it is over", "k acknowledge", "u take back", "escape close")


class AlertsScreen(ModalScreen[None]):
    """List every alert with its whole message; say of one that it was seen, or shall be quiet."""

    CSS_PATH = "../styles/overlays.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,a,q", "dismiss", "Close", priority=True),
        Binding("m", "say('mute', True)", "Mute for an hour"),
        Binding("M", "say('mute', False)", "Mute until it is over"),
        Binding("k", "say('acknowledge', False)", "Acknowledge"),
        Binding("u", "say('lift', False)", "Take back"),
    ]

    def __init__(self, view: View | None, status: Status, zone: Zone, glyphs: Glyphs, source: Source) -> None:
        super().__init__()
        self._view, self._status = view, status
        self._state = AlertsState(alert_lines(view, status), zone, glyphs)
        self._source = source

    def compose(self) -> ComposeResult:
        """Yield a paragraph an alert."""
        with Vertical(classes="overlay alerts") as box:
            box.border_title = "Alerts"
            yield Static(NONE, id="none", markup=False)
            yield OptionList(*self._paragraphs(), markup=False)
            yield Hints(KEYS)

    def on_mount(self) -> None:
        """Follow what the app learns while the list is open."""
        self._say_whether_there_are_any()
        self.watch(self.app, "view", self._take_view, init=False)
        self.watch(self.app, "status", self._take_status, init=False)

    def _take_view(self, view: View | None) -> None:
        self._view = view
        self._renew()

    def _take_status(self, status: Status) -> None:
        self._status = status
        self._renew()

    def _renew(self) -> None:
        """Show the alerts of now, with the cursor on the same one as before and, where it stays there, as scrolled."""
        state = replace(self._state, alerts=alert_lines(self._view, self._status))
        if state == self._state:
            return
        listed = self.query_one(OptionList)
        before, top = listed.highlighted, listed.scroll_y
        now = before if before is None else _place(self._state.alerts[before], state.alerts, before)
        self._state = state
        listed.set_options(self._paragraphs())
        listed.highlighted = now
        if now == before:
            listed.scroll_to(y=top, animate=False, immediate=True)
        self._say_whether_there_are_any()

    def _say_whether_there_are_any(self) -> None:
        some = bool(self._state.alerts)
        self.query_one("#none").display = not some
        for widget in (self.query_one(OptionList), self.query_one(Hints)):
            widget.display = some
        if some:
            self.query_one(OptionList).focus()

    def _paragraphs(self) -> list[Content]:
        return [_paragraph(alert, self._state) for alert in self._state.alerts]

    def action_say(self, word: Word, brief: bool) -> None:
        """Say something about the chosen alert."""
        chosen = self.query_one(OptionList).highlighted if self._state.alerts else None
        line = self._state.alerts[chosen] if chosen is not None else None
        if line is None or line.alert is None or line.state == "resolved":
            self.notify("This is nothing to be muted: it is over, or no alert of a rule.", markup=False)
            return
        self._write(line, word, MUTED_FOR if brief else None)

    @work(thread=True, exclusive=True)
    def _write(self, line: AlertLine, word: Word, length: timedelta | None) -> None:
        if line.alert is None:
            return
        try:
            self._source.silence(line.alert, word, length)
        except Exception as error:  # noqa: BLE001  whatever the store or a line to it says, in one line
            self.app.call_from_thread(self.notify, one_line(str(error)), severity="error", markup=False)
        else:
            self.app.call_from_thread(self._said, word, length)

    def _said(self, word: Word, length: timedelta | None) -> None:
        until = "for an hour" if length is not None else "until it is over"
        sentence = {"mute": f"Muted {until}.", "acknowledge": "Acknowledged.", "lift": "Taken back."}[word]
        self.notify(sentence, markup=False)
        self.dismiss()


def _place(line: AlertLine, alerts: tuple[AlertLine, ...], before: int) -> int:
    """Return where an alert is now; where it is no more, the place where it was."""
    same = (at for at, other in enumerate(alerts) if _is_same(line, other))
    return next(same, before)


def _is_same(line: AlertLine, other: AlertLine) -> bool:
    """Tell whether two lines are of one alert, be it over by now; of those of one rule that are over, of one time."""
    if line.alert is None or other.alert is None:
        return line.alert is other.alert
    over = line.state == other.state == "resolved"
    return line.alert.key == other.alert.key and (not over or line.since == other.since)


def _paragraph(alert: AlertLine, state: AlertsState) -> Content:
    head = draw_alert(AlertLine(alert.severity, alert.state, None, "", alert.silence), state, 40)
    return Content.assemble(head, (_when(alert, state.zone), "$quiet"), "\n  " + alert.message)


def _when(alert: AlertLine, zone: Zone) -> str:
    since = f"since {show_moment(alert.since, zone)}" if alert.since else ""
    if alert.state != "resolved":
        return since
    at = f"at {show_moment(alert.ended, zone)}" if alert.ended else ""
    began = f"({since})" if since and alert.since != alert.ended else ""
    return f"{at} {began}".strip()
