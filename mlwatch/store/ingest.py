"""Take a log directory into the store: what is there now, and what is written to it later."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import chain
from typing import TYPE_CHECKING

from mlwatch.sources.marks import NO_MARKS
from mlwatch.sources.room import enlarge
from mlwatch.sources.shapebook import ShapeBook
from mlwatch.store import constraints, event_units, label_bins, rankings, slices, tasks
from mlwatch.store.binning import due, ensure_bins
from mlwatch.store.books import Books
from mlwatch.store.cuts import ENOUGH_ROWS
from mlwatch.store.database import cursor
from mlwatch.store.directory import Directory
from mlwatch.store.feeding import Feeder
from mlwatch.store.items import Batch, Seen, Trouble
from mlwatch.store.ledger import Entry, Ledger
from mlwatch.store.memory import recall
from mlwatch.store.registry import MAX_FEATURES, Registry
from mlwatch.store.shapes import KnownShapes
from mlwatch.store.spool import Spool
from mlwatch.store.telling import TOPICS, Telling
from mlwatch.store.transaction import ApartError, Transaction
from mlwatch.store.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.config.topics import Topics
    from mlwatch.store.batch import Counts
    from mlwatch.store.items import Item, Part
    from mlwatch.store.resolve import Plan
    from mlwatch.store.topics import TopicFeed
    from mlwatch.store.touched import Touched

PRESENT_PASSES = 3
"""Passes over what there is now: one finds all of it, the others what was rotated or written meanwhile."""


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
    touched: Touched | None = None
    """What the batch added to; None where that is not known."""


class Ingest:
    """The only writer of a store.

    Args:
        connection: A cursor that no other thread uses.
        root: The log directory, or a single file.
        config: Roles, business classes, what to include.
        on_batch: Called after each committed batch.
        on_plan: Called with the files that a pass reads, where there are any, and their bytes.
        topics: Topics of Kafka to read.
        files: Whether to read the directory.

    Raises:
        InputError: The topics cannot be read.
    """

    def __init__(
        self,
        connection: DuckDBPyConnection,
        root: Path,
        config: Config,
        on_batch: Callable[[Progress], None] = lambda _: None,
        topics: Topics | None = None,
        *,
        files: bool = True,
        on_plan: Callable[[int, int], None] = lambda _files, _bytes: None,
    ) -> None:
        self._connection = connection
        self._root = root
        self._config = config
        self._on_batch = on_batch
        self._on_plan = on_plan
        self._spool = Spool()
        self.registry = Registry(connection)
        tasks.place_rankings(connection, self.registry, config.outputs)
        tasks.begin(connection, self.registry, config.roles.task)
        self._grow()
        event_units.remember_rules(connection, config)
        self.ledger = Ledger(connection)
        self._shapes = KnownShapes(connection, config.roles)
        self._telling = Telling(connection)
        self._telling.end_doubts(config.roles)
        self._books = Books(connection, self.ledger, self._telling)
        self._directory = Directory(connection, root, config, self.ledger, self._books, self._telling)
        book = ShapeBook(self._directory.place, config.roles, self._shapes.by_key, recall)
        self._shapes.compare(self.ledger, book.root_name)
        self._telling.roles(self.roles_note)
        self._feeder = Feeder(book, cursor(connection), self._spool.path, lambda: self._stop)
        self._transaction = Transaction(connection, self.registry, self.ledger, config)
        self._batches = 0
        self._progress: Progress | None = None
        self._upkeep = Upkeep(connection)
        self._stop = False
        self._is_joined = False
        """Events of users are not known to be joined: an earlier run may have ended before it came to that."""
        self._overfull = False
        self._files = files
        self._topics = self._open(topics, book) if topics is not None else None

    def _open(self, topics: Topics, book: ShapeBook) -> TopicFeed:
        from mlwatch.store.topic_works import TopicWorks  # noqa: PLC0415  only few have topics
        from mlwatch.store.topics import TopicFeed  # noqa: PLC0415  the same

        works = TopicWorks(book, self._feeder.connection)
        return TopicFeed(topics, self.ledger, works, self._telling.warn, lambda: self._stop)

    @property
    def roles_note(self) -> str | None:
        """One sentence where files were read under other `[roles]`."""
        return self._shapes.told(self._root)

    def stop(self) -> None:
        """Ask a pass that runs in another thread to end after its present batch."""
        self._stop = True

    def close(self) -> None:
        """Remove the spool, and leave the cluster."""
        self._spool.close()
        if self._topics is not None:
            self._topics.close()

    def stop_at_present_end(self) -> None:
        """Read what there is now; what comes later in topics is left to the next run.

        Raises:
            InputError: The cluster does not answer.
        """
        if self._topics is not None:
            self._topics.stop_at_present_end()

    def follow(self) -> None:
        """Read on for ever, after `stop_at_present_end`."""
        if self._topics is not None:
            self._topics.follow()

    def read_present(self) -> None:
        """Take in what there is now, and what came while that was read, but follow no log that is being written."""
        for _ in range(PRESENT_PASSES):
            if not self.run_once(follows=False):
                break

    def run_once(self, *, follows: bool = True) -> int:
        """Take in everything that is in the directory now; return how many batches that took.

        Args:
            follows: Whether it is called again as the logs grow, so that what may be half written can wait.
        """
        started = self._batches
        plans = self._plans()
        total = sum(plan.found.size for plan in plans)
        bytes_read = self._read(plans, total, follows=follows)
        if not self._stop:
            self._end_reading(total)
        if not self._stop:
            self._finish(bytes_read, any_read=self._batches != started)
        return self._batches - started

    def _plans(self) -> list[Plan]:
        """Return which files are to be read."""
        plans = self._directory.plans() if self._files else []
        if plans:
            self._on_plan(len(plans), sum(plan.found.size for plan in plans))
        return plans

    def _read(self, plans: Sequence[Plan], total: int, *, follows: bool) -> int:
        """Take in what files and topics hold; return how many bytes that were.

        Args:
            plans: The files.
            total: Their bytes on disk.
            follows: See `run_once`.
        """
        bytes_read = 0
        seen: list[Entry] = []
        with contextlib.closing(self._feeder.items(plans, follows=follows)) as items:
            for item in chain(items, self._messages()):
                match item:
                    case Batch():
                        self._take(item, total)
                        bytes_read += sum(work.segment.size for work in item.works)
                    case Seen(entry):
                        seen.append(entry)
                    case Trouble(found, reason, lasting):
                        if lasting:
                            self._books.note_damaged(found, reason)
                        else:
                            self._telling.unread(found.relative, reason)
                if self._stop:
                    break
        # what waits is seen each time
        self._books.write([entry for entry in seen if entry != self.ledger.entries.get(entry.file)])
        return bytes_read

    def _end_reading(self, total: int) -> None:
        """Take in what only the end of a pass shows to be due, and tell what is over, or still missing."""
        for item in self._feeder.left_over(self.ledger):
            if isinstance(item, Batch):
                self._take(item, total)
        if self._files:
            self._books.end_unread(self._directory.listed)
        self._telling.absent(self._config.roles, [shape.mapping for shape in self._shapes.by_key.values()])

    def _finish(self, bytes_read: int, *, any_read: bool) -> None:
        """Do what is due once everything is read."""
        if any_read or not self._is_joined:
            self._join_by_unit()
        if any_read:
            rankings.tell_mixed(self._connection)
            self._upkeep.end_pass(bytes_read)

    def _messages(self) -> Iterator[Item]:
        """Yield what the topics give."""
        if self._topics is None:
            return
        self._books.write(self._topics.entries())
        yield from self._feeder.gather(self._topics.works())
        self._books.write(self._topics.entries())
        self._telling.trouble(TOPICS, self._topics.trouble)

    def _take(self, batch: Batch, total: int) -> None:
        """Take a batch in: its parts together as far as they go together, the others one after another."""
        waiting = deque(self._transaction.alike(batch.parts))
        while waiting:
            parts = waiting.popleft()
            try:
                self._take_parts(parts, batch.done_but(chain.from_iterable(waiting)), total)
            except ApartError:
                waiting.extendleft((part,) for part in reversed(parts))

    def _take_parts(self, parts: tuple[Part, ...], bytes_done: int, total: int) -> None:
        with self._upkeep.noting() as touched:
            counts = self._take_in(parts)
        if counts is None:
            return
        self._batches += 1
        self._upkeep.count_batch()
        newest = counts.newest.replace(tzinfo=UTC).timestamp() if counts.newest else None
        lag = time.time() - newest if newest is not None else None
        if self._topics is not None:
            total += self._topics.expected_bytes
        self._progress = Progress(bytes_done, total, self._batches, counts.rows, lag, touched)
        self._on_batch(self._progress)

    def _join_by_unit(self) -> None:
        """Join the events that waited for everything to be read; see `event_units`."""
        self._is_joined = True
        with self._upkeep.noting() as touched:
            joined = self._transaction.join_by_unit()
        if joined and self._progress is not None:
            self._on_batch(replace(self._progress, rows=0, touched=touched))

    def _take_in(self, parts: tuple[Part, ...]) -> Counts | None:
        """Take parts in, and do what is due after it; None where one cannot be taken.

        Raises:
            ApartError: Several are to be taken one by one.
        """
        import duckdb  # noqa: PLC0415

        try:
            counts = self._transaction.take(parts)
        except duckdb.OutOfMemoryException as error:  # thousands of columns, perhaps
            if enlarge(self._connection):
                return self._take_in(parts)
            self._refuse(parts, error)
            return None
        except (duckdb.DataError, duckdb.ProgrammingError, RuntimeError) as error:
            self._refuse(parts, error)
            return None
        for part in parts:
            if part.shape.format != "parquet":
                self._feeder.give_back(part.spool)
            self._say_doubtful(part)
            self._shapes.save(part.shape)
        self._say_refused()
        self._grow()
        if self._batches == 0 or not self.registry.fully_binned or due(self._connection, self.registry):
            self.settle()
        else:
            with self._in_step():
                label_bins.ensure(self._connection, self.registry)
                constraints.ensure(self._connection, self.registry, self._config)
        return counts

    def _grow(self) -> None:
        """Look again at what the models are for, where nobody has said that."""
        if self._config.roles.task is None and tasks.outgrown(self.registry):
            with self._in_step():
                tasks.grow(self._connection, self.registry, self._config.outputs)

    def _refuse(self, parts: tuple[Part, ...], error: Exception) -> None:
        """Name the files of a part that cannot be taken in at all."""
        if len(parts) > 1:
            raise ApartError from error
        self._books.set_aside(parts[0].works, error)

    def settle(self, enough: int = ENOUGH_ROWS) -> None:
        """Cut the bins and choose the segments that are due, and count again what hangs on them.

        Args:
            enough: Without a reference, bins need so many rows.
        """
        with self._upkeep.noting(), self._in_step():
            tasks.ensure(self._connection, self.registry, self._config.roles.task, self._config.outputs)
            ensure_bins(self._connection, self.registry, enough=enough)
            label_bins.ensure(self._connection, self.registry, enough=min(enough, label_bins.ENOUGH))
            slices.ensure(
                *(self._connection, self.registry, self._config.segments, self._config.outputs),
                self._config.rollout.unit,
            )
            constraints.ensure(self._connection, self.registry, self._config)

    @contextlib.contextmanager
    def _in_step(self) -> Iterator[None]:
        """Where what is done inside fails, remember nothing of what was not written down either."""
        try:
            yield
        except BaseException:
            self.registry.reload()
            raise

    def _say_refused(self) -> None:
        """Tell once that there are more features than are taken."""
        if self.registry.refused and not self._overfull:
            self._overfull = True
            refused = f"{len(self.registry.refused):,} are not taken"
            self._telling.warn(
                "features", f"more than {MAX_FEATURES:,} features: {refused}; choose with [roles] features"
            )

    def _say_doubtful(self, part: Part) -> None:
        """Tell of the first file of a kind which columns, and which marks in its numbers, may be read wrongly."""
        shape, path = part.shape, part.works[0].entry.path
        known = self._shapes.by_key.get(shape.key)
        self._telling.doubtful(shape.mapping, path, known.mapping if known is not None else None)
        marks = shape.dialect.marks if shape.dialect is not None else NO_MARKS
        if marks.doubtful and known is None:
            mark, number = marks.decimal, marks.doubtful
            told = f"nothing tells whether numbers such as {number} have decimals or thousands behind the {mark!r}"
            self._telling.warn(path, f"{path}: {told}; they are read as decimals")
