"""Helpers that run the app without a terminal and read what it drew."""

from __future__ import annotations

import os
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory import NOW

from mlwatch.app.app import MlwatchApp
from mlwatch.app.options import AppOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from textual.app import App
    from textual.pilot import Pilot

SNAPSHOTS = Path(__file__).parents[2] / "snapshots" / "app"


def text_of(app: MlwatchApp) -> str:
    """Return the characters on the screen, a line each, without spaces at the ends."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


PATIENCE_S = 20.0
"""Time after which a test goes on anyway: something moves by itself, such as a replay."""


async def settle(pilot: Pilot[None]) -> None:
    """Wait until no worker runs, no message waits and nothing is to be laid out or painted.

    Textual's own pause asks whether the process is idle; on a busy machine it only seems so.
    """
    calm, end = 0, time.monotonic() + PATIENCE_S
    while calm < 3 and time.monotonic() < end:
        await pilot.pause(0.005 if any(not worker.is_finished for worker in pilot.app.workers) else 0)
        calm = 0 if _busy(pilot.app) else calm + 1


def _busy(app: App[None]) -> bool:
    screen = app.screen
    if any(not worker.is_finished for worker in app.workers):
        return True
    unpainted = screen._layout_required or screen._dirty_widgets or screen._repaint_required
    pumps = (app, *app.screen_stack, *screen.walk_children())
    return bool(unpainted or screen._callbacks) or any(
        pump._next_callbacks or not pump._message_queue.empty() for pump in pumps
    )


@asynccontextmanager
async def running(
    source: Any, size: tuple[int, int] = (80, 24), *, now: datetime | None = None, **options: Any
) -> AsyncIterator[tuple[MlwatchApp, Pilot[None]]]:
    """Run the app over a source until everything is drawn; the clock stands still."""

    moment = now or NOW
    # an interval of a minute: tests call `look` themselves instead of waiting
    settings = AppOptions(clock=lambda: moment, **{"refresh_s": 60.0, **options})
    app = MlwatchApp(source, options=settings)
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        yield app, pilot


def check_snapshot(name: str, drawn: str) -> None:
    """Compare with the stored picture; UPDATE_SNAPSHOTS=1 stores a new one."""
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(drawn + "\n", encoding="utf-8")
    assert drawn + "\n" == path.read_text(encoding="utf-8"), (
        f"{path} differs; UPDATE_SNAPSHOTS=1 stores it anew"
    )
