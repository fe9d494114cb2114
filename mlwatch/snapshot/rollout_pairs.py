"""Shadow mode: the verdict on versions that answer the same requests, joined by id in the stored rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from functools import partial
from typing import TYPE_CHECKING

from mlwatch.asking import row
from mlwatch.metrics.rollout import rollout_timeline, rollout_verdict
from mlwatch.metrics.rollout_shadow import shadow_verdict
from mlwatch.metrics.rollout_shadow_timeline import with_pairs
from mlwatch.metrics.rollout_types import RolloutState
from mlwatch.metrics.rollout_words import duration_text, number
from mlwatch.snapshot.pair_findings import find
from mlwatch.snapshot.rollout_past import CLASS_TASKS
from mlwatch.snapshot.rollout_result import metric_of, rollout_of
from mlwatch.snapshot.types import Rollout, Shadow

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.rollout import RolloutTimeline
    from mlwatch.metrics.rollout_pairs import PairCounts, ShadowResult
    from mlwatch.metrics.rollout_types import RolloutSettings, RolloutVerdict, Verdict
    from mlwatch.snapshot.pair_counts import Counted
    from mlwatch.snapshot.pair_types import PairFindings
    from mlwatch.snapshot.read import Life
    from mlwatch.snapshot.rollout_pairing import Pairing
    from mlwatch.snapshot.rollout_series import Inputs, Pairs
    from mlwatch.snapshot.types import ConfusionTable

    Findings = Callable[[Hashable, Callable[[], PairFindings]], PairFindings]

NO_RECORDS = "no records are kept here, so that answers cannot be paired: look where the logs are"
SAMPLE = 500
LONG_LAG_S = 60.0
"""Median time between both answers from which it is said."""
SHARED = 0.5
"""Share of the candidate's requests that the baseline answered too from which it is a shadow."""


def is_shadow(connection: DuckDBPyConnection, baseline: Life, candidate: Life) -> bool:
    """Tell from the newest requests whether both versions answer the same ones.

    Args:
        connection: A cursor of this thread.
        baseline: The version in service.
        candidate: The version under test.
    """
    begin = candidate.last - timedelta(hours=1)
    asked, shared = row(
        connection,
        f"""WITH sample AS (
            SELECT h, id FROM predictions WHERE model = ? AND version = ? AND ts >= ? AND ts <= ?
                AND id IS NOT NULL LIMIT {SAMPLE})
        SELECT COUNT(*), COUNT(*) FILTER ((h, id) IN (
            SELECT (h, id) FROM predictions WHERE model = ? AND version = ? AND ts >= ? AND ts <= ?
                AND h IN (SELECT h FROM sample)))
        FROM sample""",
        [
            candidate.pair.model,
            candidate.pair.version,
            begin,
            candidate.last,
            baseline.pair.model,
            baseline.pair.version,
            begin - timedelta(hours=1),
            candidate.last + timedelta(hours=1),
        ],
    )
    return bool(asked) and shared / asked > SHARED


def judge(connection: DuckDBPyConnection, inputs: Inputs, now: int, findings: Findings) -> Rollout:
    """Judge speed and failures by arm, and who is right pair by pair, where answers are classes.

    Args:
        connection: A cursor of this thread.
        inputs: The arms and the pairs, and how they are judged.
        now: Present minute.
        findings: Gives where the answers differ, by computing it or from memory.
    """
    pairing, settings, pairs = inputs.pairing, inputs.settings, inputs.pairs
    if pairs is None:
        raise ValueError("a shadow is judged by its pairs")
    counted, counts = pairs.counted, pairs.counted.counts
    bounded = replace(pairing, start=counted.start)
    by_arm, own = budgets(inputs)
    beside = rollout_verdict(inputs.arms.baseline, inputs.arms.candidate, by_arm, now)
    verdict, shadow = shadow_verdict(counts, own, pairs.accuracy, pairs.cap, beside.elapsed, pairs.recall)
    if counted.start >= pairing.end:
        verdict = replace(verdict, state=RolloutState.NO_DATA, reasons=(NO_RECORDS,))
    who = (pairing.model, pairing.baseline, pairing.candidate)
    where = findings(who, partial(find, connection, bounded, settings)) if counts.pairs else None
    remarks = (*_said(where, pairing), *_since(counted, pairing), *inputs.remarks)
    found = replace(
        rollout_of(pairing.model, beside, pairing.start, remarks),
        alpha=settings.alpha,
        shadow=replace(
            _shadow(shadow, counts, counted.confusion, where),
            since=counted.start.replace(tzinfo=UTC) if counted.why and counts.pairs else None,
        ),
    )
    return _together(found, verdict, guarded=_guarded(settings)) if pairing.task in CLASS_TASKS else found


def by_pairs(inputs: Inputs, pairs: Pairs) -> Inputs:
    """Let pairs tell of a shadow: of recall too, where it is judged, instead of the arms.

    Both versions answered the same positives, so that what one misses differs by far less than chance between two
    samples would have it. A hard limit is on the candidate alone: the arms keep what it needs.

    Args:
        inputs: As arms are judged.
        pairs: What both versions answered, and how accuracy is judged.
    """
    settings, counts = inputs.settings, pairs.counted.counts
    recall = next((spec for spec in settings.metrics if spec.name == "recall" and spec.guardrail), None)
    if recall is None or counts.positive is None or not counts.pairs:
        return replace(inputs, pairs=pairs)
    limited = recall.name in {limit.metric for limit in settings.hard_limits}
    rest = tuple(spec for spec in settings.metrics if spec is not recall)
    metrics = (*rest, replace(recall, guardrail=False)) if limited else rest
    return replace(inputs, settings=replace(settings, metrics=metrics), pairs=replace(pairs, recall=recall))


def guards(settings: RolloutSettings) -> int:
    """Return how many guardrails are judged by arm."""
    return sum(spec.guardrail for spec in settings.metrics)


def _guarded(settings: RolloutSettings) -> bool:
    """Tell whether what is known by arm has a say: else the pairs alone decide."""
    return bool(guards(settings) or settings.unjudged)


def budgets(inputs: Inputs) -> tuple[RolloutSettings, RolloutSettings]:
    """Split the error budget: each guardrail gets an equal part, whether arms or pairs tell of it.

    Args:
        inputs: With the budget of the candidate; only of classes do pairs say who is right.

    Returns:
        The settings of what is judged by arm, and those of the pairs, with the part of one guardrail.
    """
    settings, count = inputs.settings, guards(inputs.settings)
    recall = inputs.pairs is not None and inputs.pairs.recall is not None
    paired = 1 + recall if inputs.pairing.task in CLASS_TASKS else 0
    by_arm = settings.alpha * count / (count + paired) if count else settings.alpha
    own = replace(settings, alpha=settings.alpha / (count + max(paired, 1)), metrics=(), hard_limits=())
    return replace(settings, alpha=by_arm), own


def timeline(inputs: Inputs, every: int = 1) -> RolloutTimeline:
    """Judge a rollout at each of its strata, or every so many of them, a shadow by its pairs too."""
    arms, settings, pairs = inputs.arms, inputs.settings, inputs.pairs
    if pairs is None or inputs.pairing.task not in CLASS_TASKS:
        return rollout_timeline(arms.baseline, arms.candidate, settings, every)
    by_arm, own = budgets(inputs)
    beside = rollout_timeline(arms.baseline, arms.candidate, by_arm, every)
    guarded = _guarded(settings)
    return with_pairs(
        beside, pairs.counted.moments, own, pairs.accuracy, pairs.cap, guarded=guarded, recall=pairs.recall
    )


def _since(counted: Counted, pairing: Pairing) -> tuple[str, ...]:
    """Say where pairs are not compared from the beginning; speed and failures are, by rollups."""
    if not counted.why or counted.start >= pairing.end:
        return ()
    return (f"only pairs since {counted.start:%Y-%m-%d %H:%M} UTC are compared, {counted.why}",)


def _said(found: PairFindings | None, pairing: Pairing) -> tuple[str, ...]:
    """Say how far regressions lie apart, and the segment in which the answers differ more than elsewhere."""
    if found is None:
        return ()
    texts = []
    if abs(found.lag_s) > LONG_LAG_S:
        side = "behind" if found.lag_s > 0 else "before"
        lag = duration_text(abs(found.lag_s))
        texts.append(
            f"records of {pairing.candidate} are {lag} {side} those of {pairing.baseline}: clocks may differ"
        )
    if found.outputs is not None:
        away = f"{number(found.outputs.mean_abs)} from those of {pairing.baseline}"
        shift = f"{number(found.outputs.mean)} on balance"
        texts.append(f"on {found.pairs:,} pairs the values of {pairing.candidate} lie {away}, {shift}")
    worst = next((part for part in found.parts if part.contrast is not None and part.contrast.worse), None)
    if worst is not None and worst.contrast is not None:
        share = found.measure == "disagreement"
        here, there = (
            f"{number(100 * value)} %" if share else number(value)
            for value in (worst.mean, worst.mean - worst.contrast.difference)
        )
        what = "the answers differ most" if share else "the values lie farthest apart"
        much = f"{here} of {worst.pairs:,} pairs" if share else f"{here} on {worst.pairs:,} pairs"
        texts.append(f"{what} where {worst.column} is {worst.value}: {much}, {there} elsewhere")
    return tuple(texts)


def _together(by_arm: Rollout, pairs: RolloutVerdict, *, guarded: bool) -> Rollout:
    """Roll back if either says so, promote if both do; the pairs speak first, but shown harm before all."""
    answers = {pairs.verdict, by_arm.verdict} if guarded else {pairs.verdict}
    answer: Verdict = "rollback" if "rollback" in answers else "hold" if "hold" in answers else "promote"
    blocking = pairs.state.value if pairs.verdict == "hold" else by_arm.state
    paired = {result.name: metric_of(result) for result in pairs.metrics}
    metrics = paired | {name: metric for name, metric in by_arm.metrics.items() if name not in paired}
    said = by_arm.reasons if guarded else ()
    reasons = (*pairs.reasons, *said) if pairs.verdict == answer else (*said, *pairs.reasons)
    reasons = tuple(dict.fromkeys(reasons))
    harm = {metric.reason for metric in metrics.values() if metric.status == "worse"}
    if answer == "rollback":
        reasons = tuple(sorted(reasons, key=lambda reason: reason not in harm))
    return replace(
        by_arm,
        verdict=answer,
        state=blocking if answer == "hold" else by_arm.state if by_arm.verdict == answer else "decided",
        reasons=reasons,
        metrics=metrics,
        calibrated=by_arm.calibrated and pairs.calibrated,
    )


def _shadow(
    found: ShadowResult, counts: PairCounts, confusion: ConfusionTable | None, where: PairFindings | None
) -> Shadow:
    errors = where.errors if where is not None else None
    return Shadow(
        pairs=found.pairs,
        labelled=errors.n if errors is not None else found.labelled,
        disagreement_rate=found.disagreement_rate if confusion else None,
        disagreement_low=found.disagreement_low if confusion else None,
        disagreement_high=found.disagreement_high if confusion else None,
        kappa=found.kappa if confusion else None,
        accuracy_difference=found.accuracy_difference,
        low=found.low,
        high=found.high,
        only_baseline_right=counts.only_baseline_right,
        only_candidate_right=counts.only_candidate_right,
        mcnemar_p=found.mcnemar_p if confusion else None,
        confusion=confusion,
        findings=where,
    )
