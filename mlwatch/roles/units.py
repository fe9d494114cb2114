"""In which unit times and latencies are written: by configuration, name, or values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.roles import looks
from mlwatch.roles.columns import kind_of
from mlwatch.roles.names import latency_factor
from mlwatch.times import epoch_unit

if TYPE_CHECKING:
    from mlwatch.roles.types import Column, TimeUnit

FACTORS = {"ms": 1.0, "s": 1e3, "us": 1e-3, "ns": 1e-6}
"""Milliseconds in each unit that `latency_unit` may name."""
UNKNOWN = ", taken for milliseconds: else set latency_unit"
"""What is said of a latency of which nothing tells the unit."""


def time_unit(column: Column) -> TimeUnit:
    """Return how the times of a column are written; `auto` where that differs between its values."""
    units: set[TimeUnit] = {_unit_of(sample) for sample in column.samples}
    return units.pop() if len(units) == 1 else "auto"


def _unit_of(sample: object) -> TimeUnit:
    if kind_of(sample) in {"integer", "number"}:
        return epoch_unit(looks.as_float(sample))
    text = str(sample).strip()
    return "auto" if text.replace(".", "", 1).isdecimal() else "iso"


def latency_unit(column: Column, unit: str | None) -> tuple[float, str]:
    """Return the milliseconds of a latency's unit, and why it is that one.

    Args:
        column: Of latencies.
        unit: That of the configuration, if any.
    """
    if unit is not None:
        return FACTORS[unit], f", in {unit} by the configuration"
    factor = latency_factor(column.path[-1])
    if looks.holds_durations(column):
        return factor or 1.0, ", each with its unit"
    if factor is None:
        return 1.0, UNKNOWN
    return factor, ""
