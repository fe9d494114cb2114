"""Who may read what mlwatch writes: its owner alone, unless it was asked for as a document."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIVATE = 0o077
_usual: list[int] = []
"""The umasks from before, one for each command line under way and each store that is being opened."""
_changing = threading.Lock()
"""Stores may be opened by several threads, and the last one to be done brings back the first umask."""


@contextmanager
def private() -> Iterator[None]:
    """Make what is created meanwhile readable by its owner alone.

    The engine makes files by itself, its write-ahead log and what it spills, next to the store or in the
    directory for temporary files: others may look there.
    """
    with _changing:
        _usual.append(os.umask(PRIVATE))
    try:
        yield
    finally:
        with _changing:
            os.umask(_usual.pop())


def usual_umask() -> int:
    """Return the umask of whoever started mlwatch; -1, which leaves it alone, where it was not changed."""
    return _usual[0] if _usual else -1


@contextmanager
def public() -> Iterator[None]:
    """Give the documents that are written meanwhile the rights that other programs would give them."""
    if not _usual:
        yield
        return
    os.umask(_usual[0])
    try:
        yield
    finally:
        os.umask(PRIVATE)
