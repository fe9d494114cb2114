"""The stored requests of versions with what came of them: what cannot be told from rollups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import row
from mlwatch.store import rollups
from mlwatch.store.event_times import is_in_time
from mlwatch.store.outcomes import CURRENT_LABEL, label_joins
from mlwatch.store.rollup import MINUTE

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.snapshot.rollout_pairing import Pairing

MOST_ROWS = 300_000
"""Requests, the newest ones, that are looked at."""
STORED = "because older records are not kept"
"""Why less is looked at, in sentences."""


def stored_since(connection: DuckDBPyConnection, pairing: Pairing) -> datetime | None:
    """Return from when on the requests of two versions are stored; None where all are.

    Rollups outlive the records, see `[store] keep`, so there may be traffic without any.

    Args:
        connection: A cursor of this thread.
        pairing: The versions and the time.

    Returns:
        The time of the oldest record, or the end of the time where there is none. Naive UTC.
    """
    own = "model = $model AND version IN ($baseline, $candidate)"
    oldest, traffic = row(
        connection,
        f"""SELECT (SELECT MIN(ts) FROM predictions WHERE {own} AND ts >= $start AND ts < $end),
            (SELECT MIN(bucket) FROM {rollups.TRAFFIC.table(MINUTE)}
                WHERE {own} AND bucket >= $start AND bucket < $end)""",
        {
            "model": pairing.model,
            "baseline": pairing.baseline,
            "candidate": pairing.candidate,
            "start": pairing.start,
            "end": pairing.end,
        },
    )
    if traffic is None:
        return None
    since: datetime = oldest or pairing.end
    return since if since.replace(second=0, microsecond=0) > traffic else None


def requests_sql(columns: str, versions: int = 1, config: Config | None = None) -> str:
    """Return a SELECT of the newest requests with label and gains.

    Besides `columns` it has `ts, failed, latency_ms, prediction, label, conversion, engagement, net`.

    Args:
        columns: Further items, each followed by a comma, of the request's row `p`; their parameters come last.
        versions: How many; the parameters are model, these, and start and end of the time.
        config: Tells which events are the request's doing by their time; None for whenever they came.
    """
    in_time = "TRUE" if config is None else is_in_time("p", "e", config)
    return f"""
        WITH p AS (
            SELECT * FROM predictions WHERE model = ? AND version IN ({", ".join("?" * versions)})
                AND ts >= ? AND ts < ?
            ORDER BY ts DESC LIMIT {MOST_ROWS}),
        gained AS (
            SELECT e.id, e.h, p.version, BOOL_OR(class = 'conversion') AS conversion,
                BOOL_OR(class = 'engagement') AS engagement,
                SUM(CASE WHEN class IN ('conversion', 'revenue') THEN value
                    WHEN class = 'refund' THEN -ABS(value) END) AS net
            FROM events AS e JOIN p ON e.h = p.h AND e.id = p.id AND (e.model = '' OR e.model = p.model)
                AND {in_time}
            GROUP BY ALL)
        SELECT {columns} p.ts, p.failed, p.latency_ms, p.prediction, COALESCE({CURRENT_LABEL}, p.label) AS label,
            COALESCE(g.conversion, FALSE) AS conversion, COALESCE(g.engagement, FALSE) AS engagement, g.net
        FROM p {label_joins("p", "p.model")}
        LEFT JOIN gained AS g ON g.h = p.h AND g.id = p.id AND g.version = p.version"""
