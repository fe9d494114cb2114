"""Account for files of Delta tables whose rows are in others, too, so that no row is counted twice."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlwatch.asking import number
from mlwatch.sources.delta import LOG, Log, superseded
from mlwatch.sources.pathnames import file_literal
from mlwatch.sources.streams import fingerprint
from mlwatch.store.ledger import PART_READ, UNREAD, Entry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.delta import Superseded
    from mlwatch.sources.files import Found
    from mlwatch.store.ledger import Ledger
    from mlwatch.store.telling import Telling

REMOVED = "its Delta table took it out before it was read"
"""Reason of an entry of which no row is accounted for: they were deleted, or are to be read in another file. It is read
once it is part of the table again (RESTORE)."""


UNNAMED_S = 600
"""A file that no commit speaks of is told of when it is so old: the commit comes right after the file, as a rule."""


@dataclass(frozen=True, slots=True)
class Apart:
    """The files that are not read as others are."""

    entries: tuple[Entry, ...]
    """Of files whose rows are read in others, or are no more part of the table."""
    waiting: frozenset[str]
    """Files that no commit speaks of: they are being written, or were left behind; and files of rows that are about to
    be read where they were before: should that fail, they are read here."""


class DeltaTables:
    """The Delta tables below a log directory.

    Args:
        connection: Of the ingest thread.
        root: The log directory.
        ledger: What was read.
        telling: Tells of rows that may be counted twice.
    """

    def __init__(self, connection: DuckDBPyConnection, root: Path, ledger: Ledger, telling: Telling) -> None:
        self._connection, self._root, self._ledger, self._telling = connection, root, ledger, telling
        self._logs: dict[str, Log] = {}
        self._settled: dict[str, tuple[int, frozenset[Found], Superseded]] = {}
        """What was told of a table when it had so many commits and these files were unread."""

    def apart(self, tables: Collection[str], places: Collection[Found]) -> Apart:
        """Tell which new files are not to be read.

        Args:
            tables: Relative paths of tables, each with a `/` at its end; empty for the log directory itself.
            places: The files that are there.
        """
        entries: list[Entry] = []
        waiting: set[str] = set()
        unread = self._unread(tables, places)
        there = {found.relative: found for found in places} if unread else {}
        for table, files in unread.items():
            log = self._logs.setdefault(table, Log(self._root / table, self._connection))
            try:
                apart = self._superseded(table, log, files, there)
            except OSError as error:
                self._telling.unread(f"{table}{LOG}", f"it cannot be opened ({error.strerror})")
                continue
            known = log.known()
            unnamed = [] if known is None else [one for path, one in files.items() if path not in known]
            entries += apart.entries
            self._tell_unnamed(unnamed)
            waiting |= apart.waiting | {one.relative for one in unnamed}
        return Apart(tuple(entries), frozenset(waiting))

    def _unread(self, tables: Collection[str], places: Iterable[Found]) -> dict[str, dict[str, Found]]:
        """Return the files of each table of which nothing was read, by their path below it."""
        files: dict[str, dict[str, Found]] = defaultdict(dict)
        for found in places if tables else ():
            if found.relative.endswith(".parquet") and self._is_unread(found):
                above = [table for table in tables if found.relative.startswith(table)]
                if above:
                    table = max(above, key=len)
                    files[table][found.relative.removeprefix(table)] = found
        return files

    def _is_unread(self, found: Found) -> bool:
        known = self._ledger.by_path.get(found.relative)
        return known is None or known.state in UNREAD or known.reason == REMOVED

    def _superseded(
        self, table: str, log: Log, files: Mapping[str, Found], there: Mapping[str, Found]
    ) -> Apart:
        def is_read(path: str) -> bool:
            entry = self._ledger.by_path.get(f"{table}{path}")
            return entry is not None and entry.offset > 0

        def is_sure(path: str) -> bool:
            entry = self._ledger.by_path.get(f"{table}{path}")
            return is_ahead(path) or (entry is not None and _is_whole(entry))

        def is_ahead(path: str) -> bool:
            entry, found = self._ledger.by_path.get(f"{table}{path}"), there.get(f"{table}{path}")
            if found is None or not found.size or not os.access(found.path, os.R_OK):
                return False
            return entry is None or _is_to_be_read(entry)

        commits, unread = log.commits(), frozenset(files.values())
        before = self._settled.get(table)
        if (
            before is not None
            and before[:2] == (len(commits), unread)
            and before[2].counted.isdisjoint(files)
        ):
            found = before[2]
        else:
            found = superseded(commits, is_read, is_sure)
            self._settled[table] = len(commits), unread, found
            self._tell(table, found)
        removed = [self._left_out(one) for path, one in files.items() if path in found.removed]
        part = (log.known() or frozenset()) - found.removed - found.counted
        back = [self._back(one) for path, one in files.items() if path in part]
        entries = [entry for entry in (*removed, *back) if entry is not None]
        counted = [one for path, one in files.items() if path in found.counted]
        if any(map(is_ahead, found.sources)):
            return Apart(tuple(entries), frozenset(one.relative for one in counted))
        accounted = (self._accounted(one) for one in counted)
        return Apart((*entries, *(entry for entry in accounted if entry is not None)), frozenset())

    def _tell_unnamed(self, files: Iterable[Found]) -> None:
        """Tell of the files of a table that no commit speaks of; there may be many."""
        newest = time.time_ns() - UNNAMED_S * 10**9
        known = self._ledger.by_path
        old = [one.relative for one in files if one.mtime_ns < newest and one.relative not in known]
        if old:
            others = f", nor {len(old) - 1:,} other files there" if len(old) > 1 else ""
            self._telling.unread(min(old), f"no commit of its Delta table names it{others}")

    def _tell(self, table: str, found: Superseded) -> None:
        """Tell of rows that may count twice."""
        name = table or self._root.name
        if found.rewritten:
            told = f"rows of the Delta table {name} were changed after they were read"
            twice = f"those without an id count twice where their file was written anew ({found.rewritten:,} so far)"
            self._telling.warn(table or LOG, f"{told}: {twice}")
        if found.repeated:
            told = f"files of the Delta table {name} went before all their rows were read"
            again = "what they were brought together into is read, too"
            twice = (
                f"rows without an id that were read before count twice (of {found.repeated:,} files so far)"
            )
            self._telling.warn(f"{table}{LOG} went", f"{told}: {again}, so that {twice}")

    def _left_out(self, found: Found) -> Entry | None:
        """Return an entry of a file that was taken out; None where there is one already."""
        known = self._ledger.by_path.get(found.relative)
        if known is not None and known.reason == REMOVED and known.state == "open" and known.unchanged(found):
            return None
        return replace(self._entry(found), reason=REMOVED)

    def _back(self, found: Found) -> Entry | None:
        """Return the entry of a file that is part of the table again, as of one that was gone: it is looked at anew."""
        known = self._ledger.by_path.get(found.relative)
        left_out = known is not None and known.reason == REMOVED and known.state == "open"
        return replace(known, state="gone") if known is not None and left_out else None

    def _entry(self, found: Found) -> Entry:
        return Entry(
            *(self._ledger.reserve(), found.relative, found.device, found.inode, found.size, found.mtime_ns),
            format="parquet",
            fingerprint=fingerprint(found.path, found.size),
        )

    def _accounted(self, found: Found) -> Entry | None:
        """Account for all rows of a file; None where it is none of Parquet."""
        import duckdb  # noqa: PLC0415

        name = file_literal(found.path)
        try:
            rows = number(self._connection, f"SELECT SUM(num_rows) FROM parquet_file_metadata({name})")
        except duckdb.Error:
            return None
        return replace(self._entry(found), offset=rows)


def _is_to_be_read(entry: Entry) -> bool:
    """Tell whether rows of a file are still to be read, if it is there."""
    return entry.reason == REMOVED or (entry.state == "open" and entry.mtime_ns == PART_READ)


def _is_whole(entry: Entry) -> bool:
    """Tell whether all rows of a file were read."""
    return entry.state == "open" and not _is_to_be_read(entry)
