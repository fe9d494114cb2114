"""Both arms of a rollout as sufficient statistics by stratum of time, read from rollups alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_types import (
    ArmSeries,
    MeanSeries,
    MetricSeries,
    ProportionSeries,
)
from mlwatch.snapshot.latest import added_up
from mlwatch.snapshot.read import Table, fetch
from mlwatch.snapshot.rollout_caps import Caps, cut_latencies, frozen_caps
from mlwatch.snapshot.rollout_money import currencies_of
from mlwatch.snapshot.rollout_pairing import HOUR_MINUTES, full_hour
from mlwatch.snapshot.rollout_past import (
    CLASS_TASKS,
    LATENCIES,
    OF_CLASSES,
    UNDECIDED,
    has_money,
    logged_metrics,
    usual,
    why_undecided,
)
from mlwatch.snapshot.rollout_positives import first_share_of_positives, positive_sums, series_of_positives
from mlwatch.snapshot.rollout_strata import Closed, Strata, bins_of, closed_of, histogram_of, parted
from mlwatch.snapshot.winsorised import cut_worth
from mlwatch.store import rollups
from mlwatch.store.rollup import HOUR, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from mlwatch.metrics.rollout_types import Counts, FloatArray, MetricSpec, RolloutSettings
    from mlwatch.snapshot.latest import Name
    from mlwatch.snapshot.pair_counts import Counted
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.rollout_pairing import Pairing
    from mlwatch.store.rollup import Rollup


@dataclass(frozen=True, slots=True)
class Arms:
    """The series of both versions, and the metrics that at least one of them has data for, or had before."""

    baseline: ArmSeries
    candidate: ArmSeries
    has: frozenset[str]
    minutes: int
    """Width of a stratum."""
    nought: frozenset[str] = frozenset()
    """Of `has`, what has been 0 all the time, before too: nothing can be shown by it."""
    overflown: frozenset[str] = frozenset()
    """Metrics without series, because their values are too large to sum up."""
    caps: Mapping[str, float] = field(default_factory=dict)
    """By mean, the limit that larger values count as."""
    positives: float | None = None
    """Share of positives among the labels of the baseline's week before, else the first ones; None is unknown."""
    currencies: tuple[str, ...] = ()
    """What the revenue of both is in: sums of several compare nothing."""
    undecided: str = ""
    """Why labelled predictions have no class, where too many of them have none."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of a shadow, and how they are judged."""

    counted: Counted
    accuracy: MetricSpec
    cap: float | None
    """Largest allowed share of pairs with different answers."""
    recall: MetricSpec | None = None
    """How recall is judged on the pairs of the positive class; None leaves it to the arms."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a verdict, a timeline or a calibration is computed from."""

    pairing: Pairing
    arms: Arms
    settings: RolloutSettings
    remarks: tuple[str, ...]
    """What is not judged and why, in sentences."""
    pairs: Pairs | None = None
    """Of a shadow."""


def read_arms(reader: Reader, pairing: Pairing) -> Arms:
    """Read both versions' sufficient statistics.

    Args:
        reader: Of the snapshot.
        pairing: The versions and the time.
    """
    traffic = _read(
        reader,
        pairing,
        rollups.TRAFFIC,
        """SUM(n) AS n, SUM(failed) AS failed, SUM(n_latency) AS n_latency, SUM(sum_latency) AS latency,
        SUM(sum_latency_sq) AS latency_sq, CAST(epoch_us(MAX(last_ts)) // 60000000 AS INTEGER) AS last_minute""",
    )
    outcomes = _read(
        reader,
        pairing,
        rollups.OUTCOMES,
        f"""SUM(n) AS n, {UNDECIDED}, SUM(CASE WHEN label <> prediction THEN n ELSE 0 END) AS bad,
        SUM(n_number) AS n_number, SUM(sum_abs) AS sum_abs, SUM(sum_sq) AS sum_sq, SUM(sum_err4) AS sum_err4,
        {positive_sums("n")}""",
        positive=pairing.positive,
    )
    gains = _read(
        reader,
        pairing,
        rollups.BUSINESS,
        "SUM(n_first) AS n_first, SUM(value) AS value, SUM(value_sq) AS value_sq",
        "class, ",
    )
    latencies = _read(
        reader, pairing, rollups.LATENCY, "CAST(SUM(n) AS INTEGER) AS n", "CAST(bin AS SMALLINT) AS bin, "
    )
    worth = _read(
        reader,
        pairing,
        rollups.WORTH,
        "SUM(n) AS n, SUM(value) AS value, SUM(value_sq) AS value_sq",
        "CAST(bin AS INTEGER) AS bin, ",
    )
    caps = frozen_caps(reader, pairing.model, pairing.baseline, pairing.frozen)
    closed = closed_of(reader, pairing, traffic, latencies) if caps.latency is None else None
    sums = Sums(traffic, outcomes, gains, latencies, worth, closed)
    arms = arms_of(pairing.task, pairing.minutes, sums, caps)
    past = usual(reader, pairing)
    positives = arms.positives if past.positives is None else past.positives
    has = arms.has | (past.metrics - (OF_CLASSES if arms.undecided else set()))
    earned = "revenue" not in has or has_money(gains) or past.earned
    nought = frozenset() if earned else frozenset({"revenue"})
    paid_in = currencies_of(reader, pairing) if "revenue" in has else ()
    return replace(arms, has=has, positives=positives, nought=nought, currencies=paid_in)


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of both versions, each by minute and side."""

    traffic: Table
    outcomes: Table
    """Where there are labels."""
    gains: Table
    """By class of event too."""
    latencies: Table
    """By bin too."""
    worth: Table | None = None
    """What events brought, by bin too; None where it is not known."""
    closed: Closed | None = None
    """What is known of the latencies' first strata; None where they are counted anew."""

    def of(self, side: int) -> Sums:
        """Return those of the baseline, 0, or the candidate, 1; latencies that are counted already are left out."""
        latencies = self.latencies
        if self.closed is not None:
            latencies = parted(latencies, self.closed.minute)[1]
        tables = (self.traffic, self.outcomes, self.gains, latencies, self.worth)
        return Sums(*(table and table.where(table["is_candidate"] == side) for table in tables))  # type: ignore[arg-type]

    @property
    def net(self) -> Table:
        """Money by minute and side."""
        return self.gains.where(self.gains["class"] == "net")

    @property
    def knows_worth(self) -> bool:
        """Tell whether the values by bin are all of the money: a store of an earlier version may have lost rows."""
        return self.worth is not None and math.isclose(
            self.worth.sum("value"), self.net.sum("value"), rel_tol=1e-6, abs_tol=1e-6
        )


def arms_of(task: str, minutes: int, sums: Sums, caps: Caps | None = None) -> Arms:
    """Lay the sums of both versions out by stratum.

    Args:
        task: Of the model.
        minutes: Width of a stratum.
        sums: Of both versions.
        caps: Limits that larger values count as; None cuts nothing.
    """
    caps = caps or Caps()
    caps = caps if sums.knows_worth else replace(caps, worth=None)
    bins = sums.closed.bins if sums.closed is not None else bins_of(sums.latencies)
    counted = sums.closed.counts if sums.closed is not None else (None, None)
    arms = [_arm(bins, sums.of(side), caps, minutes, counted[side]) for side in (0, 1)]
    overflown = _overflown(arms)
    baseline, candidate = (replace(arm, metrics=_without(arm.metrics, overflown)) for arm in arms)
    return Arms(
        baseline,
        candidate,
        has=logged_metrics(task, sums.traffic, sums.outcomes, sums.gains),
        minutes=minutes,
        overflown=overflown,
        caps=caps.limits(),
        positives=first_share_of_positives(sums.outcomes),
        undecided=why_undecided(sums.outcomes) if task in CLASS_TASKS else "",
    )


def _overflown(arms: Iterable[ArmSeries]) -> frozenset[str]:
    """Return the metrics with values so large that a sum of them or of their squares is infinite."""
    return frozenset(
        name
        for arm in arms
        for name, series in arm.metrics.items()
        if isinstance(series, MeanSeries)
        and not (np.all(np.isfinite(series.total)) and np.all(np.isfinite(series.squares)))
    )


def _without(metrics: Mapping[str, MetricSeries], names: frozenset[str]) -> dict[str, MetricSeries]:
    return {name: series for name, series in metrics.items() if name not in names}


def stratum_sql(time: str, minutes: int) -> str:
    """Return the first minute of a time's stratum as an expression."""
    return f"CAST(epoch_us({time}) // {60_000_000 * minutes} AS INTEGER) * {minutes}"


def _read(
    reader: Reader, pairing: Pairing, rollup: Rollup, columns: str, keys: str = "", **more: object
) -> Table:
    stratum = stratum_sql("bucket", pairing.minutes)
    own = "model = $model AND version IN ($baseline, $candidate) AND bucket >= $start AND bucket < $end"
    fine, coarse = rollup.table(MINUTE), rollup.table(HOUR)
    table = f"(FROM {fine} WHERE {own})"
    if pairing.minutes == HOUR_MINUTES:
        # whole hours from the hourly rollup, the rest at both ends minute by minute: nothing of the future
        table = f"""(FROM {coarse} WHERE {own} AND bucket >= $first AND bucket < $last
            UNION ALL BY NAME
            FROM {fine} WHERE {own} AND (bucket < $first OR bucket >= $last))"""
    names = {"model": pairing.model, "baseline": pairing.baseline, "candidate": pairing.candidate}

    def since(begin: datetime | None) -> Table:
        start = pairing.start if begin is None else max(begin, pairing.start)
        if begin is not None and (added := _of_latest(reader, pairing, rollup, start)) is not None:
            return added
        times: dict[str, object] = {"start": start, "end": pairing.end}
        if pairing.minutes == HOUR_MINUTES:
            times |= {"first": full_hour(start + timedelta(minutes=59)), "last": full_hour(pairing.end)}
        return fetch(
            reader.connection,
            f"""SELECT {stratum} AS minute, CAST(version = $candidate AS TINYINT) AS is_candidate, {keys}{columns}
            FROM {table} GROUP BY ALL""",
            names | times | more,
        )

    key = ("arms", *names.values(), pairing.start, pairing.minutes, *more.values())
    return reader.onward(key, rollup, "minute", pairing.minutes, since)


def _of_latest(reader: Reader, pairing: Pairing, rollup: Rollup, start: datetime) -> Table | None:
    """Add up what is read of traffic or of latencies from the rows of the newest buckets; None for what is not."""
    counted = rollup is rollups.TRAFFIC or rollup is rollups.LATENCY
    latest = reader.latest(rollup, start, pairing.end) if counted else None
    if latest is None:
        return None
    sides: dict[Name, int] = {(pairing.model, pairing.baseline): 0, (pairing.model, pairing.candidate): 1}
    rows = latest.numbered(sides, start, pairing.end)
    minute = (rows["minute"] // pairing.minutes * pairing.minutes).astype(np.int32)
    rows = Table({**rows.columns, "minute": minute, "is_candidate": rows["who"].astype(np.int8)})
    found = added_up(rows, ("minute", "is_candidate", *rollup.keys), tuple(rollup.measures), rollup).columns
    by = {name: found[name] for name in ("minute", "is_candidate")}
    if rollup is rollups.LATENCY:
        return Table({**by, "bin": found["bin"].astype(np.int16), "n": found["n"].astype(np.int32)})
    last = found["last_ts"].astype("datetime64[m]").astype(np.int32)
    counts = {name: found[name] for name in ("n", "failed", "n_latency")}
    sums = {"latency": found["sum_latency"], "latency_sq": found["sum_latency_sq"]}
    return Table({**by, **counts, **sums, "last_minute": last})


def _arm(
    bins: tuple[int, int], sums: Sums, caps: Caps, width: int, counted: Counts | None = None
) -> ArmSeries:
    strata = Strata(sums.traffic, width)
    minute, spread, traffic, outcomes = strata.minute, strata.spread, sums.traffic, sums.outcomes
    n, n_number = spread(traffic, "n"), spread(outcomes, "n_number")
    decided = outcomes["n"] - outcomes["undecided"]
    histogram = histogram_of(strata, sums.latencies, bins, counted)
    metrics: dict[str, MetricSeries] = {
        "error_rate": ProportionSeries(n, spread(traffic, "failed")),
        "accuracy": ProportionSeries(spread(outcomes, decided), spread(outcomes, "bad")),
        **series_of_positives(outcomes, spread),
        "mae": MeanSeries(n_number, spread(outcomes, "sum_abs"), spread(outcomes, "sum_sq")),
        "mse": MeanSeries(n_number, spread(outcomes, "sum_sq"), spread(outcomes, "sum_err4")),
        "revenue": _money(strata, sums, n, caps),
        "latency_mean": _latency_mean(strata, sums, caps),
        **dict.fromkeys(LATENCIES, histogram),
    }
    for name in ("conversion", "engagement"):
        gained = sums.gains.where(sums.gains["class"] == name)
        metrics[name] = ProportionSeries(n, n - spread(gained, "n_first"))
    # a stratum is known by its last minute with traffic: an arm must not look silent because strata are wide
    last = np.zeros(len(minute), dtype=np.int64)
    np.maximum.at(last, strata.place(traffic["minute"]), traffic["last_minute"].astype(np.int64))
    return ArmSeries(last, n, metrics)


def _money(strata: Strata, sums: Sums, n: FloatArray, caps: Caps) -> MeanSeries:
    if caps.worth is None or sums.worth is None:
        return MeanSeries(n, strata.spread(sums.net, "value"), strata.spread(sums.net, "value_sq"))
    value, squares = cut_worth(sums.worth, caps.worth)
    return MeanSeries(n, strata.spread(sums.worth, value), strata.spread(sums.worth, squares))


def _latency_mean(strata: Strata, sums: Sums, caps: Caps) -> MeanSeries:
    """Return the latency's mean: by the exact sums, and by bins in the strata where a latency is beyond the limit."""
    n, total, squares = (strata.spread(sums.traffic, name) for name in ("n_latency", "latency", "latency_sq"))
    if caps.latency is None:
        return MeanSeries(n, total, squares)
    cut, cut_squares, beyond = (
        strata.spread(sums.latencies, column) for column in cut_latencies(sums.latencies, caps.latency)
    )
    return MeanSeries(n, np.where(beyond > 0, cut, total), np.where(beyond > 0, cut_squares, squares))
