"""Where exceedances are counted goes along with latency, and never follows what it judges."""

from __future__ import annotations

import numpy as np
import pytest

from mlwatch.metrics.rollout import rollout_verdict
from mlwatch.metrics.rollout_fold import RunningFold
from mlwatch.metrics.rollout_plan import plan_rollout
from mlwatch.metrics.rollout_strata import HistogramPair, Strata, align
from mlwatch.metrics.rollout_tally import tally
from mlwatch.metrics.rollout_types import ArmSeries, HistogramSeries, RolloutSettings, default_metric

EDGES = 1.02 ** np.arange(100, 450, dtype=float)
DAY = 1440


def day(seed: int, slower: float, turns: float = 1.0, requests: int = 120) -> tuple[ArmSeries, ArmSeries]:
    """Return a day of a ramp to 5, 25 and 50 %: latency triples up to noon and falls again, or rises in half a turn."""
    rng = np.random.default_rng(seed)
    minute = np.arange(DAY)
    typical = 60 * 3 ** (0.5 - 0.5 * np.cos(2 * np.pi * turns * minute / DAY))
    n_c = rng.binomial(requests, np.repeat([0.05, 0.25, 0.5], DAY // 3))
    arms = []
    for n, factor in ((requests - n_c, 1.0), (n_c, slower)):
        at = np.repeat(minute, n)
        latency = typical[at] * factor * rng.lognormal(0, 0.5, at.size)
        counts = np.histogram2d(at, latency, [np.arange(DAY + 1), EDGES])[0].astype(np.int32)
        arms.append(ArmSeries(minute, n, {"latency_p99": HistogramSeries(EDGES, counts)}))
    return arms[0], arms[1]


def settings(threshold: float | None = None) -> RolloutSettings:
    metric = default_metric("latency_p99", threshold=threshold)
    return RolloutSettings(metrics=(metric,), baseline="v1", candidate="v2")


def histograms(strata: Strata) -> HistogramPair:
    pair = strata.metrics["latency_p99"]
    assert isinstance(pair, HistogramPair)
    return pair


@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_on_which_latency_rises_and_falls_decides_for_equals(seed: int) -> None:
    for past in (None, 192.0):
        result = rollout_verdict(*day(seed, 1.0), settings(past)).metrics[0]
        assert (result.method, result.status) == ("exceedance", "non_inferior")
        assert result.ratio == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_slower_candidate_is_found_on_such_a_day(seed: int) -> None:
    base, cand = day(seed, 1.3)
    result = rollout_verdict(base, cand, settings()).metrics[0]
    assert result.status == "worse"
    assert result.ratio == pytest.approx(1.3, abs=0.06)
    assert result.ratio_low is not None
    assert result.ratio_high is not None
    assert 1.1 < result.ratio_low < 1.3 < result.ratio_high < 1.5


def test_versions_are_compared_at_the_same_times() -> None:
    result = rollout_verdict(*day(7, 1.0, turns=0.5), settings()).metrics[0]
    assert result.baseline is not None
    assert result.candidate is not None
    assert result.candidate / result.baseline > 1.15  # it has most of its requests in the evening
    assert result.ratio is not None
    assert result.status == "non_inferior"
    assert result.ratio == pytest.approx(1.0, abs=0.04)
    assert result.difference == pytest.approx(result.baseline * (result.ratio - 1))


def test_each_threshold_is_the_quantile_of_the_baseline_in_the_stretch_before() -> None:
    strata = align(*day(4, 1.0), settings())
    plan = plan_rollout(strata, settings(190.0)).metrics[0]
    since, edges = plan.thresholds.since, plan.thresholds.edge
    assert EDGES[edges[0] - 1] < 190 <= EDGES[edges[0]]
    counts = histograms(strata).baseline
    for first, last, edge in zip(since[:-1], since[1:], edges[1:], strict=True):
        stretch = counts[first:last].sum(axis=0)
        assert stretch.sum() >= 2000  # 20 beyond the 99th percentile
        up_to = np.cumsum(stretch) / stretch.sum()
        assert up_to[edge - 2] < 0.99 <= up_to[edge - 1]
    assert len(since) > 30
    assert plan.thresholds.at(np.array([0, since[1] - 1, since[1], DAY * 2])).tolist() == [
        *(edges[0], edges[0], edges[1], edges[-1])
    ]


def test_what_comes_later_moves_no_threshold() -> None:
    strata = align(*day(5, 1.0), settings())
    whole = plan_rollout(strata, settings(190.0)).metrics[0].thresholds
    for rows in (200, 777, 1200):
        part = plan_rollout(strata.rows(0, rows), settings(190.0)).metrics[0].thresholds
        n = part.since.size
        assert 1 < n < whole.since.size
        assert part.since.tolist() == whole.since[:n].tolist()
        assert part.edge.tolist() == whole.edge[:n].tolist()


def test_exceedances_are_those_counted_one_by_one() -> None:
    strata = align(*day(6, 1.1, requests=40), settings())
    plan = plan_rollout(strata, settings(190.0))
    metric, pair = plan.metrics[0], histograms(strata)
    edges = metric.thresholds.at(strata.minute)
    expected_b = sum(row[edge:].sum() for row, edge in zip(pair.baseline, edges, strict=True))
    expected_c = [
        sum(row[edge + shift :].sum() for row, edge in zip(pair.candidate, edges, strict=True))
        for shift in metric.shifts
    ]
    both = (strata.n_b > 0) & (strata.n_c > 0)
    assert both.mean() < 1  # some minutes have one version alone, and they do not count
    alone = [
        sum(row[edge:].sum() for row, edge, two in zip(pair.baseline, edges, both, strict=True) if not two),
        sum(row[edge:].sum() for row, edge, two in zip(pair.candidate, edges, both, strict=True) if not two),
    ]
    columns = tally(strata, plan).sums["latency_p99"]
    assert columns["tail_b"][0, 0] == expected_b - alone[0]
    middle = metric.shifts.tolist().index(0)
    assert columns["tail_c"][middle, 0] == expected_c[middle] - alone[1]
    running = tally(strata, plan, RunningFold()).sums["latency_p99"]
    for name, values in columns.items():
        assert running[name][-1] == pytest.approx(values, rel=1e-9), name
