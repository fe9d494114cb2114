"""A rollout up to now: the confidence sequence of each metric, and the log of its verdicts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from mlwatch.metrics.rollout_judgement import STATUSES
from mlwatch.metrics.rollout_strata import align
from mlwatch.snapshot.rollout_pairs import timeline as timeline_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.metrics.rollout import RolloutTimeline
    from mlwatch.metrics.rollout_timeline import MetricTimeline
    from mlwatch.metrics.rollout_types import FloatArray
    from mlwatch.snapshot.rollout_series import Inputs
    from mlwatch.snapshot.types import Rollout

MOST_MOMENTS = 480
"""Moments at which a rollout is judged anew; of a longer one, evenly spread."""
MOST_POINTS = 240
"""Moments that are kept for a plot."""
MOST_CHANGES = 200
"""Changes of the verdict that are kept, the newest."""

Curve = tuple["float | None", ...]


@dataclass(frozen=True, slots=True)
class MetricCourse:
    """One metric over the rollout, in its own unit; a tuple has one entry a moment of the course."""

    difference: Curve
    """Stratified candidate − baseline; None where unknown."""
    low: Curve
    """Limits that hold at every look; None where unbounded."""
    high: Curve
    limit: Curve
    """The margin as a signed difference."""
    alarm: datetime | None
    """When it was first shown to be worse."""
    clear: datetime | None
    """When harm beyond the margin was first ruled out."""


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """From when on the verdict, or why it is so, was another one."""

    time: datetime
    verdict: Literal["promote", "hold", "rollback"]
    state: str
    """See `mlwatch.metrics.rollout_types.RolloutState`."""
    worse: tuple[str, ...] = ()
    """Metrics that were shown to be worse at that moment."""


@dataclass(frozen=True, slots=True)
class Course:
    """What a rollout was like at each moment, from the same rollups as its verdict of now."""

    times: tuple[datetime, ...] = ()
    metrics: Mapping[str, MetricCourse] = field(default_factory=dict)
    changes: tuple[VerdictChange, ...] = ()
    """Oldest first."""


def course_of(inputs: Inputs) -> Course:
    """Judge a rollout at many moments of its past.

    Args:
        inputs: The arms, and how they are judged.
    """
    arms, settings = inputs.arms, inputs.settings
    if not settings.metrics and inputs.pairs is None:
        return Course()
    moments = align(arms.baseline, arms.candidate, settings).minute.size
    every = max(1, math.ceil(moments / MOST_MOMENTS))
    timeline = timeline_of(inputs, every)
    shown = _spread(timeline.minute.size)
    times = tuple(_time(minute) for minute in timeline.minute[shown].tolist())
    metrics = {name: _metric(metric, shown) for name, metric in timeline.metrics.items()}
    return Course(times, metrics, _changes(timeline))


def up_to_now(course: Course, rollout: Rollout, end: datetime) -> Course:
    """Return a course that may end a little earlier, with the present verdict as its last moment.

    Args:
        course: Of the same rollout.
        rollout: Its present verdict.
        end: Of the range, aware.
    """
    if not course.times or course.times[-1] >= end:
        return course
    metrics = {
        name: replace(
            metric,
            difference=(*metric.difference, now.difference),
            low=(*metric.low, now.low),
            high=(*metric.high, now.high),
            limit=(*metric.limit, now.limit),
        )
        for name, metric in course.metrics.items()
        if (now := rollout.metrics.get(name)) is not None
    }
    changes = course.changes
    if not changes or (changes[-1].verdict, changes[-1].state) != (rollout.verdict, rollout.state):
        worse = tuple(name for name, metric in rollout.metrics.items() if metric.status == "worse")
        changes = (*changes, VerdictChange(end, rollout.verdict, rollout.state, worse))
    return Course((*course.times, end), metrics, changes)


def _spread(count: int) -> np.ndarray:
    """Return at most `MOST_POINTS` of so many positions, the last one among them."""
    step = max(1, math.ceil(count / MOST_POINTS))
    return np.arange(count - 1, -1, -step)[::-1]


def _metric(metric: MetricTimeline, shown: np.ndarray) -> MetricCourse:
    return MetricCourse(
        _curve(metric.difference[shown]),
        _curve(metric.low[shown]),
        _curve(metric.high[shown]),
        _curve(metric.limit[shown]),
        _time(metric.alarm) if metric.alarm is not None else None,
        _time(metric.clear) if metric.clear is not None else None,
    )


def _curve(values: FloatArray) -> Curve:
    return tuple(float(value) if math.isfinite(value) else None for value in values.tolist())


def _changes(timeline: RolloutTimeline) -> tuple[VerdictChange, ...]:
    keys = np.stack([timeline.verdict, timeline.state])
    if not keys.shape[1]:
        return ()
    first = np.flatnonzero(np.r_[True, (keys[:, 1:] != keys[:, :-1]).any(axis=0)])
    return tuple(
        VerdictChange(
            _time(int(timeline.minute[at])),
            timeline.verdict_at(at),
            timeline.state_at(at).value,
            tuple(
                name
                for name, metric in timeline.metrics.items()
                if metric.status[at] == STATUSES.index("worse")
            ),
        )
        for at in first[-MOST_CHANGES:].tolist()
    )


def _time(minute: int) -> datetime:
    return datetime.fromtimestamp(60 * minute, UTC)
