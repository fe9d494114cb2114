"""Data quality as it stands in the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.metrics.drift import Drift
from mlwatch.metrics.movement import Center
from mlwatch.snapshot import reasons
from mlwatch.snapshot.reasons import explained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.snapshot.moves import Move
    from mlwatch.snapshot.shapes import Shape
    from mlwatch.snapshot.types import Constraint, Quality

    Document = dict[str, Any]


def quality_document(quality: Quality) -> Document:
    """Return the data quality of a version, or of a table."""
    block = {
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
        "prediction_drift": _output(
            quality, "predictions", quality.prediction_drift, quality.prediction_move
        ),
        "label_drift": {**_drift(quality.label_drift.drift), "reason": quality.label_drift.reason},
        "label_reference": quality.label_drift.reference,
        "score_drift": _output(quality, "scores", quality.score_drift, quality.score_move),
        "text_drift": {name: _drift(drift) for name, drift in quality.text_drift.items()},
        "text_reference": quality.text_reference,
        "drifted_share": quality.drifted_share,
        "vanished": list(quality.vanished),
        "appeared": list(quality.appeared),
        "missing_rate": quality.missing_rate,
        "repeated_rows": quality.repeats.repeated if quality.repeats is not None else None,
    }
    return explained(block, reasons.of_quality(quality))


def _output(quality: Quality, name: str, drift: Drift | None, move: Move | None) -> Document:
    return {**_drift(drift), **_move(move), "reason": quality.why_not(name) if drift is None else None}


def _shape(shape: Shape | None) -> Document | None:
    """Return a distribution beside that of the reference: of numbers by edges, of categories by labels."""
    if shape is None:
        return None
    names = ("edges", "labels", "reference", "current")
    return {name: list(getattr(shape, name)) for name in names}


def _move(move: Move | None) -> Document:
    parts = move.parts if move is not None else ()
    sides = ("reference", "current")
    centers = {side: getattr(move, side) if move is not None else Center(None, None) for side in sides}
    return {
        "how": move.sentence if move is not None and parts else None,
        "parts": [{"values": p.values, "reference": p.reference, "current": p.current} for p in parts],
        **{
            f"{what}_{side}": getattr(center, what)
            for what in ("mean", "median")
            for side, center in centers.items()
        },
        **{f"median_{side}_reason": _why_no_median(center) for side, center in centers.items()},
    }


def _why_no_median(center: Center) -> str | None:
    """Return what is known of a median that the reference's bins do not hold."""
    if center.above is not None:
        return f"it is above {center.above:.4g}, where the bins of the reference end"
    if center.below is not None:
        return f"it is below {center.below:.4g}, where the bins of the reference begin"
    return None


def constraints_document(constraints: Sequence[Constraint]) -> list[Document]:
    """Return what is demanded of values, and how many break it."""
    names = ("feature", "rule", "demand", "n", "bad", "example")
    return [{name: getattr(one, name) for name in names} for one in constraints]


def _drift(drift: Drift | None) -> Document:
    return (drift or Drift()).to_dict()
