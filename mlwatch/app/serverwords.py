"""What a server says about itself: the names and units of its metrics, and rows of them in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.app.units import Unit, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlwatch.snapshot.health_types import Endpoint

Shown = Unit | Literal["plain", "cores"]
Row = Literal["load", "latency", "keys", "host"]

HEADINGS: dict[Row, str] = {
    "load": "Server load",
    "latency": "Its latency",
    "keys": "Its keys",
    "host": "Its host",
}


@dataclass(frozen=True, slots=True)
class ServerMetric:
    """One number that servers say of themselves, whatever the server."""

    key: str
    row: Row | None
    """Which row of the detail it is in; None leaves it to the document."""
    word: str
    """Its name within the row."""
    unit: Shown
    title: str = ""
    """Its name over time; empty where it is not drawn."""


METRICS: dict[str, ServerMetric] = {
    metric.key: metric
    for metric in (
        ServerMetric("requests_per_s", "load", "requests", "per_s", "Requests"),
        ServerMetric("errors_per_s", "load", "errors", "per_s", "Errors"),
        ServerMetric("error_share", "load", "of requests", "share"),
        ServerMetric("latency_mean_ms", "latency", "mean", "ms", "Latency mean"),
        ServerMetric("latency_p50_ms", "latency", "p50", "ms"),
        ServerMetric("latency_p95_ms", "latency", "p95", "ms", "Latency p95"),
        ServerMetric("latency_p99_ms", "latency", "p99", "ms"),
        ServerMetric("queue_mean_ms", "latency", "of which in the queue", "ms", "In the queue"),
        ServerMetric("first_token_p95_ms", "latency", "first token p95", "ms"),
        ServerMetric("first_token_p50_ms", None, "first token p50", "ms"),
        ServerMetric("first_token_p99_ms", None, "first token p99", "ms"),
        ServerMetric("first_token_mean_ms", None, "first token mean", "ms"),
        ServerMetric("in_flight", "load", "in flight", "plain", "In flight"),
        ServerMetric("queue_length", "load", "queue", "plain", "Queue"),
        ServerMetric("tokens_per_s", "load", "tokens", "per_s", "Tokens"),
        ServerMetric("clients", "load", "clients", "plain"),
        ServerMetric("refused_per_s", "load", "refused", "per_s"),
        ServerMetric("cpu_cores", "host", "CPU", "cores", "CPU"),
        ServerMetric("cpu_share", "host", "CPU", "share", "CPU"),
        ServerMetric("memory_bytes", "host", "memory", "bytes", "Memory"),
        ServerMetric("memory_share", "host", "memory", "share", "Memory"),
        ServerMetric("gpu_share", "host", "GPU", "share", "GPU"),
        ServerMetric("gpu_memory_bytes", "host", "GPU memory", "bytes", "GPU memory"),
        ServerMetric("kv_cache_share", "host", "KV cache", "share"),
        ServerMetric("open_files", "host", "open files", "plain"),
        ServerMetric("hit_ratio", "keys", "hits", "share", "Hits"),
        ServerMetric("keys", "keys", "keys", "plain"),
        ServerMetric("evicted_per_s", "keys", "evicted", "per_s"),
        ServerMetric("expired_per_s", "keys", "expired", "per_s"),
        ServerMetric("fragmentation", "keys", "fragmentation", "plain"),
    )
}
"""By key, in the order in which a row tells them."""
DRAWN = (
    "requests_per_s", "errors_per_s", "latency_p95_ms", "latency_mean_ms", "queue_length", "queue_mean_ms",
    "in_flight", "cpu_share", "cpu_cores", "memory_share", "memory_bytes", "gpu_share", "gpu_memory_bytes",
    "tokens_per_s", "hit_ratio",
)  # fmt: skip
"""What is drawn over time, the most telling first."""


def drawn_of(endpoints: Iterable[Endpoint]) -> list[ServerMetric]:
    """Return the metrics that any endpoint has a history of, the most telling first."""
    known = {name for one in endpoints for point in one.server_history for name in point.values}
    return [METRICS[name] for name in DRAWN if name in known]


def told(metrics: Mapping[str, float]) -> tuple[list[tuple[str, str]], list[tuple[str, float]]]:
    """Return rows of a heading and a text, and the metrics that are in none of them."""
    known = [metric for metric in METRICS.values() if metric.key in metrics]
    rows = [
        (heading, ", ".join(_said(metrics[metric.key], metric) for metric in known if metric.row == row))
        for row, heading in HEADINGS.items()
    ]
    left = sorted((name, value) for name, value in metrics.items() if name not in METRICS)
    return [row for row in rows if row[1]], left


def say(value: float, unit: Shown) -> str:
    """Return a value with its unit."""
    if unit == "plain":
        return f"{value:,.4g}"
    return f"{value:.2f} cores" if unit == "cores" else show(value, unit)


def _said(value: float, metric: ServerMetric) -> str:
    said = say(value, metric.unit)
    return f"{said} {metric.word}" if metric.word == "of requests" else f"{metric.word} {said}"
