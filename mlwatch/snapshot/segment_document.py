"""Segments, their worst combinations and gaps of fairness as they stand in the JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.metrics.segment_pairs import METHOD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.metrics.segments import Contrast
    from mlwatch.snapshot.request_segments import RequestSegment
    from mlwatch.snapshot.segment_pairs import SegmentPair
    from mlwatch.snapshot.segments import Fairness, Segment

Document = dict[str, Any]


def segments_document(segments: Sequence[Segment]) -> Document:
    """Return segments by column and value."""
    found: Document = {}
    for segment in segments:
        found.setdefault(segment.column, {})[segment.value] = {
            "predictions": segment.predictions,
            "labelled": segment.labelled,
            "performance": {name: each.to_dict() for name, each in segment.performance.items()},
            "against_rest": _contrast(segment.rest),
            "against_baseline": _contrast(segment.baseline),
        }
    return found


def segment_pair_document(pair: SegmentPair) -> Document:
    """Return a combination of two segments."""
    return {
        "segments": {each.column: each.value for each in pair.parts},
        "labelled": pair.labelled,
        "looked_at": pair.looked_at,
        "every": pair.every,
        "share": pair.share,
        "loss": pair.loss,
        "against_rest": _contrast(pair.rest),
        "against_baseline": _contrast(pair.baseline),
        "method": METHOD,
    }


def request_segment_document(found: RequestSegment) -> Document:
    """Return a segment in which requests fail or are slow."""
    return {
        "trouble": found.trouble,
        "segment": {found.segment.column: found.segment.value},
        "requests": found.requests,
        "count": found.count,
        "rate": found.rate,
        "share": found.share,
        "limit_ms": found.limit_ms,
        "every": found.every,
        "against_rest": _contrast(found.rest),
        "against_baseline": _contrast(found.baseline),
    }


def fairness_document(fairness: Fairness) -> Document:
    """Return the gaps between the groups of an attribute."""
    gaps = {
        "demographic_parity": fairness.demographic_parity,
        "equal_opportunity": fairness.equal_opportunity,
    }
    return {
        name: {**gap.difference.to_dict(), "highest": gap.highest, "lowest": gap.lowest}
        for name, gap in gaps.items()
    }


def _contrast(contrast: Contrast | None) -> Document | None:
    if contrast is None:
        return None
    names = ("difference", "low", "high", "p", "q", "excess")
    return {name: getattr(contrast, name) for name in names}
