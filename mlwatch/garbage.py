"""When an app of ours looks for garbage: not while it starts, and after that no more in what starting has brought.

Most of what there is then are modules, and they stay: each full look at them takes as long as a refresh.
"""

from __future__ import annotations

import gc
import threading

SETTLED_S = 1.0
"""Time after the first numbers when starting is over: they are on the screen by then."""


def postpone() -> None:
    """Look for no garbage until `Settling` says so; only for a process that is all ours."""
    gc.disable()


def resume() -> None:
    """Look for garbage as usual: the interpreter collects all there is when it ends."""
    gc.unfreeze()
    gc.enable()


class Settling:
    """Begin to look for garbage once there are numbers, where that was postponed."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Say that there are numbers; all but the first time are nothing new."""
        if self._timer is None and not gc.isenabled():
            self._timer = threading.Timer(SETTLED_S, _settle)
            self._timer.daemon = True
            self._timer.start()

    def cancel(self) -> None:
        """Leave it: the process ends."""
        if self._timer is not None:
            self._timer.cancel()


def _settle() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()
