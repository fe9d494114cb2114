"""The live app: asks the source for snapshots off the screen's thread and hands them to the screens."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on, work
from textual.reactive import reactive

from mlwatch.app.choosing import Choosing
from mlwatch.app.commands import commands
from mlwatch.app.drawing import clean
from mlwatch.app.feed import Request, Schedule, Source, Stopped
from mlwatch.app.glyphs import ASCII, UNICODE
from mlwatch.app.keys import BINDINGS, keymap
from mlwatch.app.messages import SnapshotReady, SourceFailed
from mlwatch.app.modes import MODES, SCREENS
from mlwatch.app.options import AppOptions
from mlwatch.app.ranges import EVERYTHING, lasting
from mlwatch.app.ranging import Ranging
from mlwatch.app.suspension import wake_only_from_suspension
from mlwatch.app.theme import OWN_VARIABLES, THEMES
from mlwatch.app.thrift import Thrifty
from mlwatch.app.toasts import Toasting
from mlwatch.app.travel import full_minute
from mlwatch.app.view import Status, View, choose_model
from mlwatch.app.zones import zone_of
from mlwatch.choice import USUAL
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from textual.app import SystemCommand
    from textual.screen import Screen
    from textual.timer import Timer

    from mlwatch.app.screens.base import WatchScreen
    from mlwatch.snapshot.types import Snapshot


_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}")
SWITCH_S = 0.001
"""Seconds that a thread may keep the interpreter while others wait: keys are answered before snapshots are made."""
HINT_S = 20.0
"""Seconds that the hint of the first run stays."""
EAGER_S = 0.05
"""Seconds between the looks at the beginning, until all is read that was there."""
EAGER_LOOKS = 200


class MlwatchApp(Thrifty, Choosing, Ranging, Toasting):
    """Watch a source live."""

    TITLE = "mlwatch"
    CSS_PATH = ["styles/app.tcss", "styles/overview.tcss"]  # noqa: RUF012 - declared so by Textual
    ENABLE_COMMAND_PALETTE = True
    DEFAULT_MODE = "overview"
    MODES = MODES
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - declared so by Textual
        (0, "-narrow"), (80, "-normal"), (110, "-wide"), (160, "-huge"),
    ]  # fmt: skip
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 - declared so by Textual
        (0, "-short"), (24, "-medium"), (32, "-tall"), (50, "-giant"),
    ]  # fmt: skip

    BINDINGS = BINDINGS

    status: reactive[Status] = reactive(Status(), init=False)
    """How the app stands: range, frozen or not, the source's last trouble."""
    view: reactive[View | None] = reactive(None, init=False)
    """What the screens show; None until the first snapshot."""

    def __init__(self, source: Source, *, options: AppOptions | None = None) -> None:
        """Prepare the app.

        Raises:
            InputError: The theme of the options is not known, their time zone, or an action of its keys.
        """
        self.options = options or AppOptions()
        self.refresh_s = self.options.refresh_s
        self.source = source
        self.zone = zone_of(self.options.timezone)
        self.glyphs = ASCII if self.options.ascii else UNICODE
        self._schedule = Schedule(self.options.host_every_s)
        span = self.options.span
        begun = EVERYTHING if span is None else lasting(span)
        self._request = Request(span=begun.span, at=self.options.at)
        self._asking = False
        self._source_started = False
        self._begun = False
        self._leaves_with: int | None = None
        """The return code that a signal before the first screen asks for."""
        self._eager: Timer | None = None
        self.toasts = self.options.toasts
        self.start_error: Exception | None = None
        """Why the source could not be started; the app has ended then, with return code 2."""
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        if self.options.theme not in self.available_themes:
            known = ", ".join(self.available_themes)
            raise InputError("unknown theme", clean(self.options.theme, 60), f"use one of {known}")
        self.theme = self.options.theme
        self.stylesheet.set_variables(self.get_css_variables())  # the first parse knows its colours
        self.status = Status(range=begun, moment=self.options.at)
        self.set_keymap(keymap(self.options.keys))
        self.set_class(self.options.ascii, "-ascii")

    def refresh_css(self, animate: bool = True) -> None:
        """Parse the style sheets anew, but for the two times that Textual asks for it before the first paint."""
        if self._begun:
            super().refresh_css(animate)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our own colours for themes that do not know them."""
        return OWN_VARIABLES

    async def run_async(self, *, mouse: bool = True, **rest: Any) -> None:
        """Run the app; the mouse stays the terminal's where the options say so."""
        self._leave_on_signals()  # before the driver takes the terminal
        await super().run_async(mouse=mouse and self.options.mouse, **rest)

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Return the screen as SVG that asks no other host for its font."""
        return _FONT_FACE.sub("", super().export_screenshot(title=title, simplify=simplify))

    # --- life ----------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Start the source once the first screen is painted."""
        self._begun = True
        sys.setswitchinterval(SWITCH_S)
        wake_only_from_suspension()
        if self._leaves_with is not None:
            self.exit(None, self._leaves_with)
        else:
            self.call_after_refresh(self._start_source)

    def _leave_on_signals(self) -> None:
        """Restore the terminal on SIGTERM and SIGHUP too; by default they leave it in the app's screen."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            try:
                loop.add_signal_handler(number, self._leave, 128 + number)
            except (NotImplementedError, RuntimeError, ValueError):
                return  # not the main thread (tests), or a platform without such handlers

    def _leave(self, code: int) -> None:
        """Exit, but not before there is a first screen: Textual fails where it has none to leave."""
        if self._begun:
            self.exit(None, code)
        else:
            self._leaves_with = code

    @work(thread=True, group="source", exit_on_error=False)
    def _start_source(self) -> None:
        self._source_started = True  # from here on it may hold something that `stop` must let go
        try:
            self.source.start()
        except Exception as error:  # noqa: BLE001 - the caller of `run` decides how to say it
            self.start_error = error
            self.call_from_thread(self.exit, None, 2)
        else:
            self.call_from_thread(self._begin_looking)

    def _begin_looking(self) -> None:
        self.look()
        self._look_every()
        self._eager = self.set_interval(EAGER_S, self._look_eagerly, repeat=EAGER_LOOKS)

    def _look_eagerly(self) -> None:
        """Look more often at first: a small directory is read in less than one refresh."""
        if self.status.failure is None and self.status.frozen_at is None:
            self.look()

    async def on_unmount(self) -> None:
        """Stop the source without holding up the loop, and let go of it.

        Textual keeps the last app alive in a context variable until the interpreter ends; native objects that
        a source holds (a DuckDB connection) must not live that long.
        """
        source, self.source = self.source, Stopped(self.source.title)
        if self._source_started:
            await asyncio.to_thread(source.stop)

    # --- data ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Ask the source for a snapshot if there may be something new."""
        if self._asking:
            return
        now = self.options.clock()
        generation = self.source.generation
        if not self._schedule.due(self._request, generation, now):
            return
        self._schedule.asked(self._request, generation, now)
        self._asking = True
        self._fetch(self._request)

    @work(thread=True, exclusive=True, group="snapshot", exit_on_error=False)
    def _fetch(self, request: Request) -> None:
        try:
            snapshot = self.source.snapshot(span=request.span, at=request.at, choice=request.choice)
        except Exception as error:  # noqa: BLE001 - whatever the source raises is shown, never a traceback
            self.post_message(SourceFailed(_one_line(error)))
        else:
            self.post_message(SnapshotReady(request, snapshot))

    @on(SnapshotReady)
    def _take(self, message: SnapshotReady) -> None:
        self._asking = False
        if message.request != self._request:
            self.look()
            return
        if self.status.failure is not None:
            self.status = replace(self.status, failure=None)
        self._show(message.snapshot)

    @on(SourceFailed)
    def _complain(self, message: SourceFailed) -> None:
        self._asking = False
        self._schedule.failed()
        if message.reason != self.status.failure:
            self.notify(message.reason, title="mlwatch", severity="error", markup=False)
        self.status = replace(self.status, failure=message.reason)

    def _greet(self) -> None:
        """Say once, to a new user, how to get on."""
        seen = self.options.greeted
        if seen is None or seen.exists():
            return
        key = self.key_of
        ranges = f"{key('shorter_range')} and {key('longer_range')} the time range"
        keys = f"1 to {len(SCREENS)} choose a screen, up and down a row, {ranges}."
        text = f"{keys}\n{key('help')} explains the screen, ctrl+p finds every action, {key('quit')} leaves."
        self.notify(text, title="First time here?", timeout=HINT_S, markup=False)
        with suppress(OSError):
            seen.parent.mkdir(parents=True, exist_ok=True)
            seen.touch()

    def _show(self, snapshot: Snapshot) -> None:
        if self.view is None:
            self._greet()
        if (
            self._eager is not None
            and snapshot.models
            and (snapshot.feed.bytes_done >= snapshot.feed.bytes_total or snapshot.feed.backfilling)
        ):
            self._eager.stop()
        self.view = View(
            snapshot=snapshot,
            title=self.source.title,
            model_name=choose_model(snapshot, self._wanted_model),
            zone=self.zone,
            glyphs=self.glyphs,
            range=self.status.range,
            choice=self._request.choice,
            at=self._request.at,
        )
        if self._request.at is None and self._request.choice == USUAL:
            self.toast(snapshot.alerts, self._request.span)
        if self._request.at is None and snapshot.range is not None:
            self._newest = snapshot.range.end
            if snapshot.feed.stage == "through" and snapshot.feed.bytes_done >= snapshot.feed.bytes_total:
                self._began()

    def _ask(self, request: Request) -> None:
        """Ask a new question at once; the answer to an older one will be thrown away."""
        self._request = request
        self._asking = False
        self.look()

    def watch_view(self, view: View | None) -> None:
        """Hand the view to the screen that is on show."""
        self._on_screen(lambda screen: setattr(screen, "view", view))

    def watch_status(self, status: Status) -> None:
        """Hand the status to the screen that is on show."""
        self._on_screen(lambda screen: setattr(screen, "status", status))

    def _on_screen(self, change: Callable[[WatchScreen], object]) -> None:
        """Change the base screen of the current mode; it may lie below an overlay."""
        from mlwatch.app.screens.base import WatchScreen  # noqa: PLC0415 - they import us

        for screen in self.screen_stack:
            if isinstance(screen, WatchScreen):
                change(screen)

    # --- actions -------------------------------------------------------------------------------------------

    def action_freeze(self) -> None:
        """Hold the picture, or let it go on."""
        if self.status.frozen_at is not None or self.status.moment is not None:
            self.go_live()
        elif self.view is not None:
            self.status = replace(self.status, frozen_at=self.view.snapshot.generated_at)
            # the shown picture stays: the question changes, so that an answer on its way is thrown away
            self._request = replace(self._next(), at=self._data_end())
            self._schedule.asked(self._request, self.source.generation, self.options.clock())
        else:
            self.notify("There is nothing to freeze yet.", markup=False)

    def _data_end(self) -> datetime | None:
        snapshot = self.view.snapshot if self.view else None
        if snapshot is None:
            return None
        return full_minute(snapshot.range.end) if snapshot.range else snapshot.generated_at

    async def action_screen(self, mode: str) -> None:
        """Go to one of the numbered screens."""
        if mode != self.current_mode:
            await self.switch_mode(mode)

    def action_help(self) -> None:
        """Explain the screen and its keys."""
        from mlwatch.app.screens.help import HelpScreen  # noqa: PLC0415 - not needed for the first paint

        self.push_screen(HelpScreen(self.screen, self.key_of))

    def action_alerts(self) -> None:
        """List all alerts."""
        from mlwatch.app.screens.alerts import AlertsScreen  # noqa: PLC0415 - not needed for the first paint

        self.push_screen(AlertsScreen(self.view, self.status, self.zone, self.glyphs, self.source))

    def action_quarantine(self) -> None:
        """Browse the lines that could not be taken in."""
        from mlwatch.app.screens.quarantine import QuarantineScreen  # noqa: PLC0415 - not for the first paint

        self.push_screen(QuarantineScreen(self.source.desk, self.zone))

    def action_zoom(self) -> None:
        """Give the focused panel the whole screen, or take it back."""
        if self.screen.maximized is not None:
            self.screen.minimize()
        elif self.screen.focused is not None:
            self.screen.maximize(self.screen.focused)

    def action_save_screenshot(self) -> None:
        """Save this screen as SVG in the current directory."""
        if self.options.read_only:
            self.notify("This view is read-only: nothing is written.", markup=False)
            return
        name = f"mlwatch-{self.options.clock():%Y%m%dT%H%M%S}-{self.current_mode}.svg"
        try:
            path = self.save_screenshot(name, path=str(Path.cwd()))
        except OSError as error:
            self.notify(f"Screenshot not saved: {_one_line(error)}", severity="error", markup=False)
        else:
            self.notify(f"Screenshot saved to {path}", markup=False)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer every action in the command palette."""
        yield from commands(self, screen)


def _one_line(error: BaseException) -> str:
    text = clean(str(error) or type(error).__name__, 300)
    return text or type(error).__name__
