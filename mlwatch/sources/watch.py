"""Tell when files under a directory change: by the system's events, or by looking again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from threading import Event

    from mlwatch.config import WatchSettings

EVENT_STEP_MS = 100
GATHER_MS = 200


def watch(path: Path, changed: Callable[[], object], stopping: Event, settings: WatchSettings) -> None:
    """Call `changed` after every change below a path, until `stopping` is set.

    Where the system reports no changes (network file systems, too many watches), it is looked for at intervals;
    the reader looks at every interval in any case, so a lost event costs a moment and no record.

    Args:
        path: Directory or file.
        changed: Called from this thread.
        stopping: Ends the watch.
        settings: `poll` and `interval`.
    """
    from watchfiles import watch as events  # noqa: PLC0415  a native library, only the watching process needs it

    try:
        for _ in events(
            path,
            watch_filter=None,
            debounce=GATHER_MS,
            step=EVENT_STEP_MS,
            stop_event=stopping,
            force_polling=settings.poll or None,
            poll_delay_ms=int(settings.interval.total_seconds() * 1000),
            rust_timeout=1000,
            yield_on_timeout=False,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            changed()
    except (OSError, RuntimeError):
        return  # no events to be had: the reader's own interval does it
