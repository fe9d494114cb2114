"""What servers say about themselves as additive sums by minute: their history outlives the raw rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlwatch.store.bound import finite, stamp, text_of, unnested

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.endpoints.types import ServerMetrics

NAMES = (
    "requests_per_s",
    "errors_per_s",
    "tokens_per_s",
    "latency_mean_ms",
    "latency_p50_ms",
    "latency_p95_ms",
    "queue_mean_ms",
    "queue_length",
    "in_flight",
    "cpu_cores",
    "cpu_share",
    "memory_bytes",
    "memory_share",
    "gpu_share",
    "gpu_memory_bytes",
    "hit_ratio",
)
"""The metrics of which there is a history."""
_KEYS = {"bucket": "TIMESTAMP", "endpoint": "VARCHAR", "replica": "VARCHAR"}
_SUMS = {column: kind for name in NAMES for column, kind in ((f"{name}_n", "BIGINT"), (name, "DOUBLE"))}
_SAID = {"ts": "TIMESTAMP", "endpoint": "VARCHAR", "replica": "VARCHAR", **dict.fromkeys(NAMES, "DOUBLE")}


def _columns() -> Iterable[str]:
    yield from (f"{name} {kind}" for name, kind in _KEYS.items())
    yield from (f"{name} {kind} NOT NULL" for name, kind in _SUMS.items())


def _folded(rows: str) -> str:
    """Return the statement that adds rows to the sums of their minute."""
    measures = ", ".join(
        f"COUNT({name}) AS {name}_n, COALESCE(SUM({name}), 0) AS {name}_total" for name in NAMES
    )
    merged = ", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)
    return f"""INSERT INTO server_minutes
        SELECT date_trunc('minute', ts) AS bucket, endpoint, replica, {measures}
        FROM ({rows}) GROUP BY 1, 2, 3 ON CONFLICT DO UPDATE SET {merged}"""


TABLE = f"CREATE TABLE server_minutes ({', '.join(_columns())}, PRIMARY KEY (bucket, endpoint, replica))"
_EARLIER = ", ".join(f"TRY_CAST(found ->> '$.{name}' AS DOUBLE) AS {name}" for name in NAMES)
HITS = (
    "ALTER TABLE server_minutes ADD COLUMN IF NOT EXISTS hit_ratio_n BIGINT DEFAULT 0",
    "ALTER TABLE server_minutes ADD COLUMN IF NOT EXISTS hit_ratio DOUBLE DEFAULT 0",
)
"""Of caches; there already where the table was made by this version."""
TABLES = (TABLE, _folded(f"SELECT ts, endpoint, replica, {_EARLIER} FROM server_metrics"))
"""For a store of an earlier version: its raw rows are counted."""


def fold(connection: DuckDBPyConnection, metrics: Sequence[ServerMetrics]) -> None:
    """Add what servers said to the sums, in the transaction of the caller."""
    connection.execute(_folded(unnested(_SAID)), [json.dumps([_row(each) for each in metrics])])


def _row(metrics: ServerMetrics) -> dict[str, Any]:
    values = {name: finite(metrics.values.get(name)) for name in NAMES}
    return {
        "ts": stamp(metrics.at),
        "endpoint": text_of(metrics.endpoint),
        "replica": text_of(metrics.replica),
        **values,
    }
