"""Segments that do worse, and when performance fell, in words: what Markdown and HTML lay out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlwatch.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.metrics.segments import Contrast
    from mlwatch.snapshot.falls import Fall
    from mlwatch.snapshot.types import Model, Version

SEGMENT_HEADS = ("Segment", "Version", "Against", "Labelled", "Error", "95 %", "Extra errors")
MOST_SEGMENTS = 8
TROUBLE_HEADS = ("Segment", "Version", "Trouble", "Requests", "Here", "Elsewhere", "Baseline", "Of all such")


class Listed(NamedTuple):
    """A table."""

    title: str
    heads: tuple[str, ...]
    rows: list[list[str]]


class _Found(NamedTuple):
    contrast: Contrast
    name: str
    version: str
    labelled: int


def segment_tables(model: Model) -> list[Listed]:
    """Return the tables of segments that there is anything for."""
    every = [
        Listed("Segments that do worse", SEGMENT_HEADS, worst_segments(model)),
        Listed("Where requests fail or are slow", TROUBLE_HEADS, troubles(model)),
    ]
    return [each for each in every if each.rows]


def worst_segments(model: Model) -> list[list[str]]:
    """Return the cells of the segments that do worse beyond chance, the most harmful first; see `SEGMENT_HEADS`.

    Versions are held against the baseline in the same segment, a lone one against its own other segments. Among them
    are combinations of two segments that do worse than either explains.
    """
    baseline = next((version.name for version in model.versions.values() if version.role == "baseline"), None)
    lone = len(model.versions) == 1
    found = [each for version in model.versions.values() for each in _worse(version, lone=lone)]
    shares = model.task != "regression"
    return [
        [
            one.name,
            one.version,
            "the rest" if lone else str(baseline),
            f"{one.labelled:,}",
            _points(one.contrast.difference, shares=shares),
            f"{_points(one.contrast.low, shares=shares)} to {_points(one.contrast.high, shares=shares)}",
            f"{one.contrast.excess:+,.0f}",
        ]
        for one in sorted(found, key=lambda each: -each.contrast.excess)[:MOST_SEGMENTS]
    ]


def _worse(version: Version, *, lone: bool) -> Iterator[_Found]:
    for segment in version.segments:
        contrast = segment.rest if lone else segment.baseline
        if contrast is not None and contrast.worse:
            yield _Found(contrast, f"{segment.column} {segment.value}", version.name, segment.labelled)
    for pair in version.segment_pairs:
        contrast = pair.rest if lone else pair.baseline
        if contrast is not None:
            yield _Found(contrast, pair.name, version.name, pair.labelled)


def troubles(model: Model) -> list[list[str]]:
    """Return the cells of the segments in which requests fail or are slow, version by version; see `TROUBLE_HEADS`."""
    return [
        [
            f"{found.segment.column} {found.segment.value}",
            version.name,
            "fail" if found.limit_ms is None else f"over {found.limit_ms:,.3g} ms",
            f"{found.requests:,}",
            percent(found.rate),
            percent(found.elsewhere),
            "n/a" if found.before is None else percent(found.before),
            percent(found.share),
        ]
        for version in model.versions.values()
        for found in version.request_segments
    ]


def falls(model: Model) -> list[str]:
    """Return a sentence for each version whose performance fell within the range: when, by how much, and where."""
    shares = model.task != "regression"
    return [
        f"{name} has more errors since {fall.at:%Y-%m-%d %H:%M} UTC: {loss(fall.before, shares=shares)} before "
        f"(n {fall.n_before:,}), {loss(fall.after, shares=shares)} after (n {fall.n_after:,})"
        f"{_carried(fall, shares=shares)}"
        for name, version in model.versions.items()
        if (fall := version.fall) is not None
    ]


def _carried(fall: Fall, *, shares: bool) -> str:
    if not fall.carried:
        return "; no single segment carries it."
    most = fall.carried[0]
    told = ""
    if most.before is not None and most.after is not None:
        before, after = loss(most.before, shares=shares), loss(most.after, shares=shares)
        told = f", whose own errors went from {before} to {after}"
    return f"; {percent(most.share, 0)} of that is in {most.column} {most.value}{told}."


def loss(value: float, *, shares: bool) -> str:
    """Write a mean loss: the share of wrong answers, or the mean absolute error of a regression."""
    return percent(value) if shares else f"a mean error of {value:.4g}"


def _points(difference: float, *, shares: bool) -> str:
    return f"{100 * difference:+.1f} points" if shares else f"{difference:+.4g}"
