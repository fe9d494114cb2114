"""Strata of a rollout: where sums stand in time, and latencies counted in each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import latency
from mlwatch.metrics.rollout_types import HistogramSeries
from mlwatch.snapshot.read import Table
from mlwatch.snapshot.reader import OPEN
from mlwatch.snapshot.rollout_pairing import full_hour
from mlwatch.snapshot.span import EPOCH
from mlwatch.store import rollups

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_types import Counts, FloatArray, IntArray
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.rollout_pairing import Pairing


@dataclass(frozen=True, slots=True)
class Closed:
    """The latencies of the strata that hardly anything is added to any more, counted by side, stratum and bin."""

    minute: int
    """Where the others begin."""
    bins: tuple[int, int]
    """The lowest and the highest of all strata."""
    counts: tuple[Counts, Counts]


def bins_of(latencies: Table) -> tuple[int, int]:
    """Return the lowest and the highest bin that any latency fell into; that of zero lies below them all."""
    bins = latencies["bin"][latencies["bin"] != latency.ZERO_BIN]
    return (int(bins.min()), int(bins.max())) if len(bins) else (0, 0)


def parted(table: Table, minute: int) -> tuple[Table, Table]:
    """Return the strata before one, and the others, of a table that is in their order."""
    place = int(np.searchsorted(table["minute"], minute))
    return table.first(place), Table({name: column[place:] for name, column in table.columns.items()})


def closed_of(reader: Reader, pairing: Pairing, traffic: Table, latencies: Table) -> Closed | None:
    """Count the latencies of all but the last hours, unless that is known; None where there are no others."""
    cut = full_hour(pairing.end - OPEN)
    if cut <= pairing.start:
        return None
    minute, bins = (cut - EPOCH) // timedelta(minutes=1), bins_of(latencies)

    def counted(side: int) -> Counts:
        own, theirs = (parted(table, minute)[0] for table in (traffic, latencies))
        strata = Strata(own.where(own["is_candidate"] == side), pairing.minutes)
        return histogram_of(strata, theirs.where(theirs["is_candidate"] == side), bins).counts

    def count() -> Closed:
        return Closed(minute, bins, (counted(0), counted(1)))

    who = (pairing.model, pairing.baseline, pairing.candidate, pairing.start, pairing.minutes)
    sources = (rollups.TRAFFIC, rollups.LATENCY)
    return reader.value(("closed latencies", *who), sources, (EPOCH, cut), count, (cut, bins))


class Strata:
    """Lays columns out by minute; labels and events stand at their prediction's time, so each has its minute.

    Args:
        traffic: Of one version.
        width: Of a stratum, in minutes.
    """

    def __init__(self, traffic: Table, width: int) -> None:
        self.minute = np.unique(traffic["minute"]).astype(np.int64)
        self._first, self._width = int(self.minute[0]) if len(self.minute) else 0, width
        last = int(self.minute[-1]) if len(self.minute) else 0
        steps = np.arange(self._first, last + width, width)
        self._places = np.searchsorted(self.minute, steps)

    def place(self, minute: np.ndarray) -> IntArray:
        """Return the row of each minute that has traffic; looking it up is quicker than searching for it."""
        step = (minute.astype(np.int64) - self._first) // self._width
        return self._places.take(step, mode="clip")

    def spread(self, table: Table, column: str | np.ndarray) -> FloatArray:
        """Sum a column, or one value a row, by minute."""
        values = table[column] if isinstance(column, str) else column
        place = self.place(table["minute"])
        by_minute = np.bincount(place, weights=values.astype(float), minlength=len(self.minute))
        return np.asarray(by_minute, dtype=float)


def histogram_of(
    strata: Strata, latencies: Table, bins: tuple[int, int], counted: Counts | None = None
) -> HistogramSeries:
    """Count latencies by stratum and bin.

    Args:
        strata: Of one version.
        latencies: Its own, of the strata that are not counted yet.
        bins: The lowest and the highest.
        counted: The first strata, as they were counted before.
    """
    lowest, highest = bins
    known = len(counted) if counted is not None else 0
    width, rows = highest - lowest + 1, len(strata.minute) - known
    edges = latency.GAMMA ** np.arange(lowest - 1, highest + 1, dtype=float)
    if counted is not None and not rows:
        return HistogramSeries(edges, counted)
    column = np.clip(latencies["bin"], lowest, highest).astype(np.int64) - lowest
    place = np.maximum(strata.place(latencies["minute"]) - known, 0) * width + column
    flat = np.bincount(place, weights=latencies["n"], minlength=rows * width)
    counts = flat.astype(np.int32).reshape(rows, width)
    return HistogramSeries(edges, counts if counted is None else np.concatenate([counted, counts]))
