"""The ingest transaction: rows, rollups, quarantine and ledger change together, or not at all."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, is_there, number
from mlwatch.roles.names import rank
from mlwatch.sources.sql import identifier
from mlwatch.store import (
    batch,
    constraints,
    event_units,
    events,
    fold,
    memory,
    outcomes,
    rankings,
    retention,
    slices,
    straight,
    unread,
)
from mlwatch.store.cuts import ENOUGH_ROWS
from mlwatch.store.loading import Loader, filled_lines, load_together
from mlwatch.store.meanings import features_kept
from mlwatch.store.schema import BASE_COLUMNS
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.sources.canonical import Slot
    from mlwatch.sources.segments import Segment
    from mlwatch.sources.shapes import Shape
    from mlwatch.store.batch import Counts
    from mlwatch.store.feature_rollup import Requests
    from mlwatch.store.items import Part, Work
    from mlwatch.store.ledger import Entry, Ledger
    from mlwatch.store.registry import Registry

QUARANTINE_ROWS = 10_000
"""Rejected records whose text is kept, the newest ones; all are counted."""


class ApartError(Exception):
    """Parts do not go together after all."""


class Transaction:
    """Take batches in, each exactly once.

    Args:
        connection: Of the ingest thread alone.
        registry: Features and models.
        ledger: Files.
        config: Roles, business classes.
    """

    def __init__(
        self, connection: DuckDBPyConnection, registry: Registry, ledger: Ledger, config: Config
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._ledger = ledger
        self._config = config
        self._batch = number(connection, "SELECT COALESCE(MAX(batch), 0) FROM batches") + 1
        self._patience: dict[str, int] = {}
        """Batches of a kind of file that are taken carefully before the short way is tried again."""
        self._models_of: dict[str, frozenset[str]] = {}
        """Models in files of a kind, where that tells which feature a column is."""

    def take(self, parts: Sequence[Part]) -> Counts:
        """Take segments into the store.

        Args:
            parts: Of one kind each; several where they are `alike`.

        Raises:
            ApartError: They are to be taken one by one.
        """
        counts = self._take_one(parts[0]) if len(parts) == 1 else self._take_together(parts)
        self._batch += 1
        return counts

    def alike(self, parts: Sequence[Part]) -> list[tuple[Part, ...]]:
        """Gather the parts that go together: requests that tell the same features, and what has no features."""
        found: dict[frozenset[str], list[Part]] = {}
        plain: list[Part] = []
        for part in parts:
            named = frozenset(feature.name for feature in features_kept(part.shape, self._config.outputs))
            if named or part.shape.predicts:
                found.setdefault(named, []).append(part)
            else:
                plain.append(part)
        groups = [*found.values()] or [[]]
        groups[-1] += plain
        return [tuple(group) for group in groups if group]

    def _take_one(self, part: Part) -> Counts:
        loader, slots = self._prepared(part)
        counts = self._take_straight(part, loader, slots)
        if counts is None:
            loader.load(part.segments)
            counts = self._take_loaded(part.works, slots, in_order=loader.in_order)
        return counts

    def _take_together(self, parts: Sequence[Part]) -> Counts:
        """Take several small parts in as one."""
        prepared = sorted(((*self._prepared(part), part) for part in parts), key=lambda each: -len(each[1]))
        _, slots, _ = prepared[0]
        if any(
            {slot.number for slot in own} != {slot.number for slot in slots} for _, own, _ in prepared if own
        ):
            self._registry.reload()  # without the features that each alone may not have
            raise ApartError
        load_together(self._connection, [(loader, part.segments) for loader, _, part in prepared])
        works = [work for part in parts for work in part.works]
        if not self._is_plain(works):
            raise ApartError
        return self._take_loaded(works, slots, in_order=False)

    def _is_plain(self, works: Sequence[Work]) -> bool:
        """Tell whether each line is a record whose numbers can be read: else it is told file by file what is not so."""
        loaded = number(
            self._connection, "SELECT (SELECT COUNT(*) FROM batch) + (SELECT COUNT(*) FROM rejects)"
        )
        unread = is_there(self._connection, "batch WHERE unread_number IS NOT NULL")
        return not unread and loaded == sum(work.segment.lines for work in works)

    def _prepared(self, part: Part) -> tuple[Loader, list[Slot]]:
        """Return what loads a part, and the store's columns for its features."""
        shape = part.shape
        kept = features_kept(shape, self._config.outputs)
        shape = replace(shape, mapping=replace(shape.mapping, features=kept))
        slots = self._registry.slots(shape.mapping.features, lambda: self._models(part, shape))
        return self._loader(shape, slots, part.spool), slots

    def _loader(self, shape: Shape, slots: Sequence[Slot], spool: Path) -> Loader:
        return Loader(
            *(self._connection, shape, slots, self._config.roles.timezone, spool),
            by_unit=self._config.business.by_unit is not None,
            own_ids=self._config.roles.id is None and _names_events(shape),
        )

    def _models(self, part: Part, shape: Shape) -> frozenset[str]:
        """Return whose requests files of a kind hold, by the first segments of which that was asked."""
        if not self._models_of.get(shape.key):
            self._loader(shape, (), part.spool).load(part.segments)
            self._models_of[shape.key] = frozenset(batch.models(self._connection))
        return self._models_of[shape.key]

    def join_by_unit(self) -> bool:
        """Join the events that name users to their predictions, once everything is read; tell whether any were."""
        window = self._config.business.by_unit
        if window is None or not event_units.are_due(self._connection):
            return False
        with self._all_or_nothing():
            return event_units.join(self._connection, self._config, window)

    def _take_straight(self, part: Part, loader: Loader, slots: Sequence[Slot]) -> Counts | None:
        """Take a large batch of plain new predictions the short way; None where it is not one."""
        segments, shape = part.segments, part.shape
        patience = self._patience.get(shape.key, 0)
        if patience or not self._registry.saved or not straight.suits(segments, shape):
            self._patience[shape.key] = max(0, patience - 1)
            return None
        try:
            with self._all_or_nothing():
                requests = loader.insert(segments, slots)
                counts = self._fold_requests(batch.count(self._connection, 0), slots, requests)
                self._account(part.works, counts)
        except straight.NotPlainError:
            self._patience[shape.key] = straight.PATIENCE
            return None  # rolled back: `batch` is again what it was, the table of a batch before or nothing
        straight.forget(self._connection)
        return counts

    def _take_loaded(self, works: Sequence[Work], slots: Sequence[Slot], *, in_order: bool) -> Counts:
        """Take in what was loaded, which may be anything."""
        came = max(work.segment.found.mtime_ns for work in works)
        with self._all_or_nothing():
            self._registry.save_new()
            duplicates = batch.mark_duplicates(self._connection)
            counts = self._fold_requests(batch.count(self._connection, duplicates), slots)
            counts = self._fold_outcomes(counts, outcomes.Order(came, in_order=in_order))
            counts = self._fold_events(counts)
            self._quarantine(counts)
            unread.tell(self._connection, works[0].segment.found.relative)
            self._account(works, counts)
        return counts

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Commit what is done inside; where that fails, what is known in memory is what the store knows, too."""
        try:
            with all_or_nothing(self._connection):
                yield
        except BaseException:
            self._registry.reload()
            self._ledger.reload()
            raise

    def _fold_requests(self, counts: Counts, slots: Sequence[Slot], stored: Requests | None = None) -> Counts:
        """Store and roll up the batch's requests; return the counts with what waited for them.

        Args:
            counts: Of the batch.
            slots: The features.
            stored: Where its requests are, if they are stored already.
        """
        if not counts.predictions:
            return counts
        retention.tell_late(self._connection)
        models = fold.learn(
            self._connection,
            self._registry,
            [(slot.number, slot.column) for slot in slots],
            self._config.roles.task,
        )
        if stored is None:
            columns = ", ".join([*BASE_COLUMNS, *(identifier(slot.column) for slot in slots)])
            self._connection.execute(
                f"INSERT INTO predictions ({columns}) SELECT {columns} FROM batch WHERE is_request"
            )
        numbers = [slot.number for slot in slots]
        fold.fold_requests(
            *(self._connection, self._registry, numbers, models, stored or batch.REQUESTS),
            settings=self._config.outputs,
            parts=(parts := self._parts().of(numbers)),
            unbinned=not self._bins_follow(),
        )
        constraints.count_batch(self._connection, self._registry, self._config, numbers)
        any_scored, late_labels = outcomes.score_requests(self._connection, parts)
        if any_scored:
            fold.fold_scored(self._connection, self._registry, parts, self._config.outputs)
        rankings.fold(
            *(self._connection, self._registry, self._config.outputs, "requests", numbers), scored=any_scored
        )
        if self._config.business.by_unit is not None:
            event_units.note(self._connection)
        any_gains, late_events = events.gain_requests(self._connection, self._config)
        if any_gains:
            fold.fold_gains(self._connection)
        return replace(counts, outcomes_unmatched=-late_labels, events_unmatched=-late_events)

    def _fold_outcomes(self, counts: Counts, order: outcomes.Order) -> Counts:
        """Store the batch's outcomes and roll up what they change; return the counts with what the join found.

        Args:
            counts: Of the batch, whose requests are stored.
            order: Of its outcomes.
        """
        if not is_there(self._connection, "batch WHERE is_outcome"):
            return counts
        parts = self._parts()
        any_scored, again, unmatched = outcomes.take_outcomes(self._connection, parts, order)
        if any_scored:
            fold.fold_scored(self._connection, self._registry, parts, self._config.outputs)
            rankings.fold(self._connection, self._registry, self._config.outputs)
        counts = replace(
            counts,
            outcomes=counts.outcomes - again,
            outcomes_unmatched=counts.outcomes_unmatched + unmatched,
        )
        return _repeated(counts, again)

    def _fold_events(self, counts: Counts) -> Counts:
        """Store the batch's events and roll up what they bring; return the counts with what the join found."""
        if not counts.events:
            return counts
        again, unmatched = events.take_events(self._connection, self._config)
        fold.fold_gains(self._connection)
        counts = replace(
            counts, events=counts.events - again, events_unmatched=counts.events_unmatched + unmatched
        )
        return _repeated(counts, again)

    def _parts(self) -> slices.Columns:
        return slices.columns(self._connection, self._registry, settings=self._config.outputs)

    def _bins_follow(self) -> bool:
        """Tell whether this is the first batch and large enough for bins to be cut after it at once."""
        return (
            self._batch == 1 and number(self._connection, "SELECT COUNT(*) FROM predictions") >= ENOUGH_ROWS
        )

    def _quarantine(self, counts: Counts) -> None:
        """Keep the text of the newest rejected records, up to a bound; the counts are kept in any case."""
        if not counts.rejected:
            return
        held = number(self._connection, "SELECT COUNT(*) FROM quarantine")
        over = held + min(counts.rejected, QUARANTINE_ROWS) - QUARANTINE_ROWS
        if over > 0:
            self._connection.execute(
                """DELETE FROM quarantine WHERE rowid IN (
                    SELECT rowid FROM quarantine ORDER BY seen_at, file, line LIMIT ?)""",
                [over],
            )
        self._connection.execute(
            f"""INSERT INTO quarantine SELECT ?, * FROM (
                FROM rejects ORDER BY file DESC, line DESC LIMIT {QUARANTINE_ROWS}) ORDER BY file, line""",
            [now_in_store()],
        )

    def _account(self, works: Sequence[Work], counts: Counts) -> None:
        memory.carry(self._connection, (one for work in works for one in work.segment.carried))
        memory.count_unseen(self._connection, (one for work in works for one in work.segment.sampled))
        rejected = dict(
            self._connection.execute("SELECT file, COUNT(*) FROM rejects GROUP BY file").fetchall()
            if counts.rejected
            else []
        )
        exact = counts.records == sum(work.segment.lines for work in works)
        entries = []
        for entry, segments in _by_file(works):
            known, last = self._ledger.entries.get(entry.file, entry), segments[-1]
            records = counts.records
            if len(works) > 1:
                records = sum(part.lines if exact else _records(part) for part in segments)
            entries.append(
                replace(
                    entry,
                    offset=last.end,
                    lines=last.first_line - 1 + last.lines,
                    records=known.records + records,
                    rejected=known.rejected + rejected.get(last.found.relative, 0),
                    fingerprint=last.fingerprint,
                    shape=last.shape.key,
                )
            )
        self._ledger.put(entries)
        tables = {work.segment.found for work in works if work.segment.shape.format == "parquet"}
        size = sum(work.segment.length for work in works) + sum(found.size for found in tables)
        self._connection.execute(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(
                    self._batch,
                    now_in_store(),
                    size,
                    counts.records,
                    counts.rows,
                    counts.predictions,
                    counts.outcomes,
                ),
                *(counts.events, counts.rejected, counts.duplicates, counts.outcomes_unmatched),
                *(counts.events_unmatched, counts.newest),
            ],
        )


def _names_events(shape: Shape) -> bool:
    """Tell whether the ids of a file of events are their own, such as `event_id`, for want of those of requests."""
    path = shape.mapping.roles.get("id")
    return path is not None and not shape.predicts and rank("event_id", path) is not None


def _by_file(works: Sequence[Work]) -> list[tuple[Entry, list[Segment]]]:
    """Gather the segments of each file, in order, and the entry that the last one carries on."""
    entries = {work.entry.file: work.entry for work in works}
    found: dict[int, list[Segment]] = {file: [] for file in entries}
    for work in works:
        found[work.entry.file].append(work.segment)
    return [(entries[file], segments) for file, segments in found.items()]


def _records(segment: Segment) -> int:
    """Count a segment's records."""
    if segment.records is not None:
        return segment.records
    return filled_lines(segment.data()) + segment.overlong


def _repeated(counts: Counts, again: int) -> Counts:
    """Move repeated outcomes or events from the rows that were taken in to the duplicates."""
    return replace(counts, rows=counts.rows - again, duplicates=counts.duplicates + again)
