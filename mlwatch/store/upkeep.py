"""Keep a store small, and its next start short: merge rows, write checkpoints."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, is_there, number
from mlwatch.host import heap
from mlwatch.sources.room import forget
from mlwatch.sources.sql import literal
from mlwatch.store import rollups
from mlwatch.store.database import BACKFILL_WAL, STEADY_WAL
from mlwatch.store.rollup import bucket
from mlwatch.store.touched import ALL_TIME, noting, widen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.store.rollup import Rollup
    from mlwatch.store.touched import Stretch, Touched

COMPACT_AFTER = 40
"""Batches between two compactions of the rollups."""
COMPACT_AFTER_LARGE = 4
"""The same at the end of a pass that took in much, whose batches are large."""
CHECKPOINT_BYTES = 32 << 20
"""A pass that took in more than this ends with a checkpoint, so that a restart replays little."""
BATCHES = 1000
"""More are added up."""
LATELY = timedelta(hours=1)
"""Time before the newest batch of which each minute is kept apart."""
SUMS = (
    *("bytes", "records", "rows", "predictions", "outcomes", "events", "rejected", "duplicates"),
    *("outcomes_unmatched", "events_unmatched"),
)
"""What is counted of a batch."""


class Upkeep:
    """Tells by what is taken in when the store is to be tidied.

    Args:
        connection: Of the ingest thread.
    """

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._batches = 0
        """Since the last compaction."""
        self._crowded: dict[str, Stretch] | None = None
        """Where rollups were added to since they were compacted; None for wherever it may be, as after a start."""

    @contextlib.contextmanager
    def noting(self) -> Iterator[Touched]:
        """Note what is added to rollups, and keep it for the compaction, be it only what was done before a failure."""
        with noting() as touched:
            try:
                yield touched
            finally:
                if self._crowded is not None:
                    widen(self._crowded, touched)

    def count_batch(self) -> None:
        """Note that a batch was taken in."""
        self._batches += 1

    def end_pass(self, bytes_read: int) -> None:
        """Do what is due after a pass that took something in.

        Args:
            bytes_read: By the pass.
        """
        large = bytes_read > CHECKPOINT_BYTES
        # after a backfill the engine would read and write most rows again, to merge what its threads left half full
        self._connection.execute("SET max_vacuum_tasks = 0" if large else "RESET max_vacuum_tasks")
        self._connection.execute(f"SET checkpoint_threshold = '{BACKFILL_WAL if large else STEADY_WAL}'")
        if self._batches >= (COMPACT_AFTER_LARGE if large else COMPACT_AFTER):
            with all_or_nothing(self._connection):
                compact(self._connection, self._crowded)
            self._crowded = {}
            self._batches = 0
            forget(self._connection)
            heap.give_back()
        if large:
            self._checkpoint()

    def _checkpoint(self) -> None:
        import duckdb  # noqa: PLC0415

        with contextlib.suppress(duckdb.TransactionException):  # another thread writes: the next pass does it
            self._connection.execute("CHECKPOINT")


def compact(connection: DuckDBPyConnection, touched: Touched | None = None) -> None:
    """Merge rollup rows of equal key, and old batches, so that no table's length follows how often logs are read.

    Args:
        connection: Of whoever alone writes the store.
        touched: What was added to since the last time: rows are looked for there alone. None looks everywhere.
    """
    for rollup in rollups.ALL:
        stretch = ALL_TIME if touched is None else touched.get(rollup.name)
        if stretch is None:
            continue
        for level in rollup.levels:
            _compact_table(connection, rollup, level, stretch)
    _compact_batches(connection)


def _compact_table(connection: DuckDBPyConnection, rollup: Rollup, level: int, stretch: Stretch) -> None:
    table = rollup.table(level)
    keys = ", ".join(rollup.key_names)
    near = _buckets_of(stretch, level)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE crowded AS
        SELECT DISTINCT bucket FROM (SELECT bucket FROM {table} WHERE {near} GROUP BY {keys} HAVING COUNT(*) > 1)""")
    if not is_there(connection, "crowded"):
        return
    inside = f"WHERE {near} AND bucket IN (SELECT bucket FROM crowded)"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE merged AS {rollup.merged(table, where=inside)}")
    connection.execute(f"DELETE FROM {table} {inside}")
    connection.execute(f"INSERT INTO {table} BY NAME FROM merged")


def _buckets_of(stretch: Stretch, level: int) -> str:
    """Return the condition for the buckets of a width that hold a stretch of the finest ones."""
    if stretch == ALL_TIME:
        return "TRUE"
    begin, end = (f"TIMESTAMP {literal(str(moment))}" for moment in stretch)
    return f"bucket >= {bucket(level, begin)} AND bucket <= {end}"


def _compact_batches(connection: DuckDBPyConnection) -> None:
    """Add the batches up: two or three come each second while logs are followed, and only sums are asked for."""
    if number(connection, "SELECT COUNT(*) FROM batches") <= BATCHES:
        return
    sums = ", ".join(f"SUM({name}) AS {name}" for name in SUMS)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE merged AS
        SELECT MAX(batch) AS batch, MAX(taken_at) AS taken_at, MAX(newest) AS newest, {sums}
        FROM batches, (SELECT MAX(taken_at) - to_seconds({LATELY.total_seconds()}) AS since FROM batches) AS late
        GROUP BY CASE WHEN taken_at > since THEN date_trunc('minute', taken_at) END""")
    connection.execute("DELETE FROM batches")
    connection.execute("INSERT INTO batches BY NAME FROM merged")
