"""The worst combinations of two segments, from the labelled records that are kept: all of them, or an even sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.segment_pairs import cell_sums, search
from mlwatch.snapshot.followed import SIZE, one_in
from mlwatch.snapshot.read import fetch
from mlwatch.snapshot.segments import part_name
from mlwatch.store import slices
from mlwatch.store.outcomes import CURRENT_LABEL, label_joins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.metrics.segment_pairs import Cell
    from mlwatch.metrics.segments import Contrast
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.followed import Followed
    from mlwatch.snapshot.segments import Segment
    from mlwatch.snapshot.span import Grid
    from mlwatch.snapshot.types import Model, Version

MOST = 12
"""Combinations that are told of a version."""
LARGEST = "1e150"
"""Losses beyond are left out: their squares cannot be summed."""


@dataclass(frozen=True, slots=True)
class SegmentPair:
    """One version's predictions that are in two segments at once, and do worse there than either explains."""

    parts: tuple[Segment, Segment]
    """Of different columns."""
    labelled: int
    """Labelled predictions in it that were looked at."""
    looked_at: int
    """Labelled predictions of the version that were looked at."""
    loss: float
    """Their mean loss: the share of wrong answers, or the mean absolute error of a regression."""
    rest: Contrast | None = None
    """Against this version's other predictions; None where it does not do worse than they."""
    baseline: Contrast | None = None
    """Against the baseline version in the same combination; None where it does not do worse."""
    every: int = 1
    """One in so many records was looked at; extra errors are those of all."""

    @property
    def name(self) -> str:
        """Both segments in words."""
        return " and ".join(f"{each.column} {each.value}" for each in self.parts)

    @property
    def excess(self) -> float:
        """Extra errors, by the comparison that finds more of them."""
        return max(each.excess for each in (self.rest, self.baseline) if each is not None)

    @property
    def share(self) -> float:
        """Share of the version's labelled predictions."""
        return self.labelled / self.looked_at


def pairs_of(
    connection: DuckDBPyConnection,
    model: Model,
    baseline: str | None,
    lattice: Grid,
    followed: Sequence[Followed],
) -> Mapping[str, tuple[SegmentPair, ...]]:
    """Return the worst combinations of two segments by version, the most harmful first.

    Args:
        connection: Where `number_pairs` was called.
        model: With the segments of its versions.
        baseline: Name of the baseline version.
        lattice: Range.
        followed: The columns of segments.
    """
    steps = {name: one_in(each.labelled) for name, each in model.versions.items() if each.segments}
    if not steps or model.task == "unknown" or len(followed) < 2:
        return {}
    columns = [each.column for each in followed]
    numeric = model.task == "regression"
    read = partial(_sums, connection, columns, model.name, lattice, numeric=numeric)
    sums = {name: read(name, every) for name, every in steps.items()}
    names = [each.info for each in followed]
    found = {}
    for name, every in steps.items():
        told = _Telling(model.versions[name], names, int(sums[name][0, 0].sum()), every)
        look = partial(search, len(columns), sums[name], proportion=not numeric)
        before = sums.get(baseline or "") if name != baseline else None
        found[name] = told.worst(look(None), look(before) if before is not None else [])
    return found


def _sums(
    connection: DuckDBPyConnection,
    columns: Sequence[slices.Column],
    model: str,
    lattice: Grid,
    version: str,
    every: int,
    *,
    numeric: bool,
) -> NDArray[np.float64]:
    """Sum losses by cell over one labelled record of a version in so many; see `cell_sums`."""
    value, label = (f"TRY_CAST({each} AS DOUBLE)" for each in ("prediction", "label"))
    loss = f"ABS({value} - {label})" if numeric else "CAST(prediction <> label AS DOUBLE)"
    rows = fetch(
        connection,
        f"""SELECT {loss} AS loss, * EXCLUDE (prediction, label) FROM (
            SELECT p.prediction, COALESCE({CURRENT_LABEL}, p.label) AS label
                {slices.Columns(tuple(columns)).select("p")}
            FROM (
                SELECT *, rowid AS place FROM predictions
                WHERE model = $model AND version = $version AND ts >= $start AND ts < $end AND NOT failed
            ) AS p {label_joins("p", "p.model")}
            WHERE hash(p.place) % {every} = 0)
        WHERE label IS NOT NULL AND {loss} < {LARGEST}""",
        {"model": model, "version": version, "start": lattice.start, "end": lattice.end},
    )
    parts = np.array([rows[column.name] for column in columns], dtype=np.int64) - slices.ABSENT
    return cell_sums(parts, rows["loss"].astype(float), SIZE)


@dataclass(frozen=True, slots=True)
class _Telling:
    """What cells are told with."""

    version: Version
    names: Sequence[FeatureInfo]
    """Of the columns."""
    looked_at: int
    every: int

    def worst(self, rest: Sequence[Cell], baseline: Sequence[Cell]) -> tuple[SegmentPair, ...]:
        """Return the cells that do worse by either comparison."""
        segments = {(each.column, each.value): each for each in self.version.segments}
        found: dict[tuple[tuple[int, int], tuple[int, int]], SegmentPair] = {}
        for cell, of_baseline in (*((each, False) for each in rest), *((each, True) for each in baseline)):
            key = (cell.columns, cell.parts)
            pair = found.get(key) or self._pair(cell, segments)
            if pair is not None:
                more = replace(cell.found, excess=cell.found.excess * self.every)
                found[key] = replace(pair, baseline=more) if of_baseline else replace(pair, rest=more)
        return tuple(sorted(found.values(), key=lambda pair: -pair.excess)[:MOST])

    def _pair(self, cell: Cell, segments: Mapping[tuple[str, str], Segment]) -> SegmentPair | None:
        named = (self.names[column] for column in cell.columns)
        sides = [
            segments.get((info.name, part_name(info, part + slices.ABSENT)))
            for info, part in zip(named, cell.parts, strict=True)
        ]
        one, other = sides
        if one is None or other is None:
            return None
        losses = cell.losses
        return SegmentPair((one, other), losses.n, self.looked_at, losses.mean, every=self.every)
