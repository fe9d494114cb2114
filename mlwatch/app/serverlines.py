"""What servers say about themselves as lines over time: one metric, a line an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlwatch.app.drawing import clean
from widgets.chart import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlwatch.snapshot.health_types import Endpoint

MEASURES = {
    "requests_per_s": ("requests per second", 1.0, ""),
    "errors_per_s": ("errors per second", 1.0, ""),
    "latency_p95_ms": ("95th percentile of latency", 0.001, "s"),
    "latency_mean_ms": ("mean latency", 0.001, "s"),
    "queue_length": ("requests in the queue", 1.0, ""),
    "in_flight": ("requests in flight", 1.0, ""),
    "tokens_per_s": ("tokens per second", 1.0, ""),
    "hit_ratio": ("hits of the cache", 1.0, "%"),
    "cpu_cores": ("CPU, in cores", 1.0, ""),
    "cpu_share": ("CPU", 1.0, "%"),
    "memory_bytes": ("memory", 1.0, "B"),
    "memory_share": ("memory", 1.0, "%"),
    "gpu_share": ("GPU", 1.0, "%"),
}
"""Of each metric that can be drawn: what it is, and factor and unit of the axis."""


def told(endpoints: Iterable[Endpoint]) -> list[str]:
    """Return the metrics that any endpoint has a history of, in the order of `MEASURES`."""
    known = {name for one in endpoints for point in one.server_history for name in point.values}
    return [name for name in MEASURES if name in known]


def server_lines(endpoints: Sequence[Endpoint], name: str, most: int) -> list[Series]:
    """Return one metric of the endpoints that reach the highest values of it, by name.

    Args:
        endpoints: With their histories.
        name: One of `MEASURES`.
        most: Lines at the most.
    """
    lines = [line for one in endpoints if (line := _line(one, name)) is not None]
    highest = sorted(lines, key=lambda line: -float(np.nanmax(line.values)))[:most]
    return sorted(highest, key=lambda line: line.name)


def _line(endpoint: Endpoint, name: str) -> Series | None:
    points = [point for point in endpoint.server_history if name in point.values]
    if not points:
        return None
    times = np.array([point.start.timestamp() + 30 for point in points], dtype=float)
    values = np.array([MEASURES[name][1] * point.values[name] for point in points], dtype=float)
    return Series.of(clean(endpoint.name.removeprefix("http://"), 32), times, values)
