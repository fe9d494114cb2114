"""Winsorise means at a frozen limit: a single order or a single timeout must not decide.

The limit is the 99.9th percentile of the baseline's week before the candidate came, as the upper edge of a bin of the
log histogram (2 % wide). Both versions' larger values count as the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import latency
from mlwatch.snapshot.read import fetch
from mlwatch.store import rollups

if TYPE_CHECKING:
    from datetime import datetime

    from mlwatch.metrics.rollout_types import IntArray
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reader import Reader

QUANTILE = 0.999
FEWEST = 2_000
"""Values of the baseline that its limit takes: with fewer, one or two of them would be it."""
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


def edge_of(code: int) -> float:
    """Return the upper edge of a bin."""
    return float(latency.GAMMA**code)


def frozen_caps(reader: Reader, model: str, baseline: str, end: datetime) -> Caps:
    """Return the limits that the baseline's past gives.

    Args:
        reader: Of the snapshot.
        model: The model.
        baseline: Its version in service.
        end: The full hour in which the candidate came, naive UTC.
    """
    begin = end - REFERENCE_SPAN

    def past(rollup: rollups.Rollup, columns: str) -> Table:
        return fetch(
            reader.connection,
            f"""SELECT {columns} FROM {rollup.table(rollups.HOUR)}
            WHERE model = ? AND version = ? AND bucket >= ? AND bucket < ? GROUP BY ALL""",
            [model, baseline, begin, end],
        )

    def compute() -> Caps:
        times = past(rollups.LATENCY, "bin, SUM(n) AS n")
        worth = past(rollups.WORTH, "bin, SUM(n) AS n")
        requests = past(rollups.TRAFFIC, "SUM(n) AS n").whole("n")
        return Caps(cap_of(times, times.whole("n")), cap_of(worth, requests))

    sources = (rollups.LATENCY, rollups.WORTH, rollups.TRAFFIC)
    return reader.value(("caps", model, baseline, end), sources, (begin, end), compute)


def cap_of(rows: Table, n: int) -> int | None:
    """Return the lowest bin above which lie at most a thousandth of `n` values; those without a row are nought."""
    if n < FEWEST or not len(rows):
        return None
    order = np.argsort(rows["bin"])
    bins, counts = rows["bin"][order], rows["n"][order]
    above = counts.sum() - np.cumsum(counts)
    code = int(bins[np.argmax(above <= (1 - QUANTILE) * n)])
    return None if code == latency.ZERO_BIN else code


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


def cut_worth(rows: Table, cap: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what rows of values by bin add to the sums of their stratum, exactly.

    Args:
        rows: `bin`, `n`, `value` and `value_sq`.
        cap: See `cut_latencies`.
    """
    above, limit = rows["bin"] > cap, edge_of(cap)
    return (
        np.where(above, rows["n"] * limit, rows["value"]),
        np.where(above, rows["n"] * limit * limit, rows["value_sq"]),
    )
