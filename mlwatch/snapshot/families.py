"""The four families of metrics from rollup tables; each function takes one version's rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import business as money
from mlwatch.metrics import intervals, latency, performance, regression
from mlwatch.metrics.confusion import Confusion
from mlwatch.metrics.estimate import undefined
from mlwatch.metrics.regression import RegressionSums
from mlwatch.metrics.scores import ScoreHistogram
from mlwatch.snapshot import undecided
from mlwatch.snapshot.remembering import remembered
from mlwatch.snapshot.types import Business, ConfusionTable, Engagement, Errors, LabelLag, Latency, Revenue
from mlwatch.store.event_kinds import KIND, VALUE
from mlwatch.store.event_oddities import EARLY, REPEATED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.metrics.winsor import Cut
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.winsorised import KindCuts

QUANTILE_NAMES = ("p50", "p90", "p95", "p99", "p999")
QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
LAG_QUANTILES = (0.5, 0.9, 0.99)
OTHER = ""
"""Stands for a class that is not the positive one."""
EARNING = frozenset({"conversion", "gross", "refund"})
"""Classes of events of which a model has to have had one, so that revenue of 0 is a number and not a gap."""


def latencies(bins: Table | None, traffic: Table, target_ms: float | None = None) -> Latency:
    """Return latency from histogram rows and the exact sums of the traffic rows.

    Args:
        bins: Histogram rows; None for none.
        traffic: Traffic rows.
        target_ms: Target of Apdex in milliseconds; None leaves that and the intervals of quantiles out.
    """
    n = traffic.whole("n_latency")
    if bins is None or n == 0 or len(bins) == 0:
        return Latency()
    return latency_of(
        bins["bin"],
        bins["n"],
        n=n,
        total=traffic.sum("sum_latency"),
        highest=float(traffic["max_latency"].max()),
        target_ms=target_ms,
        bounded=target_ms is not None,
    )


def latency_of(
    bins: NDArray[np.int64],
    counts: NDArray[np.int64],
    *,
    n: int,
    total: float,
    highest: float,
    target_ms: float | None = None,
    bounded: bool = False,
) -> Latency:
    """Return latency from a histogram and exact sums.

    Args:
        bins: Bins of latencies, in any order.
        counts: Requests in each.
        n: Latencies, at least one.
        total: Their sum.
        highest: The longest.
        target_ms: Target of Apdex in milliseconds; None leaves that out.
        bounded: Whether quantiles get intervals.
    """
    histogram = latency.LatencyHistogram.from_rows(bins, counts)
    values = latency.quantiles(histogram.bins, histogram.counts, QUANTILES)
    p50, p90, p95, p99, p999 = (min(float(value), highest) for value in values)
    apdex = latency.apdex(histogram, target_ms) if target_ms is not None else None
    bounds = {}
    if bounded:
        capped = replace(histogram, maximum=highest)
        bounds = dict(zip(QUANTILE_NAMES, latency.quantile_estimates(capped, QUANTILES), strict=True))
    return Latency(n, total / n, p50, p90, p95, p99, highest, p999, apdex, bounds)


def label_lag(rows: Table) -> LabelLag:
    """Return how long labels took, from histogram rows."""
    histogram = latency.LatencyHistogram.from_rows(rows["bin"], rows["n"])
    n = int(histogram.counts.sum())
    if n == 0:
        return LabelLag()
    values = latency.quantiles(histogram.bins, histogram.counts, LAG_QUANTILES)
    return LabelLag(n, *(max(0.0, float(value)) for value in values))


def errors(traffic: Table) -> Errors:
    """Return failed requests with the Wilson interval of their rate."""
    return errors_of(*(traffic.whole(name) for name in ("n", "failed", "client", "server")))


def errors_of(n: int, failed: int, client: int, server: int) -> Errors:
    """Return failed requests, of `n`, those with a status of 4xx and those with one of 5xx."""
    low, high = intervals.wilson(failed, n) or (None, None)
    return Errors(failed, failed / n if n else None, low, high, client, server)


def confusion_of(rows: Table) -> Confusion:
    """Return confusion counts by class, without rows that cancelled out."""
    return Confusion.from_rows(cells_of(rows))


def confusion_table(confusion: Confusion) -> ConfusionTable:
    """Return the plain form of confusion counts."""
    return ConfusionTable(confusion.labels, tuple(tuple(int(n) for n in row) for row in confusion.counts))


def classified(
    task: str, rows: Table, scores: Table | None, positive: str | None
) -> tuple[dict[str, Estimate], Confusion]:
    """Return a classifier's performance and its confusion counts.

    Args:
        task: `binary` or `multiclass`.
        rows: Outcome rows.
        scores: Score rows for the curves; None leaves curves out.
        positive: Positive class of a binary task.
    """
    confusion = confusion_of(rows)
    if task == "multiclass":
        return {**performance.multiclass(confusion), **untold(task, rows)}, confusion
    histogram = None
    if scores is not None and len(scores):
        histogram = ScoreHistogram.from_rows(
            scores["label"] == positive, scores["bin"], scores["n"], scores["sum_score"]
        )
    sums = score_sums(rows, positive)
    found = performance.binary(confusion, positive, sums, histogram)
    return {**found, **untold(task, rows), **_graded(rows, positive)}, confusion


def untold(task: str, rows: Table) -> dict[str, Estimate]:
    """Return the metrics of decided classes, with why there are none; empty where labelled predictions have a class.

    Args:
        task: `binary` or `multiclass`.
        rows: Outcome rows.
    """
    why = undecided.reason(rows)
    return dict.fromkeys(OVER[task], undefined(why, rows.whole("n"))) if why else {}


def _graded(rows: Table, positive: str | None) -> dict[str, Estimate]:
    """Return the metrics of scores, with why there are none, where labels are grades, of which none is positive."""
    labels = set(rows["label"][rows["n"] > 0].tolist())
    if positive is not None or len(labels) <= 2:
        return {}
    return dict.fromkeys(OF_SCORES, undefined(undecided.GRADES, rows.whole("n")))


def score_sums(rows: Table, positive: str | None) -> performance.ScoreSums | None:
    """Return log-loss and Brier sums from sums of scores by label; None without probabilities."""
    n = rows.whole("n_score")
    if positive is None or n == 0 or rows.whole("n_wild"):
        return None
    is_positive = rows["label"] == positive
    log_loss = -float(np.where(is_positive, rows["sum_ln_p"], rows["sum_ln_q"]).sum())
    square, plain = rows["sum_score_sq"], rows["sum_score"]
    brier = float(np.where(is_positive, rows["n_score"] - 2 * plain + square, square).sum())
    return performance.ScoreSums(n, log_loss, brier)


OVER: Mapping[str, tuple[str, ...]] = {
    "binary": ("accuracy", "precision", "recall", "f1", "specificity", "mcc", "balanced_accuracy"),
    "multiclass": (
        "accuracy",
        "balanced_accuracy",
        "macro_precision",
        "macro_f1",
        "weighted_f1",
        "mcc",
        "kappa",
    ),
}
"""Metrics of a window, from counts alone."""
LOSSES = ("log_loss", "brier")
OF_SCORES = ("roc_auc", "pr_auc", *LOSSES, "ece")


@remembered
def window_performance(
    task: str,
    cells: tuple[tuple[str, str, int], ...],
    positive: str | None,
    sums: performance.ScoreSums | None = None,
) -> Mapping[str, Estimate]:
    """Return the performance of a window; windows of the past stay as they are.

    Args:
        task: `binary` or `multiclass`.
        cells: Counts by label and prediction.
        positive: Positive class of a binary task.
        sums: Of the scores of a binary task, where they are probabilities.
    """
    confusion = Confusion.from_rows(cells)
    several = task == "multiclass"
    found = performance.multiclass(confusion) if several else performance.binary(confusion, positive, sums)
    if undecided.is_coded((said for _, said, _ in cells), (true for true, _, _ in cells)):
        found |= dict.fromkeys(OVER[task], undefined(undecided.FOREIGN, confusion.n))
    return {name: found[name] for name in (*OVER[task], *(LOSSES if sums is not None else ()))}


def cells_of(rows: Table) -> tuple[tuple[str, str, int], ...]:
    """Return confusion rows as a hashable value; none where scores told no class."""
    told = undecided.decided(rows)
    pairs = zip(told["label"], told["prediction"], told["n"], strict=True)
    return tuple(sorted((str(label), str(predicted), int(n)) for label, predicted, n in pairs if n))


def regressed(rows: Table) -> dict[str, Estimate]:
    """Return a regression's performance."""
    sums = RegressionSums(
        n=rows.whole("n_number"),
        sum_error=rows.sum("sum_error"),
        sum_abs=rows.sum("sum_abs"),
        sum_sq=rows.sum("sum_sq"),
        sum_label=rows.sum("sum_label"),
        sum_label_sq=rows.sum("sum_label_sq"),
        sum_ape=rows.sum("sum_ape"),
        n_ape=rows.whole("n_ape"),
        sum_fourth=rows.sum("sum_err4"),
        sum_ape_sq=rows.sum("sum_ape_sq"),
    )
    return regression.regression(sums)


def decisions(rows: Table | None, payoff: Mapping[str, float], positive: str) -> Estimate:
    """Return the profit of a thousand labelled decisions of a binary model.

    Args:
        rows: Outcome rows; None for none.
        payoff: What a decision of each kind earns: `tp`, `fp`, `fn`, `tn`; those not named earn nothing.
        positive: Positive class.
    """
    if rows is not None and (why := undecided.reason(rows)):
        return undefined(why, rows.whole("n"))
    confusion = confusion_of(rows) if rows is not None else Confusion.from_rows(())
    names = {(True, True): "tp", (False, True): "fp", (True, False): "fn", (False, False): "tn"}
    classes = {*confusion.labels, positive, OTHER}  # what could be earned, whichever classes there are so far
    worth = {
        (true, guess): payoff.get(names[true == positive, guess == positive], 0.0)
        for true in classes
        for guess in classes
    }
    return money.decision_value(confusion, worth)


def business(
    rows: Table | None,
    predictions: int,
    *,
    seen: Collection[str],
    currency: str | None,
    kinds: Sequence[str] = (),
    cut: Cut | None = None,
    values: KindCuts = (),
) -> Business:
    """Return conversion, engagement and revenue.

    Args:
        rows: Business rows; None for none.
        predictions: All predictions, those without an event included.
        seen: Classes of events that the model ever got, so that "none" is a number and not a gap.
        currency: What the values are in.
        kinds: Of engagement: those that are told of, though none came in this time.
        cut: Winsorised sums of what predictions brought, for heavy tails; None for none.
        values: The same of what engagements of a kind measured.
    """
    cut_values = dict(values)

    def total(name: str, measure: str) -> float:
        if rows is None:
            return 0.0
        return float(rows[measure][rows["class"] == name].sum())

    def engagement(kind: str) -> Engagement:
        events, valued = (int(total(start + kind, "n_events")) for start in (KIND, VALUE))
        value, square = (total(VALUE + kind, measure) for measure in ("value", "value_sq"))
        return Engagement(
            events,
            money.engagement(int(total(KIND + kind, "n_first")), predictions, "engagement" in seen),
            money.mean_value(valued, value, square, cut_values.get(kind)) if valued else None,
        )

    sums = money.RevenueSums(
        predictions=predictions,
        conversions=int(total("conversion", "n_first")),
        gross=total("gross", "value"),
        refunds=total("refund", "value"),
        sum_sq=total("net", "value_sq"),
    )
    if cut is not None:
        sums = replace(sums, cut=cut)
    valued = total("gross", "n_events") + total("refund", "n_events")
    known = valued > 0 or (sums.conversions == 0 and not EARNING.isdisjoint(seen))
    ups, downs = int(total("approval", "n_first")), int(total("disapproval", "n_first"))
    approval = intervals.proportion(ups, ups + downs, "") if ups + downs else None
    return Business(
        money.conversion(sums.conversions, predictions, "conversion" in seen),
        money.engagement(int(total("engagement", "n_first")), predictions, "engagement" in seen),
        _revenue(sums, currency, known=known),
        kinds={kind: engagement(kind) for kind in kinds if predictions},
        approval=approval,
        events=sum(int(total(name, "n_events")) for name in ("conversion", "engagement", "refund")),
        early_events=int(total(EARLY, "n_events")),
        repeated_events=int(total(REPEATED, "n_events")),
    )


def _revenue(sums: money.RevenueSums, currency: str | None, *, known: bool) -> Revenue:
    """Return what predictions brought.

    Args:
        sums: Of their events.
        currency: What these are in.
        known: Whether events could carry money, so that none is 0 and not a gap.
    """
    per = money.revenue_per_prediction(sums) if known else None
    return Revenue(
        sums.gross,
        sums.refunds,
        sums.total,
        per.value if per else None,
        per.low if per else None,
        per.high if per else None,
        currency,
        money.revenue_per_conversion(sums) if known else None,
        per.method if per else None,
        per.winsorised if per else None,
    )
