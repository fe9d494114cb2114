"""Traffic that is split by user: who was first seen when, and how much users vary, from the stored rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.asking import row
from mlwatch.metrics.rollout_units import design_effect
from mlwatch.snapshot.randomised import unit_sql
from mlwatch.snapshot.read import fetch
from mlwatch.snapshot.rollout_past import LATENCIES
from mlwatch.snapshot.rollout_rows import STORED, requests_sql, stored_since
from mlwatch.snapshot.rollout_series import stratum_sql
from mlwatch.sources.sql import literal
from mlwatch.store.rollup import RESIDUAL

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.rollout_types import ArmSeries, IntArray, MetricSpec
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.rollout_pairing import Pairing
    from mlwatch.snapshot.rollout_series import Arms

    ByUnit = Callable[[Hashable, Callable[[], "Units"]], "Units"]
    Counted = tuple[IntArray, IntArray]

NO_RECORDS = "no records are kept here, so that nothing is known of who sent them: look where the logs are"
CROSSING = 0.01
"""Share of units in both versions from which traffic is not split by them."""


@dataclass(frozen=True, slots=True)
class Units:
    """The randomisation units of two versions."""

    new: Mapping[int, Counted] = field(default_factory=dict)
    """By side, the strata in which units were first seen by it, and how many."""
    entered: Mapping[int, Counted] = field(default_factory=dict)
    """By side, the same of units that it saw before the other one did."""
    others: Counted | None = None
    """The same of units that neither has seen, but a further version that shares the traffic."""
    count: int = 0
    crossing: int = 0
    """Units with requests of both versions."""
    returning: int = 0
    """Those of them that went back and forth; a step of a ramp moves a unit once."""
    without: int = 0
    """Requests that say no unit."""
    requests: int = 0
    since: datetime | None = None
    """From when on requests are stored, naive UTC, where there were earlier ones."""
    design: Mapping[str, float] = field(default_factory=dict)
    """Design effect by metric."""


def read_units(
    connection: DuckDBPyConnection,
    pairing: Pairing,
    specs: tuple[MetricSpec, ...],
    unit: str,
    others: tuple[str, ...] = (),
) -> Units:
    """Count units, and measure how much more their totals vary than independent requests would.

    Args:
        connection: A cursor of this thread; it makes a temporary table.
        pairing: The versions and the time.
        specs: What is judged.
        unit: Column of the logs that is randomised.
        others: Further versions that share the traffic.
    """
    value = unit_sql(connection, pairing.model, unit)
    source = f"""(SELECT {value} AS unit, version = ? AS side, ts FROM predictions AS p
        WHERE model = ? AND version IN (?, ?) AND ts >= ? AND ts < ?)"""
    who = [pairing.model, pairing.baseline, pairing.candidate, pairing.start, pairing.end]
    found = count_units(connection, source, [pairing.candidate, *who], pairing.minutes)
    if not found.count:
        return found
    found = replace(found, others=_units_of_others(connection, pairing, value, others) if others else None)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE by_unit AS
        SELECT *, {stratum_sql("ts", pairing.minutes)} AS stratum FROM (
            {requests_sql(f"{value} AS unit, p.version = ? AS side,", versions=2)}) WHERE unit IS NOT NULL""",
        [*who, pairing.candidate],
    )
    return replace(
        found,
        since=stored_since(connection, pairing),
        design=design_effects(connection, specs, pairing.positive),
    )


def _units_of_others(
    connection: DuckDBPyConnection, pairing: Pairing, value: str, others: tuple[str, ...]
) -> Counted:
    """Count the units that only other versions have seen, by stratum."""
    rows = fetch(
        connection,
        f"""WITH seen AS (
            SELECT {value} AS who, MIN(ts) AS first FROM predictions AS p
            WHERE model = ? AND version IN (?, ?{", ?" * len(others)}) AND ts >= ? AND ts < ? AND who IS NOT NULL
            GROUP BY who HAVING NOT BOOL_OR(version IN (?, ?)))
        SELECT {stratum_sql("first", pairing.minutes)} AS minute, COUNT(*) AS n FROM seen GROUP BY ALL""",
        [pairing.model, pairing.baseline, pairing.candidate, *others, pairing.start, pairing.end,
         pairing.baseline, pairing.candidate],
    )  # fmt: skip
    return _columns(rows, "n")


def count_units(connection: DuckDBPyConnection, source: str, values: Sequence[object], minutes: int) -> Units:
    """Count units by stratum.

    Args:
        connection: A cursor of this thread.
        source: A FROM item with `unit`, `side` (of the candidate) and `ts` of each request.
        values: Its parameters.
        minutes: Width of a stratum.
    """
    rows = fetch(
        connection,
        f"""WITH requests AS (FROM {source}),
        seen AS (
            SELECT unit, side, MIN(ts) AS first, MAX(ts) AS last FROM requests WHERE unit IS NOT NULL GROUP BY ALL),
        units AS (
            SELECT side, first, ROW_NUMBER() OVER mine = 1 AS enters, COUNT(*) OVER mine > 1 AS crosses,
                MAX(first) OVER mine <= MIN(last) OVER mine AS returns
            FROM seen WINDOW mine AS (PARTITION BY unit ORDER BY first, side
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))
        SELECT CAST(side AS TINYINT) AS side, {stratum_sql("first", minutes)} AS minute, COUNT(*) AS n,
            SUM(enters) AS entered, SUM(enters AND crosses) AS crossing,
            SUM(enters AND crosses AND returns) AS returning
        FROM units GROUP BY ALL ORDER BY minute""",
        values,
    )
    requests, known = row(connection, f"SELECT COUNT(*), COUNT(unit) FROM {source}", values)
    return Units(
        new={side: _columns(rows.where(rows["side"] == side), "n") for side in (0, 1)},
        entered={side: _columns(rows.where(rows["side"] == side), "entered") for side in (0, 1)},
        count=rows.whole("entered"),
        crossing=rows.whole("crossing"),
        returning=rows.whole("returning"),
        without=requests - known,
        requests=requests,
    )


def _columns(rows: Table, name: str) -> Counted:
    return rows["minute"].astype(np.int64), rows[name].astype(np.int64)


def design_effects(
    connection: DuckDBPyConnection, specs: tuple[MetricSpec, ...], positive: str | None
) -> dict[str, float]:
    """Return the design effect of each metric.

    Args:
        connection: Of which the temporary table `by_unit` holds the requests.
        specs: The metrics.
        positive: Positive class of a binary task.
    """
    values = {spec.name: text for spec in specs if (text := _value(spec, positive)) is not None}
    if not values:
        return {}
    listed = " UNION ALL ".join(
        f"SELECT {number} AS metric, unit, side, stratum, CAST({text} AS DOUBLE) AS x FROM by_unit"
        for number, text in enumerate(values.values())
    )
    rows = fetch(
        connection,
        f"""WITH known AS (FROM ({listed}) WHERE ABS(x) < 1e150),
        strata AS (
            SELECT metric, stratum, AVG(x) AS mean, COUNT(*) AS n, SUM(CAST(side AS INTEGER)) AS n_c
            FROM known GROUP BY ALL),
        residuals AS (
            SELECT k.metric, k.unit, k.side,
                (k.x - s.mean) * (CASE WHEN k.side THEN s.n - s.n_c ELSE s.n_c END) / s.n AS r
            FROM known AS k JOIN strata AS s ON s.metric = k.metric AND s.stratum = k.stratum
            WHERE s.n_c > 0 AND s.n_c < s.n),
        arms AS (SELECT metric, side, AVG(r) AS mean FROM residuals GROUP BY ALL),
        totals AS (
            SELECT metric, side, unit, SUM(r - mean) AS total, SUM((r - mean) * (r - mean)) AS alone
            FROM residuals JOIN arms USING (metric, side) GROUP BY ALL)
        SELECT metric, side, COUNT(*) AS units, SUM(total * total) AS totals_sq, SUM(alone) AS requests_sq
        FROM totals GROUP BY ALL""",
    )
    found = {}
    for number, name in enumerate(values):
        mine = rows.where(rows["metric"] == number)
        found[name] = design_effect(mine["totals_sq"], mine["requests_sq"], mine["units"])
    return found


def _value(spec: MetricSpec, positive: str | None) -> str | None:
    """Return a metric of one request as SQL, NULL where the request does not count for it."""
    cap, yes = (
        "" if spec.cap is None else f", {spec.cap!r}",
        "NULL" if positive is None else literal(positive),
    )
    known = {
        "error_rate": "failed",
        "accuracy": "CASE WHEN NOT failed THEN label <> prediction END",
        "recall": f"CASE WHEN NOT failed AND label = {yes} THEN label <> prediction END",
        "precision": f"CASE WHEN NOT failed AND prediction = {yes} THEN label <> prediction END",
        "mae": f"CASE WHEN NOT failed THEN ABS({RESIDUAL}) END",
        "mse": f"CASE WHEN NOT failed THEN ({RESIDUAL}) * ({RESIDUAL}) END",
        "conversion": "conversion",
        "engagement": "engagement",
        "revenue": f"LEAST(COALESCE(net, 0){cap})",
        "latency_mean": f"LEAST(latency_ms{cap})",
    }
    if spec.name in LATENCIES:  # of these requests: the past's may be no quantile of theirs
        limit = f"(SELECT QUANTILE_CONT(latency_ms, {LATENCIES[spec.name]}) FROM by_unit)"
        return f"CASE WHEN latency_ms IS NOT NULL THEN latency_ms > {limit} END"
    return known.get(spec.name)


def with_units(arms: Arms, units: Units) -> Arms:
    """Return arms that know in which stratum each unit was first seen."""
    baseline = _seen(arms.baseline, units, 0, arms.minutes)
    return replace(
        arms,
        baseline=replace(baseline, other_units=units.others),
        candidate=_seen(arms.candidate, units, 1, arms.minutes),
    )


def _seen(arm: ArmSeries, units: Units, side: int, width: int) -> ArmSeries:
    strata = np.asarray(arm.minute) // width * width

    def laid(counted: Counted) -> IntArray:
        minute, n = counted
        inside = np.isin(minute, strata)
        counts = np.zeros(len(strata), dtype=np.int64)
        np.add.at(counts, np.searchsorted(strata, minute[inside]), n[inside])
        return counts

    return replace(arm, units=laid(units.new[side]), entered=laid(units.entered[side]))


def remarks_of(unit: str, units: Units, versions: str, *, ramp: bool) -> tuple[str, ...]:
    """Say what is wrong with the units.

    Args:
        unit: What is randomised, as configured.
        units: What was found.
        versions: Both versions, in words.
        ramp: The share of the traffic changes, which moves units from one version to the other.
    """
    if not units.count:
        why = (
            f"no request says its {unit}: name the column in [rollout] unit" if units.requests else NO_RECORDS
        )
        return (why,)
    texts = []
    crossing, how = (units.returning, ", back and forth") if ramp else (units.crossing, "")
    if crossing > CROSSING * units.count:
        share = f"{100 * crossing / units.count:.2g} %"
        texts.append(
            f"{share} of {units.count:,} values of {unit} had requests of {versions}{how}: it is not what is split"
        )
    if units.without > CROSSING * units.requests:
        share = f"{100 * units.without / units.requests:.2g} %"
        texts.append(
            f"{share} of {units.requests:,} requests say no {unit}, and are taken to be like the others"
        )
    if units.since is not None:
        texts.append(f"values of {unit} are counted since {units.since:%Y-%m-%d %H:%M} UTC, {STORED}")
    return tuple(texts)
