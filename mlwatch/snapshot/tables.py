"""The sums of one range, read from rollups."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.asking import first_row, is_there
from mlwatch.snapshot.latest import added_up
from mlwatch.snapshot.outputs import OutputTables, empty
from mlwatch.snapshot.read import Table, fetch, numbers_of
from mlwatch.snapshot.reader import ALL_TIME, OPEN
from mlwatch.snapshot.span import EPOCH, floor
from mlwatch.store import rollups
from mlwatch.store.output_rollups import CLASS_DECIDED
from mlwatch.store.rollup import HOUR, MINUTE

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.span import Grid

NOW_S = 10
"""Seconds at the end of the range that are now."""
WINDOW_BINS = 10
"""Score bins that are taken together where performance is estimated window by window: each keeps its mean score."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The sums of one range."""

    traffic: Table
    latency: Table
    features: Table
    outcomes: Table
    scores: Table
    business: Table
    worth: Table
    event_values: Table
    """What engagements measure."""
    sampling: Table
    lags: Table
    minutes: Table
    """Requests by minute of the end of the range, and the busiest minute."""
    outputs: OutputTables
    """What only some logs hold."""

    @classmethod
    def read(cls, reader: Reader, lattice: Grid) -> Tables:
        """Read the sums of a range.

        Args:
            reader: Of the snapshot.
            lattice: Range and windows.
        """
        minutes = busy_minutes(reader, lattice)  # first: of what they read, the newest windows are made, too
        return cls(
            reader.by_window(rollups.TRAFFIC, lattice),
            reader.by_window(rollups.LATENCY, lattice),
            reader.by_window(rollups.FEATURES, lattice),
            reader.by_window(rollups.OUTCOMES, lattice),
            reader.whole(rollups.SCORES, lattice),
            reader.by_window(rollups.BUSINESS, lattice),
            reader.by_window(rollups.WORTH, lattice),
            _event_values(reader, lattice),
            reader.by_window(rollups.SAMPLING, lattice),
            reader.whole(rollups.LAGS, lattice),
            minutes,
            OutputTables.read(reader, lattice),
        )

    def of(self, who: int) -> Tables:
        """Return one version's rows."""
        return Tables(**{each.name: getattr(self, each.name).of(who) for each in fields(self)})


@dataclass(frozen=True, slots=True)
class Decided:
    """Scores by decision, labels or not: what performance is estimated from before labels come."""

    whole: Table
    """Of the range."""
    over: Table
    """By window, in wider bins."""
    own_class: Table | None = None
    """Probabilities of the predicted one of many classes, by window, in wider bins; None for none."""

    @classmethod
    def read(cls, reader: Reader, lattice: Grid) -> Decided:
        """Read the sums of a range."""
        over = reader.by_window(rollups.DECIDED, lattice, together=WINDOW_BINS)
        own = reader.by_window(CLASS_DECIDED, lattice, WINDOW_BINS, "r.class = r.prediction")
        return cls(reader.whole(rollups.DECIDED, lattice), over, own)

    def of(self, who: int) -> Decided:
        """Return one version's rows."""
        own = self.own_class.of(who) if self.own_class is not None else None
        return Decided(self.whole.of(who), self.over.of(who), own)


def _event_values(reader: Reader, lattice: Grid) -> Table:
    """Read what engagements measure; few logs have any that do."""
    rollup = rollups.EVENT_VALUES
    any_at_all = partial(is_there, reader.connection, rollup.table(rollup.levels[-1]))
    if reader.value("event values", (rollup,), ALL_TIME, any_at_all):
        return reader.by_window(rollup, lattice)
    return empty(rollup)


_BY_MINUTE = f"""
    SELECT v.who, CAST(epoch(r.bucket) // 60 AS INTEGER) AS minute, SUM(r.n) AS n
    FROM {rollups.TRAFFIC.table(MINUTE)} AS r JOIN who AS v USING (model, version)
    WHERE r.bucket >= $start AND r.bucket < $end GROUP BY ALL"""


def busy_minutes(reader: Reader, lattice: Grid) -> Table:
    """Read the requests of the last minutes of a range, and of its busiest one, by version.

    Args:
        reader: Of the snapshot.
        lattice: The range.
    """
    begin = lattice.start - timedelta(minutes=5)
    cut = max(begin, floor(lattice.end - OPEN, HOUR))
    busiest = partial(_busiest, reader, begin, cut)
    closed = reader.value(
        ("busiest", reader.about), (rollups.TRAFFIC,), (begin, cut), busiest, given=(begin, cut)
    )
    end = (lattice.end - EPOCH) // timedelta(minutes=1)
    rows = _by_minute(reader, cut, lattice.end)
    rows = rows.where(rows["minute"] < end)
    who, place = np.unique(np.concatenate([closed["who"], rows["who"]]), return_inverse=True)
    peak = np.zeros(len(who))
    np.maximum.at(peak, place, np.concatenate([closed["n"], rows["n"]]))

    def last(minutes: int) -> NDArray[np.float64]:
        recent = rows["n"] * (rows["minute"] >= end - minutes)
        return np.bincount(place[len(closed) :], weights=recent, minlength=len(who)).astype(float)

    now = _requests_now(reader, lattice.end, who)
    return Table({"who": who, "last_minute": last(1), "last_five": last(5), "peak": peak, "now": now})


def _by_minute(reader: Reader, begin: datetime, end: datetime) -> Table:
    """Read the requests of each minute between two moments by version."""
    latest = reader.latest(rollups.TRAFFIC, begin, end)
    if latest is None:
        return fetch(reader.connection, _BY_MINUTE, {"start": begin, "end": end})
    rows = latest.numbered(numbers_of(reader.connection), begin, end)
    return added_up(rows, ("who", "minute"), ("n",), rollups.TRAFFIC)


def _requests_now(reader: Reader, end: datetime, who: NDArray[np.int64]) -> NDArray[np.float64]:
    """Read the requests of the last seconds by version: records tell them, nan where none of that time are kept."""
    rows = reader.connection.execute(
        f"""SELECT model, version, COUNT(*) FROM predictions
        WHERE ts >= $end - INTERVAL {NOW_S} SECOND AND ts <= $end GROUP BY ALL""",
        {"end": end},
    ).fetchall()
    numbers = numbers_of(reader.connection)
    latest = {numbers[model, version]: n for model, version, n in rows if (model, version) in numbers}
    kept = latest or first_row(
        reader.connection, "SELECT 1 FROM predictions WHERE ts <= $end LIMIT 1", {"end": end}
    )
    if not kept:
        return np.full(len(who), np.nan)
    return np.array([latest.get(each, 0) for each in who.tolist()], dtype=float)


def _busiest(reader: Reader, begin: datetime, end: datetime) -> Table:
    """Read the requests of the busiest minute between two moments by version."""
    return fetch(
        reader.connection,
        f"SELECT who, MAX(n) AS n FROM ({_BY_MINUTE}) GROUP BY who",
        {"start": begin, "end": end},
    )
