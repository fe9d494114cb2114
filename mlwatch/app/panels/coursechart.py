"""The confidence sequence of one metric of a rollout: difference, its limits and the margin over time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from textual.content import Content

from mlwatch.app.charts import SHADE, UNITS
from mlwatch.app.drawing import clean
from mlwatch.app.judging import label_of, unit_of
from mlwatch.app.panels.base import Plotted
from widgets.timeseries import Band, Chart, Marker, Series, TimeSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.app.view import View
    from mlwatch.snapshot.rollout_course import Course, MetricCourse

SETTLED = 0.5
"""Share of the course, its later part, whose limits are shown whole: at first they are very wide."""
PUT_OFF = (
    "The history is computed after the first screen, once all logs are read: it comes with a next refresh."
)


class CourseChart(Plotted, TimeSeries):
    """Plot the difference of the chosen metric with the limits that hold at every look."""

    HELP_TEXT = (
        "The chosen metric's difference over the rollout. Its shaded limits hold at every moment at once. Once "
        "they lie wholly beyond the margin, harm is shown; once wholly on its other side, it is ruled out. "
        "Arrows read values, + and − zoom."
    )
    _key = ""

    def choose(self, key: str) -> None:
        """Show another metric."""
        self._key = key
        if self.view is not None:
            self.take(self.view)

    def take(self, view: View) -> None:
        """Show the course of the chosen metric."""
        rollout = view.rollout
        metric = rollout.metrics.get(self._key) if rollout else None
        label = label_of(self._key, metric) if metric else "Difference"
        self.border_title = Content(clean(f"{label}: candidate less baseline"))
        chart = course_chart(view, self._key)
        put_off = rollout is not None and rollout.metrics and rollout.course is None
        none = PUT_OFF if put_off else "No history yet: it begins when both versions have traffic."
        self.say("" if chart.series else none)
        self.update(chart)


def course_chart(view: View, key: str) -> Chart:
    """Return one metric's course as a chart; empty where there is none."""
    rollout = view.rollout
    course = rollout.course if rollout else None
    if rollout is None or course is None or key not in course.metrics or key not in rollout.metrics:
        return Chart()
    unit = unit_of(key, rollout.metrics[key])
    factor, name = (100.0, "pt") if unit == "share" else UNITS[unit]
    if unit == "money" and view.baseline is not None:
        name = clean(view.baseline.business.revenue.currency or "", 8)
    metric = course.metrics[key]
    times = np.array([time.timestamp() for time in course.times])
    difference, low, high, limit = (
        _array(part, factor) for part in (metric.difference, metric.low, metric.high, metric.limit)
    )
    bottom, top = _limits(difference, low, high, limit)
    shown = np.isfinite(low) | np.isfinite(high)
    band = Band(
        np.where(shown, _open(low, -math.inf), np.nan), np.where(shown, _open(high, math.inf), np.nan), times
    )
    return Chart(
        (
            Series.of("", times, np.zeros(times.size), "muted"),
            Series.of("margin", times, limit, "warn"),
            Series.of("difference", times, difference, "$candidate"),
        ),
        (_clipped(band, bottom, top),),
        tuple(_markers(view, course, metric)),
        name,
        bottom,
        top,
    )


def _array(values: Sequence[float | None], factor: float) -> np.ndarray:
    return factor * np.array([math.nan if value is None else value for value in values], dtype=float)


def _open(edge: np.ndarray, end: float) -> np.ndarray:
    return np.where(np.isfinite(edge), edge, end)


def _clipped(band: Band, bottom: float, top: float) -> Band:
    """Cut a band to the picture, as a limit may be infinite."""
    return Band(
        np.clip(band.low, bottom, top), np.clip(band.high, bottom, top), band.times, f"$candidate {SHADE}"
    )


def _limits(*curves: np.ndarray) -> tuple[float, float]:
    """Return the ends of the value axis: around all that is known in the later part, and nought."""
    late = [curve[int(curve.size * (1 - SETTLED)) :] for curve in curves]
    known = np.concatenate([np.zeros(1), *(part[np.isfinite(part)] for part in late)])
    low, high = float(known.min()), float(known.max())
    air = (high - low) * 0.08 or 1.0
    return low - air, high + air


def _markers(view: View, course: Course, metric: MetricCourse) -> list[Marker]:
    """Return the steps of the ramp, and when the metric was decided."""
    rollout = view.rollout
    steps = rollout.steps if rollout else ()
    found = [
        Marker(step.start.timestamp(), f"{100 * step.share:.0f} % of traffic", "muted") for step in steps
    ]
    if metric.alarm is not None:
        found.append(Marker(metric.alarm.timestamp(), "worse", "bad"))
    elif metric.clear is not None:
        found.append(Marker(metric.clear.timestamp(), "fine", "good"))
    return found if course.times else []
