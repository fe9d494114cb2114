"""What is not of a model, as samples: the reading, the host, alerts, and what is polled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.systems.families import MOST_ENDPOINTS, MOST_MEASURES, MOST_STREAMS, Sample, known, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.snapshot.health_types import Endpoint
    from mlwatch.snapshot.types import Snapshot


def around(snapshot: Snapshot) -> Iterator[Sample]:
    """Yield the samples of everything but the models."""
    yield from _ingest(snapshot)
    yield from _host(snapshot)
    yield from _alerts(snapshot)
    for endpoint in _polled(snapshot)[:MOST_ENDPOINTS]:
        yield from _endpoint(endpoint)


def left_out(snapshot: Snapshot) -> int:
    """Return how many endpoints and metrics of theirs the bounds leave out."""
    polled = _polled(snapshot)
    measures = (max(0, len(each.metrics) - MOST_MEASURES) for each in polled[:MOST_ENDPOINTS])
    return max(0, len(polled) - MOST_ENDPOINTS) + sum(measures)


def _ingest(snapshot: Snapshot) -> Iterator[Sample]:
    from mlwatch import __version__  # noqa: PLC0415  it is the front door

    read = snapshot.ingest
    yield sample("mlwatch_build", 1, version=__version__)
    if snapshot.range is not None:
        yield sample("mlwatch_data_timestamp_seconds", snapshot.range.end.timestamp())
    yield sample("mlwatch_ingest_files", read.files)
    yield sample("mlwatch_ingest_bytes", read.bytes)
    for fate in ("rows", "rejected", "duplicates"):  # together: all records
        yield sample("mlwatch_ingest_records", getattr(read, fate), fate=fate)
    for one in sorted(read.streams, key=lambda each: -each.lag)[:MOST_STREAMS]:
        yield sample("mlwatch_stream_lag_messages", one.lag, topic=one.topic, partition=str(one.partition))


def _host(snapshot: Snapshot) -> Iterator[Sample]:
    for resource in ("cpu", "memory", "disk"):
        yield from known("mlwatch_host_ratio", getattr(snapshot.system, resource), resource=resource)


def _alerts(snapshot: Snapshot) -> Iterator[Sample]:
    for severity in ("info", "warning", "critical"):
        firing = [one for one in snapshot.alerts if one.state == "firing" and one.severity == severity]
        yield sample("mlwatch_alerts_firing", len(firing), severity=severity)


def _polled(snapshot: Snapshot) -> list[Endpoint]:
    return [endpoint for endpoint in snapshot.endpoints if not endpoint.stale]


def _endpoint(endpoint: Endpoint) -> Iterator[Sample]:
    who = {"endpoint": endpoint.name}
    if endpoint.replicas:
        yield sample(
            "mlwatch_endpoint_up", endpoint.up / len(endpoint.replicas), **who, server=endpoint.server
        )
    for window in ("hour", "day", "month"):
        yield from known(
            "mlwatch_endpoint_uptime_ratio", getattr(endpoint, window).share, **who, window=window
        )
    for stat in ("p50", "p95", "max"):
        milliseconds = getattr(endpoint.latency, stat)
        if milliseconds is not None:
            yield sample("mlwatch_endpoint_latency_seconds", milliseconds / 1000, **who, stat=stat)
    for name, value in sorted(endpoint.metrics.items())[:MOST_MEASURES]:
        yield sample("mlwatch_endpoint_metric", value, **who, metric=name)
    for one in endpoint.conditions:
        if one.state != "unknown":
            kept = float(one.state in {"ok", "resolved"})
            yield sample("mlwatch_endpoint_condition", kept, **who, condition=one.text)
    if endpoint.golden is not None:
        yield sample("mlwatch_endpoint_golden", float(endpoint.golden.matches), **who)
