"""Put the judged metrics together: promote, hold or roll back, vectorised over time.

Roll back when a guardrail is shown to be worse at its share of alpha (Bonferroni: at most alpha over all,
under any dependence). Promote when every guardrail rules out harm beyond its margin at alpha
(intersection-union, Berger 1982). What blocks the comparison as a whole blocks both; a guardrail without
data, or with labels that stopped, blocks only the promotion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_judgement import quotient
from mlwatch.metrics.rollout_totals import TRAFFIC
from mlwatch.metrics.rollout_traffic import split_log_e
from mlwatch.metrics.rollout_types import RolloutState
from mlwatch.metrics.rollout_units import FEWEST_UNITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlwatch.metrics.rollout_judgement import Flags, Judgement
    from mlwatch.metrics.rollout_totals import Columns, RolloutTotals
    from mlwatch.metrics.rollout_types import FloatArray, RolloutSettings, Verdict

STATES = tuple(RolloutState)
"""States by their code in `Decision.state`, most blocking first."""
VERDICTS: tuple[Verdict, ...] = ("hold", "promote", "rollback")
"""Verdicts by their code in `Decision.verdict`."""
COMMON_SHARE = 0.5
"""Share of the candidate's exposures that must fall in minutes with both arms."""


@dataclass(frozen=True)
class Decision:
    """The verdict over time, with what it rests on."""

    verdict: NDArray[np.int8]
    """Index into `VERDICTS`."""
    state: NDArray[np.int8]
    """Index into `STATES`."""
    elapsed: FloatArray
    """Seconds with both arms alive."""
    silent_b: FloatArray
    """Seconds since the baseline's last traffic."""
    silent_c: FloatArray
    common: FloatArray
    """Share of the candidate's exposures in minutes with both arms."""
    split_log_e: FloatArray
    silent: Flags
    """Whether baseline and candidate have fallen silent, shape (2, t)."""
    stale: dict[str, FloatArray]
    """Seconds by which the labels of baseline and candidate lag, by metric, where that is too long; else 0."""


def decide(
    judgements: tuple[Judgement, ...],
    totals: RolloutTotals,
    settings: RolloutSettings,
    now: FloatArray,
    broken: Flags,
    unusual: Flags,
) -> Decision:
    """Decide at each moment.

    Args:
        judgements: The judged metrics.
        totals: Their totals, with a leading time axis.
        settings: Guardrails, times and the configured split.
        now: Present minute at each moment.
        broken: Whether a hard limit is broken for its time.
        unusual: Whether silences of baseline and candidate are unusual, from `unusual_silences`.
    """
    traffic, clock = totals.sums[TRAFFIC], totals.peaks[TRAFFIC]
    with np.errstate(invalid="ignore"):  # an arm that never came was last seen at −∞
        silent_b, silent_c = (60 * (now - clock[key]) for key in ("last_b", "last_c"))
    silent = (np.stack([silent_b, silent_c]) > settings.silent_after) & unusual
    common = quotient(traffic["both_c"], traffic["n_c"])
    split = split_log_e(traffic, settings)
    span = np.minimum(clock["both_last"], now) + clock["both_first"] + 1
    elapsed = 60 * np.maximum(np.minimum(span, traffic["both_minutes"]), 0)
    stale = _stale_labels(judgements, totals, settings)
    guards = [judgement for judgement in judgements if judgement.plan.spec.guardrail]
    never = np.zeros(now.shape, dtype=bool)
    worse = np.any([guard.worse for guard in guards], axis=0) if guards else never
    safe = np.all([guard.safe for guard in guards], axis=0) if guards else never
    flags = {
        RolloutState.NO_DATA: traffic["n_b"] + traffic["n_c"] <= 0,
        RolloutState.ROLES_UNKNOWN: ~never if settings.unknown_roles else never,
        # harm that is shown is no less so when an arm falls silent later
        RolloutState.ONE_ARM_SILENT: (np.minimum(traffic["n_b"], traffic["n_c"]) <= 0)
        | (silent.any(axis=0) & ~worse),
        RolloutState.HARD_LIMIT: broken,
        RolloutState.STARTED_APART: common < COMMON_SHARE,
        RolloutState.SAMPLE_RATIO_MISMATCH: split >= -math.log(settings.sample_ratio_alpha),
        RolloutState.FEW_UNITS: _few_units(traffic, now),
        RolloutState.DECIDED: worse,
        RolloutState.STALE_LABELS: _any(
            [*(_any(list(lag > 0), never) for lag in stale.values()), *_missing(guards, labels=True)], never
        ),
        RolloutState.MISSING_METRIC: _any(
            [*_missing(guards, labels=False), *([~never] if settings.unjudged else [])], never
        ),
        RolloutState.MINIMUM_TIME: safe & (elapsed < settings.min_time),
    }
    state = np.where(safe, STATES.index(RolloutState.DECIDED), STATES.index(RolloutState.UNDECIDED))
    for key, flag in reversed(flags.items()):
        state = np.where(flag, STATES.index(key), state)
    return Decision(
        _verdict(state, worse),
        state.astype(np.int8),
        elapsed,
        silent_b,
        silent_c,
        common,
        split,
        silent,
        stale,
    )


def _few_units(traffic: Columns, now: FloatArray) -> Flags:
    if "units_b" not in traffic:
        return np.zeros(now.shape, dtype=bool)
    return np.minimum(traffic["units_b"], traffic["units_c"]) < FEWEST_UNITS


def _verdict(state: NDArray[np.int8], worse: Flags) -> NDArray[np.int8]:
    decided = state == STATES.index(RolloutState.DECIDED)
    rollback = (decided & worse) | (state == STATES.index(RolloutState.HARD_LIMIT))
    codes = np.where(rollback, VERDICTS.index("rollback"), np.where(decided, VERDICTS.index("promote"), 0))
    return codes.astype(np.int8)


def _any(flags: list[Flags], never: Flags) -> Flags:
    together: Flags = np.any([never, *flags], axis=0)
    return together


def _missing(guards: list[Judgement], *, labels: bool) -> list[Flags]:
    return [guard.missing for guard in guards if guard.plan.spec.needs_labels == labels]


def _stale_labels(
    judgements: tuple[Judgement, ...], totals: RolloutTotals, settings: RolloutSettings
) -> dict[str, FloatArray]:
    """Return by how many seconds labels lag behind the traffic of their arm, where that is too long, shape (2, t)."""
    clock, stale = totals.peaks[TRAFFIC], {}
    guards = [
        each.plan.spec for each in judgements if each.plan.spec.guardrail and each.plan.spec.needs_labels
    ]
    of_all = [spec for spec in guards if not spec.of]  # a rare class has no label now and then
    for spec in of_all or guards:
        last = totals.peaks.get(spec.name)
        if last is None:
            continue
        with np.errstate(invalid="ignore"):
            lags = [60 * (clock[key] - last[key]) for key in ("last_b", "last_c")]
        lag = np.stack([np.where(np.isfinite(each), each, 0) for each in lags])
        stale[spec.name] = np.where(lag > settings.label_delay, lag, 0)
    return stale
