"""A verdict as the frozen values that faces show."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlwatch.snapshot.types import Rollout, RolloutMetric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlwatch.config import RolloutSettings as Configured
    from mlwatch.metrics.rollout_types import MetricResult, RolloutVerdict
    from mlwatch.snapshot.roles import Roles

LARGEST = 1e300
"""What an overwhelming e-value is shown as: JSON has no infinity."""


def moment(time: datetime) -> datetime:
    """Return a time as the store has it: naive UTC."""
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def held(model: str, roles: Roles, config: Configured, state: str, reasons: tuple[str, ...]) -> Rollout:
    """Hold without any comparison.

    Args:
        model: The model.
        roles: Which version is which, as far as known.
        config: What was asked for.
        state: Name of the state, see `RolloutState`.
        reasons: Plain sentences.
    """
    return Rollout(
        model=model,
        mode=config.mode or "canary",
        baseline=roles.named[0] or (roles.baseline.pair.version if roles.baseline else "-"),
        candidate=roles.named[1] or (roles.candidate.pair.version if roles.candidate else "-"),
        verdict="hold",
        since=None,
        reasons=reasons,
        metrics={},
        state=state,
    )


def rollout_of(model: str, verdict: RolloutVerdict, start: datetime, remarks: Sequence[str]) -> Rollout:
    """Return a verdict as a value of the snapshot.

    Args:
        model: The model.
        verdict: What was found.
        start: Since when both were compared, naive UTC.
        remarks: Sentences to say after the verdict's own.
    """
    traffic = verdict.traffic
    return Rollout(
        model=model,
        mode=verdict.mode,
        baseline=verdict.baseline,
        candidate=verdict.candidate,
        verdict=verdict.verdict,
        since=start.replace(tzinfo=UTC),
        reasons=(*verdict.reasons, *remarks),
        metrics={result.name: metric_of(result) for result in verdict.metrics},
        traffic_expected=_expected(verdict),
        traffic_observed=_observed(verdict),
        srm_p=traffic.srm_p,
        unit=verdict.unit,
        units=dict(zip((verdict.baseline, verdict.candidate), traffic.units, strict=True))
        if traffic.units
        else {},
        calibrated=verdict.calibrated,
        silent_s=traffic.silent,
        state=verdict.state.value,
        elapsed_s=verdict.elapsed,
        alpha=verdict.alpha,
    )


def _expected(verdict: RolloutVerdict) -> Mapping[str, float]:
    """Return the configured split; where others share the traffic, it does not say what the baseline gets."""
    share = verdict.traffic.expected
    if share is None:
        return {}
    rest = {} if verdict.traffic.others else {verdict.baseline: 1 - share}
    return {**rest, verdict.candidate: share}


def _observed(verdict: RolloutVerdict) -> Mapping[str, float]:
    share, others = verdict.traffic.observed, verdict.traffic.others
    return {} if share is None else {verdict.baseline: 1 - share - others, verdict.candidate: share}


def metric_of(result: MetricResult) -> RolloutMetric:
    """Return one metric as a value of the snapshot; what is not finite becomes None."""
    return RolloutMetric(
        baseline=_finite(result.baseline),
        candidate=_finite(result.candidate),
        difference=_finite(result.difference),
        low=_finite(result.low),
        high=_finite(result.high),
        margin=result.margin,
        status=result.status,
        e_value=_finite(result.e_value),
        samples_left=result.samples_left,
        label=result.label,
        scale=result.scale,
        limit=_finite(result.limit),
        unit=result.unit,
        reason=result.reason,
        notes=result.notes,
        ratio=_finite(result.ratio),
        ratio_low=_finite(result.ratio_low),
        ratio_high=_finite(result.ratio_high),
        pooled=_finite(result.pooled),
        n_baseline=result.n_baseline,
        n_candidate=result.n_candidate,
        level=result.level,
        method=result.method,
        calibrated=result.calibrated,
        cap=_finite(result.cap),
        design_effect=result.design_effect,
        inflation=result.inflation,
    )


def _finite(value: float | None) -> float | None:
    if value is None or math.isnan(value):
        return None
    return min(max(value, -LARGEST), LARGEST)
