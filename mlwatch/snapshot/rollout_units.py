"""Traffic that is split by user: who was first seen when, and how much users vary, from the stored rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_units import design_effect
from mlwatch.snapshot.read import fetch
from mlwatch.snapshot.rollout_rows import requests_sql
from mlwatch.snapshot.rollout_series import LATENCIES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.rollout_types import ArmSeries, IntArray, MetricSpec
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.rollout_series import Arms, Pairing

    ByUnit = Callable[[Hashable, Callable[[], "Units"]], "Units"]

REQUESTS = frozenset({None, "request", "id"})
"""What `[rollout] unit` says where requests are randomised."""
CROSSING = 0.01
"""Share of units in both versions from which traffic is not split by them."""


@dataclass(frozen=True, slots=True)
class Units:
    """The randomisation units of two versions."""

    new: Mapping[int, tuple[IntArray, IntArray]] = field(default_factory=dict)
    """By side, the strata in which units were first seen (first minute), and how many."""
    count: int = 0
    crossing: int = 0
    """Units with requests of both versions."""
    design: Mapping[str, float] = field(default_factory=dict)
    """Design effect by metric."""


def read_units(connection: DuckDBPyConnection, pairing: Pairing, specs: tuple[MetricSpec, ...]) -> Units:
    """Count units, and measure how much more their totals vary than independent requests would.

    Args:
        connection: A cursor of this thread; it makes a temporary table.
        pairing: The versions and the time.
        specs: What is judged.
    """
    width = 60_000_000 * pairing.minutes
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE by_unit AS
        SELECT *, CAST(epoch_us(ts) // {width} AS INTEGER) AS stratum FROM (
            {requests_sql("p.unit, p.version = ? AS side,", versions=2)}) WHERE unit IS NOT NULL""",
        [pairing.model, pairing.baseline, pairing.candidate, pairing.start, pairing.end, pairing.candidate],
    )
    first = fetch(
        connection,
        f"""SELECT side, stratum * {pairing.minutes} AS minute, COUNT(*) AS n FROM (
            SELECT unit, CAST(side AS TINYINT) AS side, MIN(stratum) AS stratum FROM by_unit GROUP BY ALL)
        GROUP BY ALL ORDER BY minute""",
    )
    row = connection.execute(
        """SELECT COUNT(*), COUNT(*) FILTER (sides > 1) FROM (
            SELECT unit, COUNT(DISTINCT side) AS sides FROM by_unit GROUP BY unit)"""
    ).fetchone()
    count, crossing = row or (0, 0)
    new = {side: _columns(first.where(first["side"] == side)) for side in (0, 1)}
    return Units(new, count, crossing, _design(connection, specs) if count else {})


def _columns(rows: Table) -> tuple[IntArray, IntArray]:
    return rows["minute"].astype(np.int64), rows["n"].astype(np.int64)


def _design(connection: DuckDBPyConnection, specs: tuple[MetricSpec, ...]) -> dict[str, float]:
    values = {spec.name: text for spec in specs if (text := _value(spec)) is not None}
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


def _value(spec: MetricSpec) -> str | None:
    """Return a metric of one request as SQL, NULL where the request does not count for it."""
    error = "TRY_CAST(prediction AS DOUBLE) - TRY_CAST(label AS DOUBLE)"
    cap = "" if spec.cap is None else f", {spec.cap!r}"
    known = {
        "error_rate": "failed",
        "accuracy": "CASE WHEN NOT failed THEN label <> prediction END",
        "mae": f"CASE WHEN NOT failed THEN ABS({error}) END",
        "mse": f"CASE WHEN NOT failed THEN ({error}) * ({error}) END",
        "conversion": "conversion",
        "engagement": "engagement",
        "revenue": f"LEAST(COALESCE(net, 0){cap})",
        "latency_mean": f"LEAST(latency_ms{cap})",
    }
    if spec.name in LATENCIES:
        limit = f"(SELECT QUANTILE_CONT(latency_ms, {LATENCIES[spec.name]}) FROM by_unit)"
        return f"CASE WHEN latency_ms IS NOT NULL THEN latency_ms > {spec.threshold or limit} END"
    return known.get(spec.name)


def with_units(arms: Arms, units: Units) -> Arms:
    """Return arms that know in which stratum each unit was first seen."""
    return replace(
        arms,
        baseline=_seen(arms.baseline, units.new[0], arms.minutes),
        candidate=_seen(arms.candidate, units.new[1], arms.minutes),
    )


def _seen(arm: ArmSeries, new: tuple[IntArray, IntArray], width: int) -> ArmSeries:
    strata, counts = np.asarray(arm.minute) // width * width, np.zeros(len(arm.minute), dtype=np.int64)
    minute, n = new
    inside = np.isin(minute, strata)
    np.add.at(counts, np.searchsorted(strata, minute[inside]), n[inside])
    return replace(arm, units=counts)


def remarks_of(unit: str, units: Units, versions: str) -> tuple[str, ...]:
    """Say what is wrong with the units.

    Args:
        unit: What is randomised, as configured.
        units: What was found.
        versions: Both versions, in words.
    """
    if not units.count:
        text = (
            f"traffic is split by {unit}, but no stored request has one, so that requests are counted and the "
            f"intervals are too narrow: name the column in [rollout] unit"
        )
        return (text,)
    if units.crossing > CROSSING * units.count:
        share = f"{100 * units.crossing / units.count:.2g} %"
        return (
            f"{share} of {units.count:,} values of {unit} had requests of {versions}: it is not what is split",
        )
    return ()
