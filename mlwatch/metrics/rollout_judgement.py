"""What is known of one metric over time: the judgement that every test returns, and its statuses.

"Harm" is a change for the worse, positive whichever way the metric points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlwatch.metrics.rollout_plan import MetricPlan
    from mlwatch.metrics.rollout_totals import Columns
    from mlwatch.metrics.rollout_types import FloatArray, MetricSpec, Status

    Flags: TypeAlias = NDArray[np.bool_]

STATUSES: tuple[Status, ...] = ("no_data", "inconclusive", "non_inferior", "better", "worse")
"""Statuses by their code in `Judgement.status`."""
_NO_DATA, _INCONCLUSIVE, _NON_INFERIOR, _BETTER, _WORSE = range(len(STATUSES))


@dataclass(frozen=True)
class Judgement:
    """One metric over time; nan is "unknown", infinite limits are "unbounded"."""

    plan: MetricPlan
    status: NDArray[np.int8]
    """Index into `STATUSES`."""
    log_e: FloatArray
    baseline: FloatArray
    candidate: FloatArray
    difference: FloatArray
    low: FloatArray
    high: FloatArray
    limit: FloatArray
    ratio: FloatArray
    ratio_low: FloatArray
    ratio_high: FloatArray
    pooled: FloatArray
    n_b: FloatArray
    """Units of the baseline in strata that both arms share."""
    n_c: FloatArray
    harm_limit: FloatArray
    """The margin as a rate ratio of harm; nan where the test has none."""
    astray: Flags | None = None
    """Where a quantile's test tells of other values than the quantile, so that it decides nothing; None: nowhere."""

    def is_astray(self, index: int) -> bool:
        """Return whether the test decides nothing at one moment, whatever its numbers."""
        return self.astray is not None and bool(self.astray[index])

    @property
    def safe(self) -> Flags:
        """Whether harm beyond the margin is ruled out."""
        return (self.status == _BETTER) | (self.status == _NON_INFERIOR)  # type: ignore[no-any-return]

    @property
    def worse(self) -> Flags:
        """Whether harm is shown."""
        return np.equal(self.status, _WORSE)

    @property
    def missing(self) -> Flags:
        """Whether there is nothing to judge."""
        return np.equal(self.status, _NO_DATA)


def no_data(plan: MetricPlan, times: int = 1) -> Judgement:
    """Return the judgement of a metric without data."""
    unknown, zero = np.full(times, np.nan), np.zeros(times)
    return Judgement(plan, np.zeros(times, dtype=np.int8), zero, *(unknown,) * 10, zero, zero, unknown)


def status_codes(present: Flags, worse: Flags, safe: Flags, better: Flags) -> NDArray[np.int8]:
    """Return status codes: safety is asked first, so a harm within the margin is not "worse"."""
    guarded = np.where(safe, np.where(better, _BETTER, _NON_INFERIOR), np.where(worse, _WORSE, _INCONCLUSIVE))
    return np.where(present, guarded, _NO_DATA).astype(np.int8)


def quotient(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Divide, nan where the denominator is 0."""
    known = bottom != 0
    if known.all():  # as most often, and then far faster
        return np.true_divide(top, bottom)
    result: FloatArray = np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=known)
    return result


def raw_values(columns: Columns) -> dict[str, FloatArray]:
    """Return the unstratified values and units of both arms."""
    return {
        "baseline": quotient(columns["both_y_b"], columns["both_n_b"]),
        "candidate": quotient(columns["both_y_c"], columns["both_n_c"]),
        "pooled": quotient(columns["y_c"], columns["n_c"]) - quotient(columns["y_b"], columns["n_b"]),
        "n_b": columns["both_n_b"],
        "n_c": columns["both_n_c"],
    }


def is_beyond(spec: MetricSpec, difference: FloatArray, limit: FloatArray) -> Flags:
    """Return where the estimate itself lies beyond the margin.

    Harm that is shown rolls back only there: what is tolerated would be rolled back first and promoted later otherwise.
    """
    with np.errstate(invalid="ignore"):
        beyond: Flags = spec.sign * (difference - limit) > 0
    return beyond


def difference_limit(spec: MetricSpec, baseline: FloatArray) -> FloatArray:
    """Return the margin as a signed difference."""
    scale = np.abs(baseline) if spec.scale == "relative" else np.ones(np.shape(baseline))
    limit: FloatArray = spec.sign * spec.margin * scale
    return limit
