"""What the logs hold to judge a rollout by, and what is frozen from the baseline's week before the candidate came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import latency
from mlwatch.snapshot import undecided
from mlwatch.snapshot.rollout_caps import REFERENCE_SPAN, of_past
from mlwatch.snapshot.rollout_positives import positive_sums, share_of_positives
from mlwatch.store import rollups

if TYPE_CHECKING:
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.rollout_pairing import Pairing
    from mlwatch.store.rollup import Rollup

LATENCIES = {"latency_p50": 0.5, "latency_p90": 0.9, "latency_p95": 0.95, "latency_p99": 0.99}
CLASS_TASKS = frozenset({"binary", "multiclass"})
OF_CLASSES = frozenset({"accuracy", "recall", "precision"})
UNDECIDED = "SUM(CASE WHEN prediction IS NULL THEN n ELSE 0 END) AS undecided, SUM(n_wild) AS n_wild"
"""Labelled predictions without a class, and those whose score is no probability."""
USUAL = 30
"""Labels, positive ones, or events of a class, in that week from which more of them are waited for."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What the baseline's week before the candidate had."""

    metrics: frozenset[str]
    positives: float | None
    """Share of positives among its labels; None where there were too few."""
    earned: bool
    """Whether any request brought money; events may carry amounts of 0 alone."""


def usual(reader: Reader, pairing: Pairing) -> Usual:
    """Return what the baseline's week before the candidate had.

    Labels and events that come late are none at first, and a promotion has to wait for them.

    Args:
        reader: Of the snapshot.
        pairing: The versions and the time.
    """
    end = pairing.frozen
    begin = end - REFERENCE_SPAN

    def past(rollup: Rollup, columns: str, having: str = "TRUE", **more: object) -> Table:
        return of_past(
            reader, rollup, columns, (pairing.model, pairing.baseline), (begin, end), having, **more
        )

    def compute() -> Usual:
        sums = f"SUM(n) AS n, {UNDECIDED}, SUM(n_number) AS n_number, {positive_sums('n')}"
        outcomes = past(rollups.OUTCOMES, sums, f"SUM(n) >= {USUAL}", positive=pairing.positive)
        gains = past(rollups.BUSINESS, "class, SUM(n_first) AS n_first, SUM(value_sq) AS value_sq")
        logged = logged_metrics(
            pairing.task,
            past(rollups.TRAFFIC, "SUM(n_latency) AS n_latency", f"SUM(n_latency) >= {USUAL}"),
            outcomes,
            gains.where(gains["n_first"] >= USUAL),
            USUAL,
        )
        return Usual(logged, share_of_positives(outcomes), has_money(gains))

    sources = (rollups.TRAFFIC, rollups.OUTCOMES, rollups.BUSINESS)
    return reader.value(("usual", pairing.judged, pairing.baseline, end), sources, (begin, end), compute)


def logged_metrics(
    task: str, traffic: Table, outcomes: Table, gains: Table, fewest: int = 1
) -> frozenset[str]:
    """Return the metrics that there are data for.

    Args:
        task: Of the model.
        traffic: Its sums.
        outcomes: Of labelled predictions.
        gains: Of events by class.
        fewest: Predictions of the positive class, by the label or by the answer, that it takes.
    """
    has = {"error_rate"}
    if traffic.whole("n_latency"):
        has |= {"latency_mean", *LATENCIES}
    decided = task in CLASS_TASKS and not why_undecided(outcomes)
    if decided and outcomes.whole("n"):
        has.add("accuracy")
    if decided and task == "binary":
        counted = {"recall": "n_positive", "precision": "n_said"}
        has |= {name for name, column in counted.items() if outcomes.whole(column) >= fewest}
    if outcomes.whole("n_number"):
        has |= {"mae", "mse"}
    classes = set(gains["class"].tolist())
    has |= classes & {"conversion", "engagement"}
    return frozenset(has | ({"revenue"} if "net" in classes else set()))


def has_money(gains: Table) -> bool:
    """Tell whether any request brought money, by sums of what requests brought by class."""
    return bool(np.any(gains["value_sq"][gains["class"] == "net"] > 0))


def why_undecided(outcomes: Table) -> str:
    """Say why too many labelled predictions have no class; empty where they have one."""
    without = outcomes.whole("undecided")
    if not undecided.is_most(without, n := outcomes.whole("n")):
        return ""
    return undecided.said(without, n, outcomes.whole("n_wild"))


def frozen_quantile(reader: Reader, pairing: Pairing, quantile: float, fewest: int) -> float | None:
    """Return the baseline's latency quantile of the last week before the hour in which the candidate appeared.

    Args:
        reader: Of the snapshot.
        pairing: The baseline and the start of the rollout.
        quantile: Which, between 0 and 1.
        fewest: Latencies that it takes.

    Returns:
        Milliseconds; None where there were too few.
    """
    end = pairing.frozen
    begin = end - REFERENCE_SPAN

    def compute() -> float | None:
        pair = pairing.model, pairing.baseline
        table = of_past(reader, rollups.LATENCY, "bin, SUM(n) AS n", pair, (begin, end))
        if not len(table) or table.whole("n") < fewest:
            return None
        histogram = latency.LatencyHistogram.from_rows(table["bin"], table["n"])
        return float(latency.quantiles(histogram.bins, histogram.counts, [quantile])[0])

    key = ("frozen", pairing.model, pairing.baseline, end, quantile, fewest)
    return reader.value(key, [rollups.LATENCY], (begin, end), compute)
