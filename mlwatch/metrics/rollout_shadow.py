"""The verdict of a shadow deployment, from counts of pairs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.metrics.rollout_judgement import STATUSES
from mlwatch.metrics.rollout_pair_codes import (
    accuracy_codes,
    accuracy_left,
    disagreement_codes,
    disagreement_left,
    levels,
)
from mlwatch.metrics.rollout_pairs import PairCounts, ShadowResult, judge_pairs
from mlwatch.metrics.rollout_types import MetricResult, RolloutState, RolloutVerdict, TrafficResult
from mlwatch.metrics.rollout_words import by_urgency, number, span_text

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_types import MetricSpec, RolloutSettings


def shadow_verdict(
    counts: PairCounts,
    settings: RolloutSettings,
    spec: MetricSpec,
    cap: float | None = None,
    elapsed: float = math.inf,
    recall: MetricSpec | None = None,
) -> tuple[RolloutVerdict, ShadowResult]:
    """Judge a shadow deployment.

    Args:
        counts: Pair counts so far.
        settings: Names, the minimum time, and the alpha of accuracy (and disagreement) and again of recall.
        spec: How accuracy is judged, an absolute margin.
        cap: Largest allowed disagreement rate; None only reports it.
        elapsed: Seconds with pairs so far.
        recall: How recall is judged, on the pairs of the positive class; None does not judge it.

    Returns:
        The verdict, with accuracy (and recall, and disagreement under a cap) as its metrics, and what the pairs say.
    """
    shadow = judge_pairs(counts, settings.alpha, settings.n_opt)
    level = levels(settings, cap)
    results = [_accuracy(counts, shadow, settings, spec, level)]
    if recall is not None and counts.positive is not None:
        of_positives = judge_pairs(counts.positive, settings.alpha, settings.n_opt)
        results.append(_accuracy(counts.positive, of_positives, settings, recall, settings.alpha))
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


_BY_STATUS = {
    "worse": RolloutState.DECIDED,
    "no_data": RolloutState.STALE_LABELS,
    "inconclusive": RolloutState.UNDECIDED,
}


def _decide(
    counts: PairCounts, settings: RolloutSettings, results: list[MetricResult], elapsed: float
) -> tuple[RolloutState, list[str]]:
    said = [result.reason for result in by_urgency(results)]
    if counts.pairs == 0:
        return _no_pairs(counts, settings)
    if settings.unknown_roles:
        return RolloutState.ROLES_UNKNOWN, [settings.unknown_roles, *said]
    statuses = {result.status for result in results}
    for status, state in _BY_STATUS.items():
        if status in statuses:
            return state, said
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
        what = "label of the positive class" if spec.of else "label"
        return replace(blank, reason=f"{spec.label}: n/a, because no pair has a {what} yet")
    lost, won = counts.only_baseline_right, counts.only_candidate_right
    codes = accuracy_codes(lost, won, counts.labelled, spec.margin, settings, level)
    status = STATUSES[codes.status[0]]
    undecided = status == "inconclusive"
    both = counts.both_right
    result = replace(
        blank,
        status=status,
        baseline=(both + lost) / counts.labelled,
        candidate=(both + won) / counts.labelled,
        difference=shadow.accuracy_difference,
        low=shadow.low,
        high=shadow.high,
        limit=-spec.margin,
        e_value=math.exp(min(shadow.log_e, 700.0)),
        log_e=shadow.log_e,
        samples_left=accuracy_left(counts, spec.margin, settings, level) if undecided else 0,
        n_baseline=counts.labelled,
        n_candidate=counts.labelled,
        pooled=shadow.accuracy_difference,
    )
    return replace(result, reason=_accuracy_sentence(counts, result, settings, spec))


def _ending(result: MetricResult, pairs: str) -> str:
    """Say what the numbers mean, and how many more pairs it takes."""
    if result.status == "inconclusive":
        if result.samples_left is None:
            return f": not decided, and more {pairs} like these would not decide it soon"
        return f": not decided, about {number(result.samples_left)} more {pairs} needed"
    return {"better": ": better", "non_inferior": ": within the limit"}.get(result.status, "")


def _accuracy_sentence(
    counts: PairCounts, result: MetricResult, settings: RolloutSettings, spec: MetricSpec
) -> str:
    low, high = (None if end is None else 100 * end for end in (result.low, result.high))
    pairs = f"labelled pairs{spec.of and ' of ' + spec.of}"
    return (
        f"on {counts.labelled:,} {pairs} {spec.label} of {settings.candidate} differs from "
        f"{settings.baseline}'s by {number(100 * (result.difference or 0.0))} points "
        f"({span_text(low, high, 2)}; "
        f"{counts.only_baseline_right:,} lost, {counts.only_candidate_right:,} won), "
        f"the limit is {number(-100 * spec.margin)} points{_ending(result, pairs)}"
    )


def _disagreement(
    counts: PairCounts, shadow: ShadowResult, settings: RolloutSettings, cap: float, level: float
) -> MetricResult:
    blank = _blank("disagreement", "disagreement", settings, cap, level)
    if shadow.disagreement_rate is None:
        return replace(blank, reason="disagreement: n/a, because there are no pairs yet")
    codes = disagreement_codes(counts.disagreements, counts.pairs, cap, settings, level)
    status, log_e = STATUSES[codes.status[0]], float(codes.log_e[0])
    result = replace(
        blank, status=status, candidate=shadow.disagreement_rate, low=shadow.disagreement_low,
        high=shadow.disagreement_high, limit=cap, e_value=math.exp(min(log_e, 700.0)), log_e=log_e,
        samples_left=disagreement_left(counts, cap, settings, level) if status == "inconclusive" else 0,
        n_baseline=counts.pairs, n_candidate=counts.pairs,
    )  # fmt: skip
    reason = (
        f"{settings.candidate} disagrees with {settings.baseline} on "
        f"{number(100 * shadow.disagreement_rate)} % of {counts.pairs:,} pairs, "
        f"the cap is {number(100 * cap)} %{_ending(result, 'pairs')}"
    )
    return replace(result, reason=reason)
