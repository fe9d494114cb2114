"""The verdict of a rollout: promote, hold or roll back, right whenever one looks.

`rollout_verdict` answers once, `rollout_timeline` for each minute of the past. Their parts serve a live loop
that only folds in what changed::

    strata = align(baseline, candidate, settings)
    plan = plan_rollout(strata, settings)
    totals = tally(strata, plan)
    totals = totals - tally(old_minute, plan) + tally(new_minute, plan)
    verdict = judge_rollout(totals, plan, now)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlwatch.metrics.rollout_decide import STATES, VERDICTS, Decision, decide
from mlwatch.metrics.rollout_judge import judge_metrics
from mlwatch.metrics.rollout_judgement import STATUSES
from mlwatch.metrics.rollout_left import samples_left
from mlwatch.metrics.rollout_limits import broken_limits
from mlwatch.metrics.rollout_plan import RolloutPlan, plan_rollout
from mlwatch.metrics.rollout_silence import unusual_silences
from mlwatch.metrics.rollout_strata import Strata, align
from mlwatch.metrics.rollout_tally import tally
from mlwatch.metrics.rollout_timeline import RolloutTimeline, rollout_timeline
from mlwatch.metrics.rollout_totals import TRAFFIC, RolloutTotals
from mlwatch.metrics.rollout_traffic import TrafficStep, split_p, traffic_steps
from mlwatch.metrics.rollout_types import MetricResult, RolloutState, RolloutVerdict, TrafficResult
from mlwatch.metrics.rollout_words import (
    apart_note,
    by_urgency,
    cap_note,
    duration_text,
    metric_sentence,
    pooled_note,
    silent_note,
    state_sentence,
    unit_note,
)

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_judgement import Flags, Judgement
    from mlwatch.metrics.rollout_types import ArmSeries, RolloutSettings

__all__ = [
    "RolloutPlan",
    "RolloutTimeline",
    "RolloutTotals",
    "Strata",
    "TrafficStep",
    "align",
    "judge_rollout",
    "plan_rollout",
    "rollout_timeline",
    "rollout_verdict",
    "tally",
    "traffic_steps",
]


def rollout_verdict(
    baseline: ArmSeries, candidate: ArmSeries, settings: RolloutSettings, now: int | None = None
) -> RolloutVerdict:
    """Judge a rollout.

    Args:
        baseline: Sufficient statistics of the baseline; rows in any order.
        candidate: Sufficient statistics of the candidate, on the same clock.
        settings: Metrics, margins and times.
        now: Present minute; the last minute with traffic if None.

    Raises:
        ValueError: Columns that do not fit each other, see `align`.
    """
    strata = align(baseline, candidate, settings)
    plan = plan_rollout(strata, settings)
    broken = broken_limits(strata, settings)
    minutes = np.concatenate([arm.minute[np.asarray(arm.n) > 0] for arm in (baseline, candidate)])
    times = np.array([minutes.max(initial=0) if now is None else now], dtype=float)
    unusual = unusual_silences(baseline, candidate, settings, times)
    return judge_rollout(tally(strata, plan), plan, now, broken.sentences(), unusual)


def judge_rollout(
    totals: RolloutTotals,
    plan: RolloutPlan,
    now: int | None = None,
    broken: tuple[str, ...] = (),
    unusual: Flags | None = None,
) -> RolloutVerdict:
    """Judge the totals of a rollout.

    Args:
        totals: Sum of the tallies of all strata.
        plan: The frozen tests they were tallied with.
        now: Present minute; the last minute with traffic if None.
        broken: A sentence for each hard limit that is broken, from `broken_limits`.
        unusual: Whether silences of both arms are unusual, from `unusual_silences`; None counts all.
    """
    settings, moment = plan.settings, _with_time(totals)
    judgements = judge_metrics(moment, plan)
    last = np.fmax(moment.peaks[TRAFFIC]["last_b"], moment.peaks[TRAFFIC]["last_c"])
    minute = last if now is None else np.array([float(now)])
    unusual = np.ones((2, 1), dtype=bool) if unusual is None else unusual
    decision = decide(judgements, moment, settings, minute, np.array([bool(broken)]), unusual)
    left = samples_left(judgements, moment, settings)
    results = tuple(_result(each, left[each.plan.spec.name], moment, settings) for each in judgements)
    traffic = _traffic_result(moment, decision, settings)
    return RolloutVerdict(
        verdict=VERDICTS[decision.verdict[0]],
        state=STATES[decision.state[0]],
        reasons=_reasons(decision, results, traffic, settings, broken),
        metrics=results,
        traffic=traffic,
        mode=settings.mode,
        baseline=settings.baseline,
        candidate=settings.candidate,
        alpha=settings.alpha,
        elapsed=float(decision.elapsed[0]),
        calibrated=bool(results) and all(result.calibrated for result in results),
        unit=settings.unit,
    )


def _with_time(totals: RolloutTotals) -> RolloutTotals:
    """Add a time axis of length one."""
    return RolloutTotals(
        *(
            {key: {name: column[None] for name, column in columns.items()} for key, columns in part.items()}
            for part in (totals.sums, totals.peaks)
        )
    )


# --- results -----------------------------------------------------------------------------------------------


def _result(
    judgement: Judgement, left: int | None, totals: RolloutTotals, settings: RolloutSettings
) -> MetricResult:
    spec = judgement.plan.spec
    log_e = float(judgement.log_e[0])
    facts: dict[str, Any] = {
        "name": spec.name,
        "label": spec.label,
        "status": STATUSES[judgement.status[0]],
        "baseline": _known(judgement.baseline),
        "candidate": _known(judgement.candidate),
        "difference": _known(judgement.difference),
        "low": _known(judgement.low),
        "high": _known(judgement.high),
        "margin": spec.margin,
        "scale": spec.scale,
        "limit": _known(judgement.limit),
        "ratio": _known(judgement.ratio),
        "ratio_low": _known(judgement.ratio_low),
        "ratio_high": _known(judgement.ratio_high),
        "e_value": math.exp(min(log_e, 700.0)),
        "log_e": log_e,
        "level": settings.level(spec),
        "samples_left": left,
        "n_baseline": round(float(judgement.n_b[0])),
        "n_candidate": round(float(judgement.n_c[0])),
        "pooled": _known(judgement.pooled),
        "method": judgement.plan.test,
        "guardrail": spec.guardrail,
        "calibrated": spec.name in (settings.inflation or {}),
        "unit": spec.unit,
        "cap": spec.cap,
        "design_effect": max((settings.design or {}).get(spec.name, 1.0), 1.0),
        "inflation": settings.inflation_of(spec.name),
    }
    result = MetricResult(**facts, reason="")
    notes = (pooled_note(spec, result), cap_note(spec, settings))
    ever = totals.peaks.get(spec.name, {})
    silent = tuple(
        name
        for name, key in ((settings.baseline, "last_b"), (settings.candidate, "last_c"))
        if key not in ever or not np.isfinite(ever[key][0])
    )
    reason = metric_sentence(spec, result, settings, silent, astray=judgement.is_astray(0))
    return MetricResult(**facts, reason=reason, notes=tuple(note for note in notes if note))


def _known(values: np.ndarray) -> float | None:
    value: float = values.item()
    return value if math.isfinite(value) else None


def _traffic_result(totals: RolloutTotals, decision: Decision, settings: RolloutSettings) -> TrafficResult:
    columns = {name: float(column[0]) for name, column in totals.sums[TRAFFIC].items() if column.ndim == 1}
    units = (columns["units_b"], columns["units_c"]) if "units_b" in columns else None
    configured = settings.share is not None
    if configured:
        n_c, n_o, n = columns["split_c"], columns["split_o"], columns["split_rest"] + columns["split_c"]
    else:
        n_c, n_o, n = columns["n_c"], columns["n_o"], columns["n_b"] + columns["n_o"] + columns["n_c"]
    configured = configured and n > 0
    return TrafficResult(
        baseline=round(columns["n_b"]),
        candidate=round(columns["n_c"]),
        expected=columns["expected"] / n if configured else None,
        observed=n_c / n if n > 0 else None,
        srm_p=split_p(float(decision.split_log_e[0])) if configured else None,
        others=n_o / n if n > 0 else 0.0,
        units=(round(units[0]), round(units[1])) if units else None,
        silent={
            name: float(seconds[0])
            for name, seconds, silent in (
                (settings.baseline, decision.silent_b, decision.silent[0]),
                (settings.candidate, decision.silent_c, decision.silent[1]),
            )
            if silent[0] and seconds[0] < math.inf
        },
    )


# --- reasons -----------------------------------------------------------------------------------------------

_SAFE = frozenset({"non_inferior", "better"})


def _reasons(
    decision: Decision,
    results: tuple[MetricResult, ...],
    traffic: TrafficResult,
    settings: RolloutSettings,
    broken: tuple[str, ...],
) -> tuple[str, ...]:
    """Say why: what blocks or decides, then the guardrails by urgency and evidence, then what must not be missed.

    Harm that is shown stands before all that is not decided or cannot be: whoever has room for one sentence has that.
    """
    state = STATES[decision.state[0]]
    guards = [result for result in results if result.guardrail]
    facts = {
        "common": float(decision.common[0]),
        "safe": float(bool(guards) and all(result.status in _SAFE for result in guards)),
    }
    first = state_sentence(state, settings, traffic, float(decision.elapsed[0]), facts)
    ordered = by_urgency(guards)
    if not guards:
        first = first or "no guardrail is configured, so nothing can decide"
    notes = [unit_note(results, settings), *(note for result in results for note in result.notes)]
    apart = apart_note(results)
    return tuple(
        text
        for text in (
            *(broken if state is RolloutState.HARD_LIMIT else ()),
            first,
            *(result.reason for result in ordered if result.status == "worse"),
            *settings.unjudged,
            *_stale_sentences(decision, settings),
            *(result.reason for result in ordered if result.status != "worse"),
            silent_note(traffic) if state is not RolloutState.ONE_ARM_SILENT else None,
            apart,
            *notes,
        )
        if text
    )


def _stale_sentences(decision: Decision, settings: RolloutSettings) -> list[str]:
    labels = {spec.name: spec.label for spec in settings.metrics}
    texts = []
    for name, lags in decision.stale.items():
        behind: dict[str, list[str]] = {}
        for version, lag in zip((settings.baseline, settings.candidate), lags, strict=True):
            if lag[0] > 0:
                behind.setdefault(duration_text(float(lag[0])), []).append(version)
        texts += [
            f"{labels[name]}: the newest label is {length} behind the traffic of {' and '.join(versions)}, "
            f"the limit is {duration_text(settings.label_delay)}"
            for length, versions in behind.items()
        ]
    return texts
