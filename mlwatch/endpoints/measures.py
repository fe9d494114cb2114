"""What servers call their metrics, and what all of them are called here.

One table a server; the first measure of a name that has a value is taken, so that what a server says about its models
goes before what its process or its web framework says. Names carry their units. Error counts are the server's own:
answers of class 5xx where it tells classes apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

How = Literal["rate", "successes", "sum", "max", "mean", "quantiles", "summary", "ratio"]
"""rate: of counters, added up. successes: the same of requests that were answered well; those that were not are added.
sum, max: of gauges. mean, ratio: one counter or gauge by another. quantiles: of a histogram. summary: quantiles that
the server has computed, the highest of several series."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One way to a common name."""

    name: str
    """The common name; of quantiles, what stands before `_p95_ms`."""
    how: How
    metric: str
    """As the server calls it, without `_total` and `_bucket`."""
    by: str = ""
    """Name of the divisor of a mean or ratio, without `_total` too, even of a gauge."""
    scale: float = 1.0
    where: Mapping[str, str] = field(default_factory=dict)
    """Patterns of the whole text of labels; any one label that is there has to match."""


MS, US, PERCENT, MB = 1000.0, 0.001, 0.01, 1e6
FAILED = "5..|5xx|error|failure"
_STATUS = {
    "status": FAILED, "status_code": FAILED, "code": FAILED, "http_status": FAILED,
    "http_response_status_code": FAILED,
}  # fmt: skip
"""What libraries of metrics call the label that holds the status."""


def _histogram(metric: str, scale: float = MS, name: str = "latency", **where: str) -> tuple[Measure, ...]:
    return (
        Measure(name, "quantiles", metric, scale=scale, where=where),
        Measure(f"{name}_mean_ms", "mean", f"{metric}_sum", f"{metric}_count", scale, where),
    )


TORCHSERVE = (
    Measure("requests_per_s", "rate", "ts_inference_requests"),
    Measure("errors_per_s", "rate", "Requests5XX"),
    Measure("latency_mean_ms", "mean", "ts_inference_latency_microseconds", "ts_inference_requests", US),
    Measure("queue_mean_ms", "mean", "ts_queue_latency_microseconds", "ts_inference_requests", US),
    Measure("cpu_share", "max", "CPUUtilization", scale=PERCENT),
    Measure("memory_share", "max", "MemoryUtilization", scale=PERCENT),
    Measure("gpu_share", "max", "GPUUtilization", scale=PERCENT),
    Measure("gpu_memory_bytes", "sum", "GPUMemoryUsed", scale=MB),
)
TRITON = (
    Measure("requests_per_s", "successes", "nv_inference_request_success"),
    Measure("errors_per_s", "rate", "nv_inference_request_failure"),
    Measure("latency", "summary", "nv_inference_request_summary_us", scale=US),
    Measure(
        "latency_mean_ms", "mean", "nv_inference_request_duration_us", "nv_inference_request_success", US
    ),
    Measure("queue_mean_ms", "mean", "nv_inference_queue_duration_us", "nv_inference_request_success", US),
    Measure("queue_length", "sum", "nv_inference_pending_request_count"),
    Measure("cpu_share", "max", "nv_cpu_utilization"),
    Measure("memory_share", "ratio", "nv_cpu_memory_used_bytes", "nv_cpu_memory_total_bytes"),
    Measure("gpu_share", "max", "nv_gpu_utilization"),
    Measure("gpu_memory_bytes", "sum", "nv_gpu_memory_used_bytes"),
)
_INFER = "/v2/models/.*infer.*"
MLSERVER = (
    Measure("requests_per_s", "rate", "rest_server_requests", where={"path": _INFER}),
    Measure("errors_per_s", "rate", "model_infer_request_failure"),
    *_histogram("rest_server_request_duration_seconds", path=_INFER),
    Measure("in_flight", "sum", "rest_server_requests_in_progress"),
    Measure("queue_length", "sum", "parallel_request_queue"),
)
KSERVE = (
    Measure("requests_per_s", "rate", "request_predict_seconds_count"),
    *_histogram("request_predict_seconds"),
)
_QUEUED = "vllm:request_queue_time_seconds"
VLLM = (
    Measure("requests_per_s", "successes", "vllm:request_success"),
    *_histogram("vllm:e2e_request_latency_seconds"),
    *_histogram("vllm:time_to_first_token_seconds", name="first_token"),
    Measure("queue_mean_ms", "mean", f"{_QUEUED}_sum", f"{_QUEUED}_count", MS),
    Measure("queue_length", "sum", "vllm:num_requests_waiting"),
    Measure("in_flight", "sum", "vllm:num_requests_running"),
    Measure("tokens_per_s", "rate", "vllm:generation_tokens"),
    Measure("kv_cache_share", "max", "vllm:kv_cache_usage_perc"),
    Measure("kv_cache_share", "max", "vllm:gpu_cache_usage_perc"),
)  # fmt: skip
RAY = (
    Measure("requests_per_s", "rate", "ray_serve_num_http_requests"),
    Measure("errors_per_s", "rate", "ray_serve_num_http_error_requests"),
    *_histogram("ray_serve_http_request_latency_ms", scale=1.0),
    *_histogram("ray_serve_deployment_processing_latency_ms", scale=1.0),
    Measure("queue_length", "sum", "ray_serve_deployment_queued_queries"),
    Measure("in_flight", "sum", "ray_serve_replica_processing_queries"),
    Measure("cpu_share", "max", "ray_node_cpu_utilization", scale=PERCENT),
    Measure("memory_share", "ratio", "ray_node_mem_used", "ray_node_mem"),
    Measure("gpu_share", "max", "ray_node_gpus_utilization", scale=PERCENT),
    Measure("gpu_memory_bytes", "sum", "ray_node_gram_used", scale=MB),
)
_SERVING = r"/(?!(?:livez|readyz|healthz|metrics|schema\.json|docs\.json)$).*"
BENTOML = (
    Measure("requests_per_s", "rate", "bentoml_service_request", where={"endpoint": _SERVING}),
    Measure("errors_per_s", "rate", "bentoml_service_request", where={"http_response_code": "5.."}),
    *_histogram("bentoml_service_request_duration_seconds", endpoint=_SERVING),
    Measure("in_flight", "sum", "bentoml_service_request_in_progress", where={"endpoint": _SERVING}),
)
TENSORFLOW = (
    Measure("requests_per_s", "rate", ":tensorflow:serving:request_count"),
    Measure("errors_per_s", "rate", ":tensorflow:serving:request_count", where={"status": "(?!OK$).*"}),
    *_histogram(":tensorflow:serving:request_latency", scale=US),
)
FEAST = (
    Measure("requests_per_s", "rate", "feast_feature_server_request"),
    Measure("errors_per_s", "rate", "feast_feature_server_request", where={"status": "(?!success$).*"}),
    *_histogram("feast_feature_server_request_latency_seconds"),
    Measure("cpu_share", "max", "feast_feature_server_cpu_usage", scale=PERCENT),
)
TECTON = (
    Measure("requests_per_s", "sum", "feature_service_requests_total_rate"),
    Measure("error_share", "sum", "feature_server_errors_rate", scale=PERCENT),
    Measure("latency", "summary", "feature_service_total_latency", scale=MS),
    Measure("latency", "summary", "feature_service_latency", scale=MS),
    Measure("utilization_share", "max", "feature_server_utilization", scale=PERCENT),
    Measure("stream_age_max_s", "max", "spark_stream_max_processed_event_age"),
)
"""Gauges of the last five minutes, after Tecton's documentation."""
_READS = "get|mget|getex|hget|hmget|hgetall|json\\.get|json\\.mget"
REDIS = (
    Measure("requests_per_s", "rate", "redis_commands_processed"),
    Measure("errors_per_s", "rate", "redis_errors"),
    Measure("refused_per_s", "rate", "redis_rejected_connections"),
    Measure("hit_ratio", "mean", "redis_keyspace_hits", "redis_keyspace_lookups"),
    Measure("evicted_per_s", "rate", "redis_evicted_keys"),
    Measure("expired_per_s", "rate", "redis_expired_keys"),
    Measure(
        "latency_mean_ms", "mean", "redis_commands_duration_seconds", "redis_commands", MS, {"cmd": _READS}
    ),
    Measure("memory_bytes", "sum", "redis_memory_used_bytes"),
    Measure("memory_share", "ratio", "redis_memory_used_bytes", "redis_memory_max_bytes"),
    Measure("fragmentation", "max", "redis_mem_fragmentation_ratio"),
    Measure("keys", "sum", "redis_db_keys"),
    Measure("clients", "sum", "redis_connected_clients"),
)
"""Of redis_exporter, and of a Redis itself; the share of hits only of the latter."""
_LATENCIES = (
    "http_request_duration_seconds",
    "http_server_requests_seconds",
    "http_server_request_duration_seconds",
)
"""Of client libraries for FastAPI, Flask and the like; of Micrometer; of OpenTelemetry."""
GENERIC = (
    Measure("requests_per_s", "rate", "http_requests"),
    *(Measure("requests_per_s", "rate", f"{metric}_count") for metric in _LATENCIES),
    Measure("errors_per_s", "rate", "http_requests", where=_STATUS),
    *(Measure("errors_per_s", "rate", f"{metric}_count", where=_STATUS) for metric in _LATENCIES),
    *(measure for metric in _LATENCIES for measure in _histogram(metric)),
    Measure("in_flight", "sum", "http_requests_in_progress"),
    Measure("in_flight", "sum", "http_requests_inprogress"),
    Measure("in_flight", "sum", "inprogress_requests"),
    Measure("cpu_cores", "rate", "process_cpu_seconds"),
    Measure("memory_bytes", "sum", "process_resident_memory_bytes"),
    Measure("open_files", "sum", "process_open_fds"),
    Measure("gpu_share", "max", "DCGM_FI_DEV_GPU_UTIL", scale=PERCENT),
    Measure("gpu_memory_bytes", "sum", "DCGM_FI_DEV_FB_USED", scale=1024.0 * 1024.0),
)
MEASURES = (
    *TORCHSERVE, *TRITON, *MLSERVER, *KSERVE, *VLLM, *RAY, *BENTOML, *TENSORFLOW, *FEAST, *TECTON, *REDIS, *GENERIC,
)  # fmt: skip
QUANTILES = (0.5, 0.95, 0.99)
OF_REQUESTS = frozenset(
    {
        "error_share",
        *(each.name for each in MEASURES if each.how == "mean"),
        *(f"{each.name}_p{q * 100:g}_ms" for each in MEASURES if each.how == "quantiles" for q in QUANTILES),
    }
)
"""Names of what takes requests to have a value."""
WANTED = frozenset(
    name
    for each in MEASURES
    for name in (f"{each.metric}_bucket" if each.how == "quantiles" else each.metric, each.by)
    if name
)
"""All names that are read."""
