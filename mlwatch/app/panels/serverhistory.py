"""What the server behind the chosen endpoint said about itself over the last hour: a small chart a metric."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive

from mlwatch.app.drawing import cell, clean, line, wrapped
from mlwatch.app.panels.base import TALL, Panel
from mlwatch.app.serverwords import DRAWN, METRICS, say
from widgets.sparkline import columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View
    from mlwatch.snapshot.health_types import Endpoint, ServerPoint

NONE = "n/a, because this server has said nothing of itself in the last hour: [[endpoint]] metrics says where it does."
MINUTES = 60
HIGHEST = 3
"""Lines of one metric's chart at most."""
LABEL, VALUE, MOST = 13, 11, 13
ROOMY = 64
"""Cells from which on the largest value is said too."""


@dataclass(frozen=True, slots=True)
class Course:
    """One metric over the last hour."""

    key: str
    label: str
    values: tuple[float | None, ...]
    """Minute by minute, oldest first."""
    now: str
    most: str
    trouble: bool


@dataclass(frozen=True, slots=True)
class ServerHistoryState:
    """What is drawn."""

    name: str
    courses: tuple[Course, ...]
    glyphs: Glyphs


class ServerHistoryPanel(Panel[ServerHistoryState]):
    """Draw requests, errors, latency, queue, CPU, memory and GPU of one server, as much of it as there is room for."""

    BORDER_TITLE = "What the server says"
    HELP_TEXT = (
        "What the server of the chosen endpoint said about itself (its Prometheus metrics), minute by minute over the "
        "last hour: each chart goes from zero to the largest value, which stands at the right after the newest one. "
        "Rates and sizes of replicas are added up. Up and down choose a metric: the chart of all endpoints follows."
    )
    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Previous metric", show=False),
        Binding("down,j", "move(1)", "Next metric", show=False),
    ]

    class Chosen(Message):
        """A metric was chosen."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    metric: reactive[str] = reactive("")
    """Key of the chosen metric; empty is none."""

    endpoint: reactive[str] = reactive("", init=False)
    """Name of the chosen endpoint."""

    def watch_endpoint(self, _name: str) -> None:
        """Show another endpoint."""
        if self.view is not None:
            self.renew(self.digest(self.view))

    def digest(self, view: View) -> ServerHistoryState:
        """Return the history of the chosen endpoint; without a choice, of the first that has any."""
        endpoints = view.snapshot.endpoints
        chosen = next((one for one in endpoints if one.name == self.endpoint), None)
        shown = chosen or next((one for one in endpoints if one.server_history), None)
        courses = tuple(_courses(shown.server_history)) if shown is not None else ()
        return ServerHistoryState(_called(shown), courses, view.glyphs)

    def show(self, state: ServerHistoryState | None) -> None:
        """Say whose history it is."""
        name = state.name if state is not None else ""
        self.border_title = f"{self.BORDER_TITLE}: {name}" if name else self.BORDER_TITLE

    def lines(self, state: ServerHistoryState, size: Size) -> list[Content]:
        """Draw charts of equal height."""
        if not state.courses:
            return [Content.styled(part, "$quiet") for part in wrapped(NONE, size.width, 4)]
        room = len(state.courses) if size.height == TALL else max(1, size.height)
        shown = state.courses[:room]
        height = max(1, min(HIGHEST, room // len(shown)))
        return [
            drawn
            for course in shown
            for drawn in _chart(course, height, size.width, state.glyphs, chosen=course.key == self.metric)
        ]

    def action_move(self, by: int) -> None:
        """Choose another metric."""
        keys = [course.key for course in self.state.courses] if self.state is not None else []
        if keys:
            at = keys.index(self.metric) + by if self.metric in keys else 0
            self.metric = keys[max(0, min(at, len(keys) - 1))]
            self.post_message(self.Chosen(self.metric))


def _called(endpoint: Endpoint | None) -> str:
    return clean(endpoint.name.removeprefix("http://"), 40) if endpoint is not None else ""


def _courses(points: Sequence[ServerPoint]) -> Iterator[Course]:
    """Yield the metrics that the server has said anything of."""
    for name in DRAWN:
        minutes, unit = _minutes(points, name), METRICS[name].unit
        known = [value for value in minutes if value is not None]
        if known:
            now = "n/a" if minutes[-1] is None else say(minutes[-1], unit)
            most = f"≤ {say(max(known), unit)}"
            yield Course(name, METRICS[name].title, minutes, now, most, name == "errors_per_s")


def _minutes(points: Sequence[ServerPoint], name: str) -> tuple[float | None, ...]:
    """Return a value for each minute of the hour that ends with the newest one, also for those that nobody knows."""
    known = {point.start: point.values.get(name) for point in points}
    newest = max(known, default=None)
    if newest is None:
        return ()
    return tuple(known.get(newest - timedelta(minutes=back)) for back in range(MINUTES - 1, -1, -1))


def _chart(course: Course, height: int, width: int, glyphs: Glyphs, *, chosen: bool) -> list[Content]:
    most_cells = MOST if width >= ROOMY else 0
    room = max(4, min(MINUTES, width - LABEL - VALUE - most_cells))
    most = max(value for value in course.values if value is not None)
    tone = "$bad" if course.trouble and most else "$primary"
    drawn = []
    for at, part in enumerate(
        columns(course.values, room, height, 0.0, most or 1.0, ascii_only=glyphs.ascii)
    ):
        last = at == height - 1
        said = (course.label, course.now, course.most) if last else ("", "", "")
        mark = glyphs.cursor if chosen and last else " "
        label = cell(f"{mark}{said[0]}", LABEL, "bold $primary" if chosen else "$quiet")
        now = cell(said[1], VALUE, "bold", "right")
        drawn.append(
            line([label, (part, tone), now, cell(said[2], most_cells, "$quiet", "right")], width, glyphs)
        )
    return drawn
