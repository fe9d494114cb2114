"""The sums of one range, and the same families window by window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING

from mlwatch.snapshot import estimated, families, feature_windows, features, text_drift
from mlwatch.snapshot.mix import answers_of, labels_of
from mlwatch.snapshot.outputs import OutputTables
from mlwatch.snapshot.read import Table, fetch, read
from mlwatch.snapshot.types import Task, Window
from mlwatch.store import rollups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.drift import Policy
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.reference import Reference
    from mlwatch.snapshot.span import Grid


WINDOW_BINS = 10
"""Score bins that are taken together where performance is estimated window by window: each keeps its mean score."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The sums of one range."""

    traffic: Table
    latency: Table
    features: Table
    outcomes: Table
    scores: Table
    decided: Table
    decided_over: Table
    """The same by window, in wider bins."""
    business: Table
    worth: Table
    """Over the whole range."""
    sampling: Table
    lags: Table
    minutes: Table
    """Requests by minute of the end of the range, and the busiest minute."""
    outputs: OutputTables
    """What only some logs hold."""
    has_events: bool

    @classmethod
    def read(cls, connection: DuckDBPyConnection, lattice: Grid) -> Tables:
        """Read the sums of a range; `number_pairs` was called."""
        row = connection.execute(
            "SELECT EXISTS (FROM events) OR (SELECT COALESCE(SUM(events), 0) > 0 FROM batches)"
        ).fetchone()
        return cls(
            read(connection, rollups.TRAFFIC, lattice),
            read(connection, rollups.LATENCY, lattice),
            read(connection, rollups.FEATURES, lattice),
            read(connection, rollups.OUTCOMES, lattice),
            read(connection, rollups.SCORES, lattice, whole=True),
            read(connection, rollups.DECIDED, lattice, whole=True),
            read(connection, rollups.DECIDED, lattice, together=WINDOW_BINS),
            read(connection, rollups.BUSINESS, lattice),
            read(connection, rollups.WORTH, lattice, whole=True),
            read(connection, rollups.SAMPLING, lattice),
            read(connection, rollups.LAGS, lattice, whole=True),
            busy_minutes(connection, lattice),
            OutputTables.read(connection, lattice),
            bool(row and row[0]),
        )

    def of(self, who: int) -> Tables:
        """Return one version's rows."""
        return Tables(
            self.traffic.of(who),
            self.latency.of(who),
            self.features.of(who),
            self.outcomes.of(who),
            self.scores.of(who),
            self.decided.of(who),
            self.decided_over.of(who),
            self.business.of(who),
            self.worth.of(who),
            self.sampling.of(who),
            self.lags.of(who),
            self.minutes.of(who),
            self.outputs.of(who),
            self.has_events,
        )


def busy_minutes(connection: DuckDBPyConnection, lattice: Grid) -> Table:
    """Read the requests of the last minutes of a range, and of its busiest one; `number_pairs` was called."""
    end = lattice.end.replace(second=0, microsecond=0)
    return fetch(
        connection,
        f"""SELECT who, SUM(n) FILTER (bucket >= $end - INTERVAL 1 MINUTE AND bucket < $end) AS last_minute,
            SUM(n) FILTER (bucket >= $end - INTERVAL 5 MINUTE AND bucket < $end) AS last_five, MAX(n) AS peak
        FROM (SELECT v.who, r.bucket, SUM(r.n) AS n
            FROM {rollups.TRAFFIC.table(rollups.MINUTE)} AS r JOIN who AS v USING (model, version)
            WHERE r.bucket >= $start - INTERVAL 5 MINUTE AND r.bucket < $end GROUP BY ALL) GROUP BY who""",
        {"start": lattice.start, "end": end},
    )


@dataclass(frozen=True, slots=True)
class Context:
    """What the versions of one model share."""

    task: Task
    positive: str | None
    currency: str | None
    infos: Mapping[int, features.FeatureInfo]
    reference: Reference | None
    expected: set[int]
    lattice: Grid
    score_span: tuple[float, float] | None
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

    def worth(self, outcomes: Table | None) -> Estimate | None:
        """Return the profit of a thousand labelled decisions; None where nothing says what they earn."""
        if not self.payoff or self.positive is None:
            return None
        return families.decisions(outcomes, self.payoff, self.positive)


def windows_of(tables: Tables, context: Context, drift: Sequence[float | None]) -> tuple[Window, ...]:
    """Return the families of one version in each window.

    Args:
        tables: Its rows.
        context: What the versions of the model share.
        drift: Its mean drift score in each window; empty for none.
    """
    traffic, bins = tables.traffic.windows(), tables.latency.windows()
    outcomes, gains = tables.outcomes.windows(), tables.business.windows()
    missing = feature_windows.missing_by_window(tables.features)
    expected = estimated.by_window(
        context.teacher, tables.decided_over, tables.features, context.lattice.count
    )
    windows = []
    for index in range(context.lattice.count):
        rows = traffic.get(index)
        labelled = outcomes.get(index)
        empty = tables.traffic.where(tables.traffic["w"] < 0) if rows is None else rows
        n = empty.whole("n")
        start = context.lattice.edge(index)
        windows.append(
            Window(
                start=start.replace(tzinfo=UTC),
                end=min(context.lattice.edge(index + 1), context.lattice.end).replace(tzinfo=UTC),
                predictions=n,
                labelled=labelled.whole("n") if labelled is not None else 0,
                performance=_window_performance(context, labelled),
                latency=families.latencies(bins.get(index), empty),
                errors=families.errors(empty),
                business=replace(
                    families.business(gains.get(index), n, seen=tables.has_events, currency=context.currency),
                    decisions=context.worth(labelled),
                ),
                missing_rate=missing.get(index),
                drift=drift[index] if drift else None,
                labels=labels_of(context.task, labelled, context.positive),
                answers=answers_of(context.task, labelled, context.positive),
                estimated=expected[index],
            )
        )
    return tuple(windows)


def _window_performance(context: Context, rows: Table | None) -> Mapping[str, Estimate]:
    if rows is None or context.task == "unknown":
        return {}
    if context.task == "regression":
        return families.regressed(rows)
    return families.window_performance(context.task, families.cells_of(rows), context.positive)
