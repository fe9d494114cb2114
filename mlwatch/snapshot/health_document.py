"""Endpoints and the host as they stand in the JSON document."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlwatch.snapshot.reasons import explained, of_system

if TYPE_CHECKING:
    from mlwatch.snapshot.health_types import (
        Endpoint,
        GoldenState,
        Replica,
        System,
        Uptime,
    )


def endpoint_document(endpoint: Endpoint) -> dict[str, Any]:
    """Return one endpoint."""
    models: dict[str, Any] = {}
    for served in endpoint.served:
        models.setdefault(served.model, {})[served.version] = {
            "replicas": served.replicas,
            "ready": served.ready,
        }
    return {
        "url": endpoint.name,
        "server": endpoint.server,
        "recognised": endpoint.recognised or None,
        "state": {"ok": "up", "warn": "degraded", "bad": "down", "unknown": "unknown"}[endpoint.state],
        "live": endpoint.live,
        "ready": endpoint.ready,
        "at": _time(endpoint.at),
        "models": models,
        "latency_ms": {name: getattr(endpoint.latency, name) for name in ("n", "p50", "p95", "max")},
        "errors": {
            "count": endpoint.failed,
            "rate": endpoint.failed / endpoint.probes if endpoint.probes else None,
            "last": endpoint.error or None,
            "last_at": _time(endpoint.error_at),
        },
        "metrics": dict(endpoint.metrics),
        "metrics_error": endpoint.metrics_error or None,
        "metrics_hour": [{"start": _time(one.start), **one.values} for one in endpoint.server_history],
        "replicas": [_replica(replica) for replica in endpoint.replicas],
        "uptime": {name: _uptime(getattr(endpoint, name)) for name in ("hour", "day", "month")},
        "certificate_days": endpoint.certificate_days,
        "conditions": [
            {"condition": one.text, "state": one.state, "said": one.said, "since": _time(one.since)}
            for one in endpoint.conditions
        ],
        "golden": _golden(endpoint.golden) if endpoint.golden is not None else None,
    }


def _replica(replica: Replica) -> dict[str, Any]:
    return {
        "address": replica.address or None,
        "up": replica.up,
        "live": replica.live,
        "ready": replica.ready,
        "status": replica.status,
        "latency_ms": replica.latency_ms,
        "error": replica.error or None,
        "failures": replica.failures,
        "down_since": _time(replica.down_since),
        "versions": [{"model": model, "version": version} for model, version in replica.versions],
    }


def _golden(golden: GoldenState) -> dict[str, Any]:
    return {
        "matches": golden.matches,
        "at": _time(golden.at),
        "difference": golden.difference,
        "reason": golden.reason or None,
        "replica": golden.replica or None,
        "day": [
            {"start": _time(step.start), "n": step.n, "bad": step.bad, "difference": step.difference}
            for step in golden.day
            if step is not None
        ],
    }


def _uptime(uptime: Uptime) -> dict[str, Any]:
    return {"probes": uptime.n, "share": uptime.share}


def system_document(system: System) -> dict[str, Any]:
    """Return the host."""
    names = ("cpu", "memory", "disk", "memory_used_bytes", "memory_total_bytes", "load_1m")
    found = {name: getattr(system, name) for name in names}
    sample = system.sample
    rates = ("read_bytes_per_s", "written_bytes_per_s", "received_bytes_per_s", "sent_bytes_per_s")
    for name in ("swap", *rates, "open_files", "open_files_limit"):
        found[name] = getattr(sample, name) if sample is not None else None
    found["cores"] = list(sample.cores) if sample is not None else []
    found["load"] = list(sample.load) if sample is not None and sample.load is not None else None
    found["temperatures_c"] = dict(sample.temperatures_c) if sample is not None else {}
    for name in ("disks", "processes", "gpus"):
        found[name] = [_plain(asdict(one)) for one in getattr(sample, name)] if sample is not None else []
    container = sample.container if sample is not None else None
    found["container"] = asdict(container) if container is not None else None
    return explained(found, of_system(system))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _time(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
