"""Read sums of rollups for a snapshot: anew, or with what an earlier snapshot read and nothing has touched since.

A kept sum is as good as one that is read now: the journal of the ingest says for each rollup which stretch of event
time was added to, be it new traffic or a label that came late, and the windows of that stretch are read again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mlwatch.snapshot.latest import added_up, read_latest
from mlwatch.snapshot.read import Table, numbers_of, read
from mlwatch.snapshot.shelf import Kept
from mlwatch.snapshot.span import EPOCH, floor
from mlwatch.store.rollup import HOUR, MINUTE
from mlwatch.store.touched import FACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.latest import Latest
    from mlwatch.snapshot.shelf import Shelf
    from mlwatch.snapshot.span import Grid
    from mlwatch.store.rollup import Rollup
    from mlwatch.store.touched import Stretch

T = TypeVar("T")

ONLY_ALL = (EPOCH, EPOCH)
"""A stretch that is touched only where everything was."""
ALL_TIME = (EPOCH, datetime.max)  # noqa: DTZ901  naive UTC, as in the store
"""One that is touched with whatever is added."""
WHOLE = (1, "TRUE", None)
"""What asks for all rows of windows, with all their keys."""
LATEST = timedelta(hours=3)
"""Longest time of which rows are added up here."""
OPEN = timedelta(hours=1)
"""What is summed over all of a range is parted so long before its end: what lies before is hardly touched again."""


@dataclass(frozen=True, slots=True)
class _Windows:
    """What was read by window."""

    grid: Grid
    table: Table


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What was read of a stretch."""

    start: datetime
    end: datetime
    table: Table
    """All of it."""
    closed: Table | None = None
    """The part that lies before `cut`; None where it is not parted."""
    cut: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads rollups for one snapshot; without a shelf it reads everything anew."""

    connection: DuckDBPyConnection
    """Where `number_pairs` was called."""
    about: Hashable = None
    """Which versions have which numbers, and how long the range is."""
    number: int = 0
    """Of the last batch when the snapshot was asked for."""
    shelf: Shelf | None = None
    beyond: bool = False
    """Whether there are records behind the end, which come to be counted with time alone; part of `about`, too."""

    def by_window(
        self,
        rollup: Rollup,
        grid: Grid,
        together: int = 1,
        where: str = "TRUE",
        keys: tuple[str, ...] | None = None,
        made: Callable[[Table], Table] | None = None,
    ) -> Table:
        """Sum a rollup by window.

        Args:
            rollup: Which.
            grid: Range and windows.
            together: Bins of the key `bin` that are read as one; the first of them names it.
            where: A further condition of our own making.
            keys: Only these of the rollup's keys; None for all.
            made: Makes of the rows of some windows what is kept in their place, with a `w` too; hashable.
        """

        def fresh(first: int, last: int) -> Table:
            windows = (first, last)
            rows = self._latest_windows(rollup, grid, windows) if plain and first else None
            if rows is None:
                rows = read(self.connection, rollup, grid, where, keys, together=together, windows=windows)
            return rows if made is None else made(rows)

        key, plain = (self.about, rollup.name, together, where, keys, made), (together, where, keys) == WHOLE
        table: Table | None = None
        if (kept := self._find(key)) is not None:
            touched = self._changed(kept, rollup, kept.value.grid.end, grid.end)
            table = _moved(kept.value, touched, grid, grid.level(rollup), fresh)
        table = fresh(0, grid.count - 1) if table is None else table
        self._keep(key, _Windows(grid, table))
        return table

    def latest(self, rollup: Rollup, begin: datetime, end: datetime) -> Latest | None:
        """Return the rows of the newest buckets, read once for as long as nothing is added to the rollup.

        Args:
            rollup: With buckets of a minute, and keys that are whole numbers.
            begin: The first bucket.
            end: Of what is asked about; later rows are there nevertheless.

        Returns:
            None where they had better be added up by the engine; what is read anew is, too.
        """
        fitting = rollup.levels[0] == MINUTE and set(rollup.keys.values()) <= {"INTEGER"}
        if self.shelf is None or not fitting or end - begin > LATEST:
            return None
        key, length = ("latest", rollup.name), end - begin
        refused = self._find((*key, "refused"))
        if refused is not None and refused.value[0] <= length and begin < refused.value[1] + refused.value[0]:
            return None  # there were too many of a shorter time, and that is not long over
        kept = self._find(key)
        found: Latest | None = kept.value if kept is not None else None
        if kept is None or found is None or found.begin > begin or self._touched(kept, rollup) is not None:
            found = read_latest(self.connection, rollup, begin)
            if found is None:
                self._keep((*key, "refused"), (length, begin))
            else:
                self._keep(key, found)
        return found

    def _latest_windows(self, rollup: Rollup, grid: Grid, windows: tuple[int, int]) -> Table | None:
        """Sum the last windows by version; None where that is better read."""
        begin, end = grid.edge(windows[0]), min(grid.end, grid.edge(windows[1] + 1))
        latest = self.latest(rollup, begin, end)
        if latest is None:
            return None
        rows = latest.numbered(numbers_of(self.connection), begin, end)
        since_s = 60 * rows["minute"] - (grid.start - EPOCH) // timedelta(seconds=1)
        rows = Table({**rows.columns, "w": (since_s // grid.width_s).astype(np.int32)})
        return added_up(rows, ("w", "who", *rollup.keys), tuple(rollup.measures), rollup)

    def whole(self, rollup: Rollup, grid: Grid) -> Table:
        """Sum a rollup over the range, in pieces: a key may have several rows, which add up.

        Args:
            rollup: Which.
            grid: Range.
        """
        key = (self.about, rollup.name, "pieces")
        kept = self._find(key)
        former: _Pieces | None = kept.value if kept is not None else None
        if kept is None or former is None or former.start != grid.start:
            found = _Pieces(grid.start, grid.end, self._sum(rollup, grid))
        elif (touched := self._changed(kept, rollup, former.end, grid.end)) is None:
            found = former
        else:
            found = self._pieces(rollup, grid, former, touched[0])
        self._keep(key, found)
        return found.table

    def _pieces(self, rollup: Rollup, grid: Grid, former: _Pieces, touched: datetime) -> _Pieces:
        """Read the open part again, and the closed one where it was touched or the end has moved on."""
        closed, cut = former.closed, former.cut
        if closed is None or touched < cut or cut <= grid.end - 3 * OPEN:
            cut = floor(grid.end - OPEN, HOUR)
            if cut <= grid.start:
                return _Pieces(grid.start, grid.end, self._late(rollup, grid))
            closed = self._sum(rollup, replace(grid, end=cut))
        opened = self._late(rollup, replace(grid, start=cut))
        return _Pieces(grid.start, grid.end, _together([closed, opened]), closed, cut)

    def _late(self, rollup: Rollup, grid: Grid) -> Table:
        """Sum the hours at the end, parted where they are touched: most often that is the last bucket."""
        key = (self.about, rollup.name, "late")
        kept = self._find(key)
        former: _Pieces | None = kept.value if kept is not None else None
        if kept is None or former is None or former.start != grid.start:
            found = _Pieces(grid.start, grid.end, self._sum(rollup, grid))
        else:
            touched = self._changed(kept, rollup, former.end, grid.end)
            if touched is None or touched[0] >= grid.end:
                found = former
            else:
                found = self._late_pieces(rollup, grid, former, touched[0])
        self._keep(key, found)
        return found.table

    def _late_pieces(self, rollup: Rollup, grid: Grid, former: _Pieces, touched: datetime) -> _Pieces:
        """Read from the touched bucket on again, and what is before it where that was another one the last time."""
        closed, cut = former.closed, floor(max(touched, grid.start), rollup.levels[0])
        if cut <= grid.start:
            return _Pieces(grid.start, grid.end, self._sum(rollup, grid))
        if closed is None or cut != former.cut:
            closed = self._sum(rollup, replace(grid, end=cut))
        opened = self._sum(rollup, replace(grid, start=cut))
        return _Pieces(grid.start, grid.end, _together([closed, opened]), closed, cut)

    def once(self, rollup: Rollup, grid: Grid) -> Table:
        """Sum a rollup over the range, one row a key.

        Args:
            rollup: Which.
            grid: Range.
        """
        key, fresh = (self.about, rollup.name, "whole"), partial(self._sum, rollup, grid)
        return self.value(key, (rollup,), ALL_TIME, fresh, (grid.start, grid.end if self.beyond else None))

    def _sum(self, rollup: Rollup, grid: Grid) -> Table:
        return read(self.connection, rollup, grid, whole=True)

    def onward(
        self,
        key: Hashable,
        rollup: Rollup,
        column: str,
        minutes: int,
        fresh: Callable[[datetime | None], Table],
    ) -> Table:
        """Read sums by stratum of time, in its order, from a moment on that stays as it is.

        Args:
            key: What they are of.
            rollup: That they are read from.
            column: Holds where a row's stratum starts, in minutes since 1970.
            minutes: Width of a stratum.
            fresh: Reads the strata from a moment on, naive UTC, or all of them.
        """
        place, table = (key, rollup.name), None
        if (kept := self._find(place)) is not None:
            table, touched = kept.value, self._touched(kept, rollup)
            if touched is not None:
                begin = floor(max(touched[0], EPOCH), 60 * minutes)
                before = table.first(
                    int(np.searchsorted(table[column], (begin - EPOCH) // timedelta(minutes=1)))
                )
                table = _together([before, fresh(begin).by(column)]) if len(before) else None
        found: Table = fresh(None).by(column) if table is None else table
        self._keep(place, found)
        return found

    def value(
        self,
        key: Hashable,
        sources: Sequence[Rollup],
        stretch: Stretch,
        compute: Callable[[], T],
        given: Hashable = None,
    ) -> T:
        """Return what is computed from a stretch of rollups, once for as long as that is not touched.

        Args:
            key: What it is.
            sources: The rollups.
            stretch: Their first bucket, and the end that no bucket reaches.
            compute: Reads them.
            given: What it depends on besides and that changes with the data: only the last value is kept.
        """
        kept = self._find(key)
        if (
            kept is None
            or kept.value[0] != given
            or any(_meet(self._touched(kept, rollup), stretch) for rollup in sources)
        ):
            found = compute()
        else:
            found = kept.value[1]
        self._keep(key, (given, found))
        return found

    def fact(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return what the store knows of models, features and reference, read once for as long as that stays."""
        return self.value(key, (FACTS,), ALL_TIME, compute)

    def _find(self, key: Hashable) -> Kept | None:
        return self.shelf.find(key, self.number) if self.shelf is not None else None

    def _touched(self, kept: Kept, rollup: Rollup) -> Stretch | None:
        return self.shelf.touched(kept, rollup) if self.shelf is not None else None

    def _changed(self, kept: Kept, rollup: Rollup, before: datetime, end: datetime) -> Stretch | None:
        """Return what was touched since, with the time that the end of the range has moved on over other records."""
        touched = self._touched(kept, rollup)
        if not self.beyond or end <= before:
            return touched
        return (before, end) if touched is None else (min(touched[0], before), max(touched[1], end))

    def _keep(self, key: Hashable, value: object) -> None:
        if self.shelf is not None:
            self.shelf.keep(key, Kept(self.number, value))


def _meet(touched: Stretch | None, stretch: Stretch) -> bool:
    return touched is not None and touched[0] < stretch[1] and touched[1] >= stretch[0]


def _moved(
    kept: _Windows, touched: Stretch | None, grid: Grid, level: int, fresh: Callable[[int, int], Table]
) -> Table | None:
    """Return a kept table as it is by now, on windows that may have moved on; None where it is of no use."""
    moved = round((grid.start - kept.grid.start).total_seconds())
    if moved < 0 or moved % grid.width_s or kept.grid.width_s != grid.width_s:
        return None
    if moved and floor(grid.start, level) != grid.start:
        return None  # the first window holds more than its own: all of the bucket that the range begins in
    table = _behind(kept.table, moved // grid.width_s)
    first, last = _windows(touched, grid, level) if touched is not None else (0, -1)
    if last < first:
        return table
    return _together([table.where((table["w"] < first) | (table["w"] > last)), fresh(first, last)])


def _behind(table: Table, shift: int) -> Table:
    """Leave out the first windows, and number the others anew."""
    if not shift:
        return table
    inside = table.where(table["w"] >= shift)
    return Table({**inside.columns, "w": inside["w"] - np.int32(shift)})


def _windows(touched: Stretch, grid: Grid, level: int) -> tuple[int, int]:
    """Return the first and the last window that a stretch of buckets lies in, the last before the first for none."""
    begin = floor(grid.start, level)
    if touched[1] < begin or touched[0] >= grid.end:
        return 0, -1

    def window(bucket: datetime) -> int:
        return int((max(bucket, grid.start) - grid.start).total_seconds()) // grid.width_s

    first, last = floor(max(touched[0], begin), level), min(touched[1], grid.end)
    return window(first), min(window(last), grid.count - 1)


def _together(tables: Sequence[Table]) -> Table:
    filled = [table for table in tables if len(table)] or tables[:1]
    if len(filled) == 1:
        return filled[0]
    return Table({name: np.concatenate([each[name] for each in filled]) for name in filled[0].columns})
