"""The families of one version in each window of a range.

Only the newest windows change from snapshot to snapshot: what follows from the rows of a window alone is remembered by
these rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.snapshot import estimated, families, label_drift, text_drift
from mlwatch.snapshot.mix import answers_of, labels_of
from mlwatch.snapshot.outputs import maturity_over
from mlwatch.snapshot.read import Table
from mlwatch.snapshot.remembering import remembered
from mlwatch.snapshot.types import Business, Errors, Latency, Task, Window
from mlwatch.store import rollups
from mlwatch.store.rollup import QUARTER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlwatch.metrics.drift import Policy
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.metrics.outputs import Lags
    from mlwatch.metrics.winsor import Cut
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.reference import Reference
    from mlwatch.snapshot.span import Grid
    from mlwatch.snapshot.tables import Decided, Tables
    from mlwatch.snapshot.window_results import Spread, WindowResults
    from mlwatch.snapshot.winsorised import KindCuts
    from mlwatch.store.meanings import NoInputs

    Cells = tuple[tuple[object, ...], ...]
    """The rows of one window."""
    Bins = tuple[bytes, bytes]
    """Codes and counts of the histogram of one window."""

TRAFFIC = ("n", "failed", "client", "server", "n_latency")
BUSINESS = ("class", "n_events", "n_first", "value", "value_sq")


@dataclass(frozen=True, slots=True)
class Context:
    """What the versions of one model share."""

    task: Task
    positive: str | None
    cost_currency: str | None
    events: frozenset[str]
    """Classes of the events that any of their requests ever got: of another one, none is a gap and no 0 %."""
    currency: str | None
    kinds: tuple[str, ...]
    """Of engagement, of any of the versions."""
    lags: Lags | None
    """How fast conversions come, of all versions."""
    later_s: float
    """For so many seconds after the end of the range what comes of its requests was read."""
    infos: Mapping[int, FeatureInfo]
    reference: Reference | None
    expected: set[int]
    aside: NoInputs
    """Features that are no inputs."""
    lattice: Grid
    score_span: tuple[float, float] | None
    residual_edges: tuple[float, ...]
    """Of the histograms of a regression's residuals; empty without any."""
    target_ms: float
    """Of Apdex."""
    payoff: Mapping[str, float]
    """What one decision earns: `tp`, `fp`, `fn`, `tn`."""
    policy: Policy
    """When a difference counts as drift."""
    sigmas: float | None
    """How many standard deviations the reference may move by itself; None to leave that out."""
    texts: text_drift.Texts | None
    """What answers in words are compared with."""
    teacher: estimated.Teacher | None
    """What performance without labels is estimated from."""
    labels: label_drift.Labels | None
    """What labels are compared with."""

    @property
    def question(self) -> Question:
        """What is asked of the labelled rows of a window."""
        return Question(self.task, self.positive, tuple(sorted(self.payoff.items())))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of labelled rows."""

    task: Task
    positive: str | None
    payoff: tuple[tuple[str, float], ...]

    def worth(self, outcomes: Table | None) -> Estimate | None:
        """Return the profit of a thousand labelled decisions; None where nothing says what they earn."""
        if not self.payoff or self.positive is None:
            return None
        return families.decisions(outcomes, dict(self.payoff), self.positive)


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the labelled predictions of a window say."""

    n: int
    performance: Mapping[str, Estimate]
    labels: Estimate | None
    answers: Estimate | None
    decisions: Estimate | None


@dataclass(frozen=True, slots=True)
class OfFeatures:
    """What the features of a version say in each window."""

    missing: Sequence[float | None]
    """Rate of missing cells."""
    drift: Sequence[float | None]
    """Mean drift score; empty for none."""


def windows_of(
    tables: Tables,
    decided: Decided | None,
    context: Context,
    features: OfFeatures,
    cuts: Sequence[Cut | None],
    values: Sequence[KindCuts],
    results: WindowResults | None = None,
) -> tuple[Window, ...]:
    """Return the families of one version in each window.

    Args:
        tables: Its rows.
        decided: Its scores by decision; None where nothing is estimated from them.
        context: What the versions of the model share.
        features: What its features say in each window.
        cuts: Winsorised sums of what predictions brought in each window.
        values: And of what engagements measured.
        results: What its scores, ranks, amounts and texts say in each window.
    """
    lattice, question = context.lattice, context.question
    traffic, bins = _Traffic(tables.traffic, lattice.count), _bins(tables.latency)
    expected = lattice.held(
        estimated.by_window(
            context.teacher, decided, tables.features, lattice.count, tables.outputs.class_decided
        ),
        lattice.level(rollups.DECIDED),
    )
    names = tuple(name for name in tables.outcomes.columns if name not in {"w", "who"})
    outcomes, gains = _cells(tables.outcomes, names), _cells(tables.business, BUSINESS)
    mature = maturity_over(context.lags, tables.traffic, lattice, context.later_s)
    windows = []
    edges = [lattice.edge(index).replace(tzinfo=UTC) for index in range(lattice.count + 1)]
    end = lattice.end.replace(tzinfo=UTC)
    # that of a quarter of an hour says nothing of one minute of it, which may be far worse
    spreads = results.spreads if results and lattice.width_s % QUARTER == 0 else [None] * lattice.count
    for index in range(lattice.count):
        spread = spreads[index]
        labelled = _labelled(question, names, outcomes.get(index, ()), spread)
        n = traffic.counts["n"][index]
        gained = _business(
            *(gains.get(index, ()), n, context.events, context.currency, context.kinds),
            *(cuts[index], values[index]),
        )
        windows.append(
            Window(
                start=edges[index],
                end=min(edges[index + 1], end),
                predictions=n,
                labelled=labelled.n,
                performance={**labelled.performance, **(results.performance[index] if results else {})},
                latency=traffic.latency(index, bins.get(index), context.target_ms),
                errors=traffic.errors(index),
                business=gained
                if labelled.decisions is None
                else replace(gained, decisions=labelled.decisions),
                missing_rate=features.missing[index],
                drift=features.drift[index] if features.drift else None,
                labels=labelled.labels,
                answers=labelled.answers,
                estimated=expected[index],
                measures=results.measures[index] if results else {},
                text_drift=results.text_drift[index] if results else {},
                maturity=mature[index],
            )
        )
    return tuple(windows)


class _Traffic:
    """Traffic rows by window.

    Args:
        rows: Of one version.
        count: Number of windows.
    """

    def __init__(self, rows: Table, count: int) -> None:
        window = rows["w"]

        def total(name: str) -> list[float]:
            found: list[float] = np.bincount(window, weights=rows[name], minlength=count).tolist()
            return found

        self.counts = {name: [int(n) for n in total(name)] for name in TRAFFIC}
        self._latency = total("sum_latency")
        highest = np.full(count, -np.inf)
        np.maximum.at(highest, window, rows["max_latency"])
        self._highest: list[float] = highest.tolist()

    def errors(self, index: int) -> Errors:
        """Return the failed requests of a window."""
        return _errors(*(self.counts[name][index] for name in ("n", "failed", "client", "server")))

    def latency(self, index: int, bins: Bins | None, target_ms: float) -> Latency:
        """Return the latencies of a window."""
        n = self.counts["n_latency"][index]
        if bins is None or not n:
            return Latency()
        return _latency(bins, n, self._latency[index], self._highest[index], target_ms)


def _bins(rows: Table) -> dict[int, Bins]:
    """Return the histogram of each window that has any."""
    ordered, places = rows.parted()
    codes, counts = (ordered[name].astype(np.int64) for name in ("bin", "n"))
    return {window: (codes[place].tobytes(), counts[place].tobytes()) for window, place in places.items()}


def _cells(rows: Table, names: Sequence[str]) -> dict[int, Cells]:
    """Return the rows of each window that has any."""
    ordered, places = rows.parted()
    cells = tuple(zip(*(ordered[name].tolist() for name in names), strict=True))
    return {window: cells[place] for window, place in places.items()}


_errors = remembered(families.errors_of)


@remembered
def _latency(bins: Bins, n: int, total: float, highest: float, target_ms: float) -> Latency:
    histogram = (np.frombuffer(each, np.int64) for each in bins)
    return families.latency_of(*histogram, n=n, total=total, highest=highest, target_ms=target_ms)


@remembered
def _business(
    cells: Cells,
    predictions: int,
    seen: frozenset[str],
    currency: str | None,
    kinds: tuple[str, ...],
    cut: Cut | None,
    values: KindCuts,
) -> Business:
    return families.business(
        *(_table(BUSINESS, cells), predictions),
        seen=seen,
        currency=currency,
        kinds=kinds,
        cut=cut,
        values=values,
    )


@remembered
def _labelled(question: Question, names: tuple[str, ...], cells: Cells, spread: Spread | None) -> Labelled:
    rows = _table(names, cells)
    task, positive = question.task, question.positive
    return Labelled(
        rows.whole("n") if rows is not None else 0,
        _performance(question, rows, spread),
        labels_of(task, rows, positive),
        answers_of(task, rows, positive),
        question.worth(rows),
    )


def _table(names: Sequence[str], cells: Cells) -> Table | None:
    if not cells:
        return None
    columns = zip(*cells, strict=True)
    return Table(
        {
            name: np.array(column, dtype=object if isinstance(column[0], str) else None)
            for name, column in zip(names, columns, strict=True)
        }
    )


def _performance(question: Question, rows: Table | None, spread: Spread | None) -> Mapping[str, Estimate]:
    if rows is None or question.task == "unknown":
        return {}
    if question.task == "regression":
        return families.regressed(rows)
    sums = families.score_sums(rows, question.positive) if question.task == "binary" else None
    if sums is not None and spread is not None:
        sums = sums.with_spread(*spread)
    found = families.window_performance(question.task, families.cells_of(rows), question.positive, sums)
    return {**found, **families.untold(question.task, rows)}
