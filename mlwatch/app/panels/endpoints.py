"""The endpoints: a strip of squares for the overview, and a table with everything about the chosen one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive

from mlwatch.app import endpointwords as words
from mlwatch.app.drawing import Piece, cell, clean, line, wrapped
from mlwatch.app.panels.base import TALL, Panel, Viewed
from mlwatch.app.panels.goldenline import golden_line
from mlwatch.app.units import show
from widgets.statusstrip import ASCII_GLYPHS, GLYPHS, StatusRow, StatusStrip, condensed

if TYPE_CHECKING:
    from textual import events
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View
    from mlwatch.snapshot.health_types import Endpoint, Uptime

NONE = "No endpoints are polled: start with --endpoint URL, or add [[endpoint]] to mlwatch.toml, to see what is served."
NONE_THEN = "No endpoints were polled in the day before this moment."
DETAIL = 5
"""Lines of the box below the rows from which on the chosen endpoint is told in full."""


class EndpointStrip(Viewed, StatusStrip):
    """The last hour of each endpoint in squares, with what it serves; not there without endpoints."""

    HELP_TEXT = (
        "Endpoints over the last hour, a square a minute: ■ up, ◆ up in part, ✖ down, · not polled. At the right "
        "what they serve and the 95th percentile of the time to answer a probe."
    )

    def __init__(self, identity: str, **rest: Any) -> None:
        super().__init__(id=identity, **rest)
        self.display = False

    def take(self, view: View) -> None:
        """Show the endpoints of a view."""
        endpoints = view.snapshot.endpoints
        self.display = bool(endpoints)
        self.update(
            StatusRow(
                clean(endpoint.name.removeprefix("http://"), 40), endpoint.hour.squares, _remark(endpoint)
            )
            for endpoint in sorted(endpoints, key=_harm)
        )


def _remark(endpoint: Endpoint) -> str:
    state = words.state_of(endpoint)
    if words.trouble_of(endpoint) != "ok":
        differs = endpoint.state == "ok" and endpoint.differs
        return "up, wrong answer to its fixed input" if differs else state
    serves = f"{words.versions_of(endpoint, brief=True)}, " if endpoint.served else ""
    return f"{state}, {serves}p95 {show(endpoint.latency.p95, 'ms')}"


def _harm(endpoint: Endpoint) -> tuple[int, str]:
    return ("bad", "warn", "unknown", "ok").index(words.trouble_of(endpoint)), endpoint.name


@dataclass(frozen=True, slots=True)
class EndpointsState:
    """What the table shows."""

    endpoints: tuple[Endpoint, ...]
    details: tuple[tuple[tuple[str, str], ...], ...]
    """Of each endpoint, pairs of a heading and a text."""
    glyphs: Glyphs
    none: str = NONE
    """What is said where there are none."""


class EndpointsPanel(Panel[EndpointsState]):
    """List endpoints, those in trouble first; the chosen one is told in full below."""

    BORDER_TITLE = "Endpoints"
    HELP_TEXT = (
        "What serves the model, asked at intervals. Latency and errors are of the probes of the last 15 min, uptime "
        "is the share of probes that found it up. A replica that is alive but not ready counts as down. One that "
        "gives another answer to its fixed input than it should differs. "
        "Press z to see everything about the chosen endpoint."
    )
    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Previous endpoint", show=False),
        Binding("down,j", "move(1)", "Next endpoint", show=False),
        Binding("home", "move(-100000)", "First endpoint", show=False),
        Binding("end", "move(100000)", "Last endpoint", show=False),
    ]

    cursor: reactive[str] = reactive("")
    """Name of the chosen endpoint."""

    class Chosen(Message):
        """Another endpoint was chosen."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def watch_cursor(self, name: str) -> None:
        """Tell the others on the screen."""
        self.post_message(self.Chosen(name))

    def digest(self, view: View) -> EndpointsState:
        """Return the endpoints with their details."""
        endpoints = tuple(sorted(view.snapshot.endpoints, key=_harm))
        now = view.snapshot.generated_at
        details = tuple(tuple(words.sentences(endpoint, now, view.zone)) for endpoint in endpoints)
        return EndpointsState(endpoints, details, view.glyphs, NONE if view.at is None else NONE_THEN)

    def show(self, state: EndpointsState | None) -> None:
        """Take less room where there are none."""
        self.set_class(state is None or not state.endpoints, "-none")

    def lines(self, state: EndpointsState, size: Size) -> list[Content]:
        """Draw the head, the rows around the cursor, and as much about the chosen endpoint as there is room for."""
        width, height = size
        if not state.endpoints:
            return [line([(part, "$quiet")], width, state.glyphs) for part in wrapped(state.none, width, 2)]
        chosen = self._chosen_at(state)
        layout = _Layout.fitting(width, max(len(_name(one)) for one in state.endpoints))
        room = self._rows_shown(state, height)
        first = max(0, min(chosen - room // 2, len(state.endpoints) - room))
        drawn = [line(layout.head(), width, state.glyphs)]
        for at, endpoint in enumerate(state.endpoints[first : first + room], start=first):
            content = line(layout.row(endpoint, state.glyphs), width, state.glyphs)
            drawn.append(
                content.stylize("on $block-cursor-background") if at == chosen and self.has_focus else content
            )
        if height == TALL:  # asked for the height it wants: rows, and one line about the chosen endpoint
            return [*drawn, Content("")]
        return drawn + _told(state, chosen, width, height - len(drawn))

    def _rows_shown(self, state: EndpointsState, height: int) -> int:
        return max(1, min(len(state.endpoints), height - 2))

    def _chosen_at(self, state: EndpointsState) -> int:
        return next((at for at, one in enumerate(state.endpoints) if one.name == self.cursor), 0)

    def action_move(self, by: int) -> None:
        """Choose another endpoint."""
        if self.state is not None and self.state.endpoints:
            at = max(0, min(self._chosen_at(self.state) + by, len(self.state.endpoints) - 1))
            self.cursor = self.state.endpoints[at].name

    def on_focus(self, _event: events.Focus) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self, _event: events.Blur) -> None:
        """Hide the cursor."""
        self.refresh()


def _told(state: EndpointsState, chosen: int, width: int, room: int) -> list[Content]:
    """Return what is known about the chosen endpoint, as much of it as there is room for."""
    endpoint, details = state.endpoints[chosen], state.details[chosen]
    if room < DETAIL:
        text = f"{clean(endpoint.name, 60)}: {words.brief(endpoint, dict(details))}"
        return [
            line([(part, "$heading")], width, state.glyphs) for part in wrapped(text, width, max(room, 0))
        ]
    drawn = [line([(clean(endpoint.name, width), "bold $heading")], width, state.glyphs)]
    drawn += [_squares(label, found, width, state.glyphs) for label, found in _spans(endpoint)]
    if endpoint.golden is not None:
        spans = (("Golden 1 h", endpoint.golden.hour), ("Golden 24 h", endpoint.golden.day))
        drawn += [golden_line(label, steps, width, state.glyphs) for label, steps in spans if steps]
    for heading, text in details:
        for at, part in enumerate(wrapped(text, max(8, width - 13), 2)):
            drawn.append(line([cell("" if at else heading, 13, "$quiet"), (part, "")], width, state.glyphs))
    return drawn[:room]


def _spans(endpoint: Endpoint) -> tuple[tuple[str, Uptime], ...]:
    return (("1 h", endpoint.hour), ("24 h", endpoint.day), ("30 d", endpoint.month))


def _squares(label: str, found: Uptime, width: int, glyphs: Glyphs) -> Content:
    shapes = ASCII_GLYPHS if glyphs.ascii else GLYPHS
    room = max(1, min(60, width - 13 - 10))
    pieces: list[Piece] = [cell(f"Uptime {label}", 13, "$quiet")]
    pieces += [(shapes[square], words.STYLES[square]) for square in condensed(found.squares, room)]
    pieces.append(cell(words.uptime(found), 10, "bold", "right"))
    return line(pieces, width, glyphs)


def _name(endpoint: Endpoint) -> str:
    return clean(endpoint.name.removeprefix("http://"), 60)


STATE = 15
"""Cells of what state an endpoint is in, the longest of which is "not polled", with a shape before and a gap behind."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Widths of the columns, and which optional ones there are."""

    name: int
    versions: int
    squares: int
    p50: bool
    server: bool
    certificate: bool

    @classmethod
    def fitting(cls, width: int, longest: int) -> _Layout:
        """Return what there is room for; a name takes no more than the longest needs."""
        server, certificate = width >= 112, width >= 150
        p50 = width >= 96
        fixed = STATE + 10 * p50 + 10 + 9 + 9 + 14 * server + 16 * certificate
        squares = 0 if width < 100 else min(30, max(10, (width - fixed) // 4))
        left = width - fixed - squares
        name = max(10, min(left // 2, longest + 1))
        return cls(name, max(10, left - name), squares, p50, server, certificate)

    def head(self) -> list[Piece]:
        pieces = [cell("endpoint", self.name, "$quiet"), cell("  state", STATE, "$quiet")]
        pieces += [cell("server", 14, "$quiet")] if self.server else []
        pieces += [cell("serves, trouble", self.versions, "$quiet")]
        pieces += [cell(text, 10, "$quiet", "right") for text in ("p50", "p95")[not self.p50 :]]
        pieces += [cell(text, 9, "$quiet", "right") for text in ("errors", "24 h")]
        pieces += [cell("  last hour", self.squares, "$quiet")] if self.squares else []
        return pieces + ([cell("  certificate", 16, "$quiet")] if self.certificate else [])

    def row(self, endpoint: Endpoint, glyphs: Glyphs) -> list[Piece]:
        state = words.trouble_of(endpoint)
        shapes, tone = (ASCII_GLYPHS if glyphs.ascii else GLYPHS), words.STYLES[state]
        errors = endpoint.failed / endpoint.probes if endpoint.probes else None
        values = (endpoint.latency.p50, endpoint.latency.p95)[not self.p50 :]
        pieces = [cell(_name(endpoint), self.name, "bold")]
        pieces += [cell(f"  {shapes[state]} {words.state_of(endpoint)}", STATE, tone)]
        pieces += [cell(clean(endpoint.server, 13), 14, "$quiet")] if self.server else []
        pieces += [self._serves(endpoint)]
        pieces += [cell(show(value, "ms"), 10, "", "right") for value in values]
        pieces += [cell(show(errors, "share"), 9, "bold $unclear" if errors else "$quiet", "right")]
        pieces += [cell(words.uptime(endpoint.day), 9, "", "right")]
        if self.squares:
            pieces += [("  ", "")]
            pieces += [
                (shapes[square], words.STYLES[square])
                for square in condensed(endpoint.hour.squares, self.squares - 2)
            ]
        if self.certificate:
            pieces += [cell(f"  {words.certificate(endpoint.certificate_days)}", 16, "$quiet")]
        return pieces

    def _serves(self, endpoint: Endpoint) -> Piece:
        """Return what is served, and what is wrong."""
        remark = words.remark_of(endpoint)
        if not remark:
            return cell(words.versions_of(endpoint, brief=True), self.versions)
        served = f"{words.versions_of(endpoint, brief=True)}: " if endpoint.served else ""
        tone = "bold $bad" if endpoint.state == "bad" else "bold $unclear"
        return cell(clean(served + remark, self.versions - 1), self.versions, tone)
