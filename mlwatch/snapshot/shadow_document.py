"""The part of the JSON document about a shadow: its pairs, and where their answers differ."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any

from mlwatch.snapshot.pair_types import PairFindings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mlwatch.metrics.pair_gaps import PairedDistance
    from mlwatch.snapshot.pair_types import PairPart, PairRequest, PairStep, Value
    from mlwatch.snapshot.types import Shadow

Document = dict[str, Any]

COUNTS = ("pairs", "labelled", "only_baseline_right", "only_candidate_right")
RATES = (
    "disagreement_rate",
    "disagreement_low",
    "disagreement_high",
    "kappa",
    "accuracy_difference",
    "low",
    "high",
    "mcnemar_p",
)


def shadow_document(shadow: Shadow | None) -> Document:
    """Return what pairs say; every key is there without a shadow too."""
    table = shadow.confusion if shadow else None
    labels, counts = (table.labels, table.counts) if table else ((), ())
    found = (shadow.findings if shadow else None) or PairFindings("disagreement")
    return {
        **{name: getattr(shadow, name) if shadow else 0 for name in COUNTS},
        **{name: getattr(shadow, name) if shadow else None for name in RATES},
        "pairs_since": _time(shadow.since) if shadow and shadow.since else None,
        "confusion": {"labels": list(labels), "counts": [list(row) for row in counts]},
        "measure": found.measure,
        "lag_s": found.lag_s,
        "over_time": [_step(step) for step in found.steps],
        "segments": [_part(part) for part in found.parts],
        "features": [asdict(one) for one in found.features],
        "most_different": [_request(one) for one in found.requests],
        "outputs": _distance(found.outputs),
        "scores": _distance(found.scores),
        "errors": _distance(found.errors),
    }


def _step(step: PairStep) -> Document:
    return {
        "start": _time(step.start),
        "end": _time(step.end),
        "pairs": step.pairs,
        "value": step.value,
        "low": step.low,
        "high": step.high,
    }


def _part(part: PairPart) -> Document:
    found = part.contrast
    names = ("difference", "low", "high", "excess", "q", "worse")
    return {
        "column": part.column,
        "value": part.value,
        "pairs": part.pairs,
        "mean": part.mean,
        **{name: getattr(found, name) if found else None for name in names},
    }


def _request(one: PairRequest) -> Document:
    return {
        "id": one.id,
        "time": _time(one.time),
        "baseline": one.old,
        "candidate": one.new,
        "baseline_score": one.old_score,
        "candidate_score": one.new_score,
        "label": one.label,
        "features": _plain(one.features),
        "changed": _plain(one.changed),
    }


def _plain(values: Mapping[str, Value]) -> Document:
    """Return values that JSON has: no NaN, no infinity."""
    return {
        name: value if not isinstance(value, float) or abs(value) < float("inf") else None
        for name, value in values.items()
    }


def _distance(found: PairedDistance | None) -> Document | None:
    return asdict(found) if found is not None else None


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
