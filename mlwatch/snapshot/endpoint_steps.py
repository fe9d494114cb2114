"""Sums of probes over the steps of an hour, a day and a month: uptime in squares, latency, golden answers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.snapshot.health_types import Deviation, EndpointPoint, Square, Uptime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  the store's times are naive UTC


@dataclass(frozen=True, slots=True)
class Grid:
    """Squares of equal length that end at one moment."""

    table: str
    step: timedelta
    count: int


@dataclass(frozen=True, slots=True)
class Steps:
    """The sums of one endpoint over the steps of a grid that have any, oldest first."""

    times: tuple[datetime, ...]
    """When each step of the grid begins."""
    steps: Sequence[int] = ()
    """Which steps the lists below are of."""
    n: Sequence[int] = ()
    up: Sequence[int] = ()
    latency: Sequence[float | None] = ()
    """Mean, in milliseconds."""
    golden: Sequence[tuple[float, float, float, float]] = ()
    """Of the steps with golden answers: the step, how many, how many that differed, the largest difference."""


_SUMS = "endpoint, bucket, n, up, latency_total, latency_n, golden_n, golden_bad, golden_max"
MINUTES = f"""
    SELECT {_SUMS} FROM probe_minutes WHERE bucket >= $start AND bucket < date_trunc('minute', $now)
    UNION ALL
    SELECT endpoint, date_trunc('minute', $now), COUNT(*), COUNT(*) FILTER (up), COALESCE(SUM(latency_ms), 0),
        COUNT(latency_ms), COUNT(golden), COUNT(*) FILTER (NOT golden), COALESCE(MAX(golden_difference), 0)
    FROM probes WHERE ts >= date_trunc('minute', $now) AND ts <= $now GROUP BY endpoint
    UNION ALL
    SELECT {_SUMS} FROM probe_minutes WHERE bucket = date_trunc('minute', $now) AND NOT EXISTS (
        FROM probes WHERE ts >= date_trunc('minute', $now) AND ts < date_trunc('minute', $now) + INTERVAL 1 MINUTE)
"""
"""Sums by minute from `$start` to `$now`, of a past moment too without what came after it: of its last minute the
probes themselves are summed up, as long as they are kept."""
_HOURS = f"""
    SELECT {_SUMS} FROM probe_hours WHERE bucket >= $start AND bucket < date_trunc('hour', $now)
    UNION ALL
    SELECT * FROM ({MINUTES.replace("$start", "date_trunc('hour', $now)")})
"""

HOUR = Grid("probe_minutes", timedelta(minutes=1), 60)
DAY = Grid("probe_minutes", timedelta(minutes=30), 48)
MONTH = Grid("probe_hours", timedelta(days=1), 30)


def steps_of(connection: DuckDBPyConnection, grid: Grid, now: datetime) -> dict[str, Steps]:
    """Return the sums of each step that has any, by endpoint; the last step holds `now`.

    An endpoint is one row of lists: of a hundred endpoints with sixty steps each, thousands of rows would cost more to
    fetch than to sum up.
    """
    start = start_of(grid, now)
    rows = connection.execute(
        f"""WITH steps AS (
            SELECT endpoint, date_diff('second', $start, bucket) // {int(grid.step.total_seconds())} AS step,
                SUM(n)::BIGINT AS n, SUM(up)::BIGINT AS up, SUM(latency_total) / NULLIF(SUM(latency_n), 0) AS latency,
                SUM(golden_n)::BIGINT AS golden_n, SUM(golden_bad)::BIGINT AS golden_bad, MAX(golden_max) AS golden_max
            FROM ({MINUTES if grid.table == "probe_minutes" else _HOURS}) GROUP BY ALL)
        SELECT endpoint, list(step ORDER BY step), list(n ORDER BY step), list(up ORDER BY step),
            list(latency ORDER BY step),
            list([step, golden_n, golden_bad, golden_max] ORDER BY step) FILTER (golden_n > 0)
        FROM steps GROUP BY endpoint""",
        {"start": start, "now": now},
    ).fetchall()
    times = tuple(aware(start + step * grid.step) for step in range(grid.count))
    found: dict[str, Steps] = defaultdict(lambda: Steps(times))
    for endpoint, steps, n, up, latency, golden in rows:
        found[endpoint] = Steps(times, steps, n, up, latency, golden or ())
    return found


def start_of(grid: Grid, now: datetime) -> datetime:
    """Return where the first step begins: steps end where the current minute or hour does."""
    unit = timedelta(minutes=1) if grid.table == "probe_minutes" else timedelta(hours=1)
    end = EPOCH + ((now - EPOCH) // unit + 1) * unit
    return end - grid.count * grid.step


def uptime(found: Steps) -> Uptime:
    """Return the share of probes that found an endpoint up, and a square for each step."""
    squares: list[Square] = ["unknown"] * len(found.times)
    for step, n, up in zip(found.steps, found.n, found.up, strict=True):
        squares[step] = "unknown" if not n else "ok" if up == n else "warn" if up else "bad"
    return Uptime(sum(found.n), sum(found.up), tuple(squares))


def deviations(steps: Steps) -> tuple[Deviation | None, ...]:
    """Return how far golden answers were from what is expected, step by step."""
    found: list[Deviation | None] = [None] * len(steps.times)
    for step, n, bad, largest in steps.golden:
        found[int(step)] = Deviation(steps.times[int(step)], int(n), int(bad), largest)
    return tuple(found)


def history(found: Steps) -> tuple[EndpointPoint, ...]:
    """Return the steps with probes."""
    return tuple(
        EndpointPoint(found.times[step], n, up, latency)
        for step, n, up, latency in zip(found.steps, found.n, found.up, found.latency, strict=True)
    )


def aware(moment: datetime) -> datetime:
    """Return a time of the store as one that knows that it is UTC."""
    return moment.replace(tzinfo=UTC)
