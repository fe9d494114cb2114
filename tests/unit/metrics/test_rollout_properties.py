"""Neither the order of arrival nor the batches change a verdict; exact e-values average at most 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlwatch.metrics import sequential as seq
from mlwatch.metrics import sequential_ratio as ratio
from mlwatch.metrics.rollout import rollout_verdict
from mlwatch.metrics.rollout_types import (
    ArmSeries,
    HistogramSeries,
    MeanSeries,
    MetricSeries,
    ProportionSeries,
    RolloutSettings,
    default_metric,
)

EDGES = np.exp(np.arange(0, 61) * np.log(1.1))
SETTINGS = RolloutSettings(
    metrics=(
        default_metric("accuracy"),
        default_metric("error_rate"),
        default_metric("revenue"),
        default_metric("latency_p95", threshold=20.0),
        default_metric("latency_p50"),
    ),
    share=((0, 0.1), (20, 0.5)),
    min_time=0,
)


def _arm(rng: np.random.Generator, rows: int) -> ArmSeries:
    """Return rows of whole numbers, so that sums are exact in any order, with repeated minutes."""
    n = rng.poisson(200, rows)
    value = rng.integers(0, 50, rows)
    counts = rng.poisson(3, (rows, 60))
    histogram = HistogramSeries(EDGES, counts)
    return ArmSeries(
        rng.integers(0, 40, rows),
        n,
        {
            "accuracy": ProportionSeries(n, rng.binomial(n, 0.1)),
            "error_rate": ProportionSeries(n, rng.binomial(n, 0.01)),
            "revenue": MeanSeries(n, value.astype(np.float64), (value * 7).astype(np.float64)),
            "latency_p95": histogram,
            "latency_p50": histogram,
        },
    )


def _map(series: ArmSeries, change: Any) -> ArmSeries:
    def each(metric: Any) -> Any:
        if isinstance(metric, ProportionSeries):
            return ProportionSeries(change(metric.n), change(metric.bad))
        if isinstance(metric, MeanSeries):
            return MeanSeries(change(metric.n), change(metric.total), change(metric.squares))
        return HistogramSeries(metric.edges, change(metric.counts))

    metrics = {name: each(metric) for name, metric in series.metrics.items()}
    return ArmSeries(series.minute, change(series.n), metrics)


def _permuted(series: ArmSeries, order: Any) -> ArmSeries:
    moved = _map(series, lambda column: column[order])
    return ArmSeries(series.minute[order], moved.n, moved.metrics)


def _split(series: ArmSeries, seed: int) -> ArmSeries:
    """Return every row as two rows that add up to it."""
    rng = np.random.default_rng(seed)

    def halves(column: Any) -> Any:
        part = rng.binomial(column.astype(np.int64), 0.5).astype(column.dtype)
        return np.concatenate([part, column - part])

    moved = _map(series, halves)
    return ArmSeries(np.tile(series.minute, 2), moved.n, moved.metrics)


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_order_of_arrival_does_not_change_a_verdict(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    base, cand = _arm(rng, rows), _arm(rng, rows)
    expected = rollout_verdict(base, cand, SETTINGS)
    moved = rollout_verdict(
        _permuted(base, rng.permutation(rows)), _permuted(cand, rng.permutation(rows)), SETTINGS
    )
    assert moved == expected


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_splitting_a_batch_does_not_change_a_verdict(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    base, cand = _arm(rng, rows), _arm(rng, rows)
    assert rollout_verdict(_split(base, seed), _split(cand, seed + 1), SETTINGS) == rollout_verdict(
        base, cand, SETTINGS
    )


@given(seed=st.integers(0, 10_000), factor=st.floats(0.8, 1.3))
@settings(max_examples=40, deadline=None)
def test_what_is_said_and_what_is_shown_agree(seed: int, factor: float) -> None:
    """A metric is within its limit exactly where the interval shown is."""
    rng = np.random.default_rng(seed)
    arms = []
    for scale in (1.0, factor):
        x = scale * rng.lognormal(0, 0.3, (40, 50))
        n = np.full(40, 50)
        metrics: dict[str, MetricSeries] = {
            "latency_mean": MeanSeries(n, x.sum(axis=1), (x * x).sum(axis=1)),
            "error_rate": ProportionSeries(n, rng.binomial(n, min(0.2 * scale, 1))),
            "accuracy": ProportionSeries(n, rng.binomial(n, min(0.2 * scale, 1))),
            "conversion": ProportionSeries(n, rng.binomial(n, min(0.4 * scale, 1))),
        }
        arms.append(ArmSeries(np.arange(40), n, metrics))
    specs = (
        default_metric("latency_mean"),
        default_metric("error_rate", negligible=None),
        default_metric("accuracy", margin=0.05),
        default_metric("conversion", margin=0.1),
    )
    for result in rollout_verdict(arms[0], arms[1], RolloutSettings(metrics=specs)).metrics:
        better = result.name in {"accuracy", "conversion"}
        if result.scale == "relative":
            end, limit = (
                (result.ratio_low, 1 - result.margin) if better else (result.ratio_high, 1 + result.margin)
            )
        else:
            end, limit = (result.low, -result.margin) if better else (result.high, result.margin)
        assert end is not None
        inside = end > limit if better else end < limit
        if abs(end - limit) > 1e-6:
            assert inside == (result.status in {"non_inferior", "better"})


@given(
    n=st.integers(1, 400),
    p0=st.floats(0.01, 0.99),
    kappa=st.floats(0.5, 1_000),
    below=st.floats(0, 1),
)
@settings(max_examples=100, deadline=None)
def test_one_sided_beta_binomial_averages_at_most_one_under_every_null(
    n: int, p0: float, kappa: float, below: float
) -> None:
    s = np.arange(n + 1)
    log_e = seq.beta_binomial_log_e(s, n - s, p0, kappa, one_sided=True)
    average, easier = (np.exp(log_e + stats.binom.logpmf(s, n, p)).sum() for p in (p0, p0 * below))
    assert average == pytest.approx(1, abs=1e-6)
    assert easier <= 1 + 1e-6


@given(counts=st.integers(0, 60), share=st.floats(0.01, 0.99), lower=st.floats(0.2, 1))
@settings(max_examples=100, deadline=None)
def test_rate_ratio_averages_at_most_one_where_the_candidate_is_no_worse(
    counts: int, share: float, lower: float
) -> None:
    c = np.arange(counts + 1)
    e = np.exp(ratio.ratio_log_e(ratio.ratio_terms(c, counts - c, share)))
    fair = share * lower / (share * lower + 1 - share)
    assert np.sum(e * stats.binom.pmf(c, counts, share)) == pytest.approx(1)
    assert np.sum(e * stats.binom.pmf(c, counts, fair)) <= 1 + 1e-9


@given(n=st.integers(1, 60), share=st.floats(0.05, 0.95))
@settings(max_examples=50, deadline=None)
def test_sample_ratio_averages_one_under_the_configured_split(n: int, share: float) -> None:
    n_c = np.arange(n + 1)
    e = np.exp(ratio.sample_ratio_log_e(n - n_c, n_c, share))
    assert np.sum(e * stats.binom.pmf(n_c, n, share)) == pytest.approx(1)
    ramp = np.exp(ratio.ramp_ratio_log_e(ratio.ramp_ratio_terms(n - n_c, n_c, np.full(n + 1, share))))
    assert np.sum(ramp * stats.binom.pmf(n_c, n, share)) == pytest.approx(1)


@given(low=st.integers(0, 500), trials=st.integers(1, 500))
@settings(max_examples=60, deadline=None)
def test_bernoulli_interval_holds_the_estimate_and_narrows(low: int, trials: int) -> None:
    successes = min(low, trials)
    narrow = seq.bernoulli_interval(10 * successes, 10 * trials)
    wide = seq.bernoulli_interval(successes, trials)
    assert wide[0] <= successes / trials <= wide[1]
    assert narrow[1] - narrow[0] <= wide[1] - wide[0] + 1e-9
