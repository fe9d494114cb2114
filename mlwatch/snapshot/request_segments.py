"""Where requests fail, and where they are slow: the segments that stand out among the records that are kept.

Labels are not needed for that, so that it is known while requests still fail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from mlwatch.metrics.segments import Losses, contrast, together
from mlwatch.snapshot.followed import SIZE, one_in
from mlwatch.snapshot.read import fetch
from mlwatch.snapshot.segments import Segment, part_kind, part_name
from mlwatch.store import slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.metrics.segments import Contrast
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.followed import Followed
    from mlwatch.snapshot.span import Grid
    from mlwatch.snapshot.types import Model

    Trouble = Literal["failed", "slow"]

MOST = 6
"""Segments of a version that are told of each trouble."""
TIMES = 1.5
"""So many times as often as in the other requests, at least: of many requests less is beyond chance, and no matter."""


@dataclass(frozen=True, slots=True)
class RequestSegment:
    """A segment in which a version's requests fail, or are slow, more often than its others."""

    trouble: Trouble
    segment: Segment
    requests: int
    """That were looked at in it."""
    count: int
    """Those of them that failed, or were slow."""
    share: float
    """Of all failed (slow) requests of the version, those in this segment."""
    rest: Contrast
    """Against the version's other requests; its excess is that of all requests, also where not all were looked at."""
    baseline: Contrast | None = None
    """Against the baseline's in the same segment; None for the baseline, and where either has too few."""
    limit_ms: float | None = None
    """A slow request takes longer than this: the baseline's 95th percentile."""
    every: int = 1
    """One in so many requests was looked at."""
    named: tuple[str, ...] = ()
    """Of all other categories: those that have a segment of their own."""

    @property
    def rate(self) -> float:
        """Share of the segment's requests that failed, or were slow."""
        return self.count / self.requests

    @property
    def elsewhere(self) -> float:
        """The same of the version's other requests."""
        return self.rate - self.rest.difference

    @property
    def before(self) -> float | None:
        """The same of the baseline's requests in this segment."""
        return self.rate - self.baseline.difference if self.baseline is not None else None


@dataclass(frozen=True, slots=True)
class _Counts:
    """Requests by part of each column, and how many of them are in trouble; shapes (columns, `SIZE`)."""

    n: NDArray[np.int64]
    hit: NDArray[np.int64]

    def losses(self, column: int, part: int) -> Losses:
        return _losses(self.n[column, part], self.hit[column, part])

    @property
    def every(self) -> Losses:
        """Of all requests: each is in one part of every column."""
        return _losses(self.n[0].sum(), self.hit[0].sum())


def _losses(n: np.int64, hit: np.int64) -> Losses:
    return Losses(int(n), float(hit), float(hit))


def requests_of(
    connection: DuckDBPyConnection,
    model: Model,
    baseline: str | None,
    lattice: Grid,
    followed: Sequence[Followed],
) -> Mapping[str, tuple[RequestSegment, ...]]:
    """Return the segments in which requests fail or are slow by version, the most harmful first.

    Requests of which no followed column is known are left out: they say nothing of where.

    Args:
        connection: A cursor of this thread.
        model: Its versions, with their requests and latencies.
        baseline: Name of the baseline version.
        lattice: Range.
        followed: The columns of segments.
    """
    asked = {name: each for name, each in model.versions.items() if each.predictions}
    if not followed or not asked:
        return {}
    columns, names = [each.column for each in followed], [each.info for each in followed]
    before = model.versions.get(baseline or "")
    found: dict[str, list[RequestSegment]] = {name: [] for name in asked}
    limits = {name: (before or version).latency.p95 for name, version in asked.items()}
    rows = {
        name: _rows(connection, columns, model.name, name, lattice, one_in(version.predictions))
        for name, version in asked.items()
    }
    for trouble in ("failed", "slow"):
        counts = {name: _counted(rows[name], trouble, limits[name]) for name in asked}
        for name, mine in counts.items():
            other = counts.get(baseline or "") if name != baseline else None
            told = _Telling(trouble, names, limits[name], one_in(asked[name].predictions))
            found[name] += sorted(told.worse(mine, other), key=lambda each: -each.rest.excess)[:MOST]
    return {name: tuple(each) for name, each in found.items()}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Requests: their parts, from 0, of shape (columns, requests), whether they failed, and latencies, maybe NaN."""

    parts: NDArray[np.int64]
    failed: NDArray[np.bool_]
    latency: NDArray[np.float64]


def _rows(
    connection: DuckDBPyConnection,
    columns: Sequence[slices.Column],
    model: str,
    version: str,
    lattice: Grid,
    every: int,
) -> _Rows:
    rows = fetch(
        connection,
        f"""SELECT failed, COALESCE(latency_ms, CAST('NaN' AS DOUBLE)) AS latency
            {slices.Columns(tuple(columns)).select("p")}
        FROM predictions AS p
        WHERE model = $model AND version = $version AND ts >= $start AND ts < $end AND hash(rowid) % {every} = 0""",
        {"model": model, "version": version, "start": lattice.start, "end": lattice.end},
    )
    parts = np.array([rows[column.name] for column in columns], dtype=np.int64) - slices.ABSENT
    told = (parts != 0).any(axis=0)
    return _Rows(parts[:, told], rows["failed"][told].astype(bool), rows["latency"][told].astype(np.float64))


def _counted(rows: _Rows, trouble: Trouble, limit: float | None) -> _Counts:
    if trouble == "failed":
        inside, hit = np.ones(len(rows.failed), dtype=bool), rows.failed
    else:
        inside = np.isfinite(rows.latency)
        hit = rows.latency > (np.inf if limit is None else limit)
    return _Counts(
        np.array([np.bincount(part[inside], minlength=SIZE) for part in rows.parts]),
        np.array([np.bincount(part[inside & hit], minlength=SIZE) for part in rows.parts]),
    )


@dataclass(frozen=True, slots=True)
class _Telling:
    """What segments are told with."""

    trouble: Trouble
    names: Sequence[FeatureInfo]
    """Of the columns."""
    limit_ms: float | None
    every: int

    def worse(self, mine: _Counts, baseline: _Counts | None) -> Iterator[RequestSegment]:
        """Yield the segments in which requests are in trouble more often than the others, beyond chance."""
        everywhere = mine.every
        keys = [(int(column), int(part)) for column, part in np.argwhere(mine.n)]
        rest = together([contrast(own := mine.losses(*key), everywhere - own) for key in keys])
        change = together(
            [
                contrast(mine.losses(*key), baseline.losses(*key)) if baseline is not None else None
                for key in keys
            ]
        )
        for key, against_rest, against_baseline in zip(keys, rest, change, strict=True):
            if against_rest is not None and against_rest.worse and _matters(mine.losses(*key), against_rest):
                yield self._segment(key, mine, against_rest, against_baseline)

    def _segment(
        self, key: tuple[int, int], mine: _Counts, rest: Contrast, baseline: Contrast | None
    ) -> RequestSegment:
        info, part = self.names[key[0]], key[1] + slices.ABSENT
        own = mine.losses(*key)
        kind, bounds = part_kind(info, part)
        segment = Segment(info.name, part_name(info, part), own.n, 0, kind=kind, bounds=bounds)
        return RequestSegment(
            trouble=self.trouble,
            segment=segment,
            requests=own.n,
            count=int(own.total),
            share=own.total / mine.every.total,
            rest=replace(rest, excess=rest.excess * self.every),
            baseline=baseline,
            limit_ms=self.limit_ms if self.trouble == "slow" else None,
            every=self.every,
            named=_named(info) if kind == "others" else (),
        )


def _matters(own: Losses, rest: Contrast) -> bool:
    return own.mean >= TIMES * (own.mean - rest.difference)


def _named(info: FeatureInfo) -> tuple[str, ...]:
    return tuple(name for code, name in sorted(info.categories.items()) if code < slices.CATEGORIES)
