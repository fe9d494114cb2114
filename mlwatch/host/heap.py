"""How much memory the C library of this process may hold beyond what is in use.

glibc gives each thread an arena of its own, up to eight a core, and returns only what is free at an arena's end: a
process that runs for days would hold what its busiest moment took, in each of them. And the more it has freed at once,
the larger is what it takes from arenas, where long-lived small pieces keep the room of large ones from being returned.
Other libraries return memory by themselves: nothing is done there.
"""

from __future__ import annotations

import sys
from typing import Any

FEW_ARENAS = 2
LARGE_BYTES = 128 << 10
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""See `mallopt(3)`."""


def share_arenas() -> None:
    """Let the threads that are started from now on share a few arenas, and take what is large from none of them."""
    if (library := _library()) is not None:
        library.mallopt(_M_ARENA_MAX, FEW_ARENAS)
        library.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)


def give_back() -> None:
    """Return freed memory to the system; see `malloc_trim(3)`."""
    if (library := _library()) is not None:
        library.malloc_trim(0)


def _library() -> Any:
    """Return the C library, where it is glibc."""
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415

    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
