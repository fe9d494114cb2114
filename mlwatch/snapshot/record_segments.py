"""What the records that are kept say beyond what is counted of all, most of it by segment; dear, so kept a while."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlwatch.snapshot.followed import followed
from mlwatch.snapshot.repeats import repeats_of
from mlwatch.snapshot.request_segments import requests_of
from mlwatch.snapshot.segment_pairs import pairs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.repeats import Repeats
    from mlwatch.snapshot.request_segments import RequestSegment
    from mlwatch.snapshot.segment_pairs import SegmentPair
    from mlwatch.snapshot.span import Grid
    from mlwatch.snapshot.types import Model


@dataclass(frozen=True, slots=True)
class RecordSegments:
    """By version."""

    pairs: Mapping[str, tuple[SegmentPair, ...]] = field(default_factory=dict)
    requests: Mapping[str, tuple[RequestSegment, ...]] = field(default_factory=dict)
    repeats: Mapping[str, Repeats] = field(default_factory=dict)
    is_put_off: bool = False
    """Whether all of this comes with a later look."""


def record_segments(
    connection: DuckDBPyConnection, model: Model, baseline: str | None, lattice: Grid
) -> RecordSegments:
    """Return the worst combinations of segments, where requests fail or are slow, and how many repeat others.

    Args:
        connection: Where `number_pairs` was called.
        model: With the segments of its versions.
        baseline: Name of the baseline version.
        lattice: Range.
    """
    columns = followed(connection, model.name)
    pairs = pairs_of(connection, model, baseline, lattice, columns)
    requests = requests_of(connection, model, baseline, lattice, columns)
    return RecordSegments(pairs, requests, repeats_of(connection, model.name, lattice))


def with_record_segments(model: Model, found: RecordSegments) -> Model:
    """Return a model whose versions tell of them."""
    versions = {
        name: replace(
            version,
            segment_pairs=found.pairs.get(name, ()),
            request_segments=found.requests.get(name, ()),
            quality=replace(version.quality, repeats=found.repeats.get(name)),
        )
        for name, version in model.versions.items()
    }
    return replace(model, versions=versions, is_put_off=found.is_put_off)
