"""Bring two arms to common strata: one row for each minute (× step) that either arm has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlwatch.metrics.rollout_types import (
    ArmSeries,
    FloatArray,
    HistogramSeries,
    IntArray,
    MeanSeries,
    MetricSeries,
    MetricSpec,
    ProportionSeries,
    RolloutSettings,
)
from mlwatch.metrics.sequential import Moments

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_types import Counts

WIDTHS = (1, 5, 15, 60)
"""Stratum widths tried, in minutes."""
UNITS_PER_STRATUM = 20
"""Each stratum costs about one unit of information: 20 keeps the loss near 5 %."""


@dataclass(frozen=True)
class MomentPair:
    """Both arms' moments of a metric as it is shown (the good events where higher is better)."""

    baseline: Moments
    candidate: Moments


@dataclass(frozen=True)
class HistogramPair:
    """Both arms' histograms."""

    edges: FloatArray
    baseline: Counts
    candidate: Counts

    @cached_property
    def n_b(self) -> FloatArray:
        """How many values each row of the baseline has."""
        return np.asarray(self.baseline.sum(axis=1), dtype=float)

    @cached_property
    def n_c(self) -> FloatArray:
        """How many values each row of the candidate has."""
        return np.asarray(self.candidate.sum(axis=1), dtype=float)


class UnitCounts(NamedTuple):
    """Randomisation units by stratum, shape (rows,) each."""

    new_b: FloatArray
    """First seen by the baseline."""
    new_c: FloatArray
    """First seen by the candidate."""
    entered_b: FloatArray
    """First seen at all, by the baseline: a unit enters once, though a ramp may move it to the candidate."""
    entered_c: FloatArray
    others: FloatArray
    """Entered with further versions that share the traffic."""


@dataclass(frozen=True)
class Strata:
    """Both arms on common rows, in order of time."""

    minute: IntArray
    step: IntArray
    n_b: FloatArray
    n_c: FloatArray
    others: FloatArray
    """Exposures of further versions that share the traffic."""
    metrics: dict[str, MomentPair | HistogramPair]
    first_minute: IntArray
    """First minute of either arm in each stratum, which may be wider than a minute."""
    last_minute: IntArray
    width: int = 1
    """Minutes that a stratum takes at most."""
    units: UnitCounts | None = None
    """New randomisation units, where these are not requests."""

    def rows(self, start: int, stop: int) -> Strata:
        """Return a run of rows."""
        cut = slice(start, stop)
        pairs = {id(pair): _cut(pair, cut) for pair in self.metrics.values()}
        metrics = {name: pairs[id(pair)] for name, pair in self.metrics.items()}
        return Strata(
            self.minute[cut],
            self.step[cut],
            self.n_b[cut],
            self.n_c[cut],
            self.others[cut],
            metrics,
            self.first_minute[cut],
            self.last_minute[cut],
            self.width,
            UnitCounts(*(column[cut] for column in self.units)) if self.units is not None else None,
        )


def _cut(pair: MomentPair | HistogramPair, cut: slice) -> MomentPair | HistogramPair:
    if isinstance(pair, HistogramPair):
        return HistogramPair(pair.edges, pair.baseline[cut], pair.candidate[cut])
    return MomentPair(*(Moments(*(column[cut] for column in arm)) for arm in (pair.baseline, pair.candidate)))


def align(baseline: ArmSeries, candidate: ArmSeries, settings: RolloutSettings) -> Strata:
    """Return both arms on common strata, whatever the order and the batches the rows came in.

    Args:
        baseline: Rows of the baseline.
        candidate: Rows of the candidate.
        settings: For the metrics wanted, the width of a stratum and the steps of a configured ramp.

    Raises:
        ValueError: Columns of unequal length, negative counts, or histograms on different bins.
    """
    for arm, name in ((baseline, settings.baseline), (candidate, settings.candidate)):
        _check(arm, name)
    width = settings.stratum_minutes or _width(baseline, candidate, settings)
    arms = [_with_keys(arm, width, settings) for arm in (baseline, candidate)]
    keys, (index_b, index_c) = _common_keys(arms)
    scatters = _Scatter(index_b, keys.shape[1]), _Scatter(index_c, keys.shape[1])
    metrics = {}
    histograms: dict[tuple[int, int], MomentPair | HistogramPair | None] = {}
    for spec in settings.metrics:
        series = (baseline.metrics.get(spec.name), candidate.metrics.get(spec.name))
        if spec.kind == "quantile":  # several of them share one histogram
            key = (id(series[0]), id(series[1]))
            if key not in histograms:
                histograms[key] = _pair(spec, series, scatters)
            metrics[spec.name] = histograms[key]
        else:
            metrics[spec.name] = _pair(spec, series, scatters)
    n_b, n_c = scatters[0].column(baseline.n), scatters[1].column(candidate.n)
    found = {name: pair for name, pair in metrics.items() if pair is not None}
    clock = (
        (keys[0], keys[0]) if width == 1 else _clock((baseline, candidate), (index_b, index_c), keys.shape[1])
    )
    others = _beside(baseline.others, keys[0], width)
    units = _new_units(baseline, candidate, scatters, _beside(baseline.other_units, keys[0], width))
    return Strata(keys[0], keys[1], n_b, n_c, others, found, clock[0], clock[1], width, units)


def _beside(counted: tuple[IntArray, Counts] | None, minute: IntArray, width: int) -> FloatArray:
    """Lay what came to other versions out by stratum; without one of its time, it belongs to the one before."""
    if counted is None or not minute.size:
        return np.zeros(minute.shape)
    row = np.searchsorted(minute, counted[0] // width * width, side="right") - 1
    laid: FloatArray = np.bincount(np.maximum(row, 0), weights=counted[1], minlength=minute.size).astype(
        float
    )
    return laid


def _new_units(
    baseline: ArmSeries, candidate: ArmSeries, scatters: tuple[_Scatter, _Scatter], others: FloatArray
) -> UnitCounts | None:
    if baseline.units is None or candidate.units is None:
        return None
    new = [baseline.units, candidate.units]
    entered = [
        new[side] if arm.entered is None else arm.entered for side, arm in enumerate((baseline, candidate))
    ]
    columns = (
        scatter.column(values)
        for each in (new, entered)
        for scatter, values in zip(scatters, each, strict=True)
    )
    return UnitCounts(*[*columns, others])


def _clock(
    arms: tuple[ArmSeries, ArmSeries], indices: tuple[IntArray | None, IntArray | None], rows: int
) -> tuple[IntArray, IntArray]:
    """Return the first and the last minute in each stratum."""
    extremes = np.iinfo(np.int64)
    first, last = np.full(rows, extremes.max), np.full(rows, extremes.min)
    for arm, index in zip(arms, indices, strict=True):
        where = np.arange(rows) if index is None else index
        np.minimum.at(first, where, arm.minute)
        np.maximum.at(last, where, arm.minute)
    return first, last


def _check(arm: ArmSeries, name: str) -> None:
    rows = arm.minute.shape[0]
    columns = [("exposures", arm.n)]
    for metric, series in arm.metrics.items():
        columns += [(f"{metric} {field}", values) for field, values in _columns(series)]
    columns += [
        (label, values)
        for label, values in (("step", arm.step), ("units n", arm.units), ("entered n", arm.entered))
        if values is not None
    ]
    for label, values in columns:
        if values.shape[0] != rows:
            raise ValueError(f"{label} of {name} has {values.shape[0]} rows instead of {rows}")
        if label.endswith((" n", " bad", "exposures")) and not np.all(values >= 0):
            raise ValueError(f"{label} of {name} has a negative count")
        if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
            raise ValueError(f"{label} of {name} has a value that is not a finite number")


def _columns(series: MetricSeries) -> list[tuple[str, Counts]]:
    if isinstance(series, ProportionSeries):
        return [("n", series.n), ("bad", series.bad)]
    if isinstance(series, MeanSeries):
        return [("n", series.n), ("total", series.total), ("squares", series.squares)]
    return [("counts", series.counts)]


def _width(baseline: ArmSeries, candidate: ArmSeries, settings: RolloutSettings) -> int:
    """Return the narrowest stratum width in which the sparsest metric still has enough units.

    It follows from how many units there are, not from how they fared, so that looking at them often is harmless.
    """
    widths = [settings.row_minutes, *(width for width in WIDTHS if width > settings.row_minutes)]
    units = [sum(_units(arm, spec.name) for arm in (baseline, candidate)) for spec in settings.metrics]
    sparsest = min((n for n in units if n), default=np.inf)
    minutes = np.concatenate([baseline.minute, candidate.minute])
    if sparsest >= UNITS_PER_STRATUM * minutes.size:
        return widths[0]
    for width in widths[:-1]:
        if sparsest / max(np.unique(minutes // width).size, 1) >= UNITS_PER_STRATUM:
            return width
    return widths[-1]


def _units(arm: ArmSeries, name: str) -> float:
    series = arm.metrics.get(name)
    if series is None:
        return 0.0
    return float((arm.n if isinstance(series, HistogramSeries) else series.n).sum())


def _with_keys(arm: ArmSeries, width: int, settings: RolloutSettings) -> IntArray:
    """Return (minute, step) of each row: the first minute of its stratum, and its step."""
    minute = np.asarray(arm.minute, dtype=np.int64)
    if arm.step is not None:
        step = np.asarray(arm.step, dtype=np.int64)
    elif isinstance(settings.share, tuple):
        step = np.searchsorted([start for start, _ in settings.share], minute, side="right").astype(np.int64)
    else:
        step = np.zeros(minute.shape, dtype=np.int64)
    return np.stack([minute if width == 1 else minute // width * width, step])


def _common_keys(arms: list[IntArray]) -> tuple[IntArray, tuple[IntArray | None, IntArray | None]]:
    """Return the sorted distinct keys and each arm's row numbers in them (None where it is the identity)."""
    if arms[0].shape == arms[1].shape and np.array_equal(arms[0], arms[1]) and _rising(arms[0]):
        return arms[0], (None, None)
    together = np.concatenate(arms, axis=1)
    order = np.lexsort((together[1], together[0]))
    ordered = together[:, order]
    new = np.ones(order.size, dtype=bool)
    new[1:] = np.any(np.diff(ordered, axis=1) != 0, axis=0)
    index = np.empty(order.size, dtype=np.int64)
    index[order] = np.cumsum(new) - 1
    return ordered[:, new], (index[: arms[0].shape[1]], index[arms[0].shape[1] :])


def _rising(keys: IntArray) -> bool:
    minute, step = np.diff(keys, axis=1)
    return bool(np.all((minute > 0) | ((minute == 0) & (step > 0))))


class _Scatter:
    """Sums an arm's columns into the common rows."""

    def __init__(self, index: IntArray | None, rows: int) -> None:
        self.index = index
        self.rows = rows
        self._done: dict[int, tuple[Counts, FloatArray]] = {}

    def column(self, values: Counts) -> FloatArray:
        """Return a column on the common rows; the units of several metrics are often one array."""
        if id(values) not in self._done:
            self._done[id(values)] = values, self._column(values)
        return self._done[id(values)][1]

    def _column(self, values: Counts) -> FloatArray:
        if self.index is None:
            return values.astype(float, copy=False)
        column: FloatArray = np.bincount(self.index, weights=values, minlength=self.rows).astype(
            float, copy=False
        )
        return column

    def matrix(self, counts: Counts) -> Counts:
        if self.index is None:
            return counts
        common: Counts = np.zeros((self.rows, counts.shape[1]), dtype=counts.dtype)  # type: ignore[assignment]
        if np.all(np.diff(self.index) > 0):
            common[self.index] = counts
            return common
        for row, values in zip(
            self.index.tolist(), counts, strict=True
        ):  # a row at once: far faster than `add.at`
            common[row] += values
        return common


def _pair(
    spec: MetricSpec,
    series: tuple[MetricSeries | None, MetricSeries | None],
    scatters: tuple[_Scatter, _Scatter],
) -> MomentPair | HistogramPair | None:
    """Return both arms of one metric; a missing arm is empty, two missing arms are None."""
    known = next((each for each in series if each is not None), None)
    if known is None:
        return None
    if isinstance(known, HistogramSeries):
        both = [
            _histogram(spec, each, known, scatter) for each, scatter in zip(series, scatters, strict=True)
        ]
        return HistogramPair(known.edges, *both)
    return MomentPair(
        *(_moments(spec, each, scatter) for each, scatter in zip(series, scatters, strict=True))
    )


def _moments(spec: MetricSpec, series: MetricSeries | None, scatter: _Scatter) -> Moments:
    if series is None:
        return Moments(*np.zeros((3, scatter.rows)))
    if isinstance(series, ProportionSeries) and spec.kind == "proportion":
        n, bad = scatter.column(series.n), scatter.column(series.bad)
        if np.any(bad > n):
            raise ValueError(f"{spec.name} has more bad events than units in a minute")
        events = n - bad if spec.higher_is_better else bad
        return Moments(n, events, events)
    if isinstance(series, MeanSeries) and spec.kind == "mean":
        return Moments(*(scatter.column(column) for column in (series.n, series.total, series.squares)))
    raise ValueError(f"{spec.name} is a {spec.kind}, but its data are a {type(series).__name__}")


def _histogram(
    spec: MetricSpec, series: MetricSeries | None, known: HistogramSeries, scatter: _Scatter
) -> Counts:
    if spec.kind != "quantile":
        raise ValueError(f"{spec.name} is a {spec.kind}, but its data are a HistogramSeries")
    if series is None:
        return np.zeros((scatter.rows, known.edges.size - 1))
    if not isinstance(series, HistogramSeries) or not np.array_equal(series.edges, known.edges):
        raise ValueError(f"the arms' histograms of {spec.name} have different bins")
    return scatter.matrix(series.counts)
