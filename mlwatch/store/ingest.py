"""Take a log directory into the store: what is there now, and what is written to it later."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.config import Config
from mlwatch.sources.files import Found, discover
from mlwatch.sources.readers import Position, Segment, ShapeBook, UnreadableFileError, read_file
from mlwatch.sources.shapes import Shape, load_shape
from mlwatch.store import fold, notices
from mlwatch.store.ledger import Entry, Ledger
from mlwatch.store.reference import ensure_bins
from mlwatch.store.registry import Registry
from mlwatch.store.resolve import Plan, resolve
from mlwatch.store.transaction import Transaction, Work

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FIRST_BYTES = 8 << 20
"""The first batch is small, so that the screen has something to show at once."""
BLOCK_BYTES = 16 << 20
BATCH_BYTES = 192 << 20
"""Bytes of text a transaction takes in during a backfill: large enough for DuckDB to use every core."""
COMPACT_AFTER = 40
"""Batches between two compactions of the rollups."""
CHECKPOINT_BYTES = 32 << 20
"""A pass that took in more than this ends with a checkpoint, so that a restart replays little."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass over the directory has come, in bytes on disk."""

    bytes_done: int
    bytes_total: int
    batches: int
    rows: int = 0
    """Records that the latest batch took in."""
    lag_s: float | None = None
    """Seconds between the newest record of the batch and now."""


class Ingest:
    """The only writer of a store.

    Args:
        connection: A cursor that no other thread uses.
        root: The log directory, or a single file.
        config: Roles, business classes, what to include.
        on_batch: Called after each committed batch.
    """

    def __init__(
        self,
        connection: DuckDBPyConnection,
        root: Path,
        config: Config,
        on_batch: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._connection = connection
        self._root = root
        self._config = config
        self._on_batch = on_batch
        self._directory = Path(tempfile.mkdtemp(prefix="mlwatch-"))
        self.registry = Registry(connection)
        self.ledger = Ledger(connection)
        self._book = ShapeBook(root.resolve().name if root.is_dir() else root.resolve().parent.name, config.roles, self._shapes())
        self._transaction = Transaction(
            connection, self.registry, self.ledger, config, self._directory / f"spool-{os.getpid()}"
        )
        self._pending: dict[str, list[Work]] = {}
        self._pending_bytes = 0
        self._batches = 0
        self._since_compaction = 0
        self._done = 0
        self._total = 0
        self._stop = False

    def _shapes(self) -> dict[str, Shape]:
        rows = self._connection.execute(
            "SELECT key, document FROM shapes WHERE roles = ?", [self._roles_digest()]
        ).fetchall()
        return {key: load_shape(key, document) for key, document in rows}

    def _roles_digest(self) -> str:
        return repr(self._config.roles)

    def stop(self) -> None:
        """Ask a pass that runs in another thread to end after its present batch."""
        self._stop = True

    def close(self) -> None:
        """Remove the spool."""
        for path in self._directory.iterdir():
            path.unlink(missing_ok=True)
        self._directory.rmdir()

    def run_once(self) -> int:
        """Take in everything that is in the directory now; return how many batches that took."""
        started = self._batches
        plans = self._plan()
        self._total = sum(plan.found.size for plan in plans if not plan.moved)
        self._done = 0
        bytes_read = 0
        for plan in plans:
            if self._stop:
                break
            bytes_read += self._read(plan)
        self._flush_all()
        if self._batches != started and not self._stop:
            self._tidy(bytes_read)
        return self._batches - started

    def _plan(self) -> list[Plan]:
        plans: list[Plan] = []
        moved: list[Entry] = []
        for found in discover(self._root, self._config.watch.include, self._config.watch.exclude):
            try:
                plan = resolve(found, self.ledger)
            except OSError as error:
                self._note_unreadable(found, f"cannot be opened ({error.strerror})")
                continue
            if plan is not None and plan.moved:
                moved.append(plan.entry)
            elif plan is not None:
                plans.append(plan)
        self._write_entries(moved)
        return plans

    def _write_entries(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        self._connection.execute("BEGIN")
        for entry in entries:
            self.ledger.put(entry)
            if entry.state in {"skipped", "damaged"}:
                notices.post(self._connection, "warning", entry.path, f"{entry.path} is not read: {entry.reason}")
        self._connection.execute("COMMIT")

    def _note_unreadable(self, found: Found, reason: str) -> None:
        known = self.ledger.by_path.get(found.relative)
        if known is not None and known.reason == reason and known.unchanged(found):
            return
        number = known.file if known is not None else self.ledger.reserve()
        entry = known or Entry(
            *(number, found.relative, found.device, found.inode, found.size, found.mtime_ns, "")
        )
        seen = replace(entry, size=found.size, mtime_ns=found.mtime_ns, state="damaged", reason=reason)
        self._write_entries([seen])

    def _read(self, plan: Plan) -> int:
        """Read one file to its end; return the bytes of records that it gave."""
        entry, found, taken = plan.entry, plan.found, 0
        at = Position(entry.offset, entry.lines, entry.shape)
        done = self._done
        try:
            for segment in read_file(found, entry.format, at, self._book, self._connection, BLOCK_BYTES):  # type: ignore[arg-type]
                taken += segment.size
                self._add(Work(segment, entry))
                self._done = min(done + found.size, done + segment.end) if entry.format != "parquet" else self._done
                if self._stop:
                    break
        except UnreadableFileError as error:
            self._flush_all()
            self._note_unreadable(found, str(error))
        except OSError as error:
            self._flush_all()
            self._note_unreadable(found, f"cannot be read ({error.strerror})")
        else:
            if taken == 0 and not entry.unchanged(found):
                self._write_entries([entry])
        self._done = done + found.size
        return taken

    def _add(self, work: Work) -> None:
        segment = work.segment
        if segment.shape.format == "parquet":  # its rows are read where they are
            self._flush_all()
            self._take([work])
            return
        self._pending.setdefault(segment.shape.key, []).append(work)
        self._pending_bytes += segment.size
        if self._pending_bytes >= (BATCH_BYTES if self._batches else FIRST_BYTES):
            self._flush_all()

    def _flush_all(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, {}, 0
        for works in pending.values():
            self._take(works)

    def _take(self, works: Sequence[Work]) -> None:
        counts = self._transaction.take(works, self._book.shapes[works[0].segment.shape.key])
        self._save_shapes()
        if self._batches == 0 or not self.registry.fully_binned:
            ensure_bins(self._connection, self.registry)
        self._batches += 1
        self._since_compaction += 1
        newest = counts.newest.replace(tzinfo=UTC).timestamp() if counts.newest else None
        lag = time.time() - newest if newest is not None else None
        self._on_batch(Progress(self._done, self._total, self._batches, counts.rows, lag))

    def _save_shapes(self) -> None:
        for key in self._book.changed:
            self._connection.execute(
                "INSERT OR REPLACE INTO shapes VALUES (?, ?, ?)",
                [key, self._roles_digest(), self._book.shapes[key].document()],
            )
        self._book.changed.clear()

    def _tidy(self, bytes_read: int) -> None:
        if self._since_compaction >= COMPACT_AFTER or bytes_read > CHECKPOINT_BYTES:
            self._connection.execute("BEGIN")
            fold.compact(self._connection)
            self._connection.execute("COMMIT")
            self._since_compaction = 0
        if bytes_read > CHECKPOINT_BYTES:
            self._connection.execute("CHECKPOINT")
