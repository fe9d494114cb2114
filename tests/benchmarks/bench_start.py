"""Measure what a person waits for at the start: the first paint, and the first screen with all of the numbers.

`python tests/benchmarks/bench_start.py BEGAN WHAT [DIRECTORY DATABASE RECORDS]` prints one JSON object with the seconds
since BEGAN, a time of the caller's clock just before it started this process. WHAT is `empty` (a Textual app without
anything in it), `paint` (ours, as `mlwatch DIRECTORY` opens it) or `shown` (ours, until a screen has RECORDS records).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = (120, 40)
PATIENCE_S = 60.0


async def until(app: Any, shown: Callable[[], bool]) -> float:
    """Run an app without a terminal until it has painted what is asked for, and return when that was."""
    painted = asyncio.Event()
    display, found = app._display, 0.0

    def watched(*arguments: Any) -> None:
        nonlocal found
        display(*arguments)
        if not painted.is_set() and shown():
            found = time.time()
            painted.set()

    app._display = watched
    async with app.run_test(size=SIZE):
        await asyncio.wait_for(painted.wait(), PATIENCE_S)
    return found


def empty() -> Any:
    """Return a Textual app without anything in it."""
    from textual.app import App

    return App()


def ours(directory: str, database: str) -> Any:
    """Return our app, made as the command line makes it."""
    from mlwatch import garbage
    from mlwatch.arguments import parser
    from mlwatch.commands.watch import LazySource, app_options, limit_repaints
    from mlwatch.config import load

    arguments = parser().parse_args(["watch", directory, "--db", database])
    config = load(None)
    limit_repaints(arguments, config)
    garbage.postpone()
    from mlwatch.app.app import MlwatchApp

    return MlwatchApp(LazySource(arguments), options=app_options(arguments, config))


def main() -> None:
    """Measure one thing and print it."""
    began, what, *rest = sys.argv[1:]
    if what == "shown":
        app, records = ours(*rest[:2]), int(rest[2])

        def shown() -> bool:
            return app.view is not None and app.view.snapshot.ingest.records >= records
    else:
        app = empty() if what == "empty" else ours(*rest[:2])

        def shown() -> bool:
            return True

    at = asyncio.run(until(app, shown))
    if what != "empty":
        from mlwatch import garbage

        garbage.resume()  # else the engine's binding complains at the end
    sys.stdout.write(json.dumps({"wall": at - float(began), "cpu": time.process_time()}) + "\n")


if __name__ == "__main__":
    main()
