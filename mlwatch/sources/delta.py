"""What the log of a Delta table says of its files: which of them hold rows that others held before.

The rows of such a table are in Parquet files that are never changed. To bring small files together, or to change rows,
new files are written, and the log takes the former ones out of the table, though they stay on disk for a while.
"""

from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mlwatch.sources.sql import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

LOG = "_delta_log"
"""Name of the directory with the log of a table, beside the files of the table."""
FIRST = f"{0:020}.json"
"""The first commit of a table."""
_COMMIT = re.compile(r"\d{20}\.json")
_CHECKPOINT = re.compile(r"\d{20}\.checkpoint(\.\d{10}\.\d{10})?\.parquet")
_FILE_URI = re.compile(r"^file:(//[^/]*)?(?=/)")
MAX_BYTES = 64 << 20
"""A log with a larger commit is not read."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did to the files of a table; paths are relative to the table."""

    removed: frozenset[str]
    added: frozenset[str]
    rearranged: bool
    """The files that were added hold the rows of those that were removed, and no others."""


class Log:
    """The commits of one table, each read once.

    Args:
        table: Directory of the table.
        connection: Reads what a checkpoint says.
    """

    def __init__(self, table: Path, connection: DuckDBPyConnection) -> None:
        self._directory, self._connection = table / LOG, connection
        self._places = (f"{table.absolute()}/", f"{table.resolve()}/")
        self._commits: dict[str, Commit] = {}
        self._before: frozenset[str] | None = None
        """Files of the table at its last checkpoint, where commits before it are gone; None where it is not known."""
        self._known: frozenset[str] | None = None
        self._broken = False
        """A commit before the last one cannot be read."""

    def commits(self) -> tuple[Commit, ...]:
        """Return the commits that are there, oldest first.

        Raises:
            OSError: when the log cannot be read.
        """
        names = sorted(path.name for path in self._directory.iterdir())
        if not self._commits:
            self._before = frozenset() if FIRST in names else self._checkpoint(names)
        new = [name for name in names if _COMMIT.fullmatch(name) and name not in self._commits]
        self._broken = False
        for name in new:
            commit = _read(self._directory / name, self._places)
            if commit is None:  # it is being written
                self._broken = name != new[-1]
                break
            self._commits[name] = commit
        if new or not self._commits:
            self._known = self._named()
        return tuple(self._commits.values())

    def known(self) -> frozenset[str] | None:
        """Return every file that was ever part of the table as far as the log goes back; None where it is not known."""
        return self._known

    def _named(self) -> frozenset[str] | None:
        if self._before is None or self._broken:
            return None
        return self._before.union(*(commit.added | commit.removed for commit in self._commits.values()))

    def _checkpoint(self, names: Sequence[str]) -> frozenset[str] | None:
        """Read the files of the table at its last checkpoint: commits of long ago are deleted after it."""
        import duckdb  # noqa: PLC0415

        found = [name for name in names if _CHECKPOINT.fullmatch(name)]
        parts = [str(self._directory / name) for name in found if name[:20] == found[-1][:20]]
        if not parts:
            return None
        files = ", ".join(map(literal, parts))
        try:
            rows = self._connection.execute(
                f"""SELECT "add".path FROM read_parquet([{files}], union_by_name = true) WHERE "add".path IS NOT NULL"""
            ).fetchall()
        except duckdb.Error:
            return None
        return frozenset(_below(path, self._places) for (path,) in rows)


def _read(path: Path, places: Sequence[str]) -> Commit | None:
    """Read a commit of a table, which has these places; None where it is not complete yet."""
    if path.stat().st_size > MAX_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    try:
        actions = [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return None
    removed, added = (list(_files(actions, name, places)) for name in ("remove", "add"))
    rearranged = bool(removed) and not any(changes for _, changes in (*removed, *added))
    return Commit(
        frozenset(path for path, _ in removed), frozenset(path for path, _ in added), rearranged=rearranged
    )


def _files(actions: Iterable[Any], name: str, places: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield the files of some actions, and whether rows were changed by these."""
    for action in actions:
        file = action.get(name) if isinstance(action, dict) else None
        if isinstance(file, dict) and isinstance(file.get("path"), str):
            yield _below(file["path"], places), file.get("dataChange") is not False


def _below(path: str, places: Sequence[str]) -> str:
    """Return the path of a file relative to its table, where it is below that; it may be a URI."""
    named = unquote(_FILE_URI.sub("", path))
    return next((named.removeprefix(place) for place in places if named.startswith(place)), named)


@dataclass(frozen=True, slots=True)
class Superseded:
    """What is not to be read of a table, unless it was read already."""

    counted: frozenset[str]
    """Files of rows that were read where they had been before."""
    sources: frozenset[str]
    """The files where these rows had been before."""
    removed: frozenset[str]
    """Files whose rows were deleted, or are to be read in other files."""
    rewritten: int
    """Files that were read and replaced by others with changed rows."""
    repeated: int
    """Files that were read and brought together with others of which rows are missing: they are read again there."""


def superseded(
    commits: Iterable[Commit], is_read: Callable[[str], bool], is_sure: Callable[[str], bool]
) -> Superseded:
    """Tell which files of a table hold rows that are, or will be, read in others.

    Args:
        commits: Oldest first.
        is_read: Whether any rows of a file were read.
        is_sure: Whether all rows of a file were read, or will be.
    """
    counted: set[str] = set()
    sources: set[str] = set()
    removed: set[str] = set()
    rewritten: set[str] = set()
    repeated: set[str] = set()
    for commit in commits:
        read = {path for path in commit.removed if path in counted or is_read(path)}
        if commit.rearranged and read:
            if all(path in counted or is_sure(path) for path in commit.removed):
                counted |= commit.added  # what was not read of the others is still to be read there
                sources |= commit.removed
                continue
            repeated |= read
        elif commit.added:
            rewritten |= read - commit.added  # the same file may be added with rows left out
        removed |= commit.removed
        removed -= commit.added
    return Superseded(
        *(frozenset(counted), frozenset(sources - counted), frozenset(removed - counted)),
        *(len(rewritten), len(repeated)),
    )
