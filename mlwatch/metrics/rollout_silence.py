"""Which silences of an arm mean something: at night, or of a small share of little traffic, gaps are usual."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_types import ArmSeries, FloatArray, IntArray, RolloutSettings

CHANCE = 0.001
"""Probability below which chance does not leave an arm without any of the newest requests."""


class _Traffic(NamedTuple):
    """Requests, in order of time."""

    minute: IntArray
    counted: FloatArray
    """How many came before each row, and in all."""

    def at(self, times: FloatArray) -> FloatArray:
        """Return how many there were up to some minutes."""
        return self.counted[np.searchsorted(self.minute, times, side="right")]

    def last(self, times: FloatArray) -> FloatArray:
        """Return the newest minute up to others, −∞ before the first one."""
        newest = np.searchsorted(self.minute, times, side="right")
        found: FloatArray = np.concatenate([[-np.inf], self.minute])[newest]
        return found


def unusual_silences(
    baseline: ArmSeries, candidate: ArmSeries, settings: RolloutSettings, times: FloatArray
) -> Flags:
    """Return where it is unusual that an arm has had no request since its last one.

    That is where the others have had so many meanwhile that chance alone would have given it one, and where nobody has
    had any for longer than ever before.

    Args:
        baseline: Rows of the baseline.
        candidate: Rows of the candidate.
        settings: For the width of a row, and whether every silence counts.
        times: Minutes at which it is asked.

    Returns:
        Of baseline and candidate, shape (2, times).
    """
    if settings.any_silence:
        return np.ones((2, times.size), dtype=bool)
    arms = [(np.asarray(arm.minute), np.asarray(arm.n, dtype=float)) for arm in (baseline, candidate)]
    beside = (
        [] if baseline.others is None else [(baseline.others[0], np.asarray(baseline.others[1], dtype=float))]
    )
    every = _traffic(*arms, *beside)
    if not every.minute.size:
        return np.zeros((2, times.size), dtype=bool)
    width = settings.row_minutes
    stopped = _is_longest(every, width, times)
    # a row that began before the arm's last request does not say how many came after it
    begun = [(minute // width * width, n) for minute, n in arms]
    passed_over = (
        _is_passed_over(_traffic(arms[side]), _traffic(begun[1 - side], *beside), times) for side in (0, 1)
    )
    return np.stack([stopped | each for each in passed_over])


def _traffic(*parts: tuple[IntArray, FloatArray]) -> _Traffic:
    minute = np.concatenate([minute[n > 0] for minute, n in parts])
    order = np.argsort(minute, kind="stable")
    n = np.concatenate([n[n > 0] for _, n in parts])[order]
    return _Traffic(minute[order], np.concatenate([[0.0], np.cumsum(n)]))


def _is_longest(every: _Traffic, width: int, times: FloatArray) -> Flags:
    """Return where nobody has had a request for longer than ever before."""
    gaps = np.maximum.accumulate(np.concatenate([[0], np.diff(every.minute) - (width - 1)]))
    newest = np.maximum(np.searchsorted(every.minute, times, side="right") - 1, 0)
    longest: Flags = times - every.last(times) > gaps[newest]
    return longest


def _is_passed_over(own: _Traffic, others: _Traffic, times: FloatArray) -> Flags:
    """Return where chance would have given one of the newest requests to an arm that has had some before."""
    mine, every = own.at(times), own.at(times) + others.at(times)
    since = others.at(times) - others.at(own.last(times))
    return is_passed_over(mine, since, every)


def is_passed_over(own: ArrayLike, since: ArrayLike, every: ArrayLike) -> Flags:
    """Return where chance would have given one of the newest requests to who had some of all.

    The newest ones are as likely as any other ones to hold those.

    Args:
        own: Requests that it had.
        since: Requests since its last one.
        every: Requests in all, more than these.
    """
    own = np.asarray(own, dtype=float)
    share = np.where(own > 0, np.asarray(since) / np.maximum(every, 1.0), 0.0)
    passed_over: Flags = own * np.log1p(-share) < math.log(CHANCE)
    return passed_over
