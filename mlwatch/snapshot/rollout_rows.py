"""The stored requests of versions with what came of them: what cannot be told from rollups."""

from __future__ import annotations

from mlwatch.store.outcomes import CURRENT_LABEL, label_joins

MOST_ROWS = 300_000
"""Requests, the newest ones, that are looked at."""


def requests_sql(columns: str, versions: int = 1) -> str:
    """Return a SELECT of the newest requests with label and gains.

    Besides `columns` it has `ts, failed, latency_ms, prediction, label, conversion, engagement, net`.

    Args:
        columns: Further items, each followed by a comma, of the request's row `p`; their parameters come last.
        versions: How many; the parameters are model, these, and start and end of the time.
    """
    return f"""
        WITH p AS (
            SELECT * FROM predictions WHERE model = ? AND version IN ({", ".join("?" * versions)})
                AND ts >= ? AND ts < ?
            ORDER BY ts DESC LIMIT {MOST_ROWS}),
        gained AS (
            SELECT id, h, model, BOOL_OR(class = 'conversion') AS conversion,
                BOOL_OR(class = 'engagement') AS engagement,
                SUM(CASE WHEN class IN ('conversion', 'revenue') THEN value
                    WHEN class = 'refund' THEN -ABS(value) END) AS net
            FROM events WHERE h IN (SELECT h FROM p) GROUP BY id, h, model)
        SELECT {columns} p.ts, p.failed, p.latency_ms, p.prediction, COALESCE({CURRENT_LABEL}, p.label) AS label,
            COALESCE(g.conversion, FALSE) AS conversion, COALESCE(g.engagement, FALSE) AS engagement, g.net
        FROM p {label_joins("p", "p.model")}
        LEFT JOIN gained AS g ON g.h = p.h AND g.id = p.id AND (g.model = '' OR g.model = p.model)"""
