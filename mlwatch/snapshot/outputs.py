"""What only some logs hold: class probabilities, quantiles, rankings, tokens, texts, kinds of errors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import intervals, outputs, performance
from mlwatch.metrics.estimate import Estimate, undefined
from mlwatch.metrics.outputs import Measure, RankingSums
from mlwatch.metrics.scores import ScoreHistogram
from mlwatch.snapshot.output_types import Outputs
from mlwatch.snapshot.read import Table
from mlwatch.snapshot.reader import ALL_TIME
from mlwatch.store import output_rollups as rollups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.span import Grid
    from mlwatch.store.rollup import Rollup

SHARES = frozenset({"empty", "refusal"})
"""Measures that are 0 or 1 for each request."""
RESIDUAL_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
AGES_S = {"1h": 3600, "6h": 6 * 3600, "1d": 86400, "7d": 7 * 86400, "older": None}


@dataclass(frozen=True, slots=True)
class OutputTables:
    """The sums of one range."""

    measures: Table
    kinds: Table
    class_scores: Table
    class_decided: Table
    ranks: Table
    quantiles: Table
    residuals: Table
    rankings: Table

    @classmethod
    def read(cls, reader: Reader, lattice: Grid) -> OutputTables:
        """Read the sums of a range; `number_pairs` was called."""
        tables = {each.name: getattr(rollups, each.name.upper()) for each in fields(cls)}
        full = reader.value("outputs", rollups.OUTPUTS, ALL_TIME, partial(_filled, reader.connection, tables))
        return cls(
            **{
                name: reader.once(each, lattice) if name in full else empty(each)
                for name, each in tables.items()
            }
        )

    def of(self, who: int) -> OutputTables:
        """Return one version's rows."""
        return OutputTables(**{each.name: getattr(self, each.name).of(who) for each in fields(self)})


def _filled(connection: DuckDBPyConnection, tables: Mapping[str, Rollup]) -> frozenset[str]:
    """Return which rollups hold anything at all."""
    some = (
        f"SELECT '{name}' FROM (FROM {each.table(each.levels[-1])} LIMIT 1)" for name, each in tables.items()
    )
    return frozenset(name for (name,) in connection.execute(" UNION ALL ".join(some)).fetchall())


def empty(rollup: Rollup) -> Table:
    """Return no rows of a rollup."""
    texts = {name: np.array([], dtype=object) for name, kind in rollup.keys.items() if kind == "VARCHAR"}
    numbers = {name: np.array([], dtype=float) for name in ("w", "who", *rollup.keys, *rollup.measures)}
    return Table({**numbers, **texts})


MOST_KINDS = 50
MOST_NAMED = 6


def of_range(tables: OutputTables, currency: str | None = None) -> Outputs:
    """Return what a version gave and took over the range; `currency` is what it costs are in."""
    kinds = sorted(zip(tables.kinds["kind"], tables.kinds["n"], strict=True), key=lambda each: -int(each[1]))
    rows = tables.residuals
    sides, bins, counts = (rows[name].astype(int).tolist() for name in ("side", "bin", "n"))
    residuals = {
        f"p{round(100 * q):02d}": value
        for q in RESIDUAL_QUANTILES
        if (value := outputs.quantile_of_signed(sides, bins, counts, q)) is not None
    }
    named = {str(kind): int(n) for kind, n in kinds[:MOST_KINDS]}
    return Outputs(measures_of(tables.measures), named, residuals, currency)


def measures_of(rows: Table) -> dict[str, Measure]:
    """Return what requests took and gave, by name."""
    names = np.unique(rows["measure"])
    return {str(name): _measure(rows, str(name)) for name in names if name != rollups.VOCABULARY}


def _measure(rows: Table, name: str) -> Measure:
    mine = rows.where(rows["measure"] == name)
    return outputs.measure(mine["bin"], mine["n"], mine["total"], mine["total_sq"], share=name in SHARES)


def performance_of(tables: OutputTables, found: Mapping[str, Estimate]) -> Mapping[str, Estimate]:
    """Return a version's performance with what further outputs tell of it."""
    more: dict[str, Estimate] = {}
    if len(tables.class_scores):
        classes = len(set(tables.class_scores["class"].tolist()))
        more.update(one_vs_rest(tables.class_scores))
        more.update(places(tables.ranks, classes))
        if strangers := _without_probability(tables.class_scores, tables.ranks.whole("n")):
            more = {name: undefined(strangers, each.n) for name, each in more.items()}
    if len(tables.quantiles):
        more.update(pinball_of(tables.quantiles))
    if len(tables.rankings):
        more.update(ranking_of(tables.rankings))
    return {**found, **more}


def one_vs_rest(rows: Table) -> dict[str, Estimate]:
    """Return `roc_auc` of the labelled probabilities of each class."""
    return {"roc_auc": performance.one_vs_rest_auc(class_histograms(rows))}


def places(rows: Table, classes: int) -> dict[str, Estimate]:
    """Return `log_loss` and the top-k accuracies.

    Args:
        rows: Labelled predictions by the place of the true class.
        classes: How many there are.
    """
    ranks = {int(rank): int(n) for rank, n in zip(rows["rank"], rows["n"], strict=True)}
    n, loss, square = sum(ranks.values()), rows.sum("loss"), rows.sum("loss_sq")
    return {
        "log_loss": intervals.mean(n, loss, square, outputs.NO_LABELS, lowest=0.0),
        **outputs.top_k(ranks, classes),
    }


def pinball_of(rows: Table) -> dict[str, Estimate]:
    """Return the losses of predicted quantiles."""
    names = ("level", "n", "loss", "loss_sq", "n_sides", "under", "over")
    columns = zip(*(np.nan_to_num(rows[name]).tolist() for name in names), strict=True)
    return outputs.pinball({
        level: outputs.QuantileSums(int(n), loss, square, *map(int, sides))
        for level, n, loss, square, *sides in columns
    })  # fmt: skip


def ranking_of(rows: Table) -> dict[str, Estimate]:
    """Return how well rankings are ordered."""
    sums = RankingSums(
        n=rows.whole("n"),
        n_relevant=rows.whole("n_relevant"),
        ndcg=rows.sum("ndcg"),
        ndcg_sq=rows.sum("ndcg_sq"),
        reciprocal=rows.sum("reciprocal"),
        reciprocal_sq=rows.sum("reciprocal_sq"),
        hits=rows.whole("hits"),
    )
    return outputs.ranking(sums)


def _without_probability(rows: Table, placed: int) -> str:
    """Return what is wrong where labels are none of the classes that have probabilities.

    Args:
        rows: Labelled probabilities by class.
        placed: Labelled predictions whose class has one.
    """
    classes = np.unique(rows["class"])
    most = max(rows.where(rows["class"] == name).whole("n") for name in classes)
    if placed >= most:
        return ""
    listed = ", ".join(map(str, classes[:MOST_NAMED])) + (" …" if len(classes) > MOST_NAMED else "")
    return f"{most - placed:,} of {most:,} labels are none of the classes that have a probability: {listed}"


def class_histograms(rows: Table) -> dict[str, ScoreHistogram]:
    """Return each class's histogram of scores, one against the rest."""
    found = {}
    for name in sorted(set(rows["class"].tolist())):
        mine = rows.where(rows["class"] == name)
        found[str(name)] = ScoreHistogram.from_rows(
            mine["hit"] == 1, mine["bin"], mine["n"], mine["sum_score"]
        )
    return found


def label_coverage(traffic: Table, outcomes: Table, lattice: Grid) -> dict[str, Estimate]:
    """Return the share of predictions with a label by their age at the end of the range, window by window's start.

    Args:
        traffic: Traffic rows by window.
        outcomes: Outcome rows by window.
        lattice: Range and windows.
    """
    found: dict[str, Estimate] = {}
    youngest = 0
    for name, oldest in AGES_S.items():
        shares = []
        for rows, column in ((traffic, "n"), (traffic, "failed"), (outcomes, "n")):
            age = (rows["w"] - lattice.count) * -lattice.width_s - lattice.width_s / 2
            inside = (age >= youngest) & ((age < oldest) if oldest is not None else (age >= youngest))
            shares.append(int(rows[column][inside].sum()))
        predictions, failed, labelled = shares
        asked = predictions - failed
        found[name] = (
            intervals.proportion(min(labelled, asked), asked, "")
            if asked > 0
            else undefined("no predictions of that age")
        )
        youngest = oldest or youngest
    return found


def maturity(lags: outputs.Lags | None, traffic: Table, lattice: Grid, later_s: float) -> float | None:
    """Return which share of its conversions a version has had the time for; see `metrics.outputs.maturity`."""
    if lags is None:
        return None
    return outputs.maturity(*_ages(traffic, lattice, later_s), traffic["n"], lags)


def maturity_over(
    lags: outputs.Lags | None, traffic: Table, lattice: Grid, later_s: float
) -> list[float | None]:
    """Return which share of its conversions each window of a version has had the time for; None without traffic."""
    if lags is None:
        return [None] * lattice.count
    reached = outputs.reached_between(*_ages(traffic, lattice, later_s), lags)
    counts, had_time = (
        np.bincount(traffic["w"], weights=weights, minlength=lattice.count).tolist()
        for weights in (traffic["n"], traffic["n"] * reached)
    )
    return [min(1.0, had / n) if n else None for n, had in zip(counts, had_time, strict=True)]


def _ages(traffic: Table, lattice: Grid, later_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ages of the youngest and the oldest prediction of each row, so long after the end of the range."""
    youngest, oldest = (
        later_s + np.maximum(0.0, (traffic[name] - np.datetime64(lattice.end)) / np.timedelta64(-1, "s"))
        for name in ("last_ts", "first_ts")
    )
    return youngest, oldest
