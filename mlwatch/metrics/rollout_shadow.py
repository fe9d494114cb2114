"""Shadow mode: both versions answer the same requests, so they are compared pair by pair.

Only discordant pairs speak about accuracy: given that exactly one version is right, it is the candidate with
probability ½ if both are equally good, which is tested exactly (P2). Pairs cancel the mix of the traffic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtr, chdtrc

from mlwatch.metrics.rollout_types import MetricResult, RolloutState, RolloutVerdict, TrafficResult
from mlwatch.metrics.rollout_words import number, span_text
from mlwatch.metrics.sequential import (
    bernoulli_interval,
    beta_binomial_log_e,
    beta_concentration,
    normal_half_width,
    normal_rho,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from mlwatch.metrics.rollout_types import Counts, FloatArray, MetricSpec, RolloutSettings, Status

PAIR_KAPPA = 20.0
"""Concentration of the prior on the discordant pairs."""
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

    @property
    def labelled(self) -> int:
        """Pairs with a label."""
        return self.both_right + self.only_baseline_right + self.only_candidate_right + self.both_wrong


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
    half = _half_width(lost, won, n, alpha, n_opt)
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
        low=None if difference is None or half is None else difference - half,
        high=None if difference is None or half is None else difference + half,
        log_e=float(pair_log_e(lost, won)),
        mcnemar_p=mcnemar_p(lost, won),
    )


def _half_width(lost: int, won: int, n: int, alpha: float, n_opt: float) -> float | None:
    """Return the half-width of the paired difference; None until five discordant pairs give it a variance."""
    discordant = lost + won
    if discordant < 5:
        return None
    variance = discordant - (won - lost) ** 2 / n
    # the scale is the discordant rate itself: it is a nuisance, known to within its own noise
    rho = normal_rho(n_opt * discordant / n)
    return float(normal_half_width(max(variance, 1e-12), rho, alpha)) / n


# --- verdict -----------------------------------------------------------------------------------------------


def shadow_verdict(
    counts: PairCounts,
    settings: RolloutSettings,
    spec: MetricSpec,
    cap: float | None = None,
    elapsed: float = math.inf,
) -> tuple[RolloutVerdict, ShadowResult]:
    """Judge a shadow deployment.

    Args:
        counts: Pair counts so far.
        settings: Names, alpha and the minimum time.
        spec: How accuracy is judged, an absolute margin.
        cap: Largest allowed disagreement rate; None only reports it.
        elapsed: Seconds with pairs so far.

    Returns:
        The verdict, with accuracy (and disagreement, under a cap) as its metrics, and what the pairs say.
    """
    shadow = judge_pairs(counts, settings.alpha, settings.n_opt)
    guards = 1 if cap is None else 2
    level = settings.alpha / guards
    results = [_accuracy(counts, shadow, settings, spec, level)]
    if cap is not None:
        results.append(_disagreement(counts, shadow, settings, cap, level))
    state, reasons = _decide(counts, settings, results, elapsed)
    rolled_back = state is RolloutState.DECIDED and any(result.status == "worse" for result in results)
    decided = "rollback" if rolled_back else "promote" if state is RolloutState.DECIDED else "hold"
    traffic = TrafficResult(
        counts.pairs + counts.unpaired_baseline, counts.pairs + counts.unpaired_candidate, None, None, None
    )
    verdict = RolloutVerdict(
        verdict=decided,  # type: ignore[arg-type]
        state=state,
        reasons=tuple(reasons),
        metrics=tuple(results),
        traffic=traffic,
        mode="shadow",
        baseline=settings.baseline,
        candidate=settings.candidate,
        alpha=settings.alpha,
        elapsed=elapsed,
        calibrated=all(result.calibrated for result in results),
    )
    return verdict, shadow


def _decide(
    counts: PairCounts, settings: RolloutSettings, results: list[MetricResult], elapsed: float
) -> tuple[RolloutState, list[str]]:
    said = [result.reason for result in results]
    if counts.pairs == 0:
        return _no_pairs(counts, settings)
    if any(result.status == "worse" for result in results):
        return RolloutState.DECIDED, said
    if any(result.status == "no_data" for result in results):
        return RolloutState.STALE_LABELS, said
    if any(result.status == "inconclusive" for result in results):
        return RolloutState.UNDECIDED, said
    if elapsed < settings.min_time:
        return RolloutState.MINIMUM_TIME, ["within the limits, but the minimum time has not passed", *said]
    return RolloutState.DECIDED, said


def _no_pairs(counts: PairCounts, settings: RolloutSettings) -> tuple[RolloutState, list[str]]:
    baseline, candidate = settings.baseline, settings.candidate
    only_b, only_c = counts.unpaired_baseline, counts.unpaired_candidate
    if only_b and only_c:
        text = f"no request id was answered by both {baseline} and {candidate}"
        return RolloutState.STARTED_APART, [text]
    if only_b or only_c:
        silent, other = (candidate, baseline) if only_b else (baseline, candidate)
        text = f"{silent} answered none of the {only_b or only_c:,} requests that {other} answered"
        return RolloutState.ONE_ARM_SILENT, [text]
    return RolloutState.NO_DATA, [f"no requests of {baseline} or {candidate} yet"]


def _blank(name: str, label: str, settings: RolloutSettings, margin: float, level: float) -> MetricResult:
    return MetricResult(
        name=name, label=label, status="no_data", baseline=None, candidate=None, difference=None, low=None,
        high=None, margin=margin, scale="absolute", limit=None, ratio=None, ratio_low=None, ratio_high=None,
        e_value=1.0, log_e=0.0, level=level, samples_left=None, n_baseline=0, n_candidate=0, pooled=None,
        method="pairs", guardrail=True, calibrated=name in (settings.inflation or {}), unit="", reason="",
    )  # fmt: skip


def _accuracy(
    counts: PairCounts, shadow: ShadowResult, settings: RolloutSettings, spec: MetricSpec, level: float
) -> MetricResult:
    blank = _blank(spec.name, f"paired {spec.label}", settings, spec.margin, level)
    if not counts.labelled or shadow.accuracy_difference is None:
        return replace(blank, reason=f"{spec.label}: n/a, because no pair has a label yet")
    status = _accuracy_status(shadow, spec.margin, level)
    both = counts.both_right
    result = replace(
        blank,
        status=status,
        baseline=(both + counts.only_baseline_right) / counts.labelled,
        candidate=(both + counts.only_candidate_right) / counts.labelled,
        difference=shadow.accuracy_difference,
        low=shadow.low,
        high=shadow.high,
        limit=-spec.margin,
        e_value=math.exp(min(shadow.log_e, 700.0)),
        log_e=shadow.log_e,
        n_baseline=counts.labelled,
        n_candidate=counts.labelled,
        pooled=shadow.accuracy_difference,
    )
    return replace(result, reason=_accuracy_sentence(counts, shadow, settings, spec, status))


def _accuracy_status(shadow: ShadowResult, margin: float, level: float) -> Status:
    if shadow.low is not None and shadow.low > -margin:
        return "better" if shadow.low > 0 else "non_inferior"
    return "worse" if shadow.log_e >= -math.log(level) else "inconclusive"


_ENDINGS = {"better": ": better", "non_inferior": ": within the limit", "inconclusive": ": not decided yet"}


def _accuracy_sentence(
    counts: PairCounts, shadow: ShadowResult, settings: RolloutSettings, spec: MetricSpec, status: Status
) -> str:
    low, high = (None if end is None else 100 * end for end in (shadow.low, shadow.high))
    return (
        f"on {counts.labelled:,} labelled pairs {spec.label} of {settings.candidate} differs from "
        f"{settings.baseline}'s by {number(100 * (shadow.accuracy_difference or 0.0))} points "
        f"({span_text(low, high, 2)}; "
        f"{counts.only_baseline_right:,} lost, {counts.only_candidate_right:,} won), "
        f"the limit is {number(-100 * spec.margin)} points{_ENDINGS.get(status, '')}"
    )


def _disagreement(
    counts: PairCounts, shadow: ShadowResult, settings: RolloutSettings, cap: float, level: float
) -> MetricResult:
    blank = _blank("disagreement", "disagreement", settings, cap, level)
    if shadow.disagreement_rate is None:
        return replace(blank, reason="disagreement: n/a, because there are no pairs yet")
    log_e = float(disagreement_log_e(counts.disagreements, counts.pairs, cap))
    below = float(disagreement_log_e(counts.disagreements, counts.pairs, cap, above=False))
    status: Status = "inconclusive"
    if below >= -math.log(settings.alpha):
        status = "non_inferior"
    elif log_e >= -math.log(level):
        status = "worse"
    reason = (
        f"{settings.candidate} disagrees with {settings.baseline} on "
        f"{number(100 * shadow.disagreement_rate)} % of {counts.pairs:,} pairs, "
        f"the cap is {number(100 * cap)} %{_ENDINGS.get(status, '')}"
    )
    return replace(
        blank, status=status, candidate=shadow.disagreement_rate, low=shadow.disagreement_low,
        high=shadow.disagreement_high, limit=cap, e_value=math.exp(min(log_e, 700.0)), log_e=log_e,
        n_baseline=counts.pairs, n_candidate=counts.pairs, reason=reason,
    )  # fmt: skip
