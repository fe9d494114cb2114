"""Curves, histograms, and what only some logs hold, as they stand in the JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlwatch.metrics.estimate import undefined
from mlwatch.snapshot.reasons import explained

if TYPE_CHECKING:
    from mlwatch.snapshot.distributions import Bars
    from mlwatch.snapshot.output_types import Outputs
    from mlwatch.snapshot.types import Version

Document = dict[str, Any]

NO_COST = "no cost in the logs, and no price of this model or version in [outputs]"


def bars_document(bars: Bars | None) -> Document:
    """Return a histogram: edges, one more than there are counts."""
    if bars is None:
        return {"edges": [], "counts": []}
    return {"edges": list(bars.edges), "counts": list(bars.counts)}


def curves_document(version: Version) -> Document:
    """Return the curves of a binary task, empty for other tasks and without labelled scores."""
    found = version.scores
    return {
        "curves": {
            "roc": [list(point) for point in found.roc] if found else [],
            "pr": [list(point) for point in found.pr] if found else [],
            "calibration": [
                {name: getattr(point, name) for name in ("score", "share", "n", "low", "high")}
                for point in found.calibration
            ]
            if found
            else [],
            "thresholds": [asdict(step) for step in found.thresholds] if found else [],
        },
        "scores": {
            "edges": list(found.edges) if found else [],
            "positive": list(found.positive) if found else [],
            "negative": list(found.negative) if found else [],
        },
        "residuals": dict(version.outputs.residuals),
        "residual_histogram": bars_document(version.residual_bars),
    }


def outputs_document(outputs: Outputs) -> Document:
    """Return tokens, texts and whatever else requests took or gave, by name."""
    return {
        name: {**each.mean.to_dict(), "total": each.total, "p50": each.p50, "p95": each.p95}
        for name, each in outputs.measures.items()
    }


def cost_document(version: Version) -> Document:
    """Return what predictions cost: in all, each, and a thousand."""
    found = version.outputs.measures.get("cost")
    mean = found.mean if found is not None else undefined(NO_COST)
    thousand = None if mean.value is None else 1000 * mean.value
    block = {
        "total": found.total if found is not None else None,
        "per_prediction": mean.to_dict(),
        "per_1000": thousand,
        "currency": version.outputs.currency,
    }
    return explained(block, dict.fromkeys(("total", "per_1000"), NO_COST))
