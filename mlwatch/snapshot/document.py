"""A snapshot as the JSON document `mlwatch.report/1`, the contract of `report --format json`.

Every key is always there. What cannot be computed is `{"value": null, "reason": "…"}`; times are ISO 8601 with `Z`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlwatch.metrics import intervals
from mlwatch.metrics.outputs import maturity_note
from mlwatch.snapshot import reasons
from mlwatch.snapshot.business_document import business_document
from mlwatch.snapshot.finite import finite
from mlwatch.snapshot.health_document import endpoint_document, system_document
from mlwatch.snapshot.output_document import (
    bars_document,
    cost_document,
    curves_document,
    outputs_document,
)
from mlwatch.snapshot.quality_document import constraints_document, quality_document
from mlwatch.snapshot.reasons import explained
from mlwatch.snapshot.segment_document import (
    fairness_document,
    request_segment_document,
    segment_pair_document,
    segments_document,
)
from mlwatch.snapshot.shadow_document import shadow_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.types import (
        Alert,
        ConfusionTable,
        Errors,
        Ingest,
        LabelLag,
        Latency,
        Model,
        Rollout,
        RolloutMetric,
        Snapshot,
        Throughput,
        TrafficLately,
        Version,
        Window,
    )
    from mlwatch.systems.mlflow_registry import Entry

SCHEMA = "mlwatch.report/1"

Document = dict[str, Any]


def document(snapshot: Snapshot) -> Document:
    """Return a snapshot as plain dictionaries, lists, strings, numbers and nulls."""
    limits = snapshot.range
    found: Document = finite(
        {
            "schema": SCHEMA,
            "generated_at": _time(snapshot.generated_at),
            "range": {
                "start": _time(limits.start if limits else None),
                "end": _time(limits.end if limits else None),
            },
            "ingest": _ingest(snapshot.ingest),
            "models": {name: _model(model) for name, model in snapshot.models.items()},
            "rollouts": [rollout_document(rollout) for rollout in snapshot.rollouts],
            "endpoints": [endpoint_document(endpoint) for endpoint in snapshot.endpoints],
            "system": system_document(snapshot.system),
            "alerts": [_alert(alert) for alert in snapshot.alerts],
            "provenance": dict(snapshot.provenance),
        }
    )
    return found


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _ingest(ingest: Ingest) -> Document:
    names = (
        "files",
        "bytes",
        "records",
        "rows",
        "predictions",
        "outcomes",
        "events",
        "rejected",
        "duplicates",
    )
    counts = {name: getattr(ingest, name) for name in names}
    return {
        **counts,
        "outcomes_unmatched": ingest.outcomes_unmatched,
        "events_unmatched": ingest.events_unmatched,
        "streams": [
            {
                "topic": one.topic,
                "partition": one.partition,
                "offset": one.offset,
                "end": one.end,
                "lag": one.lag,
            }
            for one in ingest.streams
        ],
    }


def _model(model: Model) -> Document:
    return {
        "task": model.task,
        "positive_class": model.positive_class,
        "reference": model.reference,
        "estimated_from": model.estimated_from,
        "estimated_reason": None if model.estimated_from is not None else reasons.NO_TEACHER,
        "reference_performance": _estimates(model.reference_performance),
        "versions": {name: _version(version) for name, version in model.versions.items()},
    }


def _version(version: Version) -> Document:
    return {
        "role": version.role,
        "predictions": version.predictions,
        "labelled": version.labelled,
        "first": _time(version.first),
        "last": _time(version.last),
        "performance": _estimates(version.performance),
        "per_class": {name: _estimates(each) for name, each in version.per_class.items()},
        **curves_document(version),
        "confusion": _confusion(version.confusion),
        "estimated": _estimates(version.estimated),
        "latency_ms": {**_latency(version.latency), "histogram": bars_document(version.latency_bars)},
        "outputs": outputs_document(version.outputs),
        "throughput_per_s": version.throughput_per_s,
        "throughput": _throughput(version.throughput),
        "label_lag_s": _label_lag(version.label_lag),
        "label_coverage": _estimates(version.label_coverage),
        "errors": {
            **_errors(version.errors, version.predictions),
            "kinds": dict(version.outputs.error_kinds),
            "kind_rates": _rates(version.outputs.error_kinds, version.predictions),
        },
        "quality": {
            **quality_document(version.quality),
            "constraints": constraints_document(version.constraints),
        },
        "business": explained(
            {
                **business_document(version.business),
                "maturity": version.maturity,
                "maturity_note": maturity_note(version.maturity),
                "cost": cost_document(version),
            },
            reasons.BUSINESS,
        ),
        "segments": segments_document(version.segments),
        "segment_pairs": [segment_pair_document(pair) for pair in version.segment_pairs],
        "request_segments": [request_segment_document(each) for each in version.request_segments],
        "fall": version.fall.to_dict() if version.fall is not None else None,
        "registry": _registered(version.registered),
        "fairness": {each.column: fairness_document(each) for each in version.fairness},
        "windows": [_window(window) for window in version.windows],
    }


def _throughput(found: Throughput) -> Document:
    names = ("now", "minute", "five_minutes", "peak")
    why = dict.fromkeys(names, reasons.NO_REQUESTS)
    if found.minute is not None:
        why["now"] = reasons.NO_RECORDS
    return explained({name: getattr(found, name) for name in names}, why)


def _label_lag(found: LabelLag) -> Document:
    names = ("p50", "p90", "p99")
    lags = {name: getattr(found, f"{name}_s") for name in names}
    return explained({"n": found.n, **lags}, dict.fromkeys(names, reasons.NO_LAGS))


def _registered(entry: Entry | None) -> Document | None:
    if entry is None:
        return None
    return {
        "version": entry.version,
        "run_id": entry.run_id,
        "aliases": list(entry.aliases),
        "metrics": dict(entry.metrics),
        "params": dict(entry.params),
        "data": entry.data,
    }


def _window(window: Window) -> Document:
    return {
        "start": _time(window.start),
        "end": _time(window.end),
        "predictions": window.predictions,
        "labelled": window.labelled,
        "performance": _estimates(window.performance),
        "estimated": _estimates(window.estimated),
        "outputs": _estimates(window.measures),
        "latency_ms": _latency(window.latency),
        "errors": _errors(window.errors, window.predictions),
        "quality": {
            "missing_rate": window.missing_rate,
            "drift": window.drift,
            "text_drift": dict(window.text_drift),
        },
        "business": explained(
            {**business_document(window.business), "maturity": window.maturity}, reasons.BUSINESS
        ),
    }


def _estimates(estimates: Mapping[str, Estimate]) -> Document:
    return {name: estimate.to_dict() for name, estimate in estimates.items()}


def _confusion(confusion: ConfusionTable | None) -> Document:
    if confusion is None:
        return {"labels": [], "counts": []}
    return {"labels": list(confusion.labels), "counts": [list(row) for row in confusion.counts]}


def _latency(latency: Latency) -> Document:
    names = ("n", "mean", "p50", "p90", "p95", "p99", "p999", "max")
    apdex = latency.apdex.to_dict() if latency.apdex is not None else None
    quantiles = {name: each.to_dict() for name, each in latency.quantiles.items()}
    block = {**{name: getattr(latency, name) for name in names}, "apdex": apdex, "quantiles": quantiles}
    told = explained(block, dict.fromkeys((*names, "apdex"), reasons.NO_LATENCIES))
    if not quantiles:
        told["reasons"]["quantiles"] = reasons.OF_THE_RANGE if latency.n else reasons.NO_LATENCIES
    return told


def _errors(errors: Errors, requests: int) -> Document:
    block = {
        "count": errors.count,
        "rate": errors.rate,
        "low": errors.low,
        "high": errors.high,
        "method": "Wilson" if errors.low is not None else None,
        "client": errors.client,
        "server": errors.server,
        "status_rates": _rates({"client": errors.client, "server": errors.server}, requests),
    }
    return explained(block, dict.fromkeys(("rate", "low", "high"), reasons.NO_REQUESTS))


def _rates(counts: Mapping[str, int], requests: int) -> Document:
    """Return the shares of the requests that failed in each way, with Wilson's interval."""
    return _estimates(
        {name: intervals.proportion(n, requests, reasons.NO_REQUESTS) for name, n in counts.items()}
    )


def rollout_document(rollout: Rollout) -> Document:
    """Return one rollout as it stands in the document."""
    return {
        "model": rollout.model,
        "mode": rollout.mode,
        "baseline": rollout.baseline,
        "candidate": rollout.candidate,
        "verdict": rollout.verdict,
        "since": _time(rollout.since),
        "reasons": list(rollout.reasons),
        "metrics": {name: _rollout_metric(metric) for name, metric in rollout.metrics.items()},
        "traffic": {
            "expected": dict(rollout.traffic_expected),
            "observed": dict(rollout.traffic_observed),
            "lately": _lately(rollout.traffic_lately),
            "srm_p": rollout.srm_p,
            "unit": rollout.unit,
            "units": dict(rollout.units),
        },
        "shadow": shadow_document(rollout.shadow),
        "state": rollout.state,
        "calibrated": rollout.calibrated,
        "alpha": rollout.alpha,
        "elapsed_s": rollout.elapsed_s,
        "steps": [
            {"start": _time(step.start), "end": _time(step.end), "share": step.share, "n": step.n}
            for step in rollout.steps
        ],
    }


def _lately(lately: TrafficLately | None) -> Document | None:
    if lately is None:
        return None
    return {"since": _time(lately.since), "until": _time(lately.until), "shares": dict(lately.shares)}


def _rollout_metric(metric: RolloutMetric) -> Document:
    return {
        "baseline": metric.baseline,
        "candidate": metric.candidate,
        "difference": metric.difference,
        "low": metric.low,
        "high": metric.high,
        "margin": metric.margin,
        "status": metric.status,
        "e_value": metric.e_value,
        "samples_left": metric.samples_left,
        "limit": metric.limit,
        "reason": metric.reason,
        "notes": list(metric.notes),
        "ratio": metric.ratio,
        "ratio_low": metric.ratio_low,
        "ratio_high": metric.ratio_high,
        "pooled": metric.pooled,
        "n_baseline": metric.n_baseline,
        "n_candidate": metric.n_candidate,
        "level": metric.level,
        "method": metric.method,
        "calibrated": metric.calibrated,
        "winsorised_at": metric.cap,
        "design_effect": metric.design_effect,
        "inflation": metric.inflation,
    }


def _alert(alert: Alert) -> Document:
    return {
        "rule": alert.rule,
        "state": alert.state,
        "severity": alert.severity,
        "message": alert.message,
        "value": alert.value,
        "since": _time(alert.since),
        "silence": alert.silence,
        "resolved": _time(alert.resolved),
    }
