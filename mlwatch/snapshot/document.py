"""A snapshot as the JSON document `mlwatch.report/1`, the contract of `report --format json`.

Every key is always there. What cannot be computed is `{"value": null, "reason": "…"}`; times are ISO 8601 with `Z`.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlwatch.metrics.drift import Drift
from mlwatch.metrics.outputs import maturity_note
from mlwatch.snapshot.health_document import endpoint_document, system_document
from mlwatch.snapshot.output_document import (
    bars_document,
    cost_document,
    curves_document,
    outputs_document,
)
from mlwatch.snapshot.segment_document import (
    fairness_document,
    segment_pair_document,
    segments_document,
)
from mlwatch.snapshot.shadow_document import shadow_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.moves import Move
    from mlwatch.snapshot.shapes import Shape
    from mlwatch.snapshot.types import (
        Alert,
        Business,
        ConfusionTable,
        Constraint,
        Errors,
        Ingest,
        Latency,
        Model,
        Quality,
        Rollout,
        Snapshot,
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


def finite(value: Any) -> Any:
    """Replace what is not a finite number by null: sums of absurd values overflow, and JSON has no infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        found = {key: finite(inner) for key, inner in value.items()}
        if found.get("value", 0) is None and not found.get("reason") and value["value"] is not None:
            found["reason"] = "the numbers are too large to sum up"
        return found
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return value


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
        "throughput": {
            name: getattr(version.throughput, name) for name in ("now", "minute", "five_minutes", "peak")
        },
        "label_lag_s": {
            "n": version.label_lag.n,
            **{name: getattr(version.label_lag, f"{name}_s") for name in ("p50", "p90", "p99")},
        },
        "label_coverage": _estimates(version.label_coverage),
        "errors": {**_errors(version.errors), "kinds": dict(version.outputs.error_kinds)},
        "quality": {**quality_document(version.quality), "constraints": _constraints(version.constraints)},
        "business": {
            **_business(version.business),
            "maturity": version.maturity,
            "maturity_note": maturity_note(version.maturity),
            "cost": cost_document(version),
        },
        "segments": segments_document(version.segments),
        "segment_pairs": [segment_pair_document(pair) for pair in version.segment_pairs],
        "fall": version.fall.to_dict() if version.fall is not None else None,
        "registry": _registered(version.registered),
        "fairness": {each.column: fairness_document(each) for each in version.fairness},
        "windows": [_window(window) for window in version.windows],
    }


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
        "errors": _errors(window.errors),
        "quality": {
            "missing_rate": window.missing_rate,
            "drift": window.drift,
            "text_drift": dict(window.text_drift),
        },
        "business": _business(window.business),
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
    return {**{name: getattr(latency, name) for name in names}, "apdex": apdex, "quantiles": quantiles}


def _errors(errors: Errors) -> Document:
    return {
        "count": errors.count,
        "rate": errors.rate,
        "low": errors.low,
        "high": errors.high,
        "method": "Wilson" if errors.low is not None else None,
        "client": errors.client,
        "server": errors.server,
    }


def quality_document(quality: Quality) -> Document:
    """Return the data quality of a version, or of a table."""
    return {
        "features": {
            name: {
                "kind": feature.kind,
                "n": feature.n,
                "missing": feature.missing,
                "missing_rate": feature.missing_rate,
                "invalid": feature.invalid,
                "unseen": feature.unseen,
                "out_of_range": feature.out_of_range,
                "stuck": feature.stuck,
                "importance": feature.importance,
                "drift": {**_drift(feature.drift), **_move(feature.move)},
                "drift_over": list(feature.drift_over),
                "distribution": _shape(feature.shape),
            }
            for name, feature in quality.features.items()
        },
        "prediction_drift": {**_drift(quality.prediction_drift), **_move(quality.prediction_move)},
        "label_drift": {**_drift(quality.label_drift.drift), "reason": quality.label_drift.reason},
        "label_reference": quality.label_drift.reference,
        "score_drift": {**_drift(quality.score_drift), **_move(quality.score_move)},
        "text_drift": {name: _drift(drift) for name, drift in quality.text_drift.items()},
        "text_reference": quality.text_reference,
        "drifted_share": quality.drifted_share,
        "vanished": list(quality.vanished),
        "appeared": list(quality.appeared),
        "missing_rate": quality.missing_rate,
    }


def _shape(shape: Shape | None) -> Document | None:
    """Return a distribution beside that of the reference: of numbers by edges, of categories by labels."""
    if shape is None:
        return None
    names = ("edges", "labels", "reference", "current")
    return {name: list(getattr(shape, name)) for name in names}


def _move(move: Move | None) -> Document:
    parts = move.parts if move is not None else ()
    sides = ("reference", "current")
    return {
        "how": move.sentence if move is not None and parts else None,
        "parts": [{"values": p.values, "reference": p.reference, "current": p.current} for p in parts],
        **{
            f"{what}_{side}": getattr(getattr(move, side), what) if move is not None else None
            for what in ("mean", "median")
            for side in sides
        },
    }


def _constraints(constraints: Sequence[Constraint]) -> list[Document]:
    names = ("feature", "rule", "demand", "n", "bad", "example")
    return [{name: getattr(one, name) for name in names} for one in constraints]


def _drift(drift: Drift | None) -> Document:
    return (drift or Drift()).to_dict()


def _business(business: Business) -> Document:
    money = business.revenue
    return {
        "conversion": business.conversion.to_dict(),
        "engagement": business.engagement.to_dict(),
        "engagements": {
            kind: {
                "events": found.events,
                "share": found.share.to_dict(),
                "mean_value": found.value.to_dict() if found.value is not None else None,
            }
            for kind, found in business.kinds.items()
        },
        "revenue": {
            "gross": money.told(money.gross),
            "refunds": money.told(money.refunds),
            "total": money.told(money.total),
            "per_prediction": money.per_prediction,
            "low": money.low,
            "high": money.high,
            "method": money.method,
            "currency": money.currency,
            "per_conversion": money.per_conversion.to_dict() if money.per_conversion is not None else None,
        },
        "approval": business.approval.to_dict() if business.approval is not None else None,
        "decisions_per_1000": business.decisions.to_dict() if business.decisions is not None else None,
    }


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
        "metrics": {
            name: {
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
            for name, metric in rollout.metrics.items()
        },
        "traffic": {
            "expected": dict(rollout.traffic_expected),
            "observed": dict(rollout.traffic_observed),
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


def _alert(alert: Alert) -> Document:
    return {
        "rule": alert.rule,
        "state": alert.state,
        "severity": alert.severity,
        "message": alert.message,
        "value": alert.value,
        "since": _time(alert.since),
        "silence": alert.silence,
    }
