"""What servers said about themselves over the last hour, minute by minute, for charts."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mlwatch.snapshot.endpoint_steps import HOUR, aware, start_of
from mlwatch.snapshot.health_types import ServerPoint
from mlwatch.snapshot.server_metrics import ADDED
from mlwatch.store.server_sums import NAMES

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection


def server_histories(connection: DuckDBPyConnection, now: datetime) -> dict[str, tuple[ServerPoint, ...]]:
    """Return the minutes of the last hour in which a server told something, by endpoint.

    Of a past moment the last minute is left out where something was told later in it: its sums hold that too.

    Each replica counts with the mean of a minute; of several, amounts are added up and all else is averaged, as in
    `together`.

    Args:
        connection: A cursor of this thread.
        now: A moment, naive UTC.
    """
    means = ", ".join(f"SUM({name}) / NULLIF(SUM({name}_n), 0) AS {name}" for name in NAMES)
    values = ", ".join(f"{'SUM' if name.endswith(ADDED) else 'AVG'}({name})" for name in NAMES)
    rows = connection.execute(
        f"""WITH replicas AS (
            SELECT endpoint, replica, bucket, {means} FROM server_minutes
            WHERE bucket >= $start AND (bucket < date_trunc('minute', $now)
                OR bucket = date_trunc('minute', $now) AND NOT EXISTS (FROM server_metrics
                    WHERE ts > $now AND ts < date_trunc('minute', $now) + INTERVAL 1 MINUTE))
            GROUP BY ALL)
        SELECT endpoint, bucket, {values} FROM replicas GROUP BY ALL ORDER BY endpoint, bucket""",
        {"start": start_of(HOUR, now), "now": now},
    ).fetchall()
    found: dict[str, list[ServerPoint]] = defaultdict(list)
    for endpoint, minute, *each in rows:
        told = {name: value for name, value in zip(NAMES, each, strict=True) if value is not None}
        if told:
            found[endpoint].append(ServerPoint(aware(minute), told))
    return {endpoint: tuple(points) for endpoint, points in found.items()}
