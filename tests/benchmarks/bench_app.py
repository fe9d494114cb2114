"""Measure what watching costs: repaints, an idle app, and how soon a key is answered while a backfill runs.

`python tests/benchmarks/bench_app.py WHAT [DIRECTORY]` prints one JSON object; WHAT is `refresh`, `idle`, `keys`
(needs the directory of a log that is not read yet) or `charts`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events

from mlwatch.app.app import MlwatchApp
from mlwatch.app.options import AppOptions
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from mlwatch.snapshot.types import Snapshot

SAMPLES = Path(__file__).resolve().parents[2] / "sample_logs"
SIZE = (120, 40)
REPAINTS = 60
IDLE_S = 15.0
KEYS = 200
PATIENCE_S = 60.0


def session(directory: Path) -> Session:
    """Return an open session in memory."""
    return Session(Options(directory, db=":memory:"))


async def ready(app: MlwatchApp) -> None:
    """Wait for the first numbers."""
    deadline = time.monotonic() + PATIENCE_S
    while app.view is None or not app.view.snapshot.models:
        if time.monotonic() > deadline:
            raise TimeoutError("no numbers came")
        await asyncio.sleep(0.05)


def escapes(app: MlwatchApp) -> int:
    """Return the characters that a terminal would get for the whole screen."""
    update: Any = app.screen._compositor.render_update(full=True)
    return len(update.render_segments(app.console))


def moments(source: Session) -> list[Snapshot]:
    """Return snapshots of different moments: each changes every number on the screen."""
    end = source.snapshot().generated_at
    found = source.snapshot().range
    end = found.end if found else end
    return [source.snapshot(at=end - timedelta(minutes=20 * step)) for step in range(4)]


async def refresh() -> dict[str, float]:
    """Return milliseconds of CPU that a screen takes for a new snapshot, with all of its escapes."""
    source = session(SAMPLES)
    source.ingest_all()
    shown = moments(source)
    app = MlwatchApp(source, options=AppOptions(refresh_s=3600.0))
    found = {}
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        for key, name in (("1", "overview"), ("2", "performance"), ("3", "quality"), ("6", "rollout")):
            await pilot.press(key)
            await pilot.pause(0.5)
            began = time.process_time()
            for turn in range(REPAINTS):
                app._show(replace(shown[turn % len(shown)], generated_at=shown[0].generated_at))
                await pilot._wait_for_screen()
                escapes(app)
            found[name] = (time.process_time() - began) / REPAINTS * 1000
    return found


async def idle() -> dict[str, float]:
    """Return the share of a core that an app takes while nothing new comes."""
    source = session(SAMPLES)
    app = MlwatchApp(source)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await pilot.pause(14.0)  # reading is over, and the eager looks of the beginning too
        began, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(IDLE_S)
        return {"share": (time.process_time() - cpu) / (time.monotonic() - began)}


async def keys(directory: Path) -> dict[str, float]:
    """Return milliseconds from a key to the paint that answers it while a log is read, the 95th percentile."""
    source = session(directory)
    app = MlwatchApp(source)
    painted = asyncio.Event()
    display = app._display

    def shown(*arguments: Any) -> None:
        display(*arguments)
        painted.set()

    app._display = shown  # type: ignore[method-assign,assignment]
    waits: list[float] = []
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await pilot.pause(0.2)
        for turn in range(KEYS):
            if _left(app) == 0:
                break  # only what is answered while the log is read counts
            painted.clear()
            began = time.perf_counter()
            # there and back: a key at the end of a table changes nothing, and nothing would be painted
            app.post_message(events.Key("up" if turn % 2 else "down", None))
            await asyncio.wait_for(painted.wait(), PATIENCE_S)
            waits.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.05)
    waits.sort()
    return {"p95": waits[int(len(waits) * 0.95)], "median": waits[len(waits) // 2], "keys": len(waits)}


def _left(app: MlwatchApp) -> int:
    """Return the bytes that are still to be read."""
    feed = app.view.snapshot.feed if app.view else None
    return feed.bytes_total - feed.bytes_done if feed and feed.bytes_total else 1


async def charts() -> dict[str, float]:
    """Return milliseconds of CPU of a chart of 5 series of 500 points, ours and that of textual-plot."""
    from bench_timeseries import ours, textual_plot

    pairs = [(await ours("quadrant"), await textual_plot()) for _ in range(3)]
    return dict(zip(("ours", "theirs"), map(min, zip(*pairs, strict=True)), strict=True))


def main() -> None:
    """Measure one thing and print it."""
    what, *rest = sys.argv[1:]
    runs = {"refresh": refresh, "idle": idle, "charts": charts}
    measured = keys(Path(rest[0])) if what == "keys" else runs[what]()
    sys.stdout.write(json.dumps(asyncio.run(measured)) + "\n")


if __name__ == "__main__":
    main()
