"""Hard limits: an absolute bound on the candidate's value that every minute breaks for some time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_judgement import quotient
from mlwatch.metrics.rollout_normal import EXPECTED_EVENTS, MEAN_UNITS
from mlwatch.metrics.rollout_strata import HistogramPair
from mlwatch.metrics.rollout_words import duration_text, value_text
from mlwatch.metrics.scipy_special import xlogy
from mlwatch.metrics.sequential import Moments
from mlwatch.metrics.sequential_quantile import histogram_quantile

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_judgement import Flags
    from mlwatch.metrics.rollout_strata import Strata
    from mlwatch.metrics.rollout_types import (
        Counts,
        FloatArray,
        HardLimit,
        IntArray,
        MetricSpec,
        RolloutSettings,
    )

CHANCE = 0.001
"""Probability at which a few units of a candidate that is at the limit are beyond it."""
MOST_ERRORS = 3.1
"""The same for a mean, in standard errors."""
FEW = 30
"""Units from which on a mean has a standard error to speak of."""


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
        value, broken = _sustained(strata, limit, spec)
        if limit.wait_seconds:
            value, broken = _as_known(strata, limit.wait_seconds, value, broken)
        histories.append(LimitHistory(limit, spec, settings.candidate, value, broken))
    return LimitHistories(tuple(histories))


def _as_known(strata: Strata, wait: float, value: FloatArray, broken: Flags) -> tuple[FloatArray, Flags]:
    """Return what was known at each stratum, of those that were old enough by then."""
    old = np.searchsorted(strata.last_minute, strata.last_minute - wait / 60, side="right") - 1
    return np.where(old >= 0, value[old], np.nan), (old >= 0) & broken[old]


@dataclass(frozen=True)
class _Rows:
    """The candidate's values of one metric, a row a stratum or several of them."""

    first: IntArray
    """First minute of each row."""
    last: IntArray
    units: FloatArray
    values: Moments | Counts
    """Sums, or a histogram a row."""

    def of(self, spec: MetricSpec, edges: FloatArray) -> FloatArray:
        """Return the metric in each row, nan without data."""
        if isinstance(self.values, Moments):
            return quotient(self.values.total, self.values.n)
        return histogram_quantile(self.values, edges, spec.quantile or 0.5)

    def pooled(self, units: float) -> tuple[_Rows, IntArray]:
        """Return rows of about so many units, and the number of that which is complete at each of these rows."""
        counted = np.cumsum(self.units)
        block = (counted - self.units) // units
        starts = np.flatnonzero(np.r_[True, np.diff(block) > 0])
        values = (
            Moments(*(np.add.reduceat(column, starts) for column in self.values))
            if isinstance(self.values, Moments)
            else np.add.reduceat(self.values, starts, axis=0)
        )
        stops = np.r_[starts[1:], block.size] - 1
        rows = _Rows(self.first[starts], self.last[stops], np.add.reduceat(self.units, starts), values)
        number = np.searchsorted(starts, np.arange(block.size), side="right") - 1
        return rows, np.where(counted >= (block + 1) * units, number, number - 1)


def _rows(spec: MetricSpec, strata: Strata) -> tuple[_Rows, FloatArray] | None:
    """Return the candidate's rows and the edges of their bins; None where there is nothing of the metric."""
    pair, clock = strata.metrics.get(spec.name), (strata.first_minute, strata.last_minute)
    if not strata.minute.size or pair is None:
        return None
    if isinstance(pair, HistogramPair):
        return _Rows(*clock, pair.n_c, pair.candidate), pair.edges
    return _Rows(*clock, pair.candidate.n, pair.candidate), np.zeros(0)


def _sustained(strata: Strata, limit: HardLimit, spec: MetricSpec) -> tuple[FloatArray, Flags]:
    """Return the candidate's value in each stratum, and where it has been over the limit for the given time.

    Where strata have few requests, chance alone lets one of them keep the limit or break it. So as many of them are
    pooled as hold enough for one unit beyond the limit at the limit itself, and those are asked as strata are.
    """
    found = _rows(spec, strata)
    if found is None:
        return np.full(strata.minute.shape, np.nan), np.zeros(strata.minute.shape, dtype=bool)
    rows, edges = found
    value = rows.of(spec, edges)
    broken, _ = _lasting(rows, value, edges, limit, spec)
    pool, complete = rows.pooled(_fewest(limit, spec) / EXPECTED_EVENTS)
    pooled = pool.of(spec, edges)
    lasting, several = _lasting(pool, pooled, edges, limit, spec)
    by_pool = (complete >= 0) & (lasting & several)[complete] & ~broken
    return np.where(by_pool, pooled[complete], value), broken | by_pool


def _lasting(
    rows: _Rows, value: FloatArray, edges: FloatArray, limit: HardLimit, spec: MetricSpec
) -> tuple[Flags, Flags]:
    """Return where every row with data has been over the limit for the given time, and where these are several rows.

    Data at both ends of that time must say so, for where there is little traffic, one bad request is all that there is
    for minutes. And there must be so much of it that chance alone does not break a limit which is kept.
    """
    over = value < limit.limit if spec.higher_is_better else value > limit.limit
    number, known = np.arange(over.size), rows.units > 0
    # the run starts after the last good row; rows without data neither end nor start a run
    last_good = np.maximum.accumulate(np.where(known & ~over, number, -1))
    end = np.maximum.accumulate(np.where(known & over, number, -1))
    bad_rows = np.flatnonzero(known & over)
    first = np.searchsorted(bad_rows, last_good, side="right")
    started = end > last_good
    start = np.where(started, bad_rows[np.minimum(first, bad_rows.size - 1)] if bad_rows.size else 0, 0)
    length = 60 * (rows.last[end] - rows.first[start] + 1)

    def total(column: Counts) -> FloatArray:
        counted = np.concatenate([[0.0], np.cumsum(column)])
        return np.where(started, counted[end + 1] - counted[start], 0.0)

    n = total(rows.units)
    beyond = (
        _is_mean_beyond(Moments(*(total(column) for column in rows.values)), limit.limit)
        if spec.kind == "mean" and isinstance(rows.values, Moments)
        else _is_rate_beyond(n, total(_bad(rows.values, edges, limit, spec)), _bad_rate(limit, spec))
    )
    return started & (length >= limit.for_seconds) & beyond, start < end


def _bad(values: Moments | Counts, edges: FloatArray, limit: HardLimit, spec: MetricSpec) -> Counts:
    """Return how many units lie beyond the limit, or are bad."""
    if isinstance(values, Moments):
        return values.n - values.total if spec.higher_is_better else values.total
    counted: Counts = values[:, np.searchsorted(edges, limit.limit) :].sum(axis=1)
    return counted


def _is_rate_beyond(n: FloatArray, bad: FloatArray, rate: float) -> Flags:
    """Return where so many bad ones are more than chance makes of a rate (the Chernoff bound)."""
    if not 0 < rate < 1:
        return bad > n * rate
    divergence = xlogy(bad, bad) + xlogy(n - bad, n - bad) - xlogy(n, n) - xlogy(bad, rate)
    beyond: Flags = (bad > n * rate) & (divergence - (n - bad) * np.log1p(-rate) >= -math.log(CHANCE))
    return beyond


def _is_mean_beyond(sums: Moments, limit: float) -> Flags:
    """Return where a mean is farther from the limit than chance takes it."""
    n, total, squares = sums
    distance = np.abs(total - n * limit)
    spread = np.sqrt(np.maximum(squares - quotient(total**2, n), 0.0))
    beyond: Flags = (n >= FEW) & (distance > MOST_ERRORS * spread)
    return beyond


def _bad_rate(limit: HardLimit, spec: MetricSpec) -> float:
    """Return which share of the units is bad at the limit itself."""
    if spec.kind == "quantile":
        return 1 - (spec.quantile or 0.5)
    return 1 - limit.limit if spec.higher_is_better else limit.limit


def _fewest(limit: HardLimit, spec: MetricSpec) -> float:
    """Return how many units tell something of a limit: those with 5 bad ones at the limit itself."""
    if spec.kind == "mean":
        return MEAN_UNITS
    bad = _bad_rate(limit, spec)
    return EXPECTED_EVENTS / bad if bad > 0 else 1.0
