"""Rollups of only those records that pass a filter, so that everything can be shown of a segment alone.

The rollups of a store know no segment but for labels. An excerpt is a database in memory beside the store: the
predictions that pass, rolled up by the statements of the ingest, and a view of everything else.
"""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, is_there, row
from mlwatch.records.paging import Question, selection
from mlwatch.sources.sql import identifier
from mlwatch.store import constraints, events, feature_rollup, fold, rankings, rollups, slices
from mlwatch.store.output_rollups import RANKED
from mlwatch.store.registry import Registry
from mlwatch.store.rollup import DAY
from mlwatch.store.rollups import ALL_FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config

PACE = 20.0
"""While the logs are followed it is made anew after so many times what that took: at most a twentieth of a core."""
_OWN = ("predictions", "outcomes", "events", "ranked")
_SERIALS = itertools.count(1)


class Excerpt:
    """A part of a store that answers like a store; one thread at a time.

    Args:
        connection: A cursor of its own on the store.
        config: Business classes, `[schema]`.
        text: The filter.
    """

    def __init__(self, connection: DuckDBPyConnection, config: Config, text: str) -> None:
        self._connection, self._config, self._text = connection, config, text
        self._name = f"excerpt_{next(_SERIALS)}"
        self._lock = threading.Lock()
        self._generation: int | None = None
        self._due = 0.0
        (self._store,) = row(connection, "SELECT current_database()")

    @contextmanager
    def reading(
        self, generation: int, clock: Callable[[], float] = time.monotonic, *, patient: bool
    ) -> Iterator[tuple[DuckDBPyConnection, int]]:
        """Lend a connection to the excerpt, made anew where it is out of date.

        Args:
            generation: Of the store.
            clock: Seconds.
            patient: Whether it may stay out of date for as long as `PACE` says.

        Returns:
            The connection, and of which generation of the store the excerpt is.

        Raises:
            FilterError: The filter cannot be understood.
        """
        with self._lock:
            began = clock()
            due = not patient or began >= self._due
            if self._generation is None or (generation != self._generation and due):
                self._make()
                self._generation, over = generation, clock()
                self._due = over + PACE * (over - began)
            yield self._connection, self._generation

    def close(self) -> None:
        """Let go of the memory."""
        with self._lock:
            self._connection.execute(f"USE {identifier(self._store)}")
            self._connection.execute(f"DETACH DATABASE IF EXISTS {self._name}")
            self._connection.close()

    def _make(self) -> None:
        query = self._connection.execute
        query(f"USE {identifier(self._store)}")
        chosen = selection(self._connection, Question(self._text))
        query(f"ATTACH IF NOT EXISTS ':memory:' AS {self._name}")
        with all_or_nothing(self._connection):
            query(
                f"CREATE OR REPLACE TABLE {self._name}.predictions AS SELECT p.* {chosen.sql}", chosen.values
            )
            query(f"USE {self._name}")
            self._borrow()
            self._count()

    def _borrow(self) -> None:
        """See in the excerpt what is not its own, and take the outcomes and events of its predictions."""
        own = {*_OWN, *(rollup.table(level) for rollup in rollups.ALL for level in rollup.levels)}
        own -= {rollups.SAMPLING.table(level) for level in rollups.SAMPLING.levels}  # of the whole version
        tables = self._connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND database_name = ?",
            [self._store],
        ).fetchall()
        store = identifier(self._store)
        for (table,) in tables:
            if table not in own:
                name = identifier(table)
                self._connection.execute(f"CREATE OR REPLACE VIEW {name} AS FROM {store}.{name}")
        every = f"{store}.{rollups.FEATURES.table(DAY)}"
        self._connection.execute(f"CREATE OR REPLACE VIEW {ALL_FEATURES} AS FROM {every}")
        for table in ("outcomes", "events"):
            self._connection.execute(
                f"""CREATE OR REPLACE TABLE {table} AS
                FROM {store}.{table} WHERE h IN (SELECT h FROM predictions)"""
            )
        self._connection.execute("DROP TABLE IF EXISTS ranked")
        self._connection.execute(RANKED)
        for rollup in rollups.ALL:
            if rollup is not rollups.SAMPLING:
                for level in rollup.levels:
                    self._connection.execute(f"DROP TABLE IF EXISTS {rollup.table(level)}")
                    self._connection.execute(rollup.ddl(level))

    def _count(self) -> None:
        """Roll the predictions up as the ingest does."""
        connection, registry, settings = self._connection, Registry(self._connection), self._config.outputs
        connection.execute(
            "CREATE OR REPLACE TEMP VIEW batch AS SELECT *, TRUE AS is_request FROM predictions"
        )
        numbers = [row.number for row in registry.features.values()]
        stored = feature_rollup.Requests("predictions")
        parts = slices.columns(connection, registry, settings=settings)
        fold.fold_requests(
            connection, registry, numbers, registry.models, stored, settings=settings, parts=parts
        )
        constraints.count_batch(connection, registry, self._config, numbers)
        fold.score_stored(connection, parts)
        if is_there(connection, "scored"):
            fold.fold_scored(connection, registry, parts, settings)
            rankings.borrow(connection, registry, settings, self._store)
            rankings.fold(connection, registry, settings)
        any_gains, _ = events.gain_requests(connection, self._config, learns=False)
        if any_gains:
            fold.fold_gains(connection)
