"""What becomes of files and topics beside the batches: written into the ledger and told in one go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing
from mlwatch.errors import reason_of
from mlwatch.store import notices
from mlwatch.store.ledger import PARTITION, UNREAD, Entry, Ledger

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.files import Found
    from mlwatch.store.items import Work
    from mlwatch.store.telling import Telling


class Books:
    """Write down what is not read, and why.

    Args:
        connection: Of the ingest thread.
        ledger: What was read of each file.
        telling: What people were told.
    """

    def __init__(self, connection: DuckDBPyConnection, ledger: Ledger, telling: Telling) -> None:
        self._connection, self._ledger, self._telling = connection, ledger, telling

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries of the ledger, and tell of those that say that a file is not read."""
        if not entries:
            return
        try:
            with all_or_nothing(self._connection):
                self._ledger.put(entries)
                unread = [entry for entry in entries if entry.state in UNREAD]
                for entry in unread[-notices.LIMIT :]:  # more would push out each other
                    self._telling.unread(entry.path, entry.reason or "", partly=entry.offset > 0)
        except BaseException:
            self._ledger.reload()
            self._telling.reload()
            raise

    def end_unread(self, listed: Collection[str]) -> None:
        """Say no more of a file that it is not read once it was, or is gone.

        Args:
            listed: Relative paths of the files that are there.
        """
        gone = [entry for entry in self._ledger.unread if entry.path not in listed]
        self.write([replace(entry, state="gone") for entry in gone])
        self._telling.end_unread(self._ledger.is_unread)

    def note_damaged(self, found: Found, reason: str) -> None:
        """Remember a file whose content is wrong; it is tried again when it changes."""
        known = self._ledger.by_path.get(found.relative)
        number = known.file if known is not None else self._ledger.reserve()
        entry = known or Entry(
            *(number, found.relative, found.device, found.inode, found.size, found.mtime_ns, "")
        )
        seen = replace(entry, size=found.size, mtime_ns=found.mtime_ns, state="damaged", reason=reason)
        self.write([seen])

    def set_aside(self, works: Sequence[Work], error: Exception) -> None:
        """Name the files of a batch that cannot be taken in at all, so that the others go on."""
        reason = f"its records cannot be taken in ({reason_of(error)})"
        for work in works:
            if work.entry.format == PARTITION:
                self._leave_out(work, reason)
        for found in {work.segment.found for work in works if work.entry.format != PARTITION}:
            self.note_damaged(found, reason)

    def _leave_out(self, work: Work, reason: str) -> None:
        """Pass over messages that cannot be taken in: their partition goes on behind them."""
        entry, segment = self._ledger.entries[work.entry.file], work.segment
        left = segment.lines + len(segment.refused)
        self.write([replace(entry, offset=segment.end, rejected=entry.rejected + left)])
        where = f"{entry.path} from {segment.start:,} to {segment.end - 1:,}"
        self._telling.warn(entry.path, f"{where} is left out: {reason}")
