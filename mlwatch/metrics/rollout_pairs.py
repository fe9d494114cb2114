"""Shadow mode: both versions answer the same requests, so they are compared pair by pair.

Only discordant pairs speak about accuracy: given that exactly one version is right, it is the candidate with
probability ½ if both are equally good, which is tested exactly (P2). Pairs cancel the mix of the traffic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.scipy_special import bdtr, chdtrc
from mlwatch.metrics.sequential import (
    bernoulli_interval,
    bernoulli_most,
    beta_binomial_log_e,
    beta_concentration,
    normal_half_width,
    normal_rho,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from mlwatch.metrics.rollout_types import Counts, FloatArray, IntArray

PAIR_KAPPA = 20.0
"""Concentration of the prior on the discordant pairs."""
FEWEST_DISCORDANT = 20
"""Discordant pairs from which the paired difference has a variance."""
ENOUGH_PAIRS = 50
"""Discordant pairs below which McNemar's exact test replaces its approximation."""


@dataclass(frozen=True)
class PairCounts:
    """Counts of requests that both versions answered: plain sums, so they add up in any order."""

    pairs: int = 0
    """Requests answered by both."""
    disagreements: int = 0
    """Pairs with different predictions."""
    both_right: int = 0
    """Labelled pairs, by who is right."""
    only_baseline_right: int = 0
    only_candidate_right: int = 0
    both_wrong: int = 0
    unpaired_baseline: int = 0
    """Requests that only the baseline answered so far."""
    unpaired_candidate: int = 0
    agreement: Counts = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    """Pairs by prediction: rows the baseline's class, columns the candidate's."""
    positive: PairCounts | None = None
    """Those whose label is the positive class, where there is one: they tell of recall."""

    @property
    def labelled(self) -> int:
        """Pairs with a label."""
        return self.both_right + self.only_baseline_right + self.only_candidate_right + self.both_wrong


@dataclass(frozen=True)
class PairMoments:
    """Counts of pairs up to each minute, running: columns of shape (minutes,)."""

    minute: IntArray
    """Rising."""
    pairs: FloatArray
    disagreements: FloatArray
    labelled: FloatArray
    only_baseline_right: FloatArray
    only_candidate_right: FloatArray
    positive: PairMoments | None = field(default=None, kw_only=True)
    """Of those whose label is the positive class."""

    def at(self, minute: IntArray) -> PairMoments:
        """Return the counts as they stood at the given minutes."""
        place = np.searchsorted(self.minute, minute, side="right")
        columns = (
            self.pairs,
            self.disagreements,
            self.labelled,
            self.only_baseline_right,
            self.only_candidate_right,
        )
        counts = (np.concatenate([[0.0], column])[place] for column in columns)
        of_positives = None if self.positive is None else self.positive.at(minute)
        return PairMoments(minute, *counts, positive=of_positives)


@dataclass(frozen=True)
class ShadowResult:
    """What pairs say; None is unknown."""

    pairs: int
    labelled: int
    disagreement_rate: float | None
    disagreement_low: float | None
    """Anytime-valid limits of the disagreement rate."""
    disagreement_high: float | None
    kappa: float | None
    """Cohen's kappa of the predictions."""
    accuracy_difference: float | None
    """Paired accuracy of the candidate minus that of the baseline."""
    low: float | None
    """Anytime-valid limits of the difference, each at level alpha."""
    high: float | None
    log_e: float
    """Evidence that the candidate is worse (exact, on discordant pairs)."""
    mcnemar_p: float | None
    """McNemar's two-sided p-value: valid for one look only, for comparison."""


def cohens_kappa(agreement: ArrayLike) -> float | None:
    """Return Cohen's kappa (1960): agreement beyond chance, (p_o − p_e)/(1 − p_e).

    Args:
        agreement: Counts, rows one rater's class, columns the other's.

    Returns:
        Kappa, or None without pairs or where both always answer the same single class.
    """
    table = np.asarray(agreement, dtype=float)
    total = table.sum()
    if total == 0:
        return None
    observed = np.trace(table) / total
    expected = float(table.sum(axis=0) @ table.sum(axis=1)) / total**2
    return float((observed - expected) / (1 - expected)) if expected < 1 else None


def mcnemar_p(only_first: int, only_second: int) -> float | None:
    """Return McNemar's (1947) two-sided p-value: exact below 50 discordant pairs, else χ² with correction."""
    n = only_first + only_second
    if n == 0:
        return None
    if n < ENOUGH_PAIRS:
        return min(1.0, 2 * float(bdtr(min(only_first, only_second), n, 0.5)))
    statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / n
    return float(chdtrc(1, statistic))


def pair_log_e(only_baseline_right: ArrayLike, only_candidate_right: ArrayLike) -> FloatArray:
    """Return the exact one-sided log e-value that the candidate loses more discordant pairs than it wins."""
    return beta_binomial_log_e(only_baseline_right, only_candidate_right, 0.5, PAIR_KAPPA, one_sided=True)


def disagreement_log_e(
    disagreements: ArrayLike, pairs: ArrayLike, cap: float, *, above: bool = True
) -> FloatArray:
    """Return the exact one-sided log e-value that the disagreement rate is above (below) a cap."""
    yes, n = np.asarray(disagreements, dtype=float), np.asarray(pairs, dtype=float)
    kappa = beta_concentration()
    if above:
        return beta_binomial_log_e(yes, n - yes, cap, kappa, one_sided=True)
    return beta_binomial_log_e(n - yes, yes, 1 - cap, kappa, one_sided=True)


def judge_pairs(counts: PairCounts, alpha: float = 0.05, n_opt: float = 5_000.0) -> ShadowResult:
    """Return everything that pair counts say.

    The accuracy difference is the mean of −1, 0 and 1 over labelled pairs; its limits are a one-sample
    asymptotic confidence sequence (P1).
    """
    lost, won, n = counts.only_baseline_right, counts.only_candidate_right, counts.labelled
    difference = (won - lost) / n if n else None
    low, high = (float(limit[0]) for limit in pair_limits(lost, won, n, alpha, n_opt))
    rate = counts.disagreements / counts.pairs if counts.pairs else None
    limits = bernoulli_interval(counts.disagreements, counts.pairs, alpha) if counts.pairs else (None, None)
    return ShadowResult(
        pairs=counts.pairs,
        labelled=n,
        disagreement_rate=rate,
        disagreement_low=None if limits[0] is None else float(limits[0]),
        disagreement_high=None if limits[1] is None else float(limits[1]),
        kappa=cohens_kappa(counts.agreement),
        accuracy_difference=difference,
        low=low if n else None,
        high=high if n else None,
        log_e=float(pair_log_e(lost, won)),
        mcnemar_p=mcnemar_p(lost, won),
    )


def pair_limits(
    lost: ArrayLike, won: ArrayLike, labelled: ArrayLike, alpha: float, n_opt: float
) -> tuple[FloatArray, FloatArray]:
    """Return the limits of the paired difference, shape (times,); nan without labelled pairs.

    Too few discordant pairs have no variance: then it is no lower than the share of pairs that may at most be lost,
    no higher than that which may be won. So versions that agree on everything are known to be alike after a while.
    """
    lost, won, labelled = (np.atleast_1d(np.asarray(each, dtype=float)) for each in (lost, won, labelled))
    n, few = np.maximum(labelled, 1.0), lost + won < FEWEST_DISCORDANT
    difference, half = (won - lost) / n, _half_width(lost, won, n, alpha, n_opt)
    low, high = difference - half, difference + half
    low[few] = -bernoulli_most(lost[few], n[few], alpha)
    high[few] = bernoulli_most(won[few], n[few], alpha)
    return np.where(labelled > 0, low, np.nan), np.where(labelled > 0, high, np.nan)


def _half_width(lost: FloatArray, won: FloatArray, n: FloatArray, alpha: float, n_opt: float) -> FloatArray:
    discordant = lost + won
    variance = np.maximum(discordant - (won - lost) ** 2 / n, 1e-12)
    # the scale is the discordant rate itself: it is a nuisance, known to within its own noise
    rho = normal_rho(n_opt * np.maximum(discordant, 1.0) / n)
    return normal_half_width(variance, rho, alpha) / n
