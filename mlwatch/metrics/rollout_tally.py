"""Fold strata into totals: everything a verdict needs, as sums over strata.

Totals add up and can be taken back, so a minute that changed (late labels, late events) is corrected by
subtracting its old tally and adding the new one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mlwatch.metrics.rollout_strata import HistogramPair, MomentPair, Strata
from mlwatch.metrics.sequential import contrast_terms, mean_terms
from mlwatch.metrics.sequential_ratio import LOG_RATIOS, NODES, ramp_ratio_terms, tilt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mlwatch.metrics.rollout_plan import MetricPlan, RolloutPlan
    from mlwatch.metrics.rollout_types import Counts, FloatArray, IntArray, RolloutSettings
    from mlwatch.metrics.sequential import Moments

Columns: TypeAlias = "dict[str, FloatArray]"

BOTH_DIRECTIONS = np.concatenate([LOG_RATIOS, -LOG_RATIOS])
"""The alternatives of the rate-ratio grid, rising and falling."""
BLOCK = 512
"""Rows of a histogram that are folded at a time, to stay in the cache."""
LOG_CHANCE = math.log(1e-6)
"""Where chance would leave a version out of a stratum less often than this, it stood still."""
TRAFFIC = ""
"""Key of the columns that belong to no metric."""


class Fold:
    """How rows become totals: their sum."""

    def sum(self, values: Counts) -> FloatArray:
        """Sum over rows (first axis)."""
        if values.shape[0] == 1:  # one more minute, live: nothing to sum
            return np.asarray(values[0], dtype=float)
        if values.ndim == 1:
            return np.asarray(values.sum(dtype=float))
        return np.asarray(values.sum(axis=0, dtype=_narrow(values)), dtype=float)

    def blocks(self, rows: int) -> Iterator[slice]:
        """Yield runs of rows that a histogram is folded in, to stay in the cache; one without any rows."""
        for start in range(0, max(rows, 1), BLOCK):
            yield slice(start, start + BLOCK)

    def outer(self, counts: Counts, basis: FloatArray) -> FloatArray:
        """Sum counts (rows) times basis (rows, k) over rows."""
        total: FloatArray = counts @ basis
        return total

    def tails(self, counts: Counts, edges: IntArray, basis: FloatArray) -> FloatArray:
        """Sum the counts above each of the rising edge numbers times basis (rows, k): shape (edges, k)."""
        first = int(edges[0])
        bins = np.zeros((counts.shape[1] - first + 1, basis.shape[1]))
        bins[:-1] = counts[:, first:].astype(float).T @ basis
        tails: FloatArray = np.cumsum(bins[::-1], axis=0)[::-1][edges - first]
        return tails

    def peak(self, values: FloatArray) -> FloatArray:
        """Return the largest of one value a row, −inf without any."""
        return np.asarray(values[0] if values.size == 1 else values.max(initial=-np.inf))


def _narrow(counts: Counts) -> np.dtype[Any]:
    """Return a type to sum a row or a block in: their own, where wide enough, is far faster than 64 bits."""
    return counts.dtype if counts.dtype.itemsize >= 4 else np.dtype(np.int64)


class RunningFold(Fold):
    """The totals after each row, on a leading time axis."""

    def sum(self, values: Counts) -> FloatArray:
        """Sum up to each row."""
        running: FloatArray = np.cumsum(values, axis=0, dtype=float)
        return running

    def blocks(self, rows: int) -> Iterator[slice]:
        """Yield all rows at once."""
        yield slice(0, rows)

    def outer(self, counts: Counts, basis: FloatArray) -> FloatArray:
        """Sum the products up to each row."""
        return self.sum(counts[..., None] * basis)

    def tails(self, counts: Counts, edges: IntArray, basis: FloatArray) -> FloatArray:
        """Sum the products up to each row."""
        return self.sum(exceedances(counts, edges)[..., None] * basis[:, None, :])

    def peak(self, values: FloatArray) -> FloatArray:
        """Return the largest value up to each row."""
        return np.maximum.accumulate(values, axis=0)


@dataclass(frozen=True)
class RolloutTotals:
    """Additive totals of a rollout; a leading axis, where there is one, is time."""

    sums: dict[str, Columns]
    """Columns by metric name; traffic under `TRAFFIC`."""
    peaks: dict[str, Columns]
    """Columns that combine by maximum: last minutes, and negated first minutes."""

    def __add__(self, other: RolloutTotals) -> RolloutTotals:
        """Put two disjoint sets of strata together."""
        return RolloutTotals(_merge(self.sums, other.sums, 1), _merge(self.peaks, other.peaks, 0))

    def __sub__(self, other: RolloutTotals) -> RolloutTotals:
        """Take back strata counted before; first and last minutes stay."""
        return RolloutTotals(_merge(self.sums, other.sums, -1), self.peaks)

    def at(self, index: int | NDArray[np.bool_]) -> RolloutTotals:
        """Return one moment, or the flagged moments, of running totals."""
        return RolloutTotals(
            *(
                {k: {c: v[index] for c, v in columns.items()} for k, columns in part.items()}
                for part in (self.sums, self.peaks)
            )
        )


def _merge(left: dict[str, Columns], right: dict[str, Columns], sign: int) -> dict[str, Columns]:
    merged = {}
    for key in left | right:
        mine, theirs = left.get(key), right.get(key)
        if mine is None or theirs is None:
            only = mine or theirs or {}
            merged[key] = only if theirs is None or sign >= 0 else {c: -v for c, v in only.items()}
            continue
        merged[key] = {
            column: np.maximum(mine[column], theirs[column])
            if sign == 0
            else mine[column] + sign * theirs[column]
            for column in mine
        }
    return merged


def tally(strata: Strata, plan: RolloutPlan, fold: Fold | None = None) -> RolloutTotals:
    """Fold strata into totals.

    Args:
        strata: Complete strata: a stratum must not be split between two tallies.
        plan: The frozen tests.
        fold: How to fold; `RunningFold()` keeps the totals after each row.
    """
    fold = fold or Fold()
    sums, peaks = {TRAFFIC: _traffic(strata, plan.settings, fold)}, {TRAFFIC: _clock(strata, fold)}
    histograms: dict[tuple[int, int], list[MetricPlan]] = {}
    for metric in plan.metrics:
        name, pair = metric.spec.name, strata.metrics.get(metric.spec.name)
        if isinstance(pair, HistogramPair):
            histograms.setdefault((id(pair.baseline), id(pair.candidate)), []).append(metric)
            peaks[name] = {
                "last_b": _last(strata, strata.n_b, fold),
                "last_c": _last(strata, strata.n_c, fold),
            }
        elif pair is not None:
            sums[name] = _moment_columns(metric, pair, fold)
            n_b, n_c = pair.baseline.n, pair.candidate.n
            peaks[name] = {"last_b": _last(strata, n_b, fold), "last_c": _last(strata, n_c, fold)}
    for sharing in histograms.values():
        pair = strata.metrics[sharing[0].spec.name]
        assert isinstance(pair, HistogramPair)  # noqa: S101 - sorted out above
        both = (strata.n_b > 0) & (strata.n_c > 0)
        parts = [
            _quantile_columns(sharing, (pair.baseline[rows], pair.candidate[rows]), both[rows], fold)
            for rows in fold.blocks(both.size)
        ]
        sums |= {plan.spec.name: _added(each) for plan, *each in zip(sharing, *parts, strict=True)}
    return RolloutTotals(sums, peaks)


# --- traffic and clock -------------------------------------------------------------------------------------


def _traffic(strata: Strata, settings: RolloutSettings, fold: Fold) -> Columns:
    both = (strata.n_b > 0) & (strata.n_c > 0)
    columns = {
        "n_b": fold.sum(strata.n_b),
        "n_c": fold.sum(strata.n_c),
        "both_b": fold.sum(strata.n_b * both),
        "both_c": fold.sum(strata.n_c * both),
        "both_minutes": fold.sum(strata.width * both),
    }
    if strata.units is not None:
        columns |= {"units_b": fold.sum(strata.units.new_b), "units_c": fold.sum(strata.units.new_c)}
    return columns if settings.share is None else columns | _split_columns(strata, settings, fold)


def _split_columns(strata: Strata, settings: RolloutSettings, fold: Fold) -> Columns:
    """Return what the configured split is held against: requests, or units as they enter.

    Strata in which a version stood still are left out. Those that chance gave to one version count: without them, a
    small share of little traffic would seem larger than it is.
    """
    share = configured_share(settings, strata)
    if strata.units is not None:
        n_b, n_c = strata.units.entered_b, strata.units.entered_c
    else:
        n_b, n_c = strata.n_b, strata.n_c
    alone = np.where(n_c > 0, n_c * np.log(share), n_b * np.log1p(-share))
    counted = ((n_b > 0) & (n_c > 0)) | (alone > LOG_CHANCE)
    n_b, n_c = n_b * counted, n_c * counted
    columns = {
        "split_b": fold.sum(n_b),
        "split_c": fold.sum(n_c),
        "expected": fold.sum(share * (n_b + n_c)),
    }
    if isinstance(settings.share, tuple):
        columns["ramp"] = fold.sum(ramp_ratio_terms(n_b, n_c, share))
    return columns


def configured_share(settings: RolloutSettings, strata: Strata) -> FloatArray:
    """Return the configured share of the candidate in each stratum."""
    if not isinstance(settings.share, tuple):
        return np.full(strata.minute.shape, settings.share, dtype=float)
    starts, shares = np.array(settings.share, dtype=float).T
    step = np.clip(np.searchsorted(starts, strata.first_minute, side="right") - 1, 0, None)
    configured: FloatArray = shares[step]
    return configured


def _clock(strata: Strata, fold: Fold) -> Columns:
    both = np.minimum(strata.n_b, strata.n_c)
    return {
        "last_b": _last(strata, strata.n_b, fold),
        "last_c": _last(strata, strata.n_c, fold),
        "both_last": _last(strata, both, fold),
        "both_first": fold.peak(np.where(both > 0, -strata.first_minute, -np.inf)),
    }


def _last(strata: Strata, n: FloatArray, fold: Fold) -> FloatArray:
    return fold.peak(np.where(n > 0, strata.last_minute, -np.inf))


# --- proportions and means ---------------------------------------------------------------------------------


def _moment_columns(plan: MetricPlan, pair: MomentPair, fold: Fold) -> Columns:
    base, cand = pair.baseline, pair.candidate
    both = (base.n > 0) & (cand.n > 0)
    columns = {
        "n_b": fold.sum(base.n),
        "y_b": fold.sum(base.total),
        "n_c": fold.sum(cand.n),
        "y_c": fold.sum(cand.total),
        "both_n_b": fold.sum(base.n * both),
        "both_y_b": fold.sum(base.total * both),
        "both_n_c": fold.sum(cand.n * both),
        "both_y_c": fold.sum(cand.total * both),
    }
    rest = (
        _ratio_columns(plan, base, cand, fold) if plan.test == "ratio" else _normal_columns(base, cand, fold)
    )
    return columns | rest


def _normal_columns(base: Moments, cand: Moments, fold: Fold) -> Columns:
    null, contrast = mean_terms(base, cand), contrast_terms(base, cand)
    return {
        "s": fold.sum(null.s),
        "v": fold.sum(null.v),
        **{name: fold.sum(column) for name, column in contrast._asdict().items()},
    }


def _ratio_columns(plan: MetricPlan, base: Moments, cand: Moments, fold: Fold) -> Columns:
    """Return the rate-ratio columns, the arm that harm makes more eventful in the candidate's place."""
    present = (base.n > 0) & (cand.n > 0)
    arms = [
        (
            np.where(present, arm.n, 0),
            np.where(present, arm.total if plan.events_are_shown else arm.n - arm.total, 0),
        )
        for arm in ((cand, base) if plan.swapped else (base, cand))
    ]
    (n_0, k_0), (n_1, k_1) = arms
    n = np.maximum(n_0 + n_1, 1)
    return {
        "events": fold.sum(k_1),
        "events_0": fold.sum(k_0),
        "mh_top": fold.sum(k_1 * n_0 / n),
        "mh_bottom": fold.sum(k_0 * n_1 / n),
        "cumulant": _cumulants(k_0 + k_1, n_1 / n, fold),
    }


def _cumulants(k: FloatArray, share: FloatArray, fold: Fold) -> FloatArray:
    if isinstance(fold, RunningFold):
        return fold.outer(k, tilt(share, NODES))
    eventful = k > 0
    return fold.outer(k[eventful], tilt(share[eventful], NODES))


# --- quantiles ---------------------------------------------------------------------------------------------


def _added(parts: list[Columns]) -> Columns:
    """Add up the columns of several runs of rows."""
    first, *others = parts
    if not others:
        return first
    return {name: np.sum([part[name] for part in parts], axis=0) for name in first}


def _quantile_columns(
    plans: list[MetricPlan], arms: tuple[Counts, Counts], both: NDArray[np.bool_], fold: Fold
) -> list[Columns]:
    """Return the columns of all quantiles that share a histogram, which is by far the largest input."""
    if not both.all():
        arms = (np.where(both[:, None], arms[0], 0), np.where(both[:, None], arms[1], 0))
    shared = {f"counts_{arm}": fold.sum(counts) for arm, counts in zip("bc", arms, strict=True)}
    tested = [plan for plan in plans if plan.test == "exceedance"]
    if not tested:
        return [shared for _ in plans]
    edges = np.unique(np.concatenate([plan.threshold + plan.shifts for plan in tested]))
    n_b, n_c = (counts.sum(axis=1, dtype=_narrow(counts)).astype(float) for counts in arms)
    share = n_c / np.maximum(n_b + n_c, 1)
    basis = np.ones((share.size, 1 + BOTH_DIRECTIONS.size))
    basis[:, 1:] = tilt(share, BOTH_DIRECTIONS)
    thresholds = np.unique([plan.threshold for plan in tested])
    tails_b, tails_c = fold.tails(arms[0], thresholds, basis), fold.tails(arms[1], edges, basis)
    return [shared | _own_tails(plan, thresholds, tails_b, edges, tails_c) for plan in plans]


def _own_tails(
    plan: MetricPlan, thresholds: IntArray, tails_b: FloatArray, edges: IntArray, tails_c: FloatArray
) -> Columns:
    """Return one quantile's tails: how many values lie above each edge (first column), and their tilts."""
    if plan.test != "exceedance":
        return {}
    mine = np.searchsorted(edges, plan.threshold + plan.shifts)
    threshold = np.searchsorted(thresholds, [plan.threshold])
    return {"tail_b": tails_b[..., threshold, :], "tail_c": tails_c[..., mine, :]}


def exceedances(counts: Counts, edges: IntArray) -> FloatArray:
    """Return how many values of each row lie above each of the rising edge numbers, shape (rows, edges)."""
    inside = edges < counts.shape[1]
    above = np.zeros((counts.shape[0], edges.size))
    if counts.shape[0] and inside.any():
        runs = np.add.reduceat(counts, edges[inside], axis=1)
        above[:, inside] = np.cumsum(runs[:, ::-1], axis=1)[:, ::-1]
    return above
