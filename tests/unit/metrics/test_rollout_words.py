"""Numbers and sentences as a reader sees them."""

from __future__ import annotations

import math

import pytest

from mlwatch.metrics.rollout_types import MetricResult, RolloutSettings, default_metric
from mlwatch.metrics.rollout_words import (
    duration_text,
    fixed,
    metric_sentence,
    number,
    places_of,
    pooled_note,
    span_text,
    value_text,
)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.94, 2, "1.9"),
        (0.98, 4, "0.98"),
        (-0.0123, 2, "−0.012"),
        (1_234_567.0, 2, "1,200,000"),
        (100.0, 2, "100"),
        (0.0, 2, "0"),
        (1e-9, 2, "0.000000001"),
        (math.inf, 2, "unbounded"),
    ],
)
def test_numbers_have_significant_digits_and_no_exponent(value: float, digits: int, text: str) -> None:
    assert number(value, digits) == text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("revenue", "the difference is −0.3, minute by minute it is +0.03: the mix"),
        ("latency_mean", "the difference is −0.3 ms, minute by minute it is +0.03 ms: the mix"),
    ],
)
def test_a_number_without_a_unit_stands_right_before_what_follows(name: str, said: str) -> None:
    spec = default_metric(name)
    result = MetricResult(
        name, spec.label, "inconclusive", 1.0, 1.0, 0.03, -0.1, 0.2, 0.02, spec.scale, 0.02, None, None, None,
        1.0, 0.0, 0.01, None, 900, 900, -0.3, "normal", True, False, spec.unit, "",
    )  # fmt: skip
    assert said in str(pooled_note(spec, result))


def test_an_interval_decides_its_decimals() -> None:
    assert places_of(1.9, 1.4, 2.6) == 1
    assert places_of(0.999, 0.981, 1.022) == 3
    assert places_of(1.9, None, 2.6) == 1
    assert places_of(1.0, 1.0, 1.0) == 2


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1.4, 2.6, "1.4–2.6"),
        (-0.3, 1.1, "−0.3 to 1.1"),
        (None, 1.1, "at most 1.1"),
        (0.4, None, "at least 0.4"),
        (None, None, "no interval yet"),
    ],
)
def test_spans(low: float | None, high: float | None, text: str) -> None:
    assert span_text(low, high, 1) == text


def test_a_rounded_zero_has_no_sign() -> None:
    assert fixed(-0.001, 2) == "0.00"
    assert fixed(-0.01, 2) == "−0.01"


def test_values_have_units() -> None:
    assert value_text(default_metric("accuracy"), 0.9013) == "90.1 %"
    assert value_text(default_metric("latency_p99"), 312.4) == "312 ms"
    assert value_text(default_metric("revenue"), 1.5) == "1.5"


@pytest.mark.parametrize(
    ("seconds", "text"), [(30, "30 seconds"), (600, "10 minutes"), (9_000, "2.5 hours"), (260_000, "3 days")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("points", "low", "high", "said"),
    [
        (1.0, -20.0, 25.0, "is 1 point above"),
        (2.0, -20.0, 25.0, "is 2 points above"),
        (0.38, -20.0, 25.0, "is 0.4 points above"),  # the interval leaves no decimals, but it is not nothing
    ],
)
def test_one_point_is_one_and_a_part_of_one_is_not_nothing(
    points: float, low: float, high: float, said: str
) -> None:
    spec = default_metric("accuracy")
    result = MetricResult(
        "accuracy", spec.label, "non_inferior", 0.9, 0.9, points / 100, low / 100, high / 100, 0.01, spec.scale, -0.01,
        None, None, None, 1.0, 0.0, 0.01, None, 900, 900, None, "normal", True, False, spec.unit, "",
    )  # fmt: skip
    assert said in metric_sentence(spec, result, RolloutSettings((spec,)))
