"""Calibrate by A/A: split the baseline's past traffic at random and see how much noisier it is than assumed.

Pods and caches shake each arm by more than the independent draws that the formulas assume. Splitting past
baseline traffic the way a rollout would (by pod, user or request) and judging it as a rollout measures that
overdispersion; the variance is then inflated by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_decide import VERDICTS
from mlwatch.metrics.rollout_strata import HistogramPair, MomentPair, Strata, align
from mlwatch.metrics.rollout_thresholds import edge_of
from mlwatch.metrics.rollout_timeline import rollout_timeline
from mlwatch.metrics.sequential import mean_terms, proportion_terms
from mlwatch.metrics.sequential_quantile import histogram_quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlwatch.metrics.rollout_types import ArmSeries, FloatArray, IntArray, MetricSpec, RolloutSettings

BLOCK_MINUTES = (5, 15, 60)
"""Strata are compared in blocks this long: a shock that lasts is seen only in blocks that last longer."""
FEWEST_BLOCKS = 10
"""Blocks below which nothing is estimated: too few must not look like calm."""


@dataclass(frozen=True)
class Overdispersion:
    """How much noisier the difference of two equal arms is than the formulas assume."""

    metric: str
    ratio: float | None
    """Observed over assumed variance; 1 is as assumed, None is too little data."""
    inflation: float
    """Factor to inflate the variance by, at least 1."""
    blocks: int


@dataclass(frozen=True)
class Calibration:
    """Result of A/A splits of past baseline traffic."""

    overdispersion: dict[str, Overdispersion]
    splits: int
    false_alarms: int
    """Splits in which the uninflated pipeline would have rolled back at some minute."""
    alarms_left: int
    """Splits in which the inflated one still would."""

    @property
    def inflation(self) -> dict[str, float]:
        """Return the inflation by metric, for `RolloutSettings`."""
        return {name: each.inflation for name, each in self.overdispersion.items() if each.ratio is not None}


def overdispersion(
    first: ArmSeries, second: ArmSeries, settings: RolloutSettings
) -> dict[str, Overdispersion]:
    """Measure the overdispersion of each metric between two random halves of the baseline's past.

    In each block of minutes S and V are summed; Σ S²/V over blocks, divided by their number, estimates the
    ratio of the true variance to the assumed one (Pearson's χ² statistic, as for quasi-likelihoods;
    Wedderburn 1974). The largest ratio over several block lengths counts.

    Args:
        first: One random half, by the unit by which the rollout splits traffic.
        second: The other half.
        settings: Metrics to calibrate.
    """
    strata = align(first, second, settings)
    found = {}
    for spec in settings.metrics:
        terms = _terms(spec, strata)
        found[spec.name] = (
            _largest(spec.name, *terms, strata.minute) if terms else Overdispersion(spec.name, None, 1.0, 0)
        )
    return found


def _terms(spec: MetricSpec, strata: Strata) -> tuple[FloatArray, FloatArray] | None:
    pair = strata.metrics.get(spec.name)
    if isinstance(pair, MomentPair):
        return mean_terms(pair.baseline, pair.candidate)
    if isinstance(pair, HistogramPair):
        return _exceedance_terms(spec, pair)
    return None


def _exceedance_terms(spec: MetricSpec, pair: HistogramPair) -> tuple[FloatArray, FloatArray]:
    together = pair.baseline.sum(axis=0) + pair.candidate.sum(axis=0)
    threshold = spec.threshold or float(histogram_quantile(together, pair.edges, spec.quantile or 0.5))
    edge = int(edge_of(pair.edges, threshold))
    above = [counts[:, edge:].sum(axis=1) for counts in (pair.baseline, pair.candidate)]
    return proportion_terms(pair.n_b, above[0], pair.n_c, above[1])


def _largest(name: str, s: FloatArray, v: FloatArray, minute: IntArray) -> Overdispersion:
    measured = [_ratio(name, s, v, minute // block) for block in BLOCK_MINUTES]
    return max(measured, key=lambda each: each.ratio or 0.0)


def _ratio(name: str, s: FloatArray, v: FloatArray, block: IntArray) -> Overdispersion:
    _, index = np.unique(block, return_inverse=True)
    block_s, block_v = (np.bincount(index, weights=column) for column in (s, v))
    known = block_v > 0
    blocks = int(known.sum())
    if blocks < FEWEST_BLOCKS:
        return Overdispersion(name, None, 1.0, blocks)
    ratio = float(np.mean(block_s[known] ** 2 / block_v[known]))
    return Overdispersion(name, ratio, max(ratio, 1.0), blocks)


def calibrate(
    splits: Callable[[], Iterable[tuple[ArmSeries, ArmSeries]]], settings: RolloutSettings
) -> Calibration:
    """Judge random splits of the baseline's past as if they were rollouts.

    Args:
        splits: Gives pairs of random halves, 20 or so; called twice, it gives the same ones.
        settings: The settings of the rollout to come, without inflation.

    Returns:
        The median inflation over splits, and how often the pipeline alarmed though nothing differed, without and with
        that inflation.
    """
    measured: dict[str, list[Overdispersion]] = {spec.name: [] for spec in settings.metrics}
    count = alarms = 0
    for first, second in splits():
        count += 1
        for name, each in overdispersion(first, second, settings).items():
            measured[name].append(each)
        alarms += _alarms(first, second, settings)
    found = Calibration(
        {name: _typical(name, each) for name, each in measured.items()}, count, alarms, alarms
    )
    inflated = replace(settings, inflation=found.inflation)
    if not alarms or all(
        inflated.inflation_of(name) == settings.inflation_of(name) for name in found.inflation
    ):
        return found
    return replace(found, alarms_left=sum(_alarms(first, second, inflated) for first, second in splits()))


def _alarms(first: ArmSeries, second: ArmSeries, settings: RolloutSettings) -> bool:
    """Tell whether a rollout of equals would have been rolled back at some minute."""
    timeline = rollout_timeline(first, second, settings)
    return bool(np.any(timeline.verdict == VERDICTS.index("rollback")))


def _typical(name: str, measured: list[Overdispersion]) -> Overdispersion:
    ratios = [each.ratio for each in measured if each.ratio is not None]
    if not ratios:
        return Overdispersion(name, None, 1.0, 0)
    inflation = float(np.median([each.inflation for each in measured if each.ratio is not None]))
    return Overdispersion(name, float(np.median(ratios)), inflation, max(each.blocks for each in measured))
