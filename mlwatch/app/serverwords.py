"""What a server says about itself, in words with units: four rows at most, whatever the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mlwatch.app.units import Unit, show

if TYPE_CHECKING:
    from collections.abc import Mapping

Shown = Unit | Literal["plain", "cores"]

_LOAD: tuple[tuple[str, str, Shown], ...] = (
    ("requests_per_s", "requests", "per_s"),
    ("errors_per_s", "errors", "per_s"),
    ("error_share", "of requests", "share"),
    ("in_flight", "in flight", "plain"),
    ("queue_length", "queue", "plain"),
    ("tokens_per_s", "tokens", "per_s"),
    ("clients", "clients", "plain"),
    ("refused_per_s", "refused", "per_s"),
)
_SPEED: tuple[tuple[str, str, Shown], ...] = (
    ("latency_mean_ms", "mean", "ms"),
    ("latency_p50_ms", "p50", "ms"),
    ("latency_p95_ms", "p95", "ms"),
    ("latency_p99_ms", "p99", "ms"),
    ("queue_mean_ms", "of which in the queue", "ms"),
    ("first_token_p95_ms", "first token p95", "ms"),
)
_CACHE: tuple[tuple[str, str, Shown], ...] = (
    ("hit_ratio", "hits", "share"),
    ("keys", "keys", "plain"),
    ("evicted_per_s", "evicted", "per_s"),
    ("expired_per_s", "expired", "per_s"),
    ("fragmentation", "fragmentation", "plain"),
)
_MEANS: tuple[tuple[str, str, Shown], ...] = (
    ("cpu_cores", "CPU", "cores"),
    ("cpu_share", "CPU", "share"),
    ("memory_bytes", "memory", "bytes"),
    ("memory_share", "memory", "share"),
    ("gpu_share", "GPU", "share"),
    ("gpu_memory_bytes", "GPU memory", "bytes"),
    ("kv_cache_share", "KV cache", "share"),
    ("open_files", "open files", "plain"),
)
HISTORY: tuple[tuple[str, str, Shown], ...] = (
    ("requests_per_s", "Requests", "per_s"),
    ("errors_per_s", "Errors", "per_s"),
    ("latency_p95_ms", "Latency p95", "ms"),
    ("latency_mean_ms", "Latency mean", "ms"),
    ("queue_length", "Queue", "plain"),
    ("queue_mean_ms", "In the queue", "ms"),
    ("in_flight", "In flight", "plain"),
    ("cpu_share", "CPU", "share"),
    ("cpu_cores", "CPU", "cores"),
    ("memory_share", "Memory", "share"),
    ("memory_bytes", "Memory", "bytes"),
    ("gpu_share", "GPU", "share"),
    ("gpu_memory_bytes", "GPU memory", "bytes"),
    ("tokens_per_s", "Tokens", "per_s"),
    ("hit_ratio", "Hits", "share"),
)
"""What is drawn over time, the most telling first."""
_ROWS = (("Server load", _LOAD), ("Its latency", _SPEED), ("Its keys", _CACHE), ("Its host", _MEANS))
_QUIET = frozenset({"first_token_p50_ms", "first_token_p99_ms", "first_token_mean_ms"})
"""Known, and left to the document."""


def told(metrics: Mapping[str, float]) -> tuple[list[tuple[str, str]], list[tuple[str, float]]]:
    """Return rows of a heading and a text, and the metrics that are in none of them."""
    rows = [
        (
            heading,
            ", ".join(_said(metrics[name], word, unit) for name, word, unit in known if name in metrics),
        )
        for heading, known in _ROWS
    ]
    in_rows = {name for _, known in _ROWS for name, _, _ in known} | _QUIET
    left = sorted((name, value) for name, value in metrics.items() if name not in in_rows)
    return [row for row in rows if row[1]], left


def say(value: float, unit: Shown) -> str:
    """Return a value with its unit."""
    if unit == "plain":
        return f"{value:,.4g}"
    return f"{value:.2f} cores" if unit == "cores" else show(value, unit)


def _said(value: float, word: str, unit: Shown) -> str:
    said = say(value, unit)
    return f"{said} {word}" if word == "of requests" else f"{word} {said}"
