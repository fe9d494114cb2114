"""When a version's performance fell within the range, and which segments carry the fall."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from mlwatch.metrics import attribution
from mlwatch.metrics.segments import Losses
from mlwatch.snapshot.read import between, fetch
from mlwatch.snapshot.segments import part_name
from mlwatch.snapshot.span import floor
from mlwatch.store import rollups
from mlwatch.store.rollup import bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.span import Grid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST = 10
"""Segments that are told."""


@dataclass(frozen=True, slots=True)
class CarriedBy:
    """A segment that carries a part of a fall."""

    column: str
    value: str
    n_before: int
    n_after: int
    before: float | None
    """Its mean loss; None without labelled predictions."""
    after: float | None
    rate: float
    """Its part of the change, by its own loss having risen."""
    mix: float
    """Its part of the change, by its share of the traffic having changed."""
    share: float
    """Both together, as a share of the whole change."""


def told(column: str, value: str, each: attribution.Carried, change: float) -> CarriedBy:
    """Return what a segment carries of a change of the mean loss."""
    before, after = (side.mean if side.n else None for side in (each.before, each.after))
    sizes = each.before.n, each.after.n
    return CarriedBy(column, value, *sizes, before, after, each.rate, each.mix, each.total / change)


@dataclass(frozen=True, slots=True)
class Fall:
    """A change for the worse, at one moment of the range."""

    at: datetime
    before: float
    """Mean loss before: the share of wrong answers, or the mean absolute error of a regression."""
    after: float
    n_before: int
    n_after: int
    carried: tuple[CarriedBy, ...] = ()
    """Segments whose loss rose beyond chance and more than elsewhere, first what carries most beyond its share of the
    traffic."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fall as it stands in the document."""
        return {**asdict(self), "at": self.at.isoformat().replace("+00:00", "Z")}


def falls_of(
    connection: DuckDBPyConnection,
    versions: Mapping[str, int],
    lattice: Grid,
    infos: Mapping[int, FeatureInfo],
    *,
    numeric: bool,
) -> dict[str, Fall]:
    """Return the fall of each version that has one.

    Args:
        connection: Where `number_pairs` was called.
        versions: Numbers of the versions.
        lattice: Range; falls are looked for at the edges of the rollup's buckets.
        infos: Features by number.
        numeric: Whether the task is a regression.
    """
    rows = _read(connection, lattice, numeric=numeric)
    found = {}
    for name, who in versions.items():
        fall = _fall(rows.of(who), infos, numeric=numeric)
        if fall is not None:
            found[name] = fall
    return found


def _read(connection: DuckDBPyConnection, lattice: Grid, *, numeric: bool) -> Table:
    """Sum losses by bucket, version, feature and part."""
    level = lattice.level(rollups.SEGMENTS)
    wrong = "SUM(CASE WHEN r.label <> r.prediction THEN r.n ELSE 0 END)"
    measures = (
        "SUM(r.n_number) AS n, SUM(r.sum_abs) AS total, SUM(r.sum_sq) AS squares"
        if numeric
        else f"SUM(r.n) AS n, {wrong} AS total, {wrong} AS squares"
    )
    relation, times = between(rollups.SEGMENTS, level, floor(lattice.start, level), lattice.end)
    return fetch(
        connection,
        f"""SELECT v.who, epoch_us({bucket(level, "r.bucket")}) AS at, r.feature, r.part, {measures}
        FROM {relation} AS r JOIN who AS v ON v.model = r.model AND v.version = r.version
        WHERE r.feature >= 0 AND r.prediction IS NOT NULL GROUP BY ALL""",
        times,
    )


def _fall(rows: Table, infos: Mapping[int, FeatureInfo], *, numeric: bool) -> Fall | None:
    features = [int(feature) for feature in np.unique(rows["feature"]) if int(feature) in infos]
    if not features:
        return None
    whole = rows.where(rows["feature"] == features[0])  # the parts of any one feature are all predictions
    times, step = np.unique(whole["at"], return_inverse=True)
    series = [
        np.bincount(step, weights=whole[name], minlength=len(times)) for name in ("n", "total", "squares")
    ]
    split = attribution.fall(*series)
    if split is None:
        return None
    at = int(times[split])
    (n_before, n_after), (before, after) = ((each[:split].sum(), each[split:].sum()) for each in series[:2])
    moment = EPOCH + timedelta(microseconds=at)
    fall = Fall(moment, float(before / n_before), float(after / n_after), int(n_before), int(n_after))
    return replace(fall, carried=_carried(rows, at, features, infos, fall, numeric=numeric))


def _carried(
    rows: Table, at: int, features: list[int], infos: Mapping[int, FeatureInfo], fall: Fall, *, numeric: bool
) -> tuple[CarriedBy, ...]:
    change = fall.after - fall.before
    every: list[tuple[int, int, attribution.Carried]] = []
    for feature in features:
        mine = rows.where(rows["feature"] == feature)
        early, late = (
            _losses(mine.where(chosen), numeric=numeric) for chosen in (mine["at"] < at, mine["at"] >= at)
        )
        every += [(feature, part, each) for part, each in attribution.attribute(early, late).items()]
    sure = attribution.sure([each for *_, each in every])
    found = [one for one, is_sure in zip(every, sure, strict=True) if is_sure]
    return tuple(
        told(infos[feature].name, part_name(infos[feature], part), each, change)
        for feature, part, each in sorted(found, key=lambda one: -one[2].beyond)[:MOST]
    )


def _losses(rows: Table, *, numeric: bool) -> dict[int, Losses]:
    parts, row = np.unique(rows["part"], return_inverse=True)
    sums = [np.bincount(row, weights=rows[name], minlength=len(parts)) for name in ("n", "total", "squares")]
    return {
        int(part): Losses(int(n), float(total), float(squares), proportion=not numeric)
        for part, n, total, squares in zip(parts, *sums, strict=True)
        if n
    }
