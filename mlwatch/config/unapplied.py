"""Tell when the configuration file is no longer what a session was started with: it is read at the start only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.config.reader import load
from mlwatch.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_NEVER_LOOKED = (-1, -1, -1)


class Unapplied:
    """Compare a file with what was read of it.

    Args:
        path: Of the configuration, whether it is there or not.
        sha256: Of what was read; that of nothing where there was no file.
    """

    def __init__(self, path: Path, sha256: str) -> None:
        self._path = path
        self._sha256 = sha256
        self._standing: tuple[int, int, int] | None = _NEVER_LOOKED
        """How the file stood at the last look; a write changes it."""
        self._difference: str | None = None

    def look(self) -> str | None:
        """Return one sentence where the file is not what was read; None where it is."""
        standing = _standing(self._path)
        if standing != self._standing:
            self._standing = standing
            self._difference = self._compare()
        return self._difference

    def _compare(self) -> str | None:
        try:
            now = load(self._path if self._standing is not None else None).sha256
        except ConfigError as error:
            return f"{self._path.name} has changed, and cannot be used as it is: {error}"
        if now == self._sha256:
            return None
        return f"{self._path.name} has changed: start mlwatch again, for it is read at the start"


def _standing(path: Path) -> tuple[int, int, int] | None:
    """Return what a write changes; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
