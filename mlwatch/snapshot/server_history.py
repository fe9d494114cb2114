"""What servers said about themselves over the last hour, minute by minute, for charts."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from mlwatch.snapshot.endpoint_steps import HOUR, aware, start_of
from mlwatch.snapshot.health_types import ServerPoint
from mlwatch.snapshot.server_metrics import ADDED

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection

CHARTED = (
    *("requests_per_s", "errors_per_s", "latency_p95_ms", "latency_mean_ms", "queue_length", "in_flight"),
    *("tokens_per_s", "cpu_cores", "cpu_share", "memory_bytes", "memory_share", "gpu_share", "hit_ratio"),
)
"""Metrics that have a history; all others are known as they are now."""


def server_histories(connection: DuckDBPyConnection, now: datetime) -> dict[str, tuple[ServerPoint, ...]]:
    """Return the minutes of the last hour in which a server told something, by endpoint.

    Each replica counts with what it told last in a minute; of several, amounts are added up and all else is averaged,
    as in `together`.

    Args:
        connection: A cursor of this thread.
        now: A moment, naive UTC.
    """
    start = start_of(HOUR, now)
    shape = json.dumps(dict.fromkeys(CHARTED, "DOUBLE"))
    values = ", ".join(f"{'SUM' if name.endswith(ADDED) else 'AVG'}(told.{name})" for name in CHARTED)
    rows = connection.execute(
        f"""WITH said AS (
            SELECT endpoint, replica, ts, found FROM server_metrics WHERE ts >= $start AND ts <= $now
            UNION ALL
            SELECT endpoint, replica, ts, metrics FROM probes
            WHERE ts >= $start AND ts <= $now AND metrics <> '{{}}'
        ), minutes AS (
            SELECT endpoint, replica, date_diff('second', $start, ts) // 60 AS step,
                from_json(arg_max(found, ts)::JSON, '{shape}') AS told
            FROM said GROUP BY ALL
        )
        SELECT endpoint, step, {values} FROM minutes GROUP BY endpoint, step ORDER BY endpoint, step""",
        {"start": start, "now": now},
    ).fetchall()
    found: dict[str, list[ServerPoint]] = defaultdict(list)
    for endpoint, step, *values_ in rows:
        told = {name: value for name, value in zip(CHARTED, values_, strict=True) if value is not None}
        if told:
            found[endpoint].append(ServerPoint(aware(start + step * HOUR.step), told))
    return {endpoint: tuple(points) for endpoint, points in found.items()}
