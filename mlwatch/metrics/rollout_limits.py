"""Hard limits: an absolute bound on the candidate's value that every minute breaks for some time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_judgement import quotient
from mlwatch.metrics.rollout_normal import EXPECTED_EVENTS, MEAN_UNITS
from mlwatch.metrics.rollout_strata import HistogramPair, MomentPair, Strata
from mlwatch.metrics.rollout_words import duration_text, value_text
from mlwatch.metrics.sequential_quantile import histogram_quantile

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_types import FloatArray, HardLimit, MetricSpec, RolloutSettings


@dataclass(frozen=True)
class LimitHistory:
    """One hard limit over time."""

    limit: HardLimit
    spec: MetricSpec
    candidate: str
    value: FloatArray
    """Candidate's value in each stratum, nan without data."""
    broken: Flags
    """Whether the limit has been broken for its time, at each stratum."""

    def sentence(self) -> str:
        """Say that the limit is broken now."""
        value = self.value[np.flatnonzero(np.isfinite(self.value))[-1]]
        side = "below" if self.spec.higher_is_better else "above"
        now, limit = (value_text(self.spec, float(each)) for each in (value, self.limit.limit))
        return (
            f"{self.spec.label} of {self.candidate} is {now}, {side} the hard limit of {limit} "
            f"for at least {duration_text(self.limit.for_seconds)}{self._age()}"
        )

    def _age(self) -> str:
        """Say of which requests, where younger ones do not count yet."""
        limit = self.limit
        return (
            f", of requests at least {duration_text(limit.delay_seconds)} old" if limit.wait_seconds else ""
        )


@dataclass(frozen=True)
class LimitHistories:
    """All hard limits over time."""

    histories: tuple[LimitHistory, ...]

    def any(self, times: int) -> Flags:
        """Return, for each stratum, whether any limit is broken."""
        broken: Flags = np.any(
            [np.zeros(times, dtype=bool), *(each.broken for each in self.histories)], axis=0
        )
        return broken

    def sentences(self) -> tuple[str, ...]:
        """Return a sentence for each limit that is broken at the end."""
        return tuple(each.sentence() for each in self.histories if each.broken.size and each.broken[-1])


def broken_limits(strata: Strata, settings: RolloutSettings) -> LimitHistories:
    """Find where the candidate breaks its hard limits.

    Raises:
        ValueError: A limit on a metric that is not configured.
    """
    specs = {spec.name: spec for spec in settings.metrics}
    histories = []
    for limit in settings.hard_limits:
        if limit.metric not in specs:
            raise ValueError(f"the hard limit on {limit.metric} has no such metric")
        spec = specs[limit.metric]
        value, units = _values(spec, strata)
        over = value < limit.limit if spec.higher_is_better else value > limit.limit
        broken = _sustained(strata, units, over, limit, spec)
        if limit.wait_seconds:
            value, broken = _as_known(strata, limit.wait_seconds, value, broken)
        histories.append(LimitHistory(limit, spec, settings.candidate, value, broken))
    return LimitHistories(tuple(histories))


def _as_known(strata: Strata, wait: float, value: FloatArray, broken: Flags) -> tuple[FloatArray, Flags]:
    """Return what was known at each stratum, of those that were old enough by then."""
    old = np.searchsorted(strata.last_minute, strata.last_minute - wait / 60, side="right") - 1
    return np.where(old >= 0, value[old], np.nan), (old >= 0) & broken[old]


def _values(spec: MetricSpec, strata: Strata) -> tuple[FloatArray, FloatArray]:
    """Return the candidate's value in each stratum, and of how many units it is."""
    pair = strata.metrics.get(spec.name)
    if isinstance(pair, HistogramPair):
        value = histogram_quantile(pair.candidate, pair.edges, spec.quantile or 0.5)
        return value, pair.candidate.sum(axis=1).astype(float)
    if isinstance(pair, MomentPair):
        return quotient(pair.candidate.total, pair.candidate.n), pair.candidate.n
    return np.full(strata.minute.shape, np.nan), np.zeros(strata.minute.shape)


def _sustained(strata: Strata, units: FloatArray, over: Flags, limit: HardLimit, spec: MetricSpec) -> Flags:
    """Return where every stratum with data has been over the limit for the given time.

    Data at both ends of that time must say so, for where there is little traffic, one bad request is all that there is
    for minutes. A stratum wider than a minute hides the requests that kept the limit, so there it takes enough of them.
    """
    if not strata.minute.size:
        return np.zeros(0, dtype=bool)
    rows = np.arange(strata.minute.size)
    known = units > 0
    # the run starts after the last good row; rows without data neither end nor start a run
    last_good = np.maximum.accumulate(np.where(known & ~over, rows, -1))
    end = np.maximum.accumulate(np.where(known & over, rows, -1))
    started = end > last_good
    bad_rows = np.flatnonzero(known & over)
    first = np.searchsorted(bad_rows, last_good, side="right")
    start = np.where(started, bad_rows[np.minimum(first, bad_rows.size - 1)] if bad_rows.size else 0, 0)
    length = 60 * (strata.last_minute[end] - strata.first_minute[start] + 1)
    counted = np.concatenate([[0.0], np.cumsum(units)])
    enough = strata.width == 1 or counted[end + 1] - counted[start] >= _fewest(limit, spec)
    sustained: Flags = started & (length >= limit.for_seconds) & enough
    return sustained


def _fewest(limit: HardLimit, spec: MetricSpec) -> float:
    """Return in how many units chance alone does not break a limit: those with 5 bad ones at the limit itself."""
    if spec.kind == "mean":
        return MEAN_UNITS
    bad = 1 - (spec.quantile or 0.5) if spec.kind == "quantile" else limit.limit
    if spec.kind == "proportion" and spec.higher_is_better:
        bad = 1 - limit.limit
    return EXPECTED_EVENTS / bad if bad > 0 else 0.0
