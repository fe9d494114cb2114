"""The contract with Tecton, after its documentation: https://docs.tecton.ai/http-api; no Tecton was ever asked."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from servers import Reply, as_json, replaying

from mlwatch.config import EndpointSettings
from mlwatch.config.polled import ProbeSettings
from mlwatch.endpoints.adapters.tecton import Tecton
from mlwatch.endpoints.address import parse
from mlwatch.endpoints.golden import Baselines, GoldenProbe
from mlwatch.endpoints.target import Target

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.endpoints.types import Probe, ServerMetrics

GET = "/api/v1/feature-service/get-features"
METRICS = "/api/v1/observability/metrics"
ASKED = {
    "params": {
        "featureServiceName": "fraud_detection_feature_service",
        "workspaceName": "prod",
        "joinKeyMap": {"user_id": "A123"},
        "metadataOptions": {
            "includeNames": True,
            "includeEffectiveTimes": True,
            "includeServingStatus": True,
        },
    }
}
ANSWER = {
    "result": {"features": [True, None, 58.3]},
    "metadata": {
        "features": [
            {"name": "amount_is_high.amount_is_high", "status": "PRESENT"},
            {
                "name": "merchant.is_fraud_mean_1d",
                "effectiveTime": "2023-05-03T00:00:00Z",
                "status": "MISSING_DATA",
            },
            {"name": "user.amount_mean_1h", "effectiveTime": "2023-05-03T11:00:00Z", "status": "PRESENT"},
        ],
        "sloInfo": {"sloEligible": True, "serverTimeSeconds": 0.0391},
    },
}
TEXT = """# TYPE feature_service_requests_total_rate gauge
feature_service_requests_total_rate{aws_region="us-west-2"} 12.5
# TYPE feature_service_total_latency summary
feature_service_total_latency{quantile="0.5"} 0.011
feature_service_total_latency{quantile="0.95"} 0.04
feature_service_total_latency{quantile="0.99"} 0.09
# TYPE feature_server_errors_rate gauge
feature_server_errors_rate{status="500"} 1.5
feature_server_errors_rate{status="503"} 0.5
# TYPE feature_server_utilization gauge
feature_server_utilization{aws_region="us-west-2"} 40
# TYPE spark_stream_max_processed_event_age gauge
spark_stream_max_processed_event_age{workspace="prod",feature_view_name="clicks",feature_view_id="1"} 75
# EOF
"""


def test_ages_absence_and_the_servers_time_are_read() -> None:
    adapter = Tecton(EndpointSettings(url="tecton+http://t"))
    measured = adapter.measure(ASKED, ANSWER, datetime(2023, 5, 3, 12, tzinfo=UTC))
    assert measured == {
        "feature_absent.amount_is_high.amount_is_high": 0,
        "feature_absent.merchant.is_fraud_mean_1d": 1,
        "feature_age_s.merchant.is_fraud_mean_1d": 12 * 3600,
        "feature_absent.user.amount_mean_1h": 0,
        "feature_age_s.user.amount_mean_1h": 3600,
        "server_time_ms": pytest.approx(39.1),
    }


@pytest.mark.parametrize(
    "document",
    [
        None, [], "x", {}, {"result": {"features": [1]}}, {"result": {"features": [1]}, "metadata": {"features": []}},
        {"result": {"features": "x"}, "metadata": {"features": "x"}}, {"result": [], "metadata": []},
        {"result": {"features": [1, 2]}, "metadata": {"features": ["x", {"name": 3}]}},
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_measures_nothing(document: Any) -> None:
    assert Tecton(EndpointSettings(url="tecton+http://t")).measure(ASKED, document, datetime.now(UTC)) == {}


async def looked(replies: dict[str, Reply], directory: Path) -> tuple[Probe, ServerMetrics | None, list[Any]]:
    """Look at a server that answers as Tecton is documented to."""
    (directory / "golden.json").write_text(json.dumps(ASKED))
    server = await replaying(replies, other=as_json({"error": "Not Found", "code": 5}, 404))
    settings = EndpointSettings(
        url=f"tecton+{server.url}", headers={"Authorization": "env:TECTON_KEY"},
        probe=ProbeSettings(input="golden.json"),
    )  # fmt: skip
    golden = GoldenProbe("t", settings.probe or ProbeSettings(), directory.joinpath, Baselines())
    target = Target("t", parse(settings.url), settings, directory.joinpath, golden=golden)
    try:
        probe = await target.probe(asyncio.get_running_loop().time())
        return (
            probe,
            await target.scrape(asyncio.Semaphore(1)),
            list(zip(server.asked, server.seen, strict=True)),
        )
    finally:
        await target.aclose()
        await server.aclose()


async def test_the_key_is_sent_and_features_and_metrics_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TECTON_KEY", "Tecton-key abc")
    openmetrics = {"Content-Type": "application/openmetrics-text; version=1.0.0; charset=utf-8"}
    replies = {f"POST {GET}": as_json(ANSWER), f"GET {METRICS}": Reply(TEXT, 200, openmetrics)}
    probe, told, asked = await looked(replies, tmp_path)
    assert (probe.server, probe.live, probe.up, probe.golden) == ("tecton", True, True, None)
    assert probe.metrics["feature_absent.merchant.is_fraud_mean_1d"] == 1
    assert told is not None
    assert told.error == ""
    assert told.values == {
        "requests_per_s": 12.5, "latency_p50_ms": pytest.approx(11), "latency_p95_ms": pytest.approx(40),
        "latency_p99_ms": pytest.approx(90), "error_share": pytest.approx(0.02), "utilization_share": 0.4,
        "stream_age_max_s": 75,
    }  # fmt: skip
    assert [each for each, _ in asked] == ["GET /", f"POST {GET}", f"GET {METRICS}"]
    assert {headers["authorization"] for _, headers in asked} == {"Tecton-key abc"}


@pytest.mark.parametrize(("status", "words"), [(401, "401: not authorised"), (404, "404: no such path")])
async def test_a_refusal_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, words: str
) -> None:
    monkeypatch.setenv("TECTON_KEY", "Tecton-key abc")
    refused = as_json({"error": "no", "message": "bad key", "code": 16}, status)
    probe, told, _ = await looked({f"POST {GET}": refused, f"GET {METRICS}": refused}, tmp_path)
    assert probe.golden is not None
    assert probe.golden.matches is False
    assert probe.golden.reason.startswith(f"no answer: {words}")
    assert told is not None
    assert told.error == f"there are none at {METRICS}: configure metrics"
