"""How the traffic of a rollout is split: the steps of a ramp, and whether the split is as configured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.scipy_special import xlogy
from mlwatch.metrics.sequential_ratio import ramp_ratio_log_e, sample_ratio_log_e

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from mlwatch.metrics.rollout_totals import Columns
    from mlwatch.metrics.rollout_types import FloatArray, RolloutSettings

SHORTEST_STEP = 3
"""Rows that a traffic step has at least."""
STEP_EVIDENCE = 16.0
"""Log likelihood ratio that a change of share needs: chance never showed it in 1,200 simulated days of minutes."""
STEP_CHANGE = 0.2
"""Relative change of the share below which a change is no step."""


@dataclass(frozen=True)
class TrafficStep:
    """A stretch of time with one share of traffic."""

    start: int
    """First minute."""
    end: int
    """Last minute."""
    share: float
    """Candidate's observed share."""
    n: int
    """Exposures of all versions."""


def traffic_steps(minute: ArrayLike, n_b: ArrayLike, n_c: ArrayLike) -> tuple[TrafficStep, ...]:
    """Recognise the steps of a ramp from the exposures of each minute.

    Binary segmentation: split where a change of the candidate's share is most likely, while the binomial log
    likelihood ratio of a change is large and the change is large enough to be a step.

    Args:
        minute: Minutes, rising.
        n_b: Exposures of the baseline, and of others that share the traffic.
        n_c: Exposures of the candidate.

    Returns:
        The steps in order of time; none without traffic.
    """
    minute = np.asarray(minute, dtype=np.int64)
    sums = np.zeros((2, minute.size + 1))
    np.cumsum([np.asarray(n_c, dtype=float), np.add(n_b, n_c, dtype=float)], axis=1, out=sums[:, 1:])
    if minute.size == 0 or sums[1, -1] == 0:
        return ()
    borders = [0, *sorted(_splits(sums, 0, minute.size)), minute.size]
    steps = []
    for start, stop in pairwise(borders):
        n_candidate, n = sums[:, stop] - sums[:, start]
        share = float(n_candidate / n) if n else 0.0
        steps.append(TrafficStep(int(minute[start]), int(minute[stop - 1]), share, int(n)))
    return tuple(steps)


def _splits(sums: FloatArray, start: int, stop: int) -> list[int]:
    """Return the rows between `start` and `stop` at which a new step begins."""
    found, pending = [], [(start, stop)]
    while pending:
        left, right = pending.pop()
        split = _best_split(sums, left, right)
        if split is not None:
            found.append(split)
            pending += [(left, split), (split, right)]
    return found


def _best_split(sums: FloatArray, start: int, stop: int) -> int | None:
    cuts = np.arange(start + SHORTEST_STEP, stop - SHORTEST_STEP + 1)
    if cuts.size == 0:
        return None
    before = sums[:, cuts] - sums[:, start, None]
    after = sums[:, stop, None] - sums[:, cuts]
    gain = _log_likelihood(before) + _log_likelihood(after) - _log_likelihood(before + after)
    best = int(np.argmax(gain))
    shares = [part[0, best] / max(part[1, best], 1) for part in (before, after)]
    small = abs(shares[1] - shares[0]) < STEP_CHANGE * min(max(shares), 1 - min(shares))
    return None if gain[best] < STEP_EVIDENCE or small else int(cuts[best])


def _log_likelihood(part: FloatArray) -> FloatArray:
    """Return the binomial log likelihood at its maximum, of (successes, trials)."""
    k, n = part
    likelihood: FloatArray = xlogy(k, k) + xlogy(n - k, n - k) - xlogy(n, n)
    return likelihood


def split_log_e(columns: Columns, settings: RolloutSettings) -> FloatArray:
    """Return the log e-value against the configured split, 0 where no split is configured.

    The candidate is held against all the rest: its share is configured, and not how others share what is left.

    What is randomised is counted: users, where traffic is split by user, each once, with the share of the step in
    which its first request came, for users of earlier steps come back and may be moved by later ones.

    Args:
        columns: Traffic totals, with or without a leading time axis.
        settings: For the configured share.
    """
    if settings.share is None:
        return np.zeros(np.shape(columns["n_b"]))
    if isinstance(settings.share, tuple):
        return ramp_ratio_log_e(columns["ramp"])
    return sample_ratio_log_e(columns["split_rest"], columns["split_c"], settings.share)


def split_p(log_e: float) -> float:
    """Return the anytime-valid p-value min(1, 1/e)."""
    return math.exp(-max(log_e, 0.0))
