"""What a server says about itself, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mlwatch.app.endpointwords import sentences
from mlwatch.app.serverwords import told
from mlwatch.snapshot.health_types import ConditionState, Endpoint


def test_metrics_are_said_in_rows_with_their_units() -> None:
    rows, left = told(
        {
            "requests_per_s": 12.0, "errors_per_s": 1.2, "error_share": 0.1, "queue_length": 3.0,
            "latency_mean_ms": 8.25, "latency_p95_ms": 20.0, "cpu_cores": 0.4, "memory_bytes": 154e6,
            "feature_absent.age": 0.5,
        }
    )  # fmt: skip
    assert rows == [
        ("Server load", "requests 12.0 /s, errors 1.20 /s, 10.0 % of requests, queue 3"),
        ("Its latency", "mean 8.2 ms, p95 20.0 ms"),
        ("Its host", "CPU 0.40 cores, memory 154 MB"),
    ]
    assert left == [("feature_absent.age", 0.5)]


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert told({}) == ([], [])


def test_conditions_are_told_with_their_values() -> None:
    noon = datetime(2026, 11, 3, 12, tzinfo=UTC)
    conditions = (
        ConditionState("status == 200", "ok", "200"),
        ConditionState("body.v == 'v2'", "firing", "\x1b[31mv1", noon - timedelta(minutes=2), "10.0.0.2"),
        ConditionState("metrics.x < 1", "unknown", "n/a, because the server has not said x yet"),
    )
    endpoint = Endpoint("http://one", noon, "fastapi", live=True, ready=True, conditions=conditions)
    broken, kept, unknown = [
        text for heading, text in sentences(endpoint, noon, UTC) if heading == "Condition"
    ]
    assert kept == "status == 200: kept, 200"
    assert broken.startswith("body.v == 'v2': broken for 2 min")
    assert broken.endswith("v1 (replica 10.0.0.2)")
    assert "\x1b" not in broken
    assert unknown == "metrics.x < 1: not known, n/a, because the server has not said x yet"
