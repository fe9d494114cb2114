"""Why a rollout is judged as it is, in charts: differences in margins, and how the decisive ones came about."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlwatch.faces import charts
from mlwatch.faces.charts import Effect
from mlwatch.faces.check import is_share
from mlwatch.faces.margins import in_margins, interval_in_margins
from mlwatch.faces.model_pictures import NUMBER, SHARE
from mlwatch.faces.pens import STATUS
from mlwatch.snapshot.pair_types import MEASURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from altair import LayerChart

    from mlwatch.faces.markup import Markup
    from mlwatch.faces.pictures import Pictures
    from mlwatch.snapshot.pair_types import PairFindings
    from mlwatch.snapshot.rollout_course import Course
    from mlwatch.snapshot.types import Rollout, RolloutMetric

MOST_COURSES = 3
ORDER = ("worse", "inconclusive", "non_inferior", "better")
"""Which metrics are told first."""
SETTLED = 0.5
"""Share of a course, its later part, whose limits are shown whole: at first they are very wide."""


def rollout_pictures(rollout: Rollout, pictures: Pictures) -> list[Markup]:
    """Return the charts of one verdict."""
    effects = [_effect(name, metric) for name, metric in rollout.metrics.items()]
    found = [
        pictures.figure(
            f"{rollout.candidate} less {rollout.baseline}, in margins: beyond −1 is harm, shaded is allowed",
            "; ".join(metric.reason for metric in rollout.metrics.values()),
            lambda: charts.forest(effects),
            kind="broad",
        )
    ]
    findings = rollout.shadow.findings if rollout.shadow is not None else None
    if findings is not None and findings.steps:
        found.append(_pairs(findings, pictures))
    course = rollout.course
    if course is None or not course.times:
        return found
    judged = [
        name
        for name, metric in rollout.metrics.items()
        if metric.status in ORDER
        and name in course.metrics
        and any(map(_is_known, course.metrics[name].difference))
    ]
    judged.sort(key=lambda name: ORDER.index(rollout.metrics[name].status))
    return found + [_course(name, rollout.metrics[name], course, pictures) for name in judged[:MOST_COURSES]]


def _pairs(found: PairFindings, pictures: Pictures) -> Markup:
    """Return how often, or how far, the answers of a shadow differed."""
    points = tuple((charts.instant(step.start), step.value) for step in found.steps)
    limits = tuple(
        None if step.low is None or step.high is None else (step.low, step.high) for step in found.steps
    )
    line = charts.Line(1, points, limits)
    title = f"{MEASURES[found.measure].capitalize()}, over time"
    known = [step.value for step in found.steps if step.value is not None]
    spoken = f"{title}: {min(known):.4g} to {max(known):.4g} in {len(known)} steps"
    shape = SHARE if found.measure == "disagreement" else NUMBER
    return pictures.figure(title, spoken, lambda: charts.over_time([line], shape, nought=True))


def _effect(name: str, metric: RolloutMetric) -> Effect:
    label = metric.label or name
    low, high = interval_in_margins(metric)
    return Effect(
        label[:1].upper() + label[1:], in_margins(metric.difference, metric), low, high, STATUS[metric.status]
    )


def _course(name: str, metric: RolloutMetric, course: Course, pictures: Pictures) -> Markup:
    found = course.metrics[name]
    factor, unit = (100.0, "points") if is_share(metric) else (1.0, metric.unit)
    difference, low, high, limit = (
        _scaled(curve, factor) for curve in (found.difference, found.low, found.high, found.limit)
    )
    span = _span(difference, low, high, limit)
    limits = [
        (math.nan, math.nan)
        if bottom is None and top is None
        else (-math.inf if bottom is None else bottom, math.inf if top is None else top)
        for bottom, top in zip(low, high, strict=True)
    ]
    label = metric.label or name
    times = [charts.instant(time) for time in course.times]
    alarm = None if found.alarm is None else charts.instant(found.alarm)

    def chart() -> LayerChart:
        return charts.course(times, difference, limits, limit, span=span, moment=alarm)

    title = f"{label[:1].upper()}{label[1:]}, difference over the rollout" + (f", {unit}" if unit else "")
    return pictures.figure(title, f"{title}: {metric.reason}", chart)


def _is_known(value: float | None) -> bool:
    return value is not None


def _scaled(values: Sequence[float | None], factor: float) -> list[float | None]:
    return [None if value is None else factor * value for value in values]


def _span(*curves: Sequence[float | None]) -> tuple[float, float]:
    """Return the ends of the value axis: around all that is known in the later part, and nought."""
    late = [curve[int(len(curve) * (1 - SETTLED)) :] for curve in curves]
    known = [0.0, *(value for part in late for value in part if value is not None)]
    air = (max(known) - min(known)) * 0.08 or 1.0
    return min(known) - air, max(known) + air
