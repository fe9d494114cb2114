"""Replay a rollout: what the verdict would have been at each minute, from running totals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_decide import STATES, VERDICTS, decide
from mlwatch.metrics.rollout_fold import RunningFold
from mlwatch.metrics.rollout_judge import judge_metrics
from mlwatch.metrics.rollout_judgement import STATUSES, Judgement
from mlwatch.metrics.rollout_limits import broken_limits
from mlwatch.metrics.rollout_plan import RolloutPlan, plan_rollout
from mlwatch.metrics.rollout_silence import unusual_silences
from mlwatch.metrics.rollout_strata import Strata, align
from mlwatch.metrics.rollout_tally import tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_totals import RolloutTotals
    from mlwatch.metrics.rollout_types import (
        ArmSeries,
        FloatArray,
        IntArray,
        RolloutSettings,
        RolloutState,
        Verdict,
    )

CHUNK = 512
"""Minutes whose running totals are held at a time."""


@dataclass(frozen=True)
class MetricTimeline:
    """One metric at each moment: what a confidence-sequence plot shows."""

    name: str
    status: NDArray[np.int8]
    """Index into `STATUSES`."""
    difference: FloatArray
    """Stratified candidate − baseline; nan where unknown."""
    low: FloatArray
    """Limits of the difference; infinite where unbounded."""
    high: FloatArray
    limit: FloatArray
    """The margin as a signed difference."""
    log_e: FloatArray
    """Evidence of harm."""
    alarm: int | None
    """First minute at which the metric was worse."""
    clear: int | None
    """First minute at which harm beyond the margin was ruled out."""

    def status_at(self, index: int) -> str:
        """Return the status at one moment."""
        return STATUSES[int(self.status[index])]


@dataclass(frozen=True)
class RolloutTimeline:
    """The verdict at each moment of a rollout."""

    minute: IntArray
    """Moments, rising."""
    verdict: NDArray[np.int8]
    """Index into `VERDICTS`."""
    state: NDArray[np.int8]
    """Index into `STATES`."""
    metrics: dict[str, MetricTimeline]
    decided: int | None
    """First minute with a verdict other than hold."""
    width: int = 1
    """Minutes from one moment to the next at most, where there is traffic: wider where there is little."""

    def verdict_at(self, index: int) -> Verdict:
        """Return the verdict at one moment."""
        return VERDICTS[int(self.verdict[index])]

    def state_at(self, index: int) -> RolloutState:
        """Return the state at one moment."""
        return STATES[int(self.state[index])]


def rollout_timeline(
    baseline: ArmSeries, candidate: ArmSeries, settings: RolloutSettings, every: int = 1
) -> RolloutTimeline:
    """Judge a rollout at each of its strata, as if it had been watched.

    Args:
        baseline: Sufficient statistics of the baseline; rows in any order.
        candidate: Sufficient statistics of the candidate.
        settings: Metrics, margins and times.
        every: Judge at every so many strata only (the last one always): a plot needs few.

    Raises:
        ValueError: Columns that do not fit each other.
    """
    strata = align(baseline, candidate, settings)
    plan = plan_rollout(strata, settings)
    broken = broken_limits(strata, settings).any(strata.minute.size)
    unusual = unusual_silences(baseline, candidate, settings, strata.last_minute.astype(float))
    chunks = list(_judge_chunks(strata, plan, broken, unusual, every))
    minute = np.concatenate([np.zeros(0, dtype=np.int64), *(chunk.minute for chunk in chunks)])
    verdict, state = (
        np.concatenate([np.zeros(0, dtype=np.int8), *(getattr(chunk, name) for chunk in chunks)])
        for name in ("verdict", "state")
    )
    metrics = {
        spec.name: _metric(spec.name, [chunk.judgements[number] for chunk in chunks], minute)
        for number, spec in enumerate(settings.metrics)
    }
    decided = first_minute(verdict != VERDICTS.index("hold"), minute)
    return RolloutTimeline(minute, verdict, state, metrics, decided, every * strata.width)


@dataclass(frozen=True)
class _Chunk:
    """Verdicts at some minutes."""

    minute: IntArray
    verdict: NDArray[np.int8]
    state: NDArray[np.int8]
    judgements: tuple[Judgement, ...]


def _judge_chunks(
    strata: Strata, plan: RolloutPlan, broken: Flags, unusual: Flags, every: int
) -> Iterator[_Chunk]:
    """Judge chunk by chunk, carrying the totals over: memory stays bounded however long the rollout."""
    rows = strata.minute.size
    carried: RolloutTotals | None = None
    for start in range(0, rows, CHUNK):
        stop = min(start + CHUNK, rows)
        running = tally(strata.rows(start, stop), plan, RunningFold())
        running = running if carried is None else carried + running
        carried = running.at(stop - start - 1)
        number = np.arange(start, stop)
        wanted = ((number + 1) % every == 0) | (number == rows - 1)
        if wanted.any():
            moments = running.at(wanted)
            chosen = number[wanted]
            yield _judge(moments, plan, strata.last_minute[chosen], broken[chosen], unusual[:, chosen])


def _judge(
    moments: RolloutTotals, plan: RolloutPlan, minute: IntArray, broken: Flags, unusual: Flags
) -> _Chunk:
    judgements = judge_metrics(moments, plan)
    decision = decide(judgements, moments, plan.settings, minute.astype(float), broken, unusual)
    return _Chunk(minute, decision.verdict, decision.state, judgements)


def _metric(name: str, judgements: list[Judgement], minute: IntArray) -> MetricTimeline:
    def joined(field: str) -> FloatArray:
        return np.concatenate([np.zeros(0), *(getattr(judgement, field) for judgement in judgements)])

    status = joined("status").astype(np.int8)
    safe = (status == STATUSES.index("better")) | (status == STATUSES.index("non_inferior"))
    return MetricTimeline(
        name,
        status,
        difference=joined("difference"),
        low=joined("low"),
        high=joined("high"),
        limit=joined("limit"),
        log_e=joined("log_e"),
        alarm=first_minute(status == STATUSES.index("worse"), minute),
        clear=first_minute(safe, minute),
    )


def first_minute(flags: Flags, minute: IntArray) -> int | None:
    """Return the first flagged minute."""
    return int(minute[np.argmax(flags)]) if flags.any() else None
