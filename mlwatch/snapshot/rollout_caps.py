"""Winsorise means at a frozen limit: a single order or a single timeout must not decide.

The limit is the 99.9th percentile of the baseline's week before the candidate came; see `metrics.winsor`. Both
versions' larger values count as the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import latency
from mlwatch.metrics.winsor import edge_of
from mlwatch.snapshot.read import fetch
from mlwatch.snapshot.winsorised import cap_of
from mlwatch.store import rollups
from mlwatch.store.rollup import HOUR

if TYPE_CHECKING:
    from datetime import datetime

    from mlwatch.metrics.rollout_types import IntArray
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reader import Reader
    from mlwatch.store.rollup import Rollup

REFERENCE_SPAN = timedelta(days=7)
"""Time before the candidate from which the baseline's quantiles are frozen."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The highest bins whose values count as they are; None cuts nothing."""

    latency: int | None = None
    worth: int | None = None

    def limits(self) -> dict[str, float]:
        """Return the limit of each metric that has one, in its own unit."""
        found = {"latency_mean": self.latency, "revenue": self.worth}
        return {name: edge_of(code) for name, code in found.items() if code is not None}


def frozen_caps(reader: Reader, model: str, baseline: str, end: datetime) -> Caps:
    """Return the limits that the baseline's past gives.

    Args:
        reader: Of the snapshot.
        model: The model.
        baseline: Its version in service.
        end: The full hour in which the candidate came, naive UTC.
    """
    begin = end - REFERENCE_SPAN

    def past(rollup: Rollup, columns: str) -> Table:
        return of_past(reader, rollup, columns, (model, baseline), (begin, end))

    def compute() -> Caps:
        times = past(rollups.LATENCY, "bin, SUM(n) AS n")
        worth = past(rollups.WORTH, "bin, SUM(n) AS n")
        requests = past(rollups.TRAFFIC, "SUM(n) AS n").whole("n")
        return Caps(cap_of(times, times.whole("n")), cap_of(worth, requests))

    sources = (rollups.LATENCY, rollups.WORTH, rollups.TRAFFIC)
    return reader.value(("caps", model, baseline, end), sources, (begin, end), compute)


def of_past(
    reader: Reader,
    rollup: Rollup,
    columns: str,
    pair: tuple[str, str],
    span: tuple[datetime, datetime],
    having: str = "TRUE",
    **more: object,
) -> Table:
    """Return sums of a version over a stretch of the past, by the hour.

    Args:
        reader: Of the snapshot.
        rollup: Where from.
        columns: Keys and sums.
        pair: Model and version.
        span: Full hours, naive UTC, the end excluded.
        having: What sums must be.
        more: Parameters of the columns.
    """
    return fetch(
        reader.connection,
        f"""SELECT {columns} FROM {rollup.table(HOUR)}
        WHERE model = $model AND version = $version AND bucket >= $begin AND bucket < $end
        GROUP BY ALL HAVING {having}""",
        {"model": pair[0], "version": pair[1], "begin": span[0], "end": span[1], **more},
    )


def cut_latencies(rows: Table, cap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what rows of latencies by bin add to the sums of their stratum.

    Args:
        rows: `bin` and `n`.
        cap: The highest bin whose values count as they are.

    Returns:
        Sum and sum of squares by the middles of the bins (within 1 %), and the number above the limit.
    """
    code: IntArray = rows["bin"].astype(np.int64)
    value = np.minimum(latency.bin_values(code), edge_of(cap))
    return rows["n"] * value, rows["n"] * value * value, rows["n"] * (code > cap)
