"""Read planned files into batches, in a thread of its own when there is much to read.

Reading and taking in then overlap.
"""

from __future__ import annotations

import math
import queue
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.errors import reason_of
from mlwatch.sources.importing import Native, left_over
from mlwatch.sources.messages import NO_MARK
from mlwatch.sources.readers import may_wait, read_file
from mlwatch.sources.segments import (
    Piece,
    Position,
    Searched,
    Spooled,
    UnendedLineError,
    UnreadableFileError,
)
from mlwatch.sources.streams import FileMovedError
from mlwatch.store.items import Batch, Part, Seen, Trouble, Work
from mlwatch.store.ledger import PART_READ, PARTITION
from mlwatch.store.natives import Natives
from mlwatch.store.spool import laying_down

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.files import Format
    from mlwatch.sources.segments import Segment
    from mlwatch.sources.shapebook import ShapeBook
    from mlwatch.store.items import Item
    from mlwatch.store.ledger import Entry, Ledger
    from mlwatch.store.resolve import Plan

FIRST_BYTES = 4 << 20
"""The first batch is small, so that the screen has something to show at once; the next ones are whole."""
BLOCK_BYTES = 2 << 20
"""Small enough to stay in a core's cache from reading to laying down."""
BATCH_BYTES = 256 << 20
"""Bytes of text a transaction takes in during a backfill: enough rows for DuckDB to use every core, and to fill
whole row groups. A last batch of less than half of that is taken in with the one before."""
TOGETHER_BYTES = 8 << 20
"""Kinds with less than this are taken in together: what a batch costs beside its records is worth some thousands."""
QUIET_BYTES = 1 << 20
"""Less than this is read without a thread."""


class Feeder:
    """Turn plans into batches.

    Args:
        book: Shapes; used by the reading thread alone while it runs.
        connection: A cursor for looking into Parquet files, used by the reading thread alone.
        directory: For spool files.
        stopped: Asked between blocks.
    """

    def __init__(
        self, book: ShapeBook, connection: DuckDBPyConnection, directory: Path, stopped: Callable[[], bool]
    ) -> None:
        self._book = book
        self.connection = connection
        """Where native records are rewritten and wait for their other halves."""
        self._directory = directory
        self._stopped = stopped
        self._pending: dict[str, list[Work]] = {}
        self._tables: list[Part] = []
        """Pieces of Parquet files, whose rows are read where they are."""
        self._table_bytes = 0
        self._files: dict[str, _SpoolFile] = {}
        self._free: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._made = 0
        self._natives = Natives(book, connection)
        self._follows = True
        self._searched: dict[str, Searched] = {}
        """Of files that end with a line that is too long."""
        self._imported: dict[str, Work] = {}
        """The latest piece of a file of each log format."""
        self._pending_bytes = 0
        self._batches = 0
        self._done = self._handed = 0
        """Bytes on disk that are read, and those of them that are handed out."""
        self._total = 0

    def items(self, plans: Sequence[Plan], *, follows: bool = True) -> Generator[Item]:
        """Yield what the planned files give, in an order in which each file's pieces follow each other.

        To be closed before it is called again.

        Args:
            plans: The files.
            follows: Whether they are read again as they grow.
        """
        self._follows = follows
        self._forget_files()
        self._reclaim()
        self._total = sum(plan.found.size for plan in plans)
        if self._total < QUIET_BYTES:
            return self._read_all(plans)
        # the C library gives freed memory back, to be cleared page by page for the next block, unless as much was freed
        bytearray(4 * BLOCK_BYTES)
        return ahead(self._read_all(plans))

    def gather(self, groups: Iterable[Sequence[Work]]) -> Iterator[Item]:
        """Yield batches of what comes from elsewhere than files, so that what one entry is about stays in order.

        Where the groups break off with an error, what was laid down is handed out by the next `items`: before anything
        is read again, for halves of requests may have met in it.

        Args:
            groups: Each is to be taken in together, and of one kind.
        """
        kinds: dict[int, str] = {}
        for works in groups:
            fresh = {work.entry.file: work.segment.shape.key for work in works}
            if any(kinds.get(file, key) != key for file, key in fresh.items()):
                yield from self._flush()  # kinds are taken in apart: the former ones first
                kinds = {}
            kinds |= fresh
            self._done += sum(work.segment.length for work in works)
            yield from self._add(works)
        yield from self._flush()

    def _read_all(self, plans: Sequence[Plan]) -> Generator[Item]:
        self._done = self._handed = 0
        for plan in plans:
            if self._stopped():
                return
            yield from self._read(plan)
        yield from self._rewrite()
        yield from self._flush()

    def _read(self, plan: Plan) -> Iterator[Item]:
        entry, found, taken, before = plan.entry, plan.found, 0, self._done
        searched = self._searched.pop(found.relative, None)
        at = Position(entry.offset, entry.lines, entry.shape, entry.fingerprint, searched)
        try:
            form: Format = entry.format  # type: ignore[assignment]
            how = (self._book, self.connection, BLOCK_BYTES)
            pieces = read_file(found, form, at, *how, follows=self._follows)
            for read, is_last in _until_last(pieces):
                taken += 1
                end = read.piece.end if isinstance(read, Native) else read.end
                if entry.format != "parquet":
                    self._done = before + min(found.size, end)
                whole = is_last and not may_wait(found, form, end)
                yield from self._take(read, entry if whole else replace(entry, mtime_ns=PART_READ))
                if self._stopped():
                    return
        except (FileMovedError, FileNotFoundError):
            pass  # the next scan finds what is where now
        except UnreadableFileError as error:
            if isinstance(error, UnendedLineError):
                self._searched[found.relative] = error.searched
            yield from self._rewrite()  # before the trouble is noted, in the entry that what is good made
            yield from self._flush()
            yield Trouble(found, str(error))
        except Exception as error:  # noqa: BLE001  what nobody foresaw in one file must not keep the others
            yield from self._flush()
            reason = getattr(error, "strerror", None) or reason_of(error)
            yield Trouble(found, f"cannot be read ({reason})", lasting=False)
        else:
            if taken == 0:
                waits = may_wait(found, form, entry.offset)
                yield Seen(replace(entry, mtime_ns=PART_READ) if waits else entry)
        self._done = before + found.size

    def left_over(self, ledger: Ledger) -> Iterator[Item]:
        """Yield requests that wait for their response in vain, or the reverse, booked with a file of their format."""
        for work in list(self._imported.values()):
            entry = ledger.by_path.get(work.entry.path)
            importer = work.segment.importer
            if entry is None or entry.file != work.entry.file or importer is None:
                continue  # that file is gone or another by now: the next one that is read will do
            mark = NO_MARK if entry.format == PARTITION else entry.fingerprint
            if mark is None:
                continue
            at = Piece(*(work.segment.found, entry.offset, entry.offset, entry.lines + 1, 0, mark, b""))
            segment = left_over(importer, at, self._book, self.connection)
            if segment is not None:
                yield from self._add([Work(segment, entry)])
        yield from self._flush()

    def _take(self, read: Segment | Native, entry: Entry) -> Iterator[Item]:
        if not isinstance(read, Native):
            yield from self._add([Work(read, entry)])
        elif self._natives.add(read, entry):
            yield from self._rewrite()

    def _rewrite(self) -> Iterator[Item]:
        """Rewrite the native records that were read."""
        for found in self._natives.rewrite():
            if isinstance(found, tuple):
                yield Trouble(*found)
            else:
                yield from self._add([Work(segment, entry) for segment, entry in found])

    def _add(self, works: Sequence[Work]) -> Iterator[Item]:
        """Lay segments down that are to be taken in together."""
        segment = works[0].segment
        if segment.shape.format == "parquet":
            table = Part(tuple(works), segment.shape, segment.found.path)
            self._tables.append(table)
            self._table_bytes += table.size
            self._pending_bytes += table.size
            is_due = self._table_bytes >= TOGETHER_BYTES or self._is_due()
        else:
            for work in works:
                self._lay_down(work)
            is_due = self._is_due()
        if is_due:
            yield from self._flush()

    def _is_due(self) -> bool:
        """Tell whether what was laid down makes a batch, so that no small one is left at the end."""
        enough = BATCH_BYTES if self._batches else FIRST_BYTES
        if self._pending_bytes < enough:
            return False
        return self._total - self._done > enough // 2 or self._pending_bytes >= enough + enough // 2

    def _lay_down(self, work: Work) -> None:
        segment = work.segment
        if segment.importer is not None:
            self._imported[segment.importer.name] = work
        key = segment.shape.key
        laid = replace(work, segment=self._spool(key, segment))  # fails on a full disk, before anything waits
        self._pending.setdefault(key, []).append(laid)
        self._pending_bytes += segment.length

    def _spool(self, key: str, segment: Segment) -> Segment:
        """Lay a segment's text down behind its batch's other text."""
        spool = self._files.get(key)
        if spool is None:
            spool = self._files[key] = _SpoolFile(self._spool_path())
        offset = spool.append(segment.data())
        return replace(segment, text=Spooled(spool.path, offset, segment.length))

    def _spool_path(self) -> Path:
        """Return a file that is free again, or a new one: pages that are there already are cheap to write."""
        try:
            return self._free.get_nowait()
        except queue.Empty:
            self._made += 1
            return self._spool_file(self._made)

    def _spool_file(self, number: int) -> Path:
        return self._directory / f"{number}.spool"

    def _forget_files(self) -> None:
        """Drop what a failure left behind of files, which are read again.

        What an importer made is kept: halves of requests may have met in it.
        """
        self._natives.forget()
        self._pending_bytes -= self._table_bytes
        self._tables, self._table_bytes = [], 0
        for key, works in list(self._pending.items()):
            if all(work.segment.importer is None and work.entry.format != PARTITION for work in works):
                del self._pending[key]
                self._files.pop(key).close()
                self._pending_bytes -= sum(work.segment.length for work in works)

    def _reclaim(self) -> None:
        """Take back the spool files of batches that could not be taken in: they are read again."""
        laid_down = {spool.path for spool in self._files.values()}
        self._free = queue.SimpleQueue()
        for number in range(1, self._made + 1):
            if (path := self._spool_file(number)) not in laid_down:
                self._free.put(path)

    def give_back(self, spool: Path) -> None:
        """Take a spool file back whose batch is through; may be called from another thread."""
        self._free.put(spool)

    def _flush(self) -> Iterator[Item]:
        """Hand out what was laid down; of the bytes on disk, each batch counts by its share of the text."""
        pending, tables, files, left = self._pending, self._tables, self._files, self._pending_bytes
        self._pending, self._tables, self._files = {}, [], {}
        self._pending_bytes = self._table_bytes = 0
        per_byte = (self._done - self._handed) / max(1, left)
        self._handed = self._done
        texts = [
            Part(tuple(works), self._book.shapes[key], files[key].close()) for key, works in pending.items()
        ]
        for parts in _together([*texts, *tables]):
            left -= sum(part.size for part in parts)
            self._batches += 1
            yield Batch(parts, self._done - math.ceil(left * per_byte), per_byte)


def _together(parts: Sequence[Part]) -> list[tuple[Part, ...]]:
    """Gather parts that are to be taken in together: the small ones, but for labels, whose order among files counts."""
    groups: list[list[Part]] = []
    small: list[Part] = []
    size = 0
    for part in parts:
        if part.size >= TOGETHER_BYTES or "label" in part.shape.mapping.roles:
            groups.append([part])
            continue
        if not small or size >= TOGETHER_BYTES:
            groups.append(small := [])
            size = 0
        small.append(part)
        size += part.size
    return [tuple(group) for group in groups]


def _until_last(pieces: Iterator[Segment | Native]) -> Iterator[tuple[Segment | Native, bool]]:
    """Yield what a file gives, and whether that is the last of it; nothing is where the reading breaks off."""
    before: Segment | Native | None = None
    try:
        for piece in pieces:
            if before is not None:
                yield before, False
            before = piece
    except Exception:
        if before is not None:
            yield before, False
        raise
    if before is not None:
        yield before, True


class _SpoolFile:
    """A spool file that is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)

    def append(self, data: bytes) -> int:
        """Write data behind what is there and return where it begins."""
        offset = self._file.tell()
        view = memoryview(data)
        with laying_down(self.path):
            while view:
                view = view[self._file.write(view) :]
        return offset

    def close(self) -> Path:
        """Cut off what an earlier batch left behind, and return the path."""
        self._file.truncate()
        self._file.close()
        return self.path


def ahead(items: Iterator[Item]) -> Generator[Item]:
    """Yield from an iterator that runs one item ahead in a thread of its own."""
    buffer: queue.Queue[Item | BaseException | None] = queue.Queue(maxsize=1)
    closed = threading.Event()

    def put(item: Item | BaseException | None) -> bool:
        while not closed.is_set():
            try:
                buffer.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001  raised again where the items are used
            put(error)

    thread = threading.Thread(target=produce, name="mlwatch-read", daemon=True)
    thread.start()
    try:
        while (item := buffer.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        closed.set()
        thread.join()
