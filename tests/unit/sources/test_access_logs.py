"""Access logs: each request once, with status and latency, however many components tell of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COLUMNS = ("id", "model", "version", "latency_ms", "status", "failed")
ROUTE = ("predict", "-")


def test_proxy_and_replica_are_one_request(given: Callable[[str], None], take: Callable[[], Any]) -> None:
    given("ray_serve")
    with take() as taken:
        assert taken.predictions(*COLUMNS) == [
            ("q0", *ROUTE, 70.2, 200, False),
            ("q1", *ROUTE, 129.2, 200, False),
            ("q2", *ROUTE, 71.5, 500, True),
            ("q3", *ROUTE, 0.5, 503, True),  # turned away by the proxy: no replica has seen it
            ("q4", *ROUTE, 20.0, 200, False),
        ]
        assert taken.quarantined() == [("proxy_192.0.2.2.log", 8, "not valid JSON")]
        assert taken.totals.duplicates == 0


def test_replicas_without_proxies(given: Callable[[str], None], logs: Path, take: Callable[[], Any]) -> None:
    given("ray_serve")
    (logs / "proxy_192.0.2.2.log").unlink()
    with take() as taken:
        assert taken.predictions("id", "latency_ms") == [
            ("q0", 15.6),
            ("q1", 62.0),
            ("q2", 42.0),
            ("q4", 8.0),
        ]


def test_predictions_in_messages_of_replicas_are_refused(logs: Path, take: Callable[[], Any]) -> None:
    messages = [
        "Started initializing replica.",
        json.dumps({"model_version": "v2", "Score": 0.7, "age": 3}),
        "POST /predict 200 15.6ms",
        json.dumps({"step": "warm up", "age": 3}),
        '{"score": 0.7, ',
    ]
    fields = {"asctime": "2026-11-03 10:00:00,000", "component_name": "replica", "route": "/predict"}
    rows = [json.dumps({**fields, "request_id": "q0", "message": message}) for message in messages]
    (logs / "replica_app.log").write_text("\n".join(rows) + "\n")

    with take() as taken:
        assert taken.predictions("id", "latency_ms") == [("q0", 15.6)]
        reason = "a prediction in a message of an access log: log predictions to a file of their own"
        assert taken.quarantined() == [("replica_app.log", 2, reason)]
        assert (taken.totals.records, taken.totals.rejected) == (2, 1)


def test_torchserve_access_log(given: Callable[[str], None], take: Callable[[], Any]) -> None:
    given("torchserve")
    with take() as taken:
        assert taken.predictions("model", "version", "latency_ms", "status", "failed") == [
            ("flights", "1.0", 118.0, 200, False),
            ("flights", "2.0", 2.0, 503, True),
            ("flights", "2.0", 31.0, 200, False),
        ]
        assert taken.quarantined() == [("access_log.log", 4, "not a whole access line")]
        assert taken.rows("FROM notices") == []


def test_torchserve_metrics_where_there_is_no_access_log(
    given: Callable[[str], None], logs: Path, take: Callable[[], Any]
) -> None:
    given("torchserve")
    (logs / "access_log.log").unlink()
    (logs / "ts_log.log").unlink()
    with take() as taken:
        assert taken.predictions("model", "latency_ms", "failed", "CAST(ts AS VARCHAR)") == [
            ("flights", 117.31, False, "2026-11-03 10:00:01.975")
        ]


def test_times_without_zone_are_in_the_configured_one(
    given: Callable[[str], None], logs: Path, take: Callable[[], Any]
) -> None:
    given("torchserve")
    (logs / "mlwatch.toml").write_text('[roles]\ntimezone = "Europe/Oslo"\n')
    with take() as taken:
        assert taken.predictions("CAST(ts AS VARCHAR)")[0] == ("2026-11-03 09:00:01.976",)
