"""Freeze what must not move while a rollout is watched: scales, tests and thresholds.

An e-value stays one only if its tuning does not follow the data it judges, so variance, share and test are
taken from the reference or from the first data, in order of event time, and then kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from mlwatch.metrics.rollout_strata import HistogramPair, MomentPair, Strata
from mlwatch.metrics.rollout_thresholds import Thresholds, edge_of, freeze_thresholds
from mlwatch.metrics.rollout_traffic import traffic_steps
from mlwatch.metrics.sequential import Moments, normal_rho
from mlwatch.metrics.sequential_quantile import histogram_quantile, quantile_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.metrics.rollout_types import FloatArray, IntArray, MetricSpec, RolloutSettings

Test: TypeAlias = Literal["normal", "ratio", "exceedance", "two_sample"]

FIRST_UNITS = 500
"""Units from which scales are frozen."""
FIRST_BEYOND = 40
"""Units beyond a quantile in the first data by which it is seen whether the reference's still is that quantile."""
NEAR = 2.0
"""Factor by which the odds of exceeding the reference's quantile may differ from the quantile's in the first data."""
COMMON_SHARE = 0.25
"""Below this share of the candidate, the rate-ratio grid is used."""
COMMON_RATE = 0.02
"""Below this rate of the rarer outcome, the rate-ratio grid is used."""
FINE_SHIFTS, COARSE_SHIFTS, COARSE_STEP = 12, 36, 4


@dataclass(frozen=True)
class MetricPlan:
    """How one metric is tested, frozen."""

    spec: MetricSpec
    test: Test
    rho: float = 1.0
    """Precision of the normal mixture."""
    events_are_shown: bool = True
    """The rate-ratio grid counts the shown outcome, not its complement: whichever is rarer."""
    edges: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Bin edges of a quantile's histogram."""
    thresholds: Thresholds = field(default_factory=lambda: Thresholds(*np.zeros((2, 1), dtype=np.int64)))
    """Where exceedances are counted."""
    shifts: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Offsets, in bins, at which the candidate's histogram is compared, rising."""
    margin_shift: int = 0
    """The margin in bins, rounded to the safe side."""

    @cached_property
    def growth(self) -> float:
        """Logarithm of the factor by which a quantile's bins grow."""
        return bin_growth(self.edges)

    @cached_property
    def factors(self) -> FloatArray:
        """The ratio of values that each shift stands for."""
        powers: FloatArray = np.exp(self.shifts * self.growth)
        return powers

    @property
    def swapped(self) -> bool:
        """Whether harm makes the counted event rarer, so that the arms change places."""
        return self.events_are_shown == self.spec.higher_is_better


@dataclass(frozen=True)
class RolloutPlan:
    """The frozen side of a rollout verdict."""

    settings: RolloutSettings
    metrics: tuple[MetricPlan, ...]


def plan_rollout(strata: Strata, settings: RolloutSettings) -> RolloutPlan:
    """Freeze the tests of a rollout from its first data.

    Args:
        strata: Both arms, from `align`; only the earliest rows with both arms matter.
        settings: Margins, methods, and frozen values of the reference.
    """
    share = _first_share(strata) if not isinstance(settings.share, float) else settings.share
    specs = tuple(_without_stale(spec, strata, settings) for spec in settings.metrics)
    if any(spec.kind == "quantile" and spec.threshold is None for spec in specs) and _is_ramp(
        strata, settings
    ):
        specs = tuple(_freeze_threshold(spec, strata) for spec in specs)
    thresholds = _thresholds(specs, strata)
    metrics = (_plan_metric(spec, strata, share, settings, thresholds.get(spec.name)) for spec in specs)
    return RolloutPlan(settings, tuple(metrics))


def _thresholds(specs: Sequence[MetricSpec], strata: Strata) -> dict[str, Thresholds]:
    """Return where the exceedances of each quantile with a threshold are counted, by metric."""
    sharing: dict[int, list[MetricSpec]] = {}
    for spec in specs:
        pair = strata.metrics.get(spec.name)
        if isinstance(pair, HistogramPair) and spec.threshold is not None:
            sharing.setdefault(id(pair), []).append(spec)
    found: dict[str, Thresholds] = {}
    for group in sharing.values():
        pair = strata.metrics[group[0].name]
        assert isinstance(pair, HistogramPair)  # noqa: S101 - sorted out above
        frozen = freeze_thresholds(group, pair, strata.minute)
        found |= {spec.name: each for spec, each in zip(group, frozen, strict=True)}
    return found


def _plan_metric(
    spec: MetricSpec,
    strata: Strata,
    share: float,
    settings: RolloutSettings,
    thresholds: Thresholds | None,
) -> MetricPlan:
    pair = strata.metrics.get(spec.name)
    if isinstance(pair, HistogramPair):
        return _plan_quantile(spec, pair.edges, thresholds)
    if pair is None:
        return MetricPlan(spec, "two_sample" if spec.kind == "quantile" else "normal")
    first = _first_moments(pair)
    variance = spec.variance or _variance(spec, first)
    rho = float(normal_rho(settings.n_opt * share * (1 - share) * variance))
    rate = first.total / first.n if first.n else 0.5
    return MetricPlan(spec, _choose(spec, float(rate), share), rho, events_are_shown=bool(rate <= 0.5))


def _choose(spec: MetricSpec, rate: float, share: float) -> Test:
    if spec.kind == "mean" or spec.method == "normal":
        return "normal"
    rare = min(rate, 1 - rate) < COMMON_RATE or share < COMMON_SHARE
    return "ratio" if rare or spec.method == "ratio" else "normal"


def _first_rows(n_b: FloatArray, n_c: FloatArray, wanted: float = FIRST_UNITS) -> slice:
    """Return the earliest rows that hold the wanted units where both arms are present."""
    for head in (FIRST_UNITS, n_b.size):  # most often a few rows are enough
        base, cand = n_b[:head], n_c[:head]
        units = np.cumsum(np.where((base > 0) & (cand > 0), base + cand, 0))
        if units.size and units[-1] >= wanted:
            break
    return slice(0, int(np.searchsorted(units, wanted)) + 1)


def _first_share(strata: Strata) -> float:
    rows = _first_rows(strata.n_b, strata.n_c)
    both = (strata.n_b[rows] > 0) & (strata.n_c[rows] > 0)
    n_b, n_c = strata.n_b[rows][both].sum(), strata.n_c[rows][both].sum()
    return float(n_c / (n_b + n_c)) if both.any() else 0.5


def _first_moments(pair: MomentPair) -> Moments:
    rows = _first_rows(pair.baseline.n, pair.candidate.n)
    both = (pair.baseline.n[rows] > 0) & (pair.candidate.n[rows] > 0)
    columns = zip(pair.baseline, pair.candidate, strict=True)
    return Moments(*((base[rows] + cand[rows])[both].sum() for base, cand in columns))


def _variance(spec: MetricSpec, first: Moments) -> float:
    """Return the variance of a unit; a proportion's never vanishes, however few events came so far."""
    if spec.kind == "proportion":
        rate = float((first.total + 0.5) / (first.n + 1))
        return rate * (1 - rate)
    return float(first.variance) or 1.0


def _plan_quantile(spec: MetricSpec, edges: FloatArray, thresholds: Thresholds | None) -> MetricPlan:
    limit = math.log1p(spec.sign * spec.margin) / bin_growth(edges)
    # rounded towards zero: proving less harm than a smaller margin proves it for the margin
    margin_shift = int(limit + math.copysign(1e-9, limit))
    shifts = _shifts(margin_shift)
    if thresholds is None:
        return MetricPlan(spec, "two_sample", edges=edges, shifts=shifts, margin_shift=margin_shift)
    lowest, highest = thresholds.edge.min(), thresholds.edge.max()
    inside = shifts[(lowest + shifts >= 0) & (highest + shifts < edges.size)]
    margin_shift = int(np.clip(margin_shift, inside[0], inside[-1]))
    return MetricPlan(
        spec, "exceedance", edges=edges, thresholds=thresholds, shifts=inside, margin_shift=margin_shift
    )


def bin_growth(edges: FloatArray) -> float:
    """Return the logarithm of the factor by which bins grow."""
    return float(np.median(np.diff(np.log(edges[edges > 0]))))


def _is_ramp(strata: Strata, settings: RolloutSettings) -> bool:
    return isinstance(settings.share, tuple) or len(traffic_steps(strata.minute, strata.n_b, strata.n_c)) > 1


def _without_stale(spec: MetricSpec, strata: Strata, settings: RolloutSettings) -> MetricSpec:
    """Forget the reference's quantile where the first data show that latency has moved since.

    Exceedances of it would say nothing of the quantile asked for. The first data choose the test, as they do for
    proportions, while no test has much evidence yet; where latency moves later, `judge_quantile` holds.
    """
    pair = strata.metrics.get(spec.name)
    if spec.threshold is None or spec.quantile is None or not isinstance(pair, HistogramPair):
        return spec
    wanted = max(FIRST_UNITS, FIRST_BEYOND / min(spec.quantile, 1 - spec.quantile))
    rows = _first_rows(strata.n_b, strata.n_c, wanted)
    both = (strata.n_b[rows] > 0) & (strata.n_c[rows] > 0)
    first = np.stack([arm[rows][both].sum(axis=0) for arm in (pair.baseline, pair.candidate)])
    first = first / settings.inflation_of(spec.name)
    edge = int(edge_of(pair.edges, spec.threshold))
    above, below = first[:, edge:].sum(axis=1), first[:, :edge].sum(axis=1)
    apart = quantile_apart(above, below, spec.quantile, NEAR, settings.alpha, wanted)
    return replace(spec, threshold=None) if apart else spec


def _freeze_threshold(spec: MetricSpec, strata: Strata) -> MetricSpec:
    """Freeze a quantile's threshold from the first data: whole samples do not compare across a ramp."""
    pair = strata.metrics.get(spec.name)
    if spec.threshold is not None or spec.quantile is None or not isinstance(pair, HistogramPair):
        return spec
    rows = _first_rows(strata.n_b, strata.n_c)
    first = pair.baseline[rows].sum(axis=0) + pair.candidate[rows].sum(axis=0)
    if not first.any():
        return spec
    return replace(spec, threshold=float(histogram_quantile(first, pair.edges, spec.quantile)))


def _shifts(margin_shift: int) -> IntArray:
    """Return the shifts compared: fine near 0, coarse further away, and the margin."""
    coarse = np.arange(-COARSE_SHIFTS, COARSE_SHIFTS + 1, COARSE_STEP)
    fine = np.arange(-FINE_SHIFTS, FINE_SHIFTS + 1)
    return np.unique(np.concatenate([coarse, fine, [margin_shift]])).astype(np.int64)
