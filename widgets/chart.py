"""A chart over time as a value: series, bands, markers, and how they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from numpy.typing import ArrayLike, NDArray

    from widgets.canvas import Mode

    Floats = NDArray[np.float64]


def seconds(times: ArrayLike | Sequence[datetime]) -> Floats:
    """Return times as seconds since 1970-01-01 UTC; datetime64 and aware datetimes are converted."""
    array = np.asarray(times)
    if array.dtype.kind == "M":
        whole = array.astype("datetime64[us]")
        return np.where(np.isnat(whole), np.nan, whole.astype(np.int64) / 1e6)
    if array.dtype == object:
        return np.array(
            [at.timestamp() if isinstance(at, datetime) else float(at) for at in array], dtype=np.float64
        )
    return array.astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One line of a chart; make it with `Series.of`."""

    name: str
    """What it is; may come from outside. Without a name it is not in the legend."""
    times: Floats
    """Seconds since 1970-01-01 UTC, increasing, shape (n,)."""
    values: Floats
    """One value a time, shape (n,); NaN is a gap, an infinite value leaves the picture."""
    style: str = ""
    """Style of the line; by its position if empty."""

    @classmethod
    def of(
        cls, name: str, times: ArrayLike | Sequence[datetime], values: ArrayLike, style: str = ""
    ) -> Series:
        """Return a series of times (seconds or datetime64, in any order) and values of the same shape.

        Raises:
            ValueError: The shapes differ.
        """
        x, y = seconds(times).ravel(), np.asarray(values, dtype=np.float64).ravel()
        if x.shape != y.shape:
            raise ValueError(f"times have shape {x.shape}, values {y.shape}")
        known = np.isfinite(x)
        x, y = x[known], y[known]
        if np.any(np.diff(x) < 0):
            order = np.argsort(x, kind="stable")
            x, y = x[order], y[order]
        return cls(name, x, y, style)

    def at(self, time: float, reach: float) -> float | None:
        """Return the value nearest to a time, None where none is within `reach` seconds."""
        if self.times.size == 0:
            return None
        after = int(np.searchsorted(self.times, time))
        near = [at for at in (after - 1, after) if 0 <= at < self.times.size]
        best = min(near, key=lambda at: abs(float(self.times[at]) - time))
        return float(self.values[best]) if abs(float(self.times[best]) - time) <= reach else None


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A shaded range: two numbers, or two arrays over times."""

    low: float | Floats
    """Lower edge; an array has one value a time."""
    high: float | Floats
    """Upper edge, the same shape."""
    times: Floats | None = None
    """Seconds since 1970-01-01 UTC, increasing, where the edges are arrays."""
    colour: str = ""
    """What it is shaded with, such as `$accent 12%`; neutral if empty."""


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened: a deploy, an alert."""

    time: float
    """Seconds since 1970-01-01 UTC."""
    label: str
    """What happened; may come from outside."""
    style: str = "label"
    """Style of line and label."""


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """All that a chart shows."""

    series: tuple[Series, ...] = ()
    """Lines; the last lies on top."""
    bands: tuple[Band, ...] = ()
    """Shaded ranges behind the lines."""
    markers: tuple[Marker, ...] = ()
    """Vertical lines with labels."""
    unit: str = ""
    """Unit of the values; `%` takes them as shares of one."""
    low: float | None = None
    """Lower limit of the value axis; from the data if None."""
    high: float | None = None
    """Upper limit of the value axis; from the data if None."""


@dataclass(frozen=True, slots=True)
class ChartView:
    """How a chart is looked at."""

    span: tuple[float, float] | None = None
    """First and last time, seconds since 1970-01-01 UTC; all of the data if None."""
    cursor: float | None = None
    """Time whose values are read out."""
    marked: tuple[float, float] | None = None
    """Times in the first and in the last column of a stretch that is being chosen."""
    mode: Mode = "quadrant"
    """What the lines are drawn with."""
    zone: tzinfo = UTC
    """Whose clock the axis shows."""
    dashed: bool = False
    """Whether lines differ by their dashes, for a screen without colour."""
    legend: bool = True
    """Whether the first line names the series."""

    @property
    def ascii_only(self) -> bool:
        """Whether to draw with ASCII characters only."""
        return self.mode == "ascii"


def extent(chart: Chart) -> tuple[float, float] | None:
    """Return the first and the last time of all series; None without data."""
    ends = [(float(line.times[0]), float(line.times[-1])) for line in chart.series if line.times.size]
    if not ends:
        return None
    start, end = min(first for first, _ in ends), max(last for _, last in ends)
    return (start, end) if end > start else (start - 30.0, end + 30.0)
