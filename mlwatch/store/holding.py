"""Which stores this process has open.

The engine shares a file within a process: a second session would open it as well, and both would read the same logs
into it. Between processes the engine's lock on the file tells.
"""

from __future__ import annotations

import gc
import os
import threading
from contextlib import suppress
from pathlib import Path
from weakref import WeakValueDictionary


class Hold:
    """The right to a store, until it is released or nobody remembers it any more.

    Args:
        key: What the store goes by.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    def release(self) -> None:
        """Let the next one have the store."""
        with _LOCK:
            if _HELD.get(self._key) is self:
                del _HELD[self._key]


def held_files() -> set[tuple[int, int]]:
    """Return device and inode of the stores that are held.

    Nobody else may open them: as a process closes any handle of a file, the system drops all of its locks on that file.
    """
    with _LOCK:
        keys = list(_HELD)
    found = set()
    for key in keys:
        with suppress(OSError):
            status = Path(key).stat()
            found.add((status.st_dev, status.st_ino))
    return found


_HELD: WeakValueDictionary[str, Hold] = WeakValueDictionary()
_LOCK = threading.RLock()  # of a thread itself too: collecting garbage may end a session


def hold(path: Path) -> Hold | None:
    """Return the right to a store; None while another session of this process has it."""
    key = os.path.realpath(path)
    with _LOCK:
        if key in _HELD:
            gc.collect()  # a session that was let go of is a ring of objects, and holds its store until it is found
        if key in _HELD:
            return None
        _HELD[key] = mine = Hold(key)
        return mine
