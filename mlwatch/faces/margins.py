"""Differences of a rollout's metrics in margins: −1 is the margin, less is harm, more is better."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlwatch.snapshot.types import RolloutMetric


def in_margins(value: float | None, metric: RolloutMetric) -> float:
    """Return a difference in margins; NaN where there is no difference or no margin."""
    if value is None or not metric.limit:
        return math.nan
    return -value / metric.limit


def interval_in_margins(metric: RolloutMetric) -> tuple[float, float]:
    """Return both ends of a difference's interval in margins; an open end is infinite, NaN where unknown."""
    if metric.difference is None or not metric.limit:
        return math.nan, math.nan
    low = -math.inf if metric.low is None else metric.low
    high = math.inf if metric.high is None else metric.high
    ends = sorted(in_margins(end, metric) for end in (low, high))
    return ends[0], ends[1]
