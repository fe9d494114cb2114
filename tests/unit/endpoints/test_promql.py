"""Quantiles and increases against the numbers in Prometheus' own tests (promql/testdata, Apache-2.0)."""

from __future__ import annotations

import math

import pytest

from mlwatch.endpoints.promql import histogram_quantile, increase

INF = math.inf
POSITIVE = [(0.1, 50.0), (0.2, 70.0), (1.0, 110.0), (INF, 120.0)]
NEGATIVE = [(-0.2, 10.0), (-0.1, 20.0), (0.3, 20.0), (INF, 30.0)]
INSTANCES = {
    ("job1", "ins1"): (1, 3, 4),
    ("job1", "ins2"): (2, 5, 6),
    ("job2", "ins1"): (3, 4, 6),
    ("job2", "ins2"): (4, 7, 9),
}


@pytest.mark.parametrize(
    ("q", "positive", "negative"),
    [
        (-0.1, -INF, -INF),
        (1.01, INF, INF),
        (0, 0, -0.2),
        (0.2, 0.048, -0.2),
        (0.5, 0.15, -0.15),
        (0.8, 0.72, 0.3),
        (1, 1, 0.3),
    ],
)
def test_quantiles_are_those_of_prometheus(q: float, positive: float, negative: float) -> None:
    assert histogram_quantile(q, POSITIVE) == pytest.approx(positive)
    assert histogram_quantile(q, reversed(NEGATIVE)) == pytest.approx(negative)


@pytest.mark.parametrize(
    ("job", "instance", "low", "median"),
    [
        ("", "", 0.075, 0.1277777777777778),
        ("", "ins1", 0.075, 0.1333333333),
        ("", "ins2", 0.075, 0.125),
        ("job1", "", 0.1, 0.14),
        ("job2", "", 0.0642857142857143, 0.1125),
        ("job1", "ins1", 0.11, 0.15),
        ("job2", "ins2", 0.0675, 0.1166666666666667),
    ],
)
def test_series_of_one_bound_add_up(job: str, instance: str, low: float, median: float) -> None:
    buckets = [
        (bound, 10.0 * count)
        for (each_job, each_instance), counts in INSTANCES.items()
        if job in {"", each_job} and instance in {"", each_instance}
        for bound, count in zip((0.1, 0.2, INF), counts, strict=True)
    ]
    assert histogram_quantile(0.3, buckets) == pytest.approx(low)
    assert histogram_quantile(0.5, buckets) == pytest.approx(median)


@pytest.mark.parametrize(
    "buckets", [[], [(INF, 3.0)], [(0.1, 1.0), (0.2, 2.0)], [(0.1, 0.0), (INF, 0.0)]], ids=str
)
def test_without_a_sound_histogram_there_is_no_quantile(buckets: list[tuple[float, float]]) -> None:
    assert math.isnan(histogram_quantile(0.5, buckets))


def test_no_quantile_is_not_a_number_without_reason() -> None:
    assert math.isnan(histogram_quantile(math.nan, POSITIVE))


def test_counts_that_fall_are_taken_for_what_was_not_read_at_once() -> None:
    assert histogram_quantile(0.9, [(0.1, 5.0), (0.2, 4.0), (INF, 5.0)]) == pytest.approx(0.09)


def test_counters_grow_over_restarts() -> None:
    steady = [10.0 * n for n in range(11)]
    assert increase(steady) == 100
    assert increase(steady[:6] + steady[:5]) == 90
    assert increase([1, 2, 3, 0, 1, 0, 0, 1, 2, 0]) == 2 + 1 + 2
