"""What a snapshot compares with: the reference file, a window of the logs, or the baseline's first period."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.asking import first_row, is_there
from mlwatch.metrics.bins import MISSING
from mlwatch.metrics.fresh import Fresh, fresh
from mlwatch.snapshot.feature_cells import Cells
from mlwatch.snapshot.read import Table, fetch
from mlwatch.snapshot.reader import ONLY_ALL
from mlwatch.snapshot.span import floor, naive
from mlwatch.store import left_out, rollups
from mlwatch.store.profiles import value_in_force
from mlwatch.store.reference_windows import parted_sql
from mlwatch.store.rollup import DAY, QUARTER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.snapshot.read import Life, Pair

    Window = tuple[datetime, datetime]

FIRST_PERIOD = timedelta(hours=24)
"""Without a reference, drift is measured against the baseline's first day, or first half if it is younger."""


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Rows of one feature by bin code, with the sum of the values of each bin.

    Each is equal to itself alone, so that what follows from a reference's counts can be remembered by them.
    """

    codes: NDArray[np.int64]
    """Ascending."""
    n: NDArray[np.int64]
    total: NDArray[np.float64]
    fresh: Fresh | None = None
    """What other rows of the same distribution would have, where bins were chosen after these rows."""

    def at(self, code: int) -> tuple[int, float]:
        """Return the rows of one bin, and the sum of their values."""
        place = int(self.codes.searchsorted(code))
        if place == len(self.codes) or self.codes[place] != code:
            return 0, 0.0
        return int(self.n[place]), float(self.total[place])


@dataclass(frozen=True, slots=True)
class Reference:
    """Counts by bin that live data are compared with."""

    description: str
    counts: Mapping[int, Counts]
    """By feature."""
    windows: Mapping[int, Sequence[Counts]] = field(default_factory=dict)
    """The same by tenths in order of time, where that was asked for."""


@dataclass(frozen=True, slots=True)
class Period:
    """A period of the logs that stands in for a reference file."""

    description: str
    condition: str
    """On the rows of a rollup, with named parameters."""
    values: Mapping[str, object] = field(default_factory=dict)
    stretch: Window = ONLY_ALL
    """Its first bucket and its end."""


def period(baseline: Life | None, window: Window | None) -> Period | None:
    """Return the period to compare with: the configured one of all versions, else the baseline's first.

    Args:
        baseline: The version in service.
        window: `[reference] window`.
    """
    if baseline is None:
        return None
    if window is not None:
        start, end = _quarters(*(naive(moment) or moment for moment in window))
        return Period(
            _of_window(start, end, window),
            "model = $model AND bucket >= $start AND bucket < $end",
            {"model": baseline.pair.model, "start": start, "end": end},
            (start, end),
        )
    end = min(baseline.first + FIRST_PERIOD, baseline.first + (baseline.last - baseline.first) / 2)
    end = max(end, baseline.first + timedelta(seconds=QUARTER))
    start, end = _quarters(baseline.first, end)
    return Period(
        f"the first {_length(min(end, baseline.last) - baseline.first)} of {baseline.pair.version}",
        "model = $model AND version = $version AND bucket < $end",
        {"model": baseline.pair.model, "version": baseline.pair.version, "end": end},
        (start, end),
    )


def _quarters(start: datetime, end: datetime) -> Window:
    """Return the whole buckets that a period covers at least in part: no part of one is counted."""
    last = end + timedelta(seconds=QUARTER, microseconds=-1)
    return floor(start, QUARTER), floor(last, QUARTER)


def _of_window(start: datetime, end: datetime, window: Window) -> str:
    """Say what is counted, and that it is whole quarters where that is more than was asked for."""
    more = (start, end) != tuple(map(naive, window))
    return f"the logs from {_date(start)} to {_date(end)}" + (" (whole quarters of an hour)" if more else "")


def _length(period: timedelta) -> str:
    minutes = max(1, round(period.total_seconds() / 60))
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"


def _date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}" if moment.time() == datetime.min.time() else f"{moment:%Y-%m-%d %H:%M}"


def file_name(connection: DuckDBPyConnection) -> str | None:
    """Return the name of the reference file that is compared with; None without one."""
    return value_in_force(connection, "reference_name")


def reference_counts(
    connection: DuckDBPyConnection,
    baseline: Life | None,
    window: Window | None = None,
    *,
    parted: bool = False,
) -> Reference | None:
    """Return the reference's counts: from the reference file, else from a period of the logs.

    Args:
        connection: A cursor of this thread.
        baseline: The version in service.
        window: `[reference] window`.
        parted: Also by tenths.
    """
    name = file_name(connection)
    if name is not None:
        counts = by_feature(fetch(connection, "SELECT feature, bin, n, total FROM reference"))
        counts = _with_fresh(connection, counts)
        own = "SELECT feature, part, bin, n, 0.0 AS total FROM reference_windows"
        return Reference(name, counts, _by_part(fetch(connection, own)) if parted else {})
    chosen = period(baseline, window)
    if chosen is None:
        return None
    table = fetch(
        connection,
        f"""SELECT feature, bin, SUM(n) AS n, SUM(total) AS total FROM {rollups.FEATURES.table(QUARTER)}
        WHERE {chosen.condition} GROUP BY 1, 2""",
        dict(chosen.values),
    )
    if not len(table):
        return Reference(f"{chosen.description}, which hold no traffic", {}) if window else None
    own = f"SELECT *, 0.0 AS total FROM ({parted_sql(chosen.condition)})"
    windows = _by_part(fetch(connection, own, dict(chosen.values))) if parted else {}
    return Reference(chosen.description, _with_fresh(connection, by_feature(table)), windows)


def _with_fresh(connection: DuckDBPyConnection, counts: dict[int, Counts]) -> dict[int, Counts]:
    """Add what other rows of the same distribution would be like; see `metrics.fresh`."""
    known = left_out.recall(connection)
    return {
        number: replace(each, fresh=fresh(each.codes, each.n, known[number])) if number in known else each
        for number, each in counts.items()
    }


def _by_part(table: Table) -> dict[int, list[Counts]]:
    found: dict[int, list[Counts]] = {}
    for part in np.unique(table["part"]).tolist():
        for number, counts in by_feature(table.where(table["part"] == part)).items():
            found.setdefault(number, []).append(counts)
    return found


def with_values(reference: Reference) -> set[int]:
    """Return the features that a reference has any value of."""
    return {
        number for number, counts in reference.counts.items() if (counts.n[counts.codes != MISSING] > 0).any()
    }


def by_feature(table: Table, cells: Cells | None = None) -> dict[int, Counts]:
    """Return the counts of each feature by ascending code, whatever the windows that they lie in.

    Args:
        table: Feature rows.
        cells: Those of the rows, where they are known.
    """
    cells = cells or Cells(table)
    there = cells.summed() > 0
    n, total = cells.n.astype(np.int64), cells.summed(table["total"])
    found = {}
    for number, *row in zip(cells.numbers.tolist(), there, n, total, strict=True):
        codes = row[0].nonzero()[0]
        found[number] = Counts(codes + cells.lowest, row[1].take(codes), row[2].take(codes))
    return found


def own_features(connection: DuckDBPyConnection, model: str) -> set[int]:
    """Return the features that records of a model have carried."""
    rows = connection.execute("SELECT feature FROM model_features WHERE model = ?", [model]).fetchall()
    return {number for (number,) in rows}


def counts_of_all(connection: DuckDBPyConnection) -> str:
    """Return the table that counts the features of all records, also where some were chosen."""
    view = f"duckdb_views() WHERE database_name = current_database() AND view_name = '{rollups.ALL_FEATURES}'"
    return rollups.ALL_FEATURES if is_there(connection, view) else rollups.FEATURES.table(DAY)


def _first_version(connection: DuckDBPyConnection, counts: str, baseline: Pair) -> str:
    first = (
        f"SELECT version FROM {counts} WHERE model = ? GROUP BY version ORDER BY MIN(bucket), version LIMIT 1"
    )
    (version,) = first_row(connection, first, [baseline.model]) or (baseline.version,)
    return str(version)


def expected_features(
    connection: DuckDBPyConnection,
    reference: Reference | None,
    own: set[int],
    baseline: Pair | None,
    *,
    alone: bool,
    counts: str,
) -> set[int]:
    """Return the features that every version of a model is expected to carry.

    A reference of which the model has less than half is that of another one: then only what they share counts. What
    the baseline carries is told by all of its records, also where some were chosen.

    Args:
        connection: A cursor of this thread.
        reference: What the model is compared with.
        own: See `own_features`.
        baseline: The version in service; of chosen records it may be the only one, and then the first one counts.
        alone: Records were chosen, of one version alone.
        counts: The counts of all records' features, from `counts_of_all`.
    """
    expected = with_values(reference) if reference is not None else set()
    named = {number for number in expected if number >= 0}
    if 2 * len(named & own) < len(named):
        expected -= named - own
    if baseline is None:
        return expected
    version = _first_version(connection, counts, baseline) if alone else baseline.version
    rows = connection.execute(
        f"""SELECT feature FROM {counts}
        WHERE model = ? AND version = ? GROUP BY feature HAVING SUM(CASE WHEN bin <> {MISSING} THEN n END) > 0""",
        [baseline.model, version],
    ).fetchall()
    return expected | {number for (number,) in rows}
