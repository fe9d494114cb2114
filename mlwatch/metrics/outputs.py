"""Metrics of what only some models give: ranked classes, quantiles, rankings, and measured amounts such as tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import intervals, latency, winsor
from mlwatch.metrics.estimate import Estimate, undefined
from mlwatch.metrics.winsor import Cut
from mlwatch.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

    IntArray = NDArray[np.int64]

TOP = (2, 3, 5)
NO_LABELS = "no labels yet"
NOTHING = "nothing of it in the logs"


@dataclass(frozen=True, slots=True)
class Measure:
    """An amount that requests took or gave, such as tokens."""

    mean: Estimate
    total: float
    p50: float | None = None
    """Quantiles within 1 %; None of negative amounts."""
    p95: float | None = None


NO_SIDES = "the labels were read by an earlier mlwatch, which did not count how many are equal to a quantile"


def top_k(ranks: Mapping[int, int], classes: int) -> dict[str, Estimate]:
    """Return `top_2_accuracy` and so on: how often the true class was among the most probable ones.

    The same as scikit-learn's `top_k_accuracy_score`, but that ties count against the model. The interval is Wilson's.

    Args:
        ranks: Labelled predictions by the rank of the true class, 1 the most probable.
        classes: How many there are; only k below that say anything.
    """
    n = sum(ranks.values())
    return {
        f"top_{k}_accuracy": intervals.proportion(
            sum(count for rank, count in ranks.items() if rank <= k), n, NO_LABELS
        )
        for k in TOP
        if k < classes
    }


@dataclass(frozen=True, slots=True)
class QuantileSums:
    """Sums over labels against one predicted quantile."""

    n: int
    loss: float
    """Σ pinball loss."""
    loss_sq: float
    n_sides: int = 0
    """Labels of which it is known on which side of the quantile they lie."""
    under: int = 0
    """Labels below it."""
    over: int = 0
    """Labels above it."""


def pinball(sums: Mapping[float, QuantileSums]) -> dict[str, Estimate]:
    """Return the mean pinball loss of each predicted quantile and of all, and the coverage of the outer two.

    Source: Koenker & Bassett 1978, doi:10.2307/1913643; the same as scikit-learn's `mean_pinball_loss`. Intervals are
    Student's t of each loss, Wilson's of shares; that of the mean over levels takes their errors as moving together.

    Args:
        sums: By level.
    """
    levels = sorted(level for level in sums if sums[level].n > 0)
    if not levels:
        return {"pinball": undefined(NO_LABELS)}
    each = {
        level: intervals.mean(sums[level].n, sums[level].loss, sums[level].loss_sq, NO_LABELS, lowest=0.0)
        for level in levels
    }
    found = {"pinball": _mean_of(list(each.values()))}
    found.update({f"pinball_{level:g}": one for level, one in each.items()})
    low, high = levels[0], levels[-1]
    if low < 0.5 < high and sums[low].n == sums[high].n:
        found[f"coverage_{100 * (high - low):g}"] = _coverage(sums[low], sums[high])
    return found


def _coverage(low: QuantileSums, high: QuantileSums) -> Estimate:
    """Return the share of labels between two quantiles, both ends within: many labels are equal to one of a demand."""
    if not low.n_sides or low.n_sides != high.n_sides:
        return undefined(NO_SIDES, low.n)
    inside = max(0, low.n_sides - low.under - high.over)
    return intervals.proportion(inside, low.n_sides, NO_LABELS)


def _mean_of(parts: list[Estimate]) -> Estimate:
    values = [part.value for part in parts if part.value is not None]
    value = float(np.mean(values))
    halves = [part.high - part.value for part in parts if part.high is not None and part.value is not None]
    if without := [part for part in parts if part.high is None]:
        return Estimate(value, parts[0].n, method=without[0].method)
    half = float(np.mean(halves))
    return Estimate(
        value, parts[0].n, max(0.0, value - half), value + half, method="Student's t, errors added"
    )


@dataclass(frozen=True, slots=True)
class RankingSums:
    """Sums over queries with labelled items."""

    n: int = 0
    n_relevant: int = 0
    """Queries with a relevant item, which alone have NDCG."""
    ndcg: float = 0.0
    ndcg_sq: float = 0.0
    reciprocal: float = 0.0
    """Σ 1 / rank of the first relevant item, 0 without one."""
    reciprocal_sq: float = 0.0
    hits: int = 0
    """Queries with a relevant item among the first ten."""


def ranking(sums: RankingSums) -> dict[str, Estimate]:
    """Return `ndcg_10`, `mrr` and `hit_rate_10` over queries, with Wilson's intervals; see `intervals.score_interval`.

    NDCG takes labels as gains as scikit-learn's `ndcg_score` does, over the queries that have a relevant item; the
    other two count a query without one as 0.
    """
    return {
        "ndcg_10": intervals.score(
            sums.n_relevant, sums.ndcg, sums.ndcg_sq, "no query with a relevant item yet"
        ),
        "mrr": intervals.score(sums.n, sums.reciprocal, sums.reciprocal_sq, NO_LABELS),
        "hit_rate_10": intervals.proportion(sums.hits, sums.n, NO_LABELS),
    }


def measure(
    bins: ArrayLike, counts: ArrayLike, totals: ArrayLike, squares: ArrayLike, *, share: bool
) -> Measure:
    """Return an amount's mean and its quantiles; for heavy tails see `winsor.mean`.

    Args:
        bins: Latency bins, shape (m,), in any order and with repeats.
        counts: Requests in each, shape (m,).
        totals: The sums of what these gave or took.
        squares: The sums of the squares.
        share: It is 0 or 1: the mean is a proportion, with Wilson's interval, and quantiles say nothing.
    """
    histogram = latency.LatencyHistogram.from_rows(bins, counts)
    n, total = histogram.n, float(np.asarray(totals, dtype=float).sum())
    if share:
        return Measure(intervals.proportion(total, n, NOTHING), total)
    cut, cap = None, winsor.cap_of(bins, counts, n)
    if cap is not None:
        sums = winsor.cut_sums(bins, counts, totals, squares, cap)
        cut = Cut(winsor.edge_of(cap), *(float(each.sum()) for each in sums))
    mean = winsor.mean(n, total, float(np.asarray(squares, dtype=float).sum()), cut, NOTHING)
    if n == 0:
        return Measure(mean, 0.0)
    p50, p95 = latency.quantiles(histogram.bins, histogram.counts, (0.5, 0.95)).tolist()
    return Measure(mean, total, p50, p95)


LEAST_LAGS = 20
"""So many events must bear witness that some are as slow; slower ones say nothing."""


@dataclass(frozen=True, slots=True)
class Lags:
    """How fast events come."""

    seconds: NDArray[np.float64]
    """From the prediction, ascending, shape (m,)."""
    reached: NDArray[np.float64]
    """Share of the events to come that take no longer, shape (m,)."""


def lags_of(seconds: ArrayLike, ages_s: ArrayLike, counts: ArrayLike) -> Lags | None:
    """Return how fast events come, from those that had the time to come.

    Young predictions hold only the fast ones. The product-limit estimator for such right-truncated times allows for
    that: F(t) is the product over all s > t of 1 - d(s)/n(s), d being the events with lag s and n those with a lag up
    to s whose prediction is at least so old. Events slower than the oldest predictions stay unknown.

    Source: Lynden-Bell 1971, doi:10.1093/mnras/155.1.95; Lagakos, Barraj & De Gruttola 1988,
    doi:10.1093/biomet/75.3.515.

    Args:
        seconds: Lags of groups of events, shape (m,).
        ages_s: How old their predictions are now in seconds, shape (m,).
        counts: Events in each, shape (m,).

    Returns:
        None without events.
    """
    lag, n = np.asarray(seconds, dtype=float), np.asarray(counts, dtype=float)
    if not n.sum():
        return None
    age = np.maximum(np.asarray(ages_s, dtype=float), lag)
    values, place = np.unique(lag, return_inverse=True)
    events = np.bincount(place, weights=n, minlength=len(values))
    order = np.argsort(age, kind="stable")
    younger = np.concatenate([[0.0], np.cumsum(n[order])])[np.searchsorted(age[order], values, side="left")]
    witnesses = np.cumsum(events) - younger
    enough = np.flatnonzero(witnesses >= min(LEAST_LAGS, events.sum()))
    last = int(enough[-1]) if len(enough) else 0
    kept = 1 - events[1 : last + 1] / np.maximum(witnesses[1 : last + 1], 1e-9)
    reached = np.concatenate([np.cumprod(kept[::-1])[::-1], [1.0]])
    return Lags(values[: last + 1], np.clip(reached, 0.0, 1.0))


def maturity(youngest_s: ArrayLike, oldest_s: ArrayLike, counts: ArrayLike, lags: Lags) -> float | None:
    """Return the share of the events to come that a cohort has had the time for: the mean over predictions of F(age).

    Args:
        youngest_s: Age of the youngest prediction of each group in seconds, shape (m,).
        oldest_s: Age of the oldest, shape (m,).
        counts: Predictions in each, shape (m,).
        lags: How fast events come.

    Returns:
        Between 0 and 1; None without predictions.
    """
    count = np.asarray(counts, dtype=float)
    if not count.sum():
        return None
    return min(
        1.0, float(count @ reached_between(youngest_s, oldest_s, lags) / count.sum())
    )  # but for rounding


def reached_by(ages_s: ArrayLike, lags: Lags) -> NDArray[np.float64]:
    """Return F(age), the share of the events to come that come by an age in seconds; shape as the ages."""
    place = np.searchsorted(lags.seconds, np.asarray(ages_s, dtype=float), side="right")
    return np.asarray(np.concatenate([[0.0], lags.reached])[place], dtype=np.float64)


def reached_between(youngest_s: ArrayLike, oldest_s: ArrayLike, lags: Lags) -> NDArray[np.float64]:
    """Return the mean of F(age) over predictions that came evenly between two ages in seconds; shape as the ages."""
    young, old = np.asarray(youngest_s, dtype=float), np.asarray(oldest_s, dtype=float)
    areas = np.concatenate([[0.0], np.cumsum(lags.reached[:-1] * np.diff(lags.seconds))])

    def area(age: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the integral of F from 0 to an age."""
        last = lags.seconds[-1]
        beyond = lags.reached[-1] * np.maximum(0.0, age - last)
        return np.asarray(np.interp(age, lags.seconds, areas) + beyond, dtype=np.float64)

    width = old - young
    mean = (area(old) - area(young)) / np.where(width > 0, width, 1.0)
    return np.where(width > 0, np.clip(mean, 0.0, 1.0), reached_by(young, lags))  # but for rounding


MATURE = 0.95
"""Share of the conversions to come that a cohort is taken as complete with."""


def maturity_note(share: float | None) -> str | None:
    """Say that a conversion rate will still rise; None where it hardly will, or nobody knows."""
    if share is None or share >= MATURE:
        return None
    return f"about {percent(share, 0)} of the conversions to come had the time to come so far: the rate will still rise"


def quantile_of_signed(
    sides: Iterable[int], bins: Iterable[int], counts: Iterable[int], q: float
) -> float | None:
    """Return a quantile of signed values from sign and size bin, within 1 %; None without values."""
    rows = [
        (side * float(latency.bin_values([each])[0]), n)
        for side, each, n in zip(sides, bins, counts, strict=True)
        if n > 0
    ]
    if not rows:
        return None
    rows.sort()
    reached = np.cumsum([n for _, n in rows])
    return rows[int(np.searchsorted(reached, q * (reached[-1] - 1), side="right"))][0]


MOST_BARS = 24
"""Bins that a histogram of signed values is aimed at."""
OUTER = 0.01
"""Share of the values that either outer bin takes in from beyond."""


def signed_edges(sides: ArrayLike, bins: ArrayLike, counts: ArrayLike) -> tuple[float, ...]:
    """Return edges of equal, round width, 0 among their multiples, that hold nearly all values.

    Args:
        sides: -1, 0 or 1, shape (m,).
        bins: Latency bins of the sizes, shape (m,).
        counts: Values in each, shape (m,).

    Returns:
        In the unit of the values, increasing; empty without values.
    """
    side, size, n = (column.tolist() for column in _signed(sides, bins, counts))
    low, high = (quantile_of_signed(side, size, n, q) for q in (OUTER, 1 - OUTER))
    if low is None or high is None:
        return ()
    least = (high - low) / MOST_BARS or abs(high) / MOST_BARS or 1.0
    magnitude = 10.0 ** np.floor(np.log10(least))
    width = float(magnitude * next(step for step in (1, 2, 5, 10) if step * magnitude >= least))
    first, last = int(np.floor(low / width)), int(np.floor(high / width)) + 1
    return tuple((np.arange(first, last + 1) * width).tolist())


def signed_counts(sides: ArrayLike, bins: ArrayLike, counts: ArrayLike, edges: tuple[float, ...]) -> IntArray:
    """Return how many values lie between edges, those of a size bin evenly spread; the outer bins hold the rest.

    Returns:
        Shape (len(edges) - 1,); the sum is that of the counts.
    """
    side, size, n = _signed(sides, bins, counts)
    low, high = latency.bin_edges(size)
    start, end = (
        np.where(side < 0, -high, low),
        np.where(side < 0, -low, np.maximum(high, np.nextafter(0, 1))),
    )
    start, first, group = np.unique(start, return_index=True, return_inverse=True)
    reached = np.concatenate([[0.0], np.cumsum(np.bincount(group, weights=n))])
    places = np.column_stack([start, end[first]]).ravel()
    below = (
        np.interp(edges, places, np.column_stack([reached[:-1], reached[1:]]).ravel())
        .round()
        .astype(np.int64)
    )
    below[0], below[-1] = 0, reached[-1]
    found: IntArray = np.diff(below)
    return found


def _signed(sides: ArrayLike, bins: ArrayLike, counts: ArrayLike) -> tuple[IntArray, IntArray, IntArray]:
    side, size, n = (
        np.asarray(column, dtype=np.float64).astype(np.int64) for column in (sides, bins, counts)
    )
    return side, size, n
