"""Print the CPU time of one repaint of a chart: 5 series of 500 points at 120x40, in a running app.

Run as `python tests/benchmarks/bench_timeseries.py`. textual-plot is measured beside it if it is installed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from textual.app import App

from widgets.timeseries import Chart, Series, TimeSeries

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from textual.app import ComposeResult
    from textual.widget import Widget

REPAINTS = 40
SIZE = (120, 40)
TIMES = 1_773_414_000.0 + 60.0 * np.arange(500)


@cache
def values(turn: int) -> list[NDArray[np.float64]]:
    """Return five noisy waves of 500 points, other ones every turn."""
    noise = np.random.default_rng(turn)
    return [
        50 + 5 * k + 8 * np.sin(np.arange(500) / (20 + 9 * k)) + noise.normal(0, 0.7, 500) for k in range(5)
    ]


class Bench(App[None]):
    """An app with one widget."""

    def __init__(self, shown: Widget) -> None:
        super().__init__()
        self.shown = shown

    def compose(self) -> ComposeResult:
        yield self.shown


def escapes(app: App[None]) -> int:
    """Return the characters that a terminal would get for the whole screen."""
    update: Any = app.screen._compositor.render_update(full=True)
    return len(update.render_segments(app.console))


async def measured(widget: Widget, change: Callable[[int], None]) -> float:
    """Return milliseconds of CPU a repaint: new data, drawing, composing, escapes."""
    app = Bench(widget)
    for turn in range(REPAINTS):
        values(turn)  # making them is no part of a repaint
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        spent = time.process_time()
        for turn in range(REPAINTS):
            change(turn)
            widget.refresh()
            await pilot._wait_for_screen()
            escapes(app)
        return (time.process_time() - spent) / REPAINTS * 1e3


async def ours(mode: Any) -> float:
    """Measure our chart."""
    plot = TimeSeries(mode=mode)

    def change(turn: int) -> None:
        plot.update(Chart(tuple(Series.of(f"v{k}", TIMES, y) for k, y in enumerate(values(turn))), unit="ms"))

    return await measured(plot, change)


async def textual_plot() -> float:
    """Measure textual-plot."""
    from textual_plot import PlotWidget  # type: ignore[import-not-found,unused-ignore]

    plot = PlotWidget()

    def change(turn: int) -> None:
        plot.clear()
        for y in values(turn):
            plot.plot(TIMES, y)

    return await measured(plot, change)


def main() -> None:
    """Measure and print."""
    for mode in ("quadrant", "braille"):
        sys.stdout.write(f"TimeSeries, {mode:<9} {asyncio.run(ours(mode)):7.1f} ms CPU a repaint" + "\n")
    if importlib.util.find_spec("textual_plot"):
        sys.stdout.write(f"textual-plot          {asyncio.run(textual_plot()):7.1f} ms CPU a repaint" + "\n")
    else:
        sys.stdout.write("textual-plot          not installed" + "\n")


if __name__ == "__main__":
    main()
