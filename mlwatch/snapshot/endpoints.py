"""Read what polling found: the last look at every replica, and sums over the last minutes, hours and days."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlwatch.asking import is_there
from mlwatch.endpoints.address import parse
from mlwatch.snapshot.conditions import conditions_of
from mlwatch.snapshot.endpoint_steps import (
    DAY,
    HOUR,
    MINUTES,
    MONTH,
    Steps,
    aware,
    deviations,
    history,
    steps_of,
    uptime,
)
from mlwatch.snapshot.health_types import (
    Endpoint,
    EndpointLatency,
    GoldenState,
    Outage,
    Replica,
    Served,
    ServerPoint,
)
from mlwatch.snapshot.server_history import server_histories
from mlwatch.snapshot.server_metrics import Told, together, told_by_servers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config

    Outages = Mapping[tuple[str, str], Outage]
    """By endpoint and replica."""

FAILURES = 3
"""Failed probes in a row from which on a replica counts as down and not as unlucky."""
KNOWN = timedelta(days=1)
"""Endpoints that nobody has looked at for so long are not shown any more."""
RECENT = timedelta(minutes=15)
"""Time over which latency and changes are looked at probe by probe."""
QUIET = timedelta(minutes=1)
TOGETHER = timedelta(minutes=5)
"""A replica that was not looked at for so long while others were is gone."""
SPANS = {"5m": 5, "30m": 30, "1h": 60, "6h": 360}
"""Minutes over which the error budget is looked at."""


def golden_in(config: Config) -> frozenset[str]:
    """Return the names of the endpoints that the configuration sends a fixed input to."""
    return frozenset(one.name or parse(one.url).url for one in config.endpoints if one.probe is not None)


def endpoints_of(
    connection: DuckDBPyConnection, now: datetime, asked: frozenset[str] | None = None
) -> tuple[Endpoint, ...]:
    """Return the endpoints as they stood at a moment, by name.

    Args:
        connection: A cursor of this thread.
        now: The moment, naive UTC.
        asked: Those whose answers to a fixed input count; all of them when not said.
    """
    if not is_there(connection, "probe_minutes"):
        return ()
    latest = _latest(connection, now)
    if not latest:
        return ()
    recent, errors = _recent(connection, now), _errors(connection, now)
    grids = [steps_of(connection, grid, now) for grid in (HOUR, DAY, MONTH)]
    burns, runs = _burns(connection, now), _runs(connection, now)
    last_up = _served_when_up(connection, now, latest)
    changed = any(row["changes"] for row in recent.values())
    outages = _outages(connection, now) if changed else {}
    golden, told = _golden_answers(connection, now), told_by_servers(connection, now)
    histories = server_histories(connection, now)
    return tuple(
        _endpoint(
            name,
            rows,
            now,
            recent.get(name, {}),
            errors.get(name),
            [grid[name] for grid in grids],
            burns.get(name, {}),
            runs,
            outages,
            golden.get(name, []) if asked is None or name in asked else [],
            told.get(name, []),
            histories.get(name, ()),
            last_up.get(name, []),
        )
        for name, rows in sorted(latest.items())
    )


Row = dict[str, Any]


def _fetch(connection: DuckDBPyConnection, sql: str, values: Mapping[str, object]) -> list[Row]:
    found = connection.execute(sql, values)
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _by_endpoint(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["endpoint"]].append(row)
    return found


def _latest(connection: DuckDBPyConnection, now: datetime) -> dict[str, list[Row]]:
    """Return the last probe of each replica, by endpoint; replicas that are gone are left out."""
    rows = _fetch(
        connection,
        """WITH newest AS (
            SELECT endpoint, replica, MAX(bucket) AS bucket FROM probe_minutes
            WHERE bucket <= $now AND bucket > $since GROUP BY ALL)
        SELECT p.* FROM probes AS p JOIN newest AS n USING (endpoint, replica)
        WHERE p.ts >= n.bucket AND p.ts < n.bucket + INTERVAL 1 MINUTE AND p.ts <= $now
            AND p.ts >= (SELECT MIN(bucket) FROM newest)
        QUALIFY row_number() OVER (PARTITION BY endpoint, replica ORDER BY ts DESC) = 1
        ORDER BY endpoint, replica""",
        {"now": now, "since": now - KNOWN},
    )
    found = _by_endpoint(rows)
    for name, several in found.items():
        last = max(row["ts"] for row in several)
        found[name] = [row for row in several if row["ts"] >= last - TOGETHER]
    return found


def _recent(connection: DuckDBPyConnection, now: datetime) -> dict[str, Row]:
    rows = _fetch(
        connection,
        """SELECT endpoint, COUNT(*) AS n, COUNT(*) FILTER (NOT up) AS failed,
            COUNT(latency_ms) AS latency_n, quantile_cont(latency_ms, 0.5) AS p50,
            quantile_cont(latency_ms, 0.95) AS p95, MAX(latency_ms) AS max,
            quantile_cont(late_ms, 0.99) AS late_p99, COUNT(*) FILTER (up <> before) AS changes
        FROM (SELECT *, lag(up) OVER (PARTITION BY endpoint, replica ORDER BY ts) AS before FROM probes
            WHERE ts <= $now AND ts > $since)
        GROUP BY endpoint""",
        {"now": now, "since": now - RECENT},
    )
    return {row["endpoint"]: row for row in rows}


def _errors(connection: DuckDBPyConnection, now: datetime) -> dict[str, Row]:
    """Return the last error of each endpoint within the last hour; why nobody knows whether it is ready is none."""
    rows = _fetch(
        connection,
        """SELECT endpoint, arg_max(error, ts) AS error, MAX(ts) AS at FROM probes
        WHERE ts <= $now AND ts > $since AND error <> '' AND NOT (up AND ready IS NULL) GROUP BY endpoint""",
        {"now": now, "since": now - timedelta(hours=1)},
    )
    return {row["endpoint"]: row for row in rows}


def _golden_answers(connection: DuckDBPyConnection, now: datetime) -> dict[str, list[Row]]:
    """Return the last golden answer of each replica; far fewer looks have one than not."""
    rows = _fetch(
        connection,
        """WITH newest AS (
            SELECT endpoint, replica, MAX(bucket) AS bucket FROM probe_minutes
            WHERE golden_n > 0 AND bucket <= $now AND bucket > $since GROUP BY ALL)
        SELECT p.endpoint, p.replica, p.ts, p.golden, p.golden_difference, p.golden_reason
        FROM probes AS p JOIN newest AS n USING (endpoint, replica)
        WHERE p.ts >= n.bucket AND p.ts < n.bucket + INTERVAL 1 MINUTE AND p.ts <= $now AND p.golden IS NOT NULL
            AND p.ts >= (SELECT MIN(bucket) FROM newest)
        QUALIFY row_number() OVER (PARTITION BY endpoint, replica ORDER BY ts DESC) = 1
        ORDER BY endpoint, replica""",
        {"now": now, "since": now - KNOWN},
    )
    return _by_endpoint(rows)


def _runs(
    connection: DuckDBPyConnection, now: datetime
) -> dict[tuple[str, str], tuple[int, datetime | None]]:
    """Return how many looks found each replica down since it was last up, and since when.

    The last time up is looked for in the sums, so that a long outage costs no more than a short one; who was up
    throughout the newest minute is not looked at.
    """
    rows = connection.execute(
        """WITH last AS (
            SELECT endpoint, replica, MAX(bucket) FILTER (up > 0) AS minute, MIN(bucket) AS first
            FROM probe_minutes WHERE bucket <= $now AND bucket > $since GROUP BY ALL
            HAVING arg_max(n - up, bucket) > 0),
        close AS (
            SELECT l.endpoint, l.replica, COUNT(p.ts) FILTER (NOT p.up) AS failed, MIN(p.ts) AS since
            FROM last AS l JOIN probes AS p ON p.endpoint = l.endpoint AND p.replica = l.replica AND p.ts <= $now
            AND p.ts > COALESCE((SELECT MAX(q.ts) FROM probes AS q WHERE q.endpoint = l.endpoint
                AND q.replica = l.replica AND q.up AND q.ts >= l.minute
                AND q.ts < l.minute + INTERVAL 1 MINUTE AND q.ts <= $now), l.first - INTERVAL 1 SECOND)
            GROUP BY ALL)
        SELECT endpoint, replica, failed, since FROM close""",
        {"now": now, "since": now - KNOWN},
    ).fetchall()
    return {(endpoint, replica): (int(failed), since) for endpoint, replica, failed, since in rows if failed}


def _outages(connection: DuckDBPyConnection, now: datetime) -> Outages:
    """Return the last outage of each replica that was over of late; a failure or two are none."""
    rows = connection.execute(
        """WITH back AS (
            SELECT endpoint, replica, ts AS until
            FROM (SELECT *, lag(up) OVER (PARTITION BY endpoint, replica ORDER BY ts) AS before FROM probes
                WHERE ts <= $now AND ts > $recent)
            WHERE up AND NOT before)
        SELECT b.endpoint, b.replica, MIN(p.ts), b.until, arg_max(p.error, p.ts)
        FROM back AS b JOIN probes AS p ON p.endpoint = b.endpoint AND p.replica = b.replica AND p.ts < b.until
            AND p.ts > COALESCE((SELECT MAX(q.ts) FROM probes AS q WHERE q.endpoint = b.endpoint
                AND q.replica = b.replica AND q.up AND q.ts < b.until AND q.ts > $since), $since)
        GROUP BY b.endpoint, b.replica, b.until HAVING COUNT(*) >= $failures
        QUALIFY row_number() OVER (PARTITION BY b.endpoint, b.replica ORDER BY b.until DESC) = 1""",
        {"now": now, "recent": now - RECENT, "since": now - KNOWN, "failures": FAILURES},
    ).fetchall()
    return {
        (endpoint, replica): Outage(aware(since), aware(until), error or "")
        for endpoint, replica, since, until, error in rows
    }


def _served_when_up(
    connection: DuckDBPyConnection, now: datetime, latest: Mapping[str, Sequence[Row]]
) -> dict[str, list[Row]]:
    """Return what those who are down served when they were last up, by endpoint; looked for as in `_runs`."""
    silent = {(row["endpoint"], row["replica"]) for rows in latest.values() for row in rows if not row["up"]}
    if not silent:
        return {}
    rows = _fetch(
        connection,
        """WITH last AS (
            SELECT endpoint, replica, MAX(bucket) AS minute FROM probe_minutes
            WHERE up > 0 AND bucket <= $now AND bucket > $since
                AND list_contains($names::VARCHAR[], endpoint) GROUP BY ALL)
        SELECT p.endpoint, p.replica, arg_max(p.served, p.ts) AS served
        FROM probes AS p JOIN last AS l USING (endpoint, replica)
        WHERE p.up AND p.ts >= l.minute AND p.ts < l.minute + INTERVAL 1 MINUTE AND p.ts <= $now
            AND p.ts >= (SELECT MIN(minute) FROM last)
        GROUP BY ALL""",
        {"now": now, "since": now - KNOWN, "names": sorted({name for name, _ in silent})},
    )
    return _by_endpoint(row for row in rows if (row["endpoint"], row["replica"]) in silent)


def _burns(connection: DuckDBPyConnection, now: datetime) -> dict[str, dict[str, float]]:
    """Return the share of failed probes over each span, by endpoint."""
    shares = ", ".join(
        f"SUM(n - up) FILTER (bucket > $now - INTERVAL {minutes} MINUTE)"
        f" / SUM(n) FILTER (bucket > $now - INTERVAL {minutes} MINUTE) AS m{minutes}"
        for minutes in SPANS.values()
    )
    rows = _fetch(
        connection,
        f"SELECT endpoint, {shares} FROM ({MINUTES}) GROUP BY endpoint",
        {"now": now, "start": now - timedelta(hours=6)},
    )
    return {
        row["endpoint"]: {
            name: float(row[f"m{minutes}"])
            for name, minutes in SPANS.items()
            if row[f"m{minutes}"] is not None
        }
        for row in rows
    }


def _endpoint(
    name: str,
    rows: Sequence[Row],
    now: datetime,
    recent: Row,
    error: Row | None,
    grids: Sequence[Steps],
    burn: Mapping[str, float],
    runs: Mapping[tuple[str, str], tuple[int, datetime | None]],
    outages: Outages,
    golden: Sequence[Row],
    told: Sequence[Told],
    minutes: tuple[ServerPoint, ...],
    last_up: Sequence[Row],
) -> Endpoint:
    last = max(rows, key=lambda row: row["ts"])
    hour, day, month = grids
    there = {row["replica"] for row in rows}
    said = [each for each in told if each.replica in there]
    readiness = [row["ready"] for row in rows if row["ready"] is not None]
    return Endpoint(
        name=name,
        at=aware(last["ts"]),
        server=last["server"] or "",
        recognised=last["recognised"] or "",
        live=any(row["live"] for row in rows) if any(row["live"] is not None for row in rows) else None,
        ready=all(readiness) if readiness else None,
        replicas=tuple(_replica(row, runs, outages) for row in rows),
        served=_served(rows),
        silent=_served(last_up),
        latency=EndpointLatency(
            int(recent.get("latency_n", 0)), *(recent.get(key) for key in ("p50", "p95", "max", "late_p99"))
        ),
        probes=int(recent.get("n", 0)),
        failed=int(recent.get("failed", 0)),
        changes=int(recent.get("changes", 0)),
        error=error["error"] if error else "",
        error_at=aware(error["at"]) if error else None,
        hour=uptime(hour),
        day=uptime(day),
        month=uptime(month),
        burn=burn,
        metrics=together([*_with_probes(rows), *(each.values for each in said)]),
        metrics_error=next((each.error for each in said if each.error), ""),
        certificate_days=min(
            (row["certificate_days"] for row in rows if row["certificate_days"] is not None), default=None
        ),
        conditions=conditions_of(rows),
        golden=_golden(golden, rows, hour, day),
        history=history(hour),
        server_history=minutes,
        stale=now - last["ts"] > QUIET,
    )


def _replica(
    row: Row, runs: Mapping[tuple[str, str], tuple[int, datetime | None]], outages: Outages
) -> Replica:
    failures, since = runs.get((row["endpoint"], row["replica"]), (0, None))
    return Replica(
        address=row["replica"],
        at=aware(row["ts"]),
        live=row["live"],
        ready=row["ready"],
        up=bool(row["up"]),
        status=row["status"],
        latency_ms=row["latency_ms"],
        error=row["error"] or "",
        versions=tuple((model, version) for model, version, _ in json.loads(row["served"] or "[]")),
        failures=0 if row["up"] else failures,
        down_since=None if row["up"] or since is None else aware(since),
        outage=outages.get((row["endpoint"], row["replica"])),
    )


def _served(rows: Sequence[Row]) -> tuple[Served, ...]:
    """Return each version with the number of replicas that serve it."""
    found: dict[tuple[str, str], list[bool | None]] = defaultdict(list)
    for row in rows:
        for model, version, ready in json.loads(row["served"] or "[]"):
            found[model, version].append(ready)
    return tuple(
        Served(model, version, len(said), None if None in said else all(said))
        for (model, version), said in sorted(found.items())
    )


def _with_probes(rows: Iterable[Row]) -> Iterator[dict[str, float]]:
    """Yield the metrics that came with probes."""
    for row in rows:
        yield json.loads(row["metrics"] or "{}")


def _golden(answers: Sequence[Row], rows: Sequence[Row], hour: Steps, day: Steps) -> GoldenState | None:
    """Return the last golden answers of the replicas that are there, as one; None where there are none."""
    there = {row["replica"] for row in rows}
    said = [row for row in answers if row["replica"] in there]
    if not said:
        return None
    wrong = [row for row in said if not row["golden"]]
    differences = [row["golden_difference"] for row in wrong or said if row["golden_difference"] is not None]
    return GoldenState(
        matches=not wrong,
        at=aware(max(row["ts"] for row in said)),
        difference=max(differences, default=None),
        reason=wrong[0]["golden_reason"] or "" if wrong else "",
        replica=wrong[0]["replica"] if wrong else "",
        hour=deviations(hour),
        day=deviations(day),
    )
