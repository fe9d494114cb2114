"""The directories for temporary files of our own, and what killed processes left of theirs.

Text is laid down in one on its way into the store; a store in memory spills into another.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mlwatch.errors import InputError, tells_of_full_disk
from mlwatch.store.locks import lock

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "mlwatch-spool-"
SPILL = "mlwatch-spill-"
BEGUN = "mlwatch-begun-"
LOCK = ".lock"
ROOM = 4 << 30
"""Free bytes that a memory file system must have to be spooled to."""


class Spool:
    """A directory of our own, in memory where there is room; locked for as long as this process lives."""

    def __init__(self) -> None:
        root = _root()
        for place in {root or tempfile.gettempdir(), tempfile.gettempdir()}:
            sweep(Path(place))
        begun = Path(tempfile.mkdtemp(prefix=BEGUN, dir=root))
        self._lock = (begun / LOCK).open("wb")
        _lock(self._lock)
        # named so that others know it only once it is locked: they would sweep it away in between
        self.path = begun.rename(begun.with_name(PREFIX + begun.name.removeprefix(BEGUN)))

    def close(self) -> None:
        """Remove the directory."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


class Spill(tempfile.TemporaryDirectory[str]):
    """A directory for what a store in memory has no room for; locked for as long as this process lives.

    It is made at once, with mode 0700: the engine would make it as it spills, for everybody to read.
    """

    def __init__(self) -> None:
        sweep(Path(tempfile.gettempdir()))
        super().__init__(prefix=SPILL, ignore_cleanup_errors=True)
        begun = Path(self.name) / f"{LOCK}-begun"
        self._lock = begun.open("wb")
        _lock(self._lock)
        begun.rename(begun.with_name(LOCK))  # only once it is locked, as a spool

    def cleanup(self) -> None:
        """Remove the directory."""
        self._lock.close()
        super().cleanup()


@contextlib.contextmanager
def laying_down(file: Path) -> Iterator[None]:
    """Say which disk is full where text cannot be laid down in a file of a spool: the system's error names none.

    Raises:
        InputError: in place of that error.
    """
    try:
        yield
    except OSError as error:
        if not tells_of_full_disk(str(error)):
            raise
        what, place, todo = "the directory for temporary files is full", file.parent.parent, "free some"
        if place == Path(tempfile.gettempdir()):  # else it is in memory, which is named nowhere
            todo += ", or name another with TMPDIR"
        raise InputError(what, str(place), todo) from error


def sweep(root: Path) -> None:
    """Remove the directories of processes of this user that were killed."""
    for path in (*root.glob(f"{PREFIX}*"), *root.glob(f"{SPILL}*")):
        with contextlib.suppress(OSError):
            if (
                path.is_dir()
                and not path.is_symlink()
                and path.stat().st_uid == os.getuid()
                and _abandoned(path)
            ):
                shutil.rmtree(path, ignore_errors=True)


def _abandoned(path: Path) -> bool:
    with (path / LOCK).open("r+b") as file:  # without one, its owner may be about to make it
        return _lock(file)


def _lock(file: IO[bytes]) -> bool:
    """Lock a file; return whether nobody else holds it."""
    try:
        return lock(file)
    except OSError:
        return False


def _root() -> str | None:
    """Return a directory in memory for spool files where there is one with room; None for the usual place."""
    root = Path("/dev/shm")  # noqa: S108  the directory itself is made with a name of its own, for the user alone
    try:
        room = shutil.disk_usage(root).free
    except OSError:
        return None
    return str(root) if room > ROOM and os.access(root, os.W_OK) else None
