"""Replay a shadow: what the verdict would have been at each minute, from running counts of pairs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_decide import STATES, VERDICTS
from mlwatch.metrics.rollout_judgement import STATUSES
from mlwatch.metrics.rollout_pair_codes import of_moments
from mlwatch.metrics.rollout_timeline import MetricTimeline, RolloutTimeline, first_minute
from mlwatch.metrics.rollout_types import RolloutState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_pair_codes import PairCodes
    from mlwatch.metrics.rollout_pairs import PairMoments
    from mlwatch.metrics.rollout_types import FloatArray, IntArray, MetricSpec, RolloutSettings

_HOLD, _PROMOTE, _ROLLBACK = (VERDICTS.index(verdict) for verdict in ("hold", "promote", "rollback"))
_DECIDED = STATES.index(RolloutState.DECIDED)


def with_pairs(
    by_arm: RolloutTimeline,
    pairs: PairMoments,
    settings: RolloutSettings,
    spec: MetricSpec,
    cap: float | None,
    *,
    guarded: bool,
    recall: MetricSpec | None = None,
) -> RolloutTimeline:
    """Return a timeline in which the pairs have their say; at each moment what `shadow_verdict` says there.

    Args:
        by_arm: Of speed and failures, judged by arm.
        pairs: Running counts.
        settings: The pairs' error budget and the minimum time.
        spec: How accuracy is judged.
        cap: Largest allowed disagreement rate.
        guarded: Whether any guardrail is judged by arm; else the pairs alone decide.
        recall: How recall is judged; None does not judge it.
    """
    moments = pairs.at(by_arm.minute)
    codes = of_moments(moments, spec.margin, cap, settings, None if recall is None else recall.margin)
    state, verdict = _decided(moments, list(codes.values()), settings)
    if guarded:
        state, verdict = _together(state, verdict, by_arm)
    limits = {
        "accuracy": -spec.margin,
        "recall": -recall.margin if recall else 0.0,
        "disagreement": cap or 0.0,
    }
    metrics = {name: _metric(name, each, limits[name], by_arm.minute) for name, each in codes.items()}
    return replace(
        by_arm,
        verdict=verdict,
        state=state,
        metrics=metrics | {name: each for name, each in by_arm.metrics.items() if name not in metrics},
        decided=first_minute(verdict != _HOLD, by_arm.minute),
    )


def _decided(
    moments: PairMoments, codes: list[PairCodes], settings: RolloutSettings
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    def any_is(status: str) -> Flags:
        found: Flags = np.any([each.status == STATUSES.index(status) for each in codes], axis=0)
        return found

    present = moments.pairs > 0
    begin = moments.minute[np.argmax(present)] if present.any() else 0
    flags = {
        RolloutState.NO_DATA: ~present,
        RolloutState.ROLES_UNKNOWN: present if settings.unknown_roles else ~present,
        RolloutState.DECIDED: any_is("worse"),
        RolloutState.STALE_LABELS: any_is("no_data"),
        RolloutState.UNDECIDED: any_is("inconclusive"),
        RolloutState.MINIMUM_TIME: 60 * (moments.minute - begin + 1) < settings.min_time,
    }
    state = np.select(list(flags.values()), [STATES.index(key) for key in flags], _DECIDED).astype(np.int8)
    decided = np.where(any_is("worse"), _ROLLBACK, _PROMOTE)
    return state, np.where(state == _DECIDED, decided, _HOLD).astype(np.int8)


def _together(
    state: NDArray[np.int8], verdict: NDArray[np.int8], by_arm: RolloutTimeline
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Roll back if either says so, promote if both do."""
    back = (verdict == _ROLLBACK) | (by_arm.verdict == _ROLLBACK)
    promote = (verdict == _PROMOTE) & (by_arm.verdict == _PROMOTE)
    answer = np.where(back, _ROLLBACK, np.where(promote, _PROMOTE, _HOLD)).astype(np.int8)
    blocking = np.where(verdict == _HOLD, state, by_arm.state)
    deciding = np.where(by_arm.verdict == answer, by_arm.state, _DECIDED)
    return np.where(answer == _HOLD, blocking, deciding).astype(np.int8), answer


def _metric(name: str, codes: PairCodes, limit: float, minute: IntArray) -> MetricTimeline:
    def first(*statuses: str) -> int | None:
        wanted = [STATUSES.index(status) for status in statuses]
        return first_minute(np.isin(codes.status, wanted), minute)

    limits: FloatArray = np.full(minute.shape, limit)
    return MetricTimeline(
        name,
        codes.status,
        difference=codes.value,
        low=codes.low,
        high=codes.high,
        limit=limits,
        log_e=codes.log_e,
        alarm=first("worse"),
        clear=first("better", "non_inferior"),
    )
