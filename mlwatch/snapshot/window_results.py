"""What scores, ranks and amounts say window by window: results are kept, not the thousand rows that they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import curves
from mlwatch.metrics.scores import ScoreHistogram
from mlwatch.snapshot import outputs
from mlwatch.snapshot.read import Table
from mlwatch.store import output_rollups, rollups

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.span import Grid
    from mlwatch.snapshot.tables import Tables
    from mlwatch.store.rollup import Rollup

    Results = Mapping[str, Estimate]
    _ByVersion = Mapping[int, Sequence[dict[str, Estimate]]]


@dataclass(frozen=True, slots=True)
class WindowResults:
    """The results of one version by window, to the quarter of an hour; an empty mapping where there are none."""

    performance: Sequence[Results]
    measures: Sequence[Results]


def window_results(
    reader: Reader, grid: Grid, tables: Tables, mine: Sequence[int], positive: str | None
) -> dict[int, WindowResults]:
    """Return the results of one model's versions.

    Args:
        reader: Of the snapshot.
        grid: Range and windows.
        tables: The sums of the range: what they lack has no windows either.
        mine: Numbers of the versions.
        positive: Positive class; None where the task is not binary.
    """
    performance, measures = _blank(grid, mine), _blank(grid, mine)
    had = tables.outputs

    def add(kept: _ByVersion, rollup: Rollup, made: _Each, keys: tuple[str, ...] | None = None) -> None:
        where = f"v.who IN ({', '.join(map(str, mine))})"
        rows = reader.by_window(rollup, grid, 1, where, keys, made)
        own: dict[int, list[Results]] = {who: [{}] * grid.count for who in mine}
        columns = (rows[name].tolist() for name in ("who", "w", "found"))
        for who, window, results in zip(*columns, strict=True):
            own[who][window] = results
        for who, over in own.items():
            for each, results in zip(kept[who], grid.held(over, grid.level(rollup)), strict=True):
                each.update(results)

    if positive is not None and len(tables.scores):
        add(performance, rollups.SCORES, _Each(_areas, (positive,)), ("label", "bin"))
    if len(had.class_scores):
        classes = len(set(had.class_scores["class"].tolist()))
        add(performance, output_rollups.CLASS_SCORES, _Each(outputs.one_vs_rest))
        add(performance, output_rollups.RANKS, _Each(outputs.places, (classes,)))
    if len(had.quantiles):
        add(performance, output_rollups.QUANTILES, _Each(outputs.pinball_of))
    if len(had.rankings):
        add(performance, output_rollups.RANKINGS, _Each(outputs.ranking_of))
    if len(had.measures):
        add(measures, output_rollups.MEASURES, _Each(_means))
    return {who: WindowResults(performance[who], measures[who]) for who in mine}


def _blank(grid: Grid, mine: Sequence[int]) -> dict[int, list[dict[str, Estimate]]]:
    return {who: [{} for _ in range(grid.count)] for who in mine}


@dataclass(frozen=True, slots=True)
class _Each:
    """Makes the results of each window and version; equal ones make the same, so that they name what is kept."""

    result: Callable[..., Results]
    """Of the rows of one, and what is given."""
    given: tuple[Hashable, ...] = ()

    def __call__(self, rows: Table) -> Table:
        """Return a row a window and version, with the results as `found`."""
        if not len(rows):
            return Table({"w": rows["w"], "who": rows["who"], "found": np.empty(0, dtype=object)})
        order = np.lexsort((rows["who"], rows["w"]))
        ordered = {name: column[order] for name, column in rows.columns.items()}
        window, who = ordered["w"], ordered["who"]
        starts = np.flatnonzero(np.r_[True, (window[1:] != window[:-1]) | (who[1:] != who[:-1])])
        found = np.empty(len(starts), dtype=object)
        for at, (a, b) in enumerate(zip(starts, [*starts[1:], len(who)], strict=True)):
            part = Table({name: column[a:b] for name, column in ordered.items()})
            found[at] = self.result(part, *self.given)
        return Table({"w": window[starts], "who": who[starts], "found": found})


def _areas(rows: Table, positive: str) -> Results:
    histogram = ScoreHistogram.from_rows(rows["label"] == positive, rows["bin"], rows["n"], rows["sum_score"])
    return {"roc_auc": curves.roc_auc(histogram), "pr_auc": curves.average_precision(histogram)}


def _means(rows: Table) -> Results:
    return {name: measure.mean for name, measure in outputs.measures_of(rows).items()}
