"""What a session remembers of its snapshots, so that the dear parts are not computed anew each time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from mlwatch.snapshot.rollout_memory import Courses, Memory, Paced, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.records.excerpt import Excerpt
    from mlwatch.snapshot.build import Memory as Kept
    from mlwatch.snapshot.pair_types import PairFindings
    from mlwatch.snapshot.record_segments import RecordSegments
    from mlwatch.snapshot.rollout_memory import Wait
    from mlwatch.snapshot.rollout_units import Units
    from mlwatch.snapshot.segments import Segments
    from mlwatch.snapshot.shelf import Shelf
    from mlwatch.store.touched import Journal

MOST_EXCERPTS = 4
"""Parts of the records that are held at once: each tab of a browser may look at one."""

RARER = 10.0
"""What segments say hardly changes from second to second once all is read: of many rows, which take long, least."""

MODE_S = 2.0
"""So long a rollout is taken for a shadow or not, within the same minute of event time."""


class Remembered:
    """The dear parts of snapshots over one set of records.

    Args:
        journal: What batches touched of the rollups; None where these are made anew now and then.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._shelf: Shelf | None = None
        self._verdicts = Memory()
        self._taken_in = 0
        self._forget()

    def _forget(self) -> None:
        """Begin anew with what may be a little old."""
        self._turns = Turns()
        self._courses = Courses(self._turns)
        self._segments: Paced[Segments] = Paced(turns=self._turns)
        self._record_segments: Paced[RecordSegments] = Paced(turns=self._turns)
        self._findings: Paced[PairFindings] = Paced(turns=self._turns)
        self._units: Paced[Units] = Paced(turns=self._turns)
        self._modes: Paced[bool] = Paced(MODE_S)
        self._mixes: Paced[tuple[str, ...]] = Paced(turns=self._turns)

    def kept(self, taken_in: int, *, now: bool, patient: bool, wait: Wait = "no") -> Kept:
        """Return what a snapshot may use.

        Args:
            taken_in: Batches that the store had taken in, read before.
            now: Whether the snapshot is of the present; of the past nothing may be a little old.
            patient: Whether there are further looks, so that something may be a little old in this one.
            wait: What of the dear parts may be put off.
        """
        from mlwatch.snapshot.build import Memory as Kept  # noqa: PLC0415  pulls numpy
        from mlwatch.snapshot.reader import Reader  # noqa: PLC0415
        from mlwatch.snapshot.rollout import Dear  # noqa: PLC0415
        from mlwatch.snapshot.shelf import Shelf  # noqa: PLC0415

        if not now:
            return Kept(partial(self._verdicts.recall, taken_in))
        if not patient and self._is_old(taken_in):
            self._forget()
            self._taken_in = taken_in
        self._turns.begin()
        if self._shelf is None and self._journal is not None:
            self._shelf = Shelf(self._journal)
        reading = partial(Reader, number=taken_in, shelf=self._shelf)
        courses, put_off = self._courses, self._courses.put_off
        verdicts = partial(self._verdicts.recall, taken_in, complete=lambda: courses.put_off == put_off)
        course, findings, units = (
            partial(courses.recall, wait=wait),
            self._findings.recall,
            self._units.recall,
        )
        dear = Dear(course, findings, units, reading, self._modes.recall, self._mixes.recall)
        segments = partial(self._segments.recall, rarer=1.0 if wait == "reading" else RARER)
        return Kept(verdicts, dear, reading, segments, partial(self._of_records, wait))

    def _is_old(self, taken_in: int) -> bool:
        """Tell whether the records may be others than when all was forgotten last."""
        if self._journal is None:
            return taken_in != self._taken_in
        return self._journal.anything_since(self._taken_in)

    def _of_records(self, wait: Wait, key: Hashable, compute: Callable[[], RecordSegments]) -> RecordSegments:
        from mlwatch.snapshot.record_segments import RecordSegments  # noqa: PLC0415  pulls numpy

        return self._record_segments.soon(key, compute, wait, RARER) or RecordSegments(is_put_off=True)


class Excerpts:
    """The parts of a store that somebody looks at, each with what is remembered of it.

    Args:
        connect: Returns a cursor on the store.
        config: Of the session.
    """

    def __init__(self, connect: Callable[[], DuckDBPyConnection], config: Config) -> None:
        self._connect, self._config = connect, config
        self._lock = threading.Lock()
        self._held: dict[str, tuple[Excerpt, Remembered]] = {}

    @contextmanager
    def reading(
        self, text: str, taken_in: int, *, patient: bool
    ) -> Iterator[tuple[DuckDBPyConnection, Remembered, int]]:
        """Lend a connection to the records that pass a filter.

        Args:
            text: The filter.
            taken_in: Batches that the store has taken in.
            patient: Whether the records may be those of a little earlier.

        Returns:
            The connection, what is remembered of these records, and how many batches they are from.

        Raises:
            FilterError: The filter cannot be understood.
        """
        from mlwatch.records.excerpt import Excerpt  # noqa: PLC0415  only for those who filter

        with self._lock:
            held = self._held.pop(text, None) or (
                Excerpt(self._connect(), self._config, text), Remembered()
            )  # fmt: skip
            self._held[text] = held  # the one that was used last goes last
            over = [self._held.pop(next(iter(self._held)))] if len(self._held) > MOST_EXCERPTS else []
        for excerpt, _ in over:
            excerpt.close()
        excerpt, remembered = held
        with excerpt.reading(taken_in, patient=patient) as (connection, held_in):
            yield connection, remembered, held_in
