"""Locks on files and directories, which end with the process, however it ends."""

from __future__ import annotations

from typing import IO


def lock(file: IO[bytes] | int, *, as_engine: bool = False) -> bool:
    """Lock a file.

    Args:
        file: An open file or directory.
        as_engine: With the kind of lock that DuckDB sets on a database.

    Returns:
        Whether it is locked now: False where the platform has no such locks.

    Raises:
        BlockingIOError: when another process holds it.
        OSError: when its file system has none.
    """
    try:
        import fcntl  # noqa: PLC0415  not everywhere
    except ImportError:
        return False
    (fcntl.lockf if as_engine else fcntl.flock)(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
