"""What a server says about itself, in words."""

from __future__ import annotations

from mlwatch.app.serverwords import told


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
