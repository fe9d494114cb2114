"""Stretches, their quantiles and the rows of two arms are the same as when they are worked out one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.metrics.rollout_strata import HistogramPair, align
from mlwatch.metrics.rollout_thresholds import STRETCH_ROWS, freeze_thresholds, stretch_quantiles, stretches
from mlwatch.metrics.rollout_types import ArmSeries, HistogramSeries, RolloutSettings, default_metric
from mlwatch.metrics.sequential_quantile import histogram_quantile

if TYPE_CHECKING:
    from mlwatch.metrics.rollout_types import IntArray

EDGES = 1.05 ** np.arange(1, 62, dtype=float)
BINS = EDGES.size - 1


def histograms(seed: int, rows: int, wave: float) -> IntArray:
    """Return rows of few or many requests, whose values rise and fall by a factor."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(rng.choice([0.5, 8, 90]), rows)
    n[rng.random(rows) < 0.1] = 0
    at = np.repeat(np.arange(rows), n)
    values = 4.5 * wave ** np.sin(at / 25) * rng.lognormal(0, 0.3, at.size)
    counts = np.zeros((rows, BINS), dtype=np.int64)
    np.add.at(counts, (at, np.clip(np.searchsorted(EDGES, values) - 1, 0, BINS - 1)), 1)
    return counts


@given(st.lists(st.integers(0, 90), max_size=120), st.floats(1, 900))
def test_a_stretch_is_as_long_as_it_must_be(n: list[int], wanted: float) -> None:
    starts = stretches(np.concatenate([[0.0], np.cumsum(n)]).tolist(), wanted)
    expected, held = [0], 0
    for row, each in enumerate(n):
        if row - expected[-1] >= STRETCH_ROWS and held >= wanted:
            expected.append(row)
            held = 0
        held += each
    assert starts == expected


@pytest.mark.parametrize("low", [0, 25, 45, BINS - 1])
@pytest.mark.parametrize("wave", [1.0, 3.0])
@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_quantiles_do_not_depend_on_which_bins_are_summed(quantile: float, wave: float, low: int) -> None:
    for seed in range(8):
        counts = histograms(seed, 200, wave)
        up_to = np.concatenate([[0.0], np.cumsum(counts.sum(axis=1))])
        starts = stretches(up_to.tolist(), 60)
        found = stretch_quantiles(HistogramPair(EDGES, counts, counts), up_to, starts, quantile, low)
        expected = [
            float(histogram_quantile(counts[first:last].sum(axis=0), EDGES, quantile))
            for first, last in pairwise(starts)
        ]
        assert found.tolist() == expected


def test_thresholds_frozen_together_are_those_frozen_alone() -> None:
    specs = [default_metric("latency_p50", threshold=5.0), default_metric("latency_p95", threshold=9.0)]
    for rows in (0, 1, 14, 200):
        counts = histograms(rows, rows, 2.0)
        pair, minute = HistogramPair(EDGES, counts, counts), np.arange(rows, dtype=np.int64)
        together = freeze_thresholds(specs, pair, minute)
        for spec, found in zip(specs, together, strict=True):
            (alone,) = freeze_thresholds([spec], pair, minute)
            assert found.since.tolist() == alone.since.tolist()
            assert found.edge.tolist() == alone.edge.tolist()
            assert found.edge.size == max(found.since.size, 1)


@pytest.mark.parametrize("minutes", [1, 5])
def test_rows_of_an_arm_are_summed_by_stratum_in_any_order(minutes: int) -> None:
    rng = np.random.default_rng(minutes)
    arms = []
    for seed in (1, 2):
        counts = histograms(seed, 60, 1.5)
        minute = rng.permutation(90)[:60].astype(np.int64)
        arms.append(ArmSeries(minute, counts.sum(axis=1), {"latency_p95": HistogramSeries(EDGES, counts)}))
    metric = default_metric("latency_p95")
    strata = align(arms[0], arms[1], RolloutSettings(metrics=(metric,), stratum_minutes=minutes))
    pair = strata.metrics["latency_p95"]
    assert isinstance(pair, HistogramPair)
    for arm, found in zip(arms, (pair.baseline, pair.candidate), strict=True):
        for start, row in zip(strata.minute.tolist(), found, strict=True):
            own = arm.minute // minutes * minutes == start
            series = arm.metrics["latency_p95"]
            assert isinstance(series, HistogramSeries)
            assert row.tolist() == series.counts[own].sum(axis=0).tolist()
    assert pair.n_b.tolist() == pair.baseline.sum(axis=1).tolist()
    assert pair.n_c.tolist() == pair.candidate.sum(axis=1).tolist()
