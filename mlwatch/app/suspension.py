"""Suspending the app with Ctrl-Z, and nothing else that comes with the signals for it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def wake_only_from_suspension() -> None:
    """Let SIGCONT bring the screen back only after SIGTSTP took it away.

    Textual starts its screen anew at every SIGCONT. The kernel also sends one with the SIGHUP of a terminal that is
    gone: the screen of an app that is about to end would come back, and its input thread keep the process alive.
    """
    try:
        suspend, wake = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
        if not callable(suspend) or not callable(wake):
            return  # no driver of a terminal

        def suspended(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGCONT, woken)
            suspend(number, frame)

        def woken(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGCONT, signal.SIG_DFL)
            wake(number, frame)

        signal.signal(signal.SIGTSTP, suspended)
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
    except (AttributeError, ValueError):
        return  # a platform without these signals, or not the main thread (tests)
