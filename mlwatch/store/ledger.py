"""The ledger of files: what was read of each, kept in the same transaction as the rows it accounts for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from mlwatch.sources.streams import Fingerprint, digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.files import Found

State = Literal["open", "skipped", "damaged", "gone", "replaced"]
"""`gone`: what was not read of it is not there any more."""
UNREAD = frozenset({"skipped", "damaged"})
"""States of files whose content, or the rest of it, is not read."""

PART_READ = -1
"""In the place of a file's `mtime_ns` while more of it is being read: it looks changed until all of it was."""
PARTITION = "kafka"
"""Format of what is no file but a partition of a topic: its size is its end, its offset the next message."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One generation of one file; a truncated or replaced file begins a new entry."""

    file: int
    path: str
    """Relative path where it was last seen."""
    device: int
    inode: int
    size: int
    """Bytes on disk when last looked at."""
    mtime_ns: int
    format: str
    offset: int = 0
    """Decompressed bytes, or Parquet rows, or array elements, that are accounted for."""
    lines: int = 0
    records: int = 0
    rejected: int = 0
    fingerprint: Fingerprint | None = None
    state: State = "open"
    reason: str | None = None
    shape: str | None = None

    def unchanged(self, found: Found) -> bool:
        """Tell whether a file looks exactly as when it was last dealt with."""
        return (self.device, self.inode, self.size, self.mtime_ns) == (
            found.device,
            found.inode,
            found.size,
            found.mtime_ns,
        )


class Ledger:
    """All entries, mirrored in memory by the ingest thread."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self.entries: dict[int, Entry] = {}
        self.by_path: dict[str, Entry] = {}
        self._inodes: dict[tuple[int, int], int] = {}
        self._heads: dict[int, dict[bytes, set[int]]] = {}
        self._unread: set[int] = set()
        self._next = 0
        self.reload()

    def reload(self) -> None:
        """Read everything again, for example after a rolled back transaction."""
        rows = self._connection.execute("SELECT * FROM files ORDER BY file").fetchall()
        self.entries, self.by_path, self._inodes, self._heads, self._unread = {}, {}, {}, {}, set()
        for row in rows:
            self._index(_entry(row))
        self._next = max(self._next, max(self.entries, default=-1) + 1)

    def _index(self, entry: Entry) -> None:
        former = self.entries.get(entry.file)
        if former is not None and self.by_path.get(former.path) is former:
            del self.by_path[former.path]
        self.entries[entry.file] = entry
        self._unread.discard(entry.file)
        if entry.state in UNREAD:
            self._unread.add(entry.file)
        if entry.fingerprint is not None:
            mark = entry.fingerprint
            self._heads.setdefault(mark.head_length, {}).setdefault(mark.head, set()).add(entry.file)
        if entry.state != "replaced":
            self.by_path[entry.path] = entry
            self._inodes[entry.device, entry.inode] = entry.file

    @property
    def unread(self) -> list[Entry]:
        """The entries whose content, or the rest of it, is not read."""
        return [self.entries[file] for file in self._unread]

    def is_unread(self, path: str) -> bool:
        """Tell whether a file is known whose content, or the rest of it, is not read."""
        entry = self.by_path.get(path)
        return entry is not None and entry.file in self._unread

    def reserve(self) -> int:
        """Return a number for a new entry."""
        self._next += 1
        return self._next - 1

    def by_inode(self, device: int, inode: int) -> Entry | None:
        """Return the newest entry of an inode."""
        number = self._inodes.get((device, inode))
        return None if number is None else self.entries[number]

    def beginning_like(self, head: bytes) -> list[Entry]:
        """Return the entries whose file began as these bytes do, the one that was read furthest first."""
        numbers: set[int] = set()
        for length, heads in self._heads.items():
            if length <= len(head):
                numbers |= heads.get(digest(head[:length]), set())
        entries = [self.entries[number] for number in numbers]
        current = [entry for entry in entries if _has_head(entry, head)]
        return sorted(current, key=lambda entry: (-entry.offset, -entry.file))

    def put(self, entries: Iterable[Entry]) -> None:
        """Write entries, new or changed, inside the transaction that is open."""
        written: dict[int, Entry] = {}
        for entry in entries:
            former = self.by_path.get(entry.path)
            if former is not None and former.file != entry.file:
                written[former.file] = replace(former, state="replaced")
                self._index(written[former.file])
            written[entry.file] = entry
            self._index(entry)
        if not written:
            return
        columns = zip(
            *map(_row, written.values()), strict=True
        )  # a statement for each would be most of the work
        values = ", ".join(f"UNNEST(?::{kind}[])" for kind in _KINDS)
        self._connection.execute(
            f"INSERT OR REPLACE INTO files SELECT {values}", [list(column) for column in columns]
        )


_KINDS = (
    *("INTEGER", "VARCHAR", "VARCHAR", "VARCHAR", "BIGINT", "BIGINT", "VARCHAR"),
    *("BIGINT", "BIGINT", "BIGINT", "BIGINT", "INTEGER", "BLOB", "INTEGER", "BLOB"),
    *("VARCHAR", "VARCHAR", "VARCHAR"),
)
"""Types of the columns of `files`."""


def _row(entry: Entry) -> tuple[Any, ...]:
    mark = entry.fingerprint
    return (
        *(entry.file, entry.path, str(entry.device), str(entry.inode), entry.size, entry.mtime_ns),
        *(entry.format, entry.offset, entry.lines, entry.records, entry.rejected),
        *((mark.head_length, mark.head, mark.tail_length, mark.tail) if mark else (0, b"", 0, b"")),
        *(entry.state, entry.reason, entry.shape),
    )


def _has_head(entry: Entry, head: bytes) -> bool:
    """Tell whether an entry's present fingerprint (the index may hold a former one) fits these first bytes."""
    mark = entry.fingerprint
    return mark is not None and mark.begins(head)


def _entry(row: Sequence[Any]) -> Entry:
    (file, path, device, inode, size, mtime_ns, form, offset, lines, records, rejected) = row[:11]
    head_length, head, tail_length, tail, state, reason, shape = row[11:]
    mark = Fingerprint(head_length, bytes(head), tail_length, bytes(tail)) if head_length else None
    return Entry(
        file,
        path,
        int(device),
        int(inode),
        size,
        mtime_ns,
        form,
        offset=offset,
        lines=lines,
        records=records,
        rejected=rejected,
        fingerprint=mark,
        state=state,
        reason=reason,
        shape=shape,
    )
