"""The first line: what is watched, which model, which range, what time it is, and whether it moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.reactive import reactive

from mlwatch.app.drawing import Piece, clean, spread
from mlwatch.app.panels.base import Panel
from mlwatch.app.units import Zone, show_clock, show_moment, show_span
from mlwatch.app.view import Status, View

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from textual.content import Content
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs


@dataclass(frozen=True, slots=True)
class HeaderState:
    """What the header shows."""

    model: str
    count: str
    """Which of how many models, empty where there is one."""
    span: str
    """The time that the numbers cover, empty where there are none."""


class HeaderLine(Panel[HeaderState]):
    """Show product, directory, model, screen, range, clock and state on one line."""

    HELP_TEXT = "What is watched, over which time, and whether the numbers move."

    status: reactive[Status] = reactive(Status(), init=False)

    def __init__(
        self, title: str, screen_name: str, clock: Callable[[], datetime], zone: Zone, glyphs: Glyphs
    ) -> None:
        super().__init__("header")
        self._title = clean(title, 40)
        self._screen_name = screen_name
        self._clock, self._zone, self._glyphs = clock, zone, glyphs
        self.can_focus = False

    def on_mount(self) -> None:
        """Let the clock tick."""
        self.set_interval(1.0, self._tick)

    def digest(self, view: View) -> HeaderState:
        """Return the model and its place among the others."""
        names = list(view.snapshot.models)
        if view.model_name is None:
            return HeaderState("", "", "")
        place = f" {names.index(view.model_name) + 1}/{len(names)}" if len(names) > 1 else ""
        covered = view.snapshot.range
        span = show_span(covered.start, covered.end, view.zone) if covered else ""
        return HeaderState(clean(view.model_name, 40), place, span)

    def render(self) -> Content:
        """Draw the line, leaving out the least important where it is narrow."""
        width = self.content_size.width
        model = self.state or HeaderState("", "", "")
        named: list[Piece] = [("mlwatch", "bold $primary"), ("  " + self._title, "bold")]
        left = list(named)
        if model.model:
            left += [(f"{self._glyphs.dot}{model.model}", ""), (model.count, "$quiet")]
        screen: Piece = (self._screen_name + "  ", "bold $heading")
        label = self.status.range.label
        if self.status.moment is not None:
            label = label.removeprefix("last ")
        span: Piece = (label + "  ", "$heading")
        clock: Piece = (show_clock(self._clock(), self._zone) + "  ", "$quiet")
        state = self._state()
        covered: Piece = (f"{model.span}  ", "$quiet")
        choices = (
            (left, [screen, span, covered, clock, state]),
            (left, [screen, span, clock, state]),
            (left, [screen, span, state]),
            (left, [span, clock, state]),
            (left, [span, state]),
            (named, [span, state]),
        )
        for at_left, at_right in choices:
            if sum(cell_len(text) for text, _ in [*at_left, *at_right]) < width:
                return spread(at_left, at_right, width, self._glyphs)
        return spread(named[:1], [span, state], width, self._glyphs)

    def _state(self) -> Piece:
        glyphs = self._glyphs
        if self.status.frozen_at is not None:
            return f"{glyphs.frozen} frozen", "bold $unclear"
        if self.status.moment is not None:
            return (
                f"{self.status.speed:g}x" if self.status.speed else f"{glyphs.frozen} past"
            ), "bold $unclear"
        if self.status.failure is not None:
            return f"{glyphs.critical} no news", "bold $bad"
        if self.state is None:
            return f"{glyphs.waiting} starting", "$quiet"
        every = f", every {self.status.refresh_s:g} s" if self.status.refresh_s else ""
        return f"{glyphs.live} live{every}", "bold $good"

    def _tick(self) -> None:
        self.refresh()


@dataclass(frozen=True, slots=True)
class BannerState:
    """What the banner says."""

    status: Status
    shown: datetime | None
    """The moment of the past that is on the screen; None before it is."""


class FrozenBanner(Panel[BannerState]):
    """Say since when the picture stands still, or which moment it shows; not there while it is live."""

    HELP_TEXT = (
        "While frozen, reading goes on but the numbers on the screen stay. After going back in time, the whole app "
        "shows what was known at that moment."
    )

    status: reactive[Status] = reactive(Status(), init=False)

    def __init__(self, zone: Zone, glyphs: Glyphs) -> None:
        super().__init__("frozen")
        self._zone, self._glyphs = zone, glyphs
        self.display = False

    def watch_status(self, status: Status) -> None:
        """Appear with the frozen time, or go."""
        self._tell(status)

    def watch_view(self, view: View | None) -> None:  # noqa: ARG002 - it is looked up
        """Say which moment is shown by now; a frozen picture does not change."""
        self._tell(self.status)

    def _tell(self, status: Status) -> None:
        self.display = status.frozen_at is not None or status.moment is not None
        shown = self.view.at if self.view is not None and status.moment is not None else None
        self.renew(BannerState(replace(status, failure=None), shown) if self.display else None)

    def lines(self, state: BannerState, size: Size) -> list[Content]:
        """Draw the sentence."""
        return [spread([(self._sentence(state), "bold")], [], size.width, self._glyphs)]

    def _sentence(self, state: BannerState) -> str:
        mark, status, key = self._glyphs.frozen, state.status, self.key_of
        if status.moment is None:
            when = show_clock(status.frozen_at, self._zone) if status.frozen_at else ""
            return f"{mark} Frozen at {when}. Reading goes on; press {key('freeze')} to go on watching."
        if state.shown is None or (state.shown != status.moment and not status.speed):
            going = f"Going to {show_moment(status.moment, self._zone)}:"
            return f"{mark} {going} {key('freeze')} goes back to live."
        steps = f"{key('earlier')} {key('later')} step, {key('play')} plays"
        played = f"played {status.speed:g} times as fast" if status.speed else steps
        return f"{mark} As of {show_moment(state.shown, self._zone)}: {played}; {key('freeze')} goes back to live."
