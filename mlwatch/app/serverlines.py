"""What servers say about themselves as lines over time: one metric, a line an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlwatch.app.charts import UNITS
from mlwatch.app.drawing import clean
from widgets.chart import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.app.serverwords import ServerMetric, Shown
    from mlwatch.snapshot.health_types import Endpoint

_SAID: dict[Shown, str] = {"per_s": ", per second", "cores": ", in cores", "plain": ""}
"""What the title says where the axis has no unit."""


def title_of(metric: ServerMetric) -> str:
    """Return what a chart of a metric is called."""
    return f"Servers: {metric.title}{_SAID.get(metric.unit, '')}"


def axis_of(metric: ServerMetric) -> tuple[float, str]:
    """Return factor and unit of the axis of a metric."""
    if metric.unit == "plain" or metric.unit == "cores":  # noqa: PLR1714 - the type checker narrows by it
        return 1.0, ""
    return UNITS[metric.unit]


def server_lines(endpoints: Sequence[Endpoint], metric: ServerMetric, most: int) -> list[Series]:
    """Return one metric of the endpoints that reach the highest values of it, by name.

    Args:
        endpoints: With their histories.
        metric: Which.
        most: Lines at the most.
    """
    lines = [line for one in endpoints if (line := _line(one, metric)) is not None]
    highest = sorted(lines, key=lambda line: -float(np.nanmax(line.values)))[:most]
    return sorted(highest, key=lambda line: line.name)


def _line(endpoint: Endpoint, metric: ServerMetric) -> Series | None:
    points = [point for point in endpoint.server_history if metric.key in point.values]
    if not points:
        return None
    times = np.array([point.start.timestamp() + 30 for point in points], dtype=float)
    values = axis_of(metric)[0] * np.array([point.values[metric.key] for point in points], dtype=float)
    return Series.of(clean(endpoint.name.removeprefix("http://"), 32), times, values)
