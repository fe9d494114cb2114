"""Memory that this process has freed and the C library still holds."""

from __future__ import annotations

import sys


def give_back() -> None:
    """Return freed memory to the system, where the C library keeps it.

    glibc gives each thread an arena and returns only what is free at an arena's end; a process that runs for days
    would hold what its busiest moment took (`malloc_trim(3)`). Other libraries return memory by themselves: nothing
    is done there.
    """
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
