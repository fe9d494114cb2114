"""Silences of an arm: those that its traffic makes usual, and those that mean something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlwatch.metrics.rollout import rollout_timeline, rollout_verdict
from mlwatch.metrics.rollout_decide import STATES
from mlwatch.metrics.rollout_silence import unusual_silences
from mlwatch.metrics.rollout_types import (
    ArmSeries,
    ProportionSeries,
    RolloutSettings,
    RolloutState,
    default_metric,
)

SETTINGS = RolloutSettings((default_metric("accuracy"),))


def arm(minute: np.ndarray, n: np.ndarray | int = 1) -> ArmSeries:
    n = np.broadcast_to(n, minute.shape).astype(int)
    return ArmSeries(minute, n, {"accuracy": ProportionSeries(n, np.zeros_like(n))})


def silent(baseline: ArmSeries, candidate: ArmSeries, now: int, **changes: Any) -> set[str]:
    settings = replace(SETTINGS, **changes)
    return set(rollout_verdict(baseline, candidate, settings, now).traffic.silent)


def test_a_share_of_little_traffic_is_not_silent_between_its_requests() -> None:
    """Of a request in seven minutes each twentieth."""
    base, candidate = arm(np.arange(0, 7000, 7)), arm(np.arange(0, 7000, 140))
    assert silent(base, candidate, 6990) == set()
    assert silent(base, candidate, 6990, any_silence=True) == {"candidate"}


def test_a_share_of_little_traffic_is_silent_once_chance_is_ruled_out() -> None:
    base, candidate = arm(np.arange(0, 9000, 7)), arm(np.arange(0, 7000, 140))
    assert silent(base, candidate, 7500) == set()
    assert silent(base, candidate, 9000) == {"candidate"}


def test_at_night_a_version_may_have_no_request_for_an_hour() -> None:
    day, night = np.arange(600), np.array([610, 640, 670, 700, 730])
    base, candidate = arm(np.r_[day, night[::2]], 5), arm(np.r_[day, night[1::2]], 5)
    few = [replace(each, n=np.where(each.minute < 600, 5, 1)) for each in (base, candidate)]
    assert silent(few[0], few[1], 742) == set()


def test_in_the_day_ten_minutes_are_enough() -> None:
    minute = np.arange(120)
    assert silent(arm(minute, 5), arm(minute[:100], 5), 120) == {"candidate"}
    assert silent(arm(minute[:100], 5), arm(minute, 5), 120) == {"baseline"}
    assert silent(arm(minute[:110], 5), arm(minute[:110], 5), 119) == set()
    assert silent(arm(minute[:100], 5), arm(minute[:100], 5), 119) == {"baseline", "candidate"}


def test_a_row_of_an_hour_that_an_arm_had_a_request_in_says_nothing_of_a_silence() -> None:
    """By the hour, rows are known by their last minute."""
    begin = np.arange(0, 6000, 60)
    base, candidate = arm(np.r_[begin + 58, 6058], 200), arm(np.r_[begin + 59, 6027], 200)
    settings = replace(SETTINGS, row_minutes=60)
    assert not unusual_silences(base, candidate, settings, np.array([6058.0])).any()
    later = arm(np.r_[base.minute, 6090], 200)
    assert unusual_silences(later, candidate, settings, np.array([6090.0])).tolist() == [[False], [True]]


def test_requests_of_further_versions_tell_of_a_silence_too() -> None:
    minute = np.arange(100)
    base, others = arm(minute, 5), (np.arange(120), np.full(120, 5))
    times = np.array([99.0, 119.0])
    found = unusual_silences(replace(base, others=others), base, SETTINGS, times)
    assert found.tolist() == [[False, True]] * 2


def test_each_moment_is_told_as_it_was() -> None:
    base, candidate = arm(np.arange(0, 9000, 7)), arm(np.arange(0, 7000, 140))
    found = rollout_timeline(base, candidate, replace(SETTINGS, stratum_minutes=1))
    quiet = found.state == STATES.index(RolloutState.ONE_ARM_SILENT)
    assert not quiet[(found.minute > 0) & (found.minute < 7500)].any()
    assert quiet[-1]
