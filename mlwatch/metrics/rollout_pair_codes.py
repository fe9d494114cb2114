"""What pairs say at each moment: statuses of paired accuracy and of disagreement, vectorised over time.

The verdict of now is a time axis of length one; a timeline has many moments; "how many more pairs" is the present
counts times factors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_judgement import STATUSES, quotient, status_codes
from mlwatch.metrics.rollout_left import GROWTH
from mlwatch.metrics.rollout_pairs import disagreement_log_e, pair_limits, pair_log_e

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from mlwatch.metrics.rollout_pairs import PairCounts, PairMoments
    from mlwatch.metrics.rollout_types import FloatArray, RolloutSettings


@dataclass(frozen=True)
class PairCodes:
    """One metric of pairs over time."""

    status: NDArray[np.int8]
    """Index into `STATUSES`."""
    value: FloatArray
    """Paired accuracy difference, or the disagreement rate; nan without pairs."""
    low: FloatArray
    """Anytime-valid limits; nan where not computed."""
    high: FloatArray
    log_e: FloatArray
    """Evidence of harm."""


def levels(settings: RolloutSettings, cap: float | None) -> float:
    """Return the roll-back error budget of each metric of pairs."""
    return settings.alpha / (1 if cap is None else 2)


def accuracy_codes(
    lost: ArrayLike,
    won: ArrayLike,
    labelled: ArrayLike,
    margin: float,
    settings: RolloutSettings,
    level: float,
) -> PairCodes:
    """Judge who is right, of all labelled pairs or of those of the positive class.

    Args:
        lost: Pairs that only the baseline got right, shape (times,).
        won: Pairs that only the candidate got right.
        labelled: Pairs with a label.
        margin: Largest tolerable loss of accuracy, or of recall.
        settings: Error budget and scale.
        level: Error budget of the roll back.
    """
    lost, won, n = (np.atleast_1d(np.asarray(column, dtype=float)) for column in (lost, won, labelled))
    difference = quotient(won - lost, n)
    low, high = pair_limits(lost, won, n, settings.alpha, settings.n_opt)
    log_e = pair_log_e(lost, won)
    worse = (log_e >= -math.log(level)) & (difference < -margin)  # see `rollout_judgement.is_beyond`
    status = status_codes(n > 0, worse, low > -margin, low > 0)
    return PairCodes(status, difference, low, high, log_e)


def disagreement_codes(
    disagreements: ArrayLike, pairs: ArrayLike, cap: float, settings: RolloutSettings, level: float
) -> PairCodes:
    """Judge how often answers differ against a cap.

    Args:
        disagreements: Pairs with different answers, shape (times,).
        pairs: All pairs.
        cap: Largest allowed share.
        settings: Error budget.
        level: Error budget of the roll back.
    """
    yes, n = (np.atleast_1d(np.asarray(column, dtype=float)) for column in (disagreements, pairs))
    log_e = disagreement_log_e(yes, n, cap)
    below = disagreement_log_e(yes, n, cap, above=False) >= -math.log(settings.alpha)
    status = status_codes(n > 0, log_e >= -math.log(level), below, np.zeros(n.shape, dtype=bool))
    unknown = np.full(n.shape, np.nan)
    return PairCodes(status, quotient(yes, n), unknown, unknown, log_e)


def of_moments(
    moments: PairMoments,
    margin: float,
    cap: float | None,
    settings: RolloutSettings,
    recall: float | None = None,
) -> dict[str, PairCodes]:
    """Judge the pairs at each moment, by metric; recall where its margin is given."""
    level = levels(settings, cap)

    def right(of: PairMoments, margin: float, level: float) -> PairCodes:
        lost, won = of.only_baseline_right, of.only_candidate_right
        return accuracy_codes(lost, won, of.labelled, margin, settings, level)

    found = {"accuracy": right(moments, margin, level)}
    if recall is not None and moments.positive is not None:
        found["recall"] = right(moments.positive, recall, settings.alpha)
    if cap is not None:
        found["disagreement"] = disagreement_codes(moments.disagreements, moments.pairs, cap, settings, level)
    return found


def accuracy_left(counts: PairCounts, margin: float, settings: RolloutSettings, level: float) -> int | None:
    """Return about how many more labelled pairs like these decide; None where 300 times as many would not."""
    lost, won = counts.only_baseline_right * GROWTH, counts.only_candidate_right * GROWTH
    return _left(
        counts.labelled, lambda: accuracy_codes(lost, won, counts.labelled * GROWTH, margin, settings, level)
    )


def disagreement_left(counts: PairCounts, cap: float, settings: RolloutSettings, level: float) -> int | None:
    """Return about how many more pairs like these decide; see `accuracy_left`."""
    yes, n = counts.disagreements * GROWTH, counts.pairs * GROWTH
    return _left(counts.pairs, lambda: disagreement_codes(yes, n, cap, settings, level))


def _left(n: int, judged: Callable[[], PairCodes]) -> int | None:
    decided = judged().status > STATUSES.index("inconclusive")
    return math.ceil(n * (GROWTH[int(np.argmax(decided))] - 1)) if decided.any() else None
