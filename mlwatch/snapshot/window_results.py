"""What scores, ranks and amounts say window by window: results are kept, not the thousand rows that they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlwatch.metrics import curves
from mlwatch.metrics.performance import loss_spread
from mlwatch.metrics.scores import ScoreHistogram
from mlwatch.snapshot import outputs
from mlwatch.snapshot.read import Table
from mlwatch.snapshot.text_drift import drifts_of
from mlwatch.store import output_rollups, rollups

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from mlwatch.metrics.drift import Policy
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.span import Grid
    from mlwatch.snapshot.tables import Tables
    from mlwatch.snapshot.text_drift import Texts
    from mlwatch.snapshot.windows import Context
    from mlwatch.store.rollup import Rollup

    Results = Mapping[str, Any]
    """Estimates, or scores of drift."""
    Spread = tuple[float, float]
    _Asked = tuple[str, Rollup, "_Each", tuple[str, ...] | None]

SPREAD = "spread"
"""What stands beside the areas under curves, and is none of the metrics."""


@dataclass(frozen=True, slots=True)
class WindowResults:
    """The results of one version by window, to the quarter of an hour; an empty mapping where there are none."""

    performance: Sequence[Mapping[str, Estimate]]
    measures: Sequence[Mapping[str, Estimate]]
    text_drift: Sequence[Mapping[str, float]]
    spreads: Sequence[Spread | None]
    """Of the losses of a binary model's scores; see `performance.loss_spread`."""


def window_results(
    reader: Reader, tables: Tables, mine: Sequence[int], context: Context
) -> dict[int, WindowResults]:
    """Return the results of one model's versions.

    Args:
        reader: Of the snapshot.
        tables: The sums of the range: what they lack has no windows either.
        mine: Numbers of the versions.
        context: What the versions share.
    """
    grid = context.lattice
    kept = {part: _blank(grid, mine) for part in ("performance", "measures", "text_drift")}
    where = f"v.who IN ({', '.join(map(str, mine))})"
    for part, rollup, made, keys in _asked(tables, context):
        rows = reader.by_window(rollup, grid, 1, where, keys, made)
        own: dict[int, list[Results]] = {who: [{}] * grid.count for who in mine}
        columns = (rows[name].tolist() for name in ("who", "w", "found"))
        for who, window, results in zip(*columns, strict=True):
            own[who][window] = results
        for who, over in own.items():
            for each, results in zip(kept[part][who], grid.held(over, grid.level(rollup)), strict=True):
                each.update(results)
    spreads = {who: [each.pop(SPREAD, None) for each in kept["performance"][who]] for who in mine}
    return {
        who: WindowResults(**{part: over[who] for part, over in kept.items()}, spreads=spreads[who])
        for who in mine
    }


def _asked(tables: Tables, context: Context) -> Iterator[_Asked]:
    """Yield which part of the results is made of which rollup, how, and of which of its keys (None for all)."""
    had = tables.outputs
    if context.positive is not None and len(tables.scores):
        yield "performance", rollups.SCORES, _Each(_areas, (context.positive,)), ("label", "bin")
    if len(had.class_scores):
        classes = len(set(had.class_scores["class"].tolist()))
        yield "performance", output_rollups.CLASS_SCORES, _Each(outputs.one_vs_rest), None
        yield "performance", output_rollups.RANKS, _Each(outputs.places, (classes,)), None
    if len(had.quantiles):
        yield "performance", output_rollups.QUANTILES, _Each(outputs.pinball_of), None
    if len(had.rankings):
        yield "performance", output_rollups.RANKINGS, _Each(outputs.ranking_of), None
    if len(had.measures):
        yield "measures", output_rollups.MEASURES, _Each(_means), None
        if context.texts is not None:
            yield "text_drift", output_rollups.MEASURES, _Each(_moves, (context.texts, context.policy)), None


def _blank(grid: Grid, mine: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
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
    areas = {"roc_auc": curves.roc_auc(histogram), "pr_auc": curves.average_precision(histogram)}
    return {**areas, SPREAD: loss_spread(histogram)}


def _means(rows: Table) -> Results:
    return {name: measure.mean for name, measure in outputs.measures_of(rows).items()}


def _moves(rows: Table, texts: Texts, policy: Policy) -> Results:
    drifts = drifts_of(texts, rows, policy)
    return {name: drift.told for name, drift in drifts.items() if drift.told is not None}
