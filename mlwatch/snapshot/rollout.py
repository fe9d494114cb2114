"""The verdict on a rollout, from rollups alone, so that late labels and events correct the past.

Baseline and candidate are compared stratum by stratum, from the moment that the candidate appeared up to the end of
the range, whatever part of it is shown. "Now" is the newest event time, not the wall clock: the same store always
gives the same verdict, and a moment of the past gives the verdict of that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.errors import ConfigError
from mlwatch.metrics import latency
from mlwatch.metrics.rollout import rollout_verdict
from mlwatch.metrics.rollout_types import (
    DEFAULT_METRICS,
    ArmSeries,
    HardLimit,
    HistogramSeries,
    MeanSeries,
    MetricResult,
    MetricSeries,
    MetricSpec,
    ProportionSeries,
    RolloutSettings,
    RolloutVerdict,
    default_metric,
)
from mlwatch.snapshot.read import Table, fetch
from mlwatch.snapshot.types import Rollout, RolloutMetric
from mlwatch.store import rollups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import RolloutSettings as Configured
    from mlwatch.snapshot.read import Life
    from mlwatch.snapshot.roles import Roles

GUARDRAILS = ("error_rate", "latency_p99", "accuracy", "conversion", "revenue")
"""What is judged by default, where the logs have it."""
NOT_LOGGED = {
    "latency_p99": "the logs hold no latency",
    "accuracy": "no labels yet",
    "conversion": "the logs hold no conversions",
    "revenue": "the logs hold no revenue",
    "engagement": "the logs hold no engagement",
}
REFERENCE_VALUES = 1000
"""Latencies of the baseline before the candidate that its frozen quantile needs."""
STRATA = ((timedelta(days=2), 1), (timedelta(days=10), 5), (timedelta(days=40), 15))
"""Longest rollout that is judged in strata of so many minutes; longer ones by the hour."""


@dataclass(frozen=True, slots=True)
class _Arms:
    """The series of both versions on shared minutes, and what they have data for."""

    baseline: ArmSeries
    candidate: ArmSeries
    has: frozenset[str]


def judge(
    connection: DuckDBPyConnection, model: str, task: str, roles: Roles, config: Configured, end: datetime
) -> Rollout | None:
    """Judge the candidate of a model against its baseline.

    Args:
        connection: A cursor of this thread.
        model: The model.
        task: Its task; only classes have an accuracy.
        roles: Which version is which; of several candidates only the newest is judged.
        config: The `[rollout]` of the configuration.
        end: Judge what was known of event times before this, naive UTC.

    Returns:
        The verdict; None where the model has a single version and none was named.

    Raises:
        ConfigError: when the configuration names a metric that there is none of, or a value without meaning.
    """
    if roles.absent:
        return _absent(model, roles, config)
    if roles.baseline is None or roles.candidate is None:
        return None
    start = max(_begin(roles.candidate), _naive(config.start) or _begin(roles.candidate))
    if start >= end:
        return None
    minutes = next((width for longest, width in STRATA if end - start <= longest), 60)
    arms = _read(connection, model, roles, start, end, minutes, task)
    specs, left_out = _specs(connection, config, arms, roles.baseline, start)
    try:
        settings = RolloutSettings(
            metrics=specs,
            baseline=roles.baseline.pair.version,
            candidate=roles.candidate.pair.version,
            mode=config.mode or "canary",
            alpha=config.alpha,
            min_time=config.min_time.total_seconds(),
            share=config.share,
            stratum_minutes=minutes if minutes > 1 else None,
            hard_limits=tuple(HardLimit(name, limit) for name, limit in config.limits.items()),
        )
    except ValueError as error:
        raise ConfigError(str(error), "[rollout]", "correct the configuration") from error
    now = int(end.replace(tzinfo=UTC).timestamp() // 60)
    verdict = rollout_verdict(arms.baseline, arms.candidate, settings, now)
    return _rollout(model, verdict, start, left_out)


def _begin(life: Life) -> datetime:
    return life.first.replace(second=0, microsecond=0)


def _naive(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment is not None and moment.tzinfo else moment


def _absent(model: str, roles: Roles, config: Configured) -> Rollout:
    """Hold, because a version that was named has no traffic."""
    known = ", ".join(life.pair.version for life in roles.ordered) or "none"
    reasons = tuple(f"version {name} has no traffic; the logs know {known}" for name in roles.absent)
    return Rollout(
        model=model,
        mode=config.mode or "canary",
        baseline=config.baseline or (roles.baseline.pair.version if roles.baseline else "-"),
        candidate=config.candidate or (roles.candidate.pair.version if roles.candidate else "-"),
        verdict="hold",
        since=None,
        reasons=reasons,
        metrics={},
        state="no_data",
    )


# --- series ----------------------------------------------------------------------------------------------------


def _read(
    connection: DuckDBPyConnection,
    model: str,
    roles: Roles,
    start: datetime,
    end: datetime,
    minutes: int,
    task: str,
) -> _Arms:
    """Read both versions' sufficient statistics by stratum."""
    if roles.baseline is None or roles.candidate is None:
        raise ValueError("a rollout has two versions")
    names = (roles.baseline.pair.version, roles.candidate.pair.version)

    def table(rollup: rollups.Rollup, columns: str, keys: str = "") -> Table:
        return fetch(
            connection,
            f"""SELECT CAST(epoch(time_bucket(INTERVAL '{minutes} minutes', bucket)) // 60 AS BIGINT) AS minute,
                version = ? AS is_candidate{keys}, {columns}
            FROM {rollup.table(rollups.MINUTE)}
            WHERE model = ? AND version IN (?, ?) AND bucket >= ? AND bucket < ? GROUP BY ALL""",
            [names[1], model, *names, start, end],
        )

    traffic = table(rollups.TRAFFIC, "SUM(n) AS n, SUM(failed) AS failed, SUM(n_latency) AS n_latency")
    wrong = "SUM(CASE WHEN label <> prediction THEN n ELSE 0 END) AS bad"
    outcomes = table(rollups.OUTCOMES, f"SUM(n) AS n, {wrong}")
    gains = table(
        rollups.BUSINESS, "SUM(n_first) AS n_first, SUM(value) AS value, SUM(value_sq) AS sq", ", class"
    )
    latencies = table(rollups.LATENCY, "SUM(n) AS n", ", bin")
    lowest, highest = _bin_range(latencies)
    arms = []
    for side in (False, True):
        rows = traffic.where(traffic["is_candidate"] == side)
        arms.append(
            _arm(
                rows,
                outcomes.where(outcomes["is_candidate"] == side),
                gains.where(gains["is_candidate"] == side),
                latencies.where(latencies["is_candidate"] == side),
                lowest,
                highest,
            )
        )
    classes = set(gains["class"].tolist())
    has = {"error_rate"}
    has |= {"latency_p50", "latency_p90", "latency_p95", "latency_p99"} if len(latencies) else set()
    has |= {"accuracy"} if task in {"binary", "multiclass"} and outcomes.whole("n") else set()
    has |= classes & {"conversion", "engagement"}
    has |= {"revenue"} if "net" in classes else set()
    return _Arms(arms[0], arms[1], frozenset(has))


def _bin_range(latencies: Table) -> tuple[int, int]:
    bins = latencies["bin"][latencies["bin"] != latency.ZERO_BIN]
    return (int(bins.min()), int(bins.max())) if len(bins) else (0, 0)


def _arm(
    traffic: Table, outcomes: Table, gains: Table, latencies: Table, lowest: int, highest: int
) -> ArmSeries:
    minute = np.unique(traffic["minute"]).astype(np.int64)

    def spread(table: Table, column: str) -> np.ndarray:
        """Sum a column by minute; rows of minutes without traffic cannot be, since both are the prediction's time."""
        place = np.searchsorted(minute, table["minute"])
        return np.bincount(place, weights=table[column].astype(float), minlength=len(minute))[: len(minute)]

    n = spread(traffic, "n")
    metrics: dict[str, MetricSeries] = {
        "error_rate": ProportionSeries(n, spread(traffic, "failed")),
        "accuracy": ProportionSeries(spread(outcomes, "n"), spread(outcomes, "bad")),
    }
    for name in ("conversion", "engagement"):
        metrics[name] = ProportionSeries(n, n - spread(gains.where(gains["class"] == name), "n_first"))
    net = gains.where(gains["class"] == "net")
    metrics["revenue"] = MeanSeries(n, spread(net, "value"), spread(net, "sq"))
    width = highest - lowest + 1
    counts = np.zeros((len(minute), width))
    column = np.clip(latencies["bin"].astype(np.int64), lowest, highest) - lowest
    np.add.at(counts, (np.searchsorted(minute, latencies["minute"]), column), latencies["n"])
    edges = latency.GAMMA ** np.arange(lowest - 1, highest + 1, dtype=float)
    histogram = HistogramSeries(edges, counts)
    for percent in (50, 90, 95, 99):
        metrics[f"latency_p{percent}"] = histogram
    return ArmSeries(minute, n, metrics)


# --- settings --------------------------------------------------------------------------------------------------


def _specs(
    connection: DuckDBPyConnection, config: Configured, arms: _Arms, baseline: Life, start: datetime
) -> tuple[tuple[MetricSpec, ...], tuple[str, ...]]:
    """Return what is judged, and a sentence for each default guardrail that cannot be."""
    wanted: Sequence[str] = config.metrics or GUARDRAILS
    unknown = [name for name in (*wanted, *config.margins, *config.limits) if name not in DEFAULT_METRICS]
    if unknown:
        known = ", ".join(DEFAULT_METRICS)
        raise ConfigError(f"no metric {unknown[0]} to judge a rollout by", "[rollout]", f"one of {known}")
    specs, left_out = [], []
    for name in wanted:
        if not config.metrics and name not in arms.has:
            left_out.append(f"{name.replace('_', ' ')} is not judged, because {NOT_LOGGED[name]}")
            continue
        overrides: dict[str, object] = {}
        if name in config.margins:
            overrides["margin"] = config.margins[name]
        if name.startswith("latency_p"):
            overrides["threshold"] = _frozen_quantile(connection, baseline, start, int(name[9:]) / 100)
        specs.append(default_metric(name, **overrides))
    return tuple(specs), tuple(left_out)


def _frozen_quantile(
    connection: DuckDBPyConnection, baseline: Life, start: datetime, q: float
) -> float | None:
    """Return the baseline's latency quantile before the candidate appeared; None where there was too little."""
    table = fetch(
        connection,
        f"""SELECT bin, SUM(n) AS n FROM {rollups.LATENCY.table(rollups.MINUTE)}
        WHERE model = ? AND version = ? AND bucket < ? GROUP BY bin""",
        [baseline.pair.model, baseline.pair.version, start],
    )
    if not len(table) or table.whole("n") < REFERENCE_VALUES:
        return None
    histogram = latency.LatencyHistogram.from_rows(table["bin"], table["n"])
    return float(latency.quantiles(histogram.bins, histogram.counts, [q])[0])


# --- result ----------------------------------------------------------------------------------------------------


def _rollout(model: str, verdict: RolloutVerdict, start: datetime, left_out: Sequence[str]) -> Rollout:
    traffic = verdict.traffic
    return Rollout(
        model=model,
        mode=verdict.mode,
        baseline=verdict.baseline,
        candidate=verdict.candidate,
        verdict=verdict.verdict,
        since=start.replace(tzinfo=UTC),
        reasons=(*verdict.reasons, *left_out),
        metrics={result.name: _metric(result) for result in verdict.metrics},
        traffic_expected=_split(verdict, traffic.expected),
        traffic_observed=_split(verdict, traffic.observed),
        srm_p=traffic.srm_p,
        calibrated=verdict.calibrated,
        state=verdict.state.value,
        elapsed_s=verdict.elapsed,
    )


def _split(verdict: RolloutVerdict, share: float | None) -> Mapping[str, float]:
    return {} if share is None else {verdict.baseline: 1 - share, verdict.candidate: share}


def _metric(result: MetricResult) -> RolloutMetric:
    return RolloutMetric(
        baseline=_finite(result.baseline),
        candidate=_finite(result.candidate),
        difference=_finite(result.difference),
        low=_finite(result.low),
        high=_finite(result.high),
        margin=result.margin,
        status=result.status,
        e_value=_finite(result.e_value),
        samples_left=result.samples_left,
        label=result.label,
        scale=result.scale,
        limit=_finite(result.limit),
        unit=result.unit,
        reason=result.reason,
        notes=result.notes,
    )


def _finite(value: float | None) -> float | None:
    """Return a number that JSON can carry; an overwhelming e-value becomes the largest one."""
    if value is None or np.isnan(value):
        return None
    return float(np.clip(value, -1e300, 1e300))
