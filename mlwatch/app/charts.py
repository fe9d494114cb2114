"""A number of two versions over time as a chart, with its intervals."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.app.catalogue import metrics_of
from mlwatch.app.drawing import clean, short
from widgets.chart import Band, Chart, Marker, Series

if TYPE_CHECKING:
    from mlwatch.app.catalogue import Metric
    from mlwatch.app.units import Unit
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import Alert, Version

UNITS: dict[Unit, tuple[float, str]] = {
    "share": (1.0, "%"),
    "ms": (0.001, "s"),
    "per_s": (1.0, ""),
    "money": (1.0, ""),
    "score": (1.0, ""),
    "count": (1.0, ""),
    "bytes": (1.0, "B"),
}
"""Factor and unit of the axis: charts write prefixes themselves, so that milliseconds must be seconds."""
VERSION_STYLES = ("$baseline", "$candidate")
EXPECTED = "45%"
"""How much of its version's colour the line of what was expected without labels takes."""
TRAINED = "30%"
"""How much of its version's colour the level of its training takes."""
SHADE = "18%"
"""How much of its version's colour an interval takes."""
CUT = 0.2
"""Share of the ends of intervals, the widest, that may lie outside the picture."""


def metric_of(view: View, key: str) -> Metric | None:
    """Return a metric that the versions of a view carry."""
    versions = [version for version in (view.baseline, view.candidate) if version is not None]
    return next((metric for metric in metrics_of(*versions) if metric.key == key), None)


def trend_chart(view: View, key: str) -> Chart:
    """Return one number of both versions over the steps of the range; empty where it has no history."""
    metric = metric_of(view, key)
    if metric is None:
        return Chart()
    levels, series, bands = [], [], []
    for version, style in zip((view.baseline, view.candidate), VERSION_STYLES, strict=True):
        if version is not None:
            line, band = over_time(version, metric, style)
            levels += _trained(version, metric, line, style)
            series += [*_expected(version, metric, style), line]
            bands += [band] if band is not None else []
    if not any(np.isfinite(line.values).any() for line in series):
        return Chart()
    unit = UNITS[metric.unit][1]
    if metric.unit == "money" and view.baseline is not None:
        unit = clean(view.baseline.business.revenue.currency or "", 8)
    series = [*levels, *series]
    shaded, bottom, top = _clipped(series, bands)
    if metric.unit == "share" and top is not None:
        top = min(top, 1.0)
    return Chart(tuple(series), shaded, markers(view), unit, bottom, top)


def _expected(version: Version, metric: Metric, style: str) -> list[Series]:
    """Return the fainter line of what a number was expected to be without labels, where that is known."""
    if metric.beside is None:
        return []
    line, _ = over_time(version, replace(metric, over=metric.beside), f"{style} {EXPECTED}")
    return [replace(line, name=f"{line.name} estimated")] if np.isfinite(line.values).any() else []


def _trained(version: Version, metric: Metric, line: Series, style: str) -> list[Series]:
    """Return the level line of what a number was in training, where a registry knows it."""
    value = version.registered.in_training(metric.key) if version.registered is not None else None
    if value is None or metric.family != "performance" or not line.times.size:
        return []
    level = np.full(line.times.shape, UNITS[metric.unit][0] * value)
    return [Series.of(f"{line.name} in training", line.times, level, f"{style} {TRAINED}")]


def over_time(version: Version, metric: Metric, style: str) -> tuple[Series, Band | None]:
    """Return a version's line, a point at the middle of each step, and the band of its intervals."""
    factor = UNITS[metric.unit][0]
    readings = [metric.over(window) for window in version.windows]
    middles = [(window.start.timestamp() + window.end.timestamp()) / 2 for window in version.windows]
    times = np.array(middles, dtype=float)
    values, low, high = (
        factor * np.array([math.nan if value is None else value for value in column], dtype=float)
        for column in (
            [reading.value for reading in readings],
            [reading.low for reading in readings],
            [reading.high for reading in readings],
        )
    )
    band = Band(low, high, times, f"{style} {SHADE}") if np.isfinite(low).any() else None
    return Series.of(short(version.name, 24), times, values, style), band


def _clipped(lines: list[Series], bands: list[Band]) -> tuple[tuple[Band, ...], float | None, float | None]:
    """Cut bands to the picture, so that the wide intervals of steps with few data do not flatten the lines."""
    if not bands:
        return (), None, None
    values = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    low = np.concatenate([np.atleast_1d(band.low) for band in bands])
    high = np.concatenate([np.atleast_1d(band.high) for band in bands])
    bottom = min(float(values.min()), float(np.nanquantile(low, CUT)))
    top = max(float(values.max()), float(np.nanquantile(high, 1 - CUT)))
    air = (top - bottom) * 0.04 or abs(top) * 0.1 or 1.0
    bottom, top = (max(bottom - air, 0.0) if bottom >= 0 else bottom - air), top + air
    cut = (
        Band(np.clip(band.low, bottom, top), np.clip(band.high, bottom, top), band.times, band.colour)
        for band in bands
    )
    return tuple(cut), bottom, top


def _model_of(alert: Alert, view: View) -> str | None:
    """Return the model that an alert is about; None for none. Names may begin alike, and hold spaces."""
    mine = (name for name in view.snapshot.models if f"{alert.about} ".startswith(f"{name} "))
    return max(mine, key=len, default=None)


def markers(view: View) -> tuple[Marker, ...]:
    """Return when the rollout began and when alerts that are not over began, but for those about other models."""
    found = [
        Marker(alert.since.timestamp(), clean(alert.rule, 24), "warn")
        for alert in view.alerts
        if alert.state == "firing" and _model_of(alert, view) in {None, view.model_name}
    ]
    if view.rollout is not None and view.rollout.since is not None:
        found.append(Marker(view.rollout.since.timestamp(), clean(view.rollout.candidate, 20), "$candidate"))
    return tuple(found)
