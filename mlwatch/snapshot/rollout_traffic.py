"""How the traffic of a rollout was split over time, and lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout import traffic_steps
from mlwatch.snapshot.types import Rollout, TrafficLately, TrafficStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.metrics.rollout_traffic import TrafficStep as Step
    from mlwatch.metrics.rollout_types import FloatArray, IntArray
    from mlwatch.snapshot.rollout_series import Arms

LATELY = 60
"""Minutes whose split is that of now."""
ENOUGH = 100
"""Requests that these must hold; where traffic is low, it takes a longer time to say how it is split."""


@dataclass(frozen=True, slots=True)
class _Exposures:
    """Requests by stratum, each of shape (rows,)."""

    minute: IntArray
    """Since the epoch, rising."""
    baseline: FloatArray
    candidate: FloatArray
    others: FloatArray


def _exposures(arms: Arms) -> _Exposures:
    old, new = arms.baseline, arms.candidate
    minute = np.union1d(old.minute, new.minute)

    def laid(series: IntArray, n: object) -> FloatArray:
        rows = np.searchsorted(minute, series)
        return np.bincount(rows, weights=np.asarray(n, dtype=float), minlength=len(minute)).astype(float)

    rest = np.zeros(len(minute))
    if old.others is not None and len(minute):
        # by the start of a stratum, the rows by its last minute with traffic
        rest = laid(np.minimum(old.others[0], minute[-1]), old.others[1])
    return _Exposures(minute, laid(np.asarray(old.minute), old.n), laid(np.asarray(new.minute), new.n), rest)


def has_steps(arms: Arms) -> bool:
    """Tell whether the candidate's share of the traffic was changed."""
    return len(_steps(_exposures(arms))) > 1


def _steps(found: _Exposures) -> tuple[Step, ...]:
    return traffic_steps(found.minute, found.baseline + found.others, found.candidate)


def split_over_time(arms: Arms, rollout: Rollout) -> tuple[tuple[TrafficStep, ...], TrafficLately | None]:
    """Recognise the steps of a traffic ramp, and how the traffic is split now.

    Args:
        arms: Both versions.
        rollout: The verdict: where the candidate is silent, its share is that of its last hour.
    """
    found, width = _exposures(arms), timedelta(minutes=arms.minutes)
    steps = _steps(found)
    lately = _lately(found, [step.start for step in steps], rollout)
    told = tuple(
        TrafficStep(_time(step.start), _time(step.end) + width, step.share, step.n) for step in steps
    )
    if lately is None:
        return told, None
    rows = found.baseline[lately], found.candidate[lately], found.others[lately]
    old, new, others = (float(part.sum()) for part in rows)
    n = old + new + others
    span = found.minute[lately]
    shares = {rollout.baseline: old / n, rollout.candidate: new / n}
    return told, TrafficLately(_time(int(span[0])), _time(int(span[-1])) + width, shares)


def _lately(found: _Exposures, begins: Sequence[int], rollout: Rollout) -> slice | None:
    """Return the newest rows, of one step; None without any."""
    alive = found.candidate if rollout.candidate in rollout.silent_s else found.candidate + found.baseline
    rows = np.flatnonzero(alive)
    if not len(rows):
        return None
    stop = int(rows[-1]) + 1
    newest = int(found.minute[stop - 1])
    n = np.cumsum((found.baseline + found.candidate + found.others)[:stop][::-1])[::-1]  # from each row on
    # the last row from which on there are so many
    enough = int(np.searchsorted(-n, -ENOUGH, side="right")) - 1
    hour = int(np.searchsorted(found.minute, newest - LATELY, side="right"))
    step = int(np.searchsorted(found.minute, max((begin for begin in begins if begin <= newest), default=0)))
    return slice(max(min(hour, max(enough, 0)), step), stop)


def _time(minute: int) -> datetime:
    return datetime.fromtimestamp(60 * minute, UTC)
