"""Keep what polling and sampling yield: raw rows, and of probes additive sums by minute and hour.

Thirty days of uptime of two hundred endpoints are then a sum over hours, whatever the interval of polling was.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, astuple
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlwatch.asking import all_or_nothing
from mlwatch.store import server_sums
from mlwatch.store.bound import finite, stamp, text_of, unnested

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.endpoints.types import Baseline, Course, Judged, Probe, ServerMetrics
    from mlwatch.host.types import HostSample

MINUTE, HOUR = "minute", "hour"

_COLUMNS = {
    "ts": "TIMESTAMP",
    "endpoint": "VARCHAR",
    "replica": "VARCHAR",
    "server": "VARCHAR",
    "live": "BOOLEAN",
    "ready": "BOOLEAN",
    "up": "BOOLEAN",
    "status": "INTEGER",
    "latency_ms": "DOUBLE",
    "late_ms": "DOUBLE",
    "error": "VARCHAR",
    "served": "VARCHAR",
    "metrics": "VARCHAR",
    "certificate_days": "DOUBLE",
    "golden": "BOOLEAN",
    "golden_difference": "DOUBLE",
    "golden_reason": "VARCHAR",
    "conditions": "VARCHAR",
    "recognised": "VARCHAR",
}
_SUMS = {
    "n": ("BIGINT", "COUNT(*)", "+"),
    "up": ("BIGINT", "COUNT(*) FILTER (up)", "+"),
    "errors": ("BIGINT", "COUNT(*) FILTER (error <> '')", "+"),
    "latency_n": ("BIGINT", "COUNT(latency_ms)", "+"),
    "latency_total": ("DOUBLE", "COALESCE(SUM(latency_ms), 0)", "+"),
    "latency_max": ("DOUBLE", "COALESCE(MAX(latency_ms), 0)", "max"),
    "golden_n": ("BIGINT", "COUNT(golden)", "+"),
    "golden_bad": ("BIGINT", "COUNT(*) FILTER (NOT golden)", "+"),
    "golden_max": ("DOUBLE", "COALESCE(MAX(golden_difference), 0)", "max"),
}
_METRICS = {
    "ts": "TIMESTAMP",
    "endpoint": "VARCHAR",
    "replica": "VARCHAR",
    "found": "VARCHAR",
    "error": "VARCHAR",
}
_HOST = {
    "ts": "TIMESTAMP",
    "cpu": "DOUBLE",
    "memory": "DOUBLE",
    "disk": "DOUBLE",
    "load_1m": "DOUBLE",
    "read_bytes_per_s": "DOUBLE",
    "written_bytes_per_s": "DOUBLE",
    "received_bytes_per_s": "DOUBLE",
    "sent_bytes_per_s": "DOUBLE",
    "detail": "VARCHAR",
}


def _table(name: str, columns: dict[str, str], key: str = "") -> str:
    listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    return f"CREATE TABLE {name} ({listed}{key})"


def _rollup(level: str) -> str:
    keys = {"bucket": "TIMESTAMP", "endpoint": "VARCHAR", "replica": "VARCHAR"}
    sums = {name: f"{kind} NOT NULL" for name, (kind, _, _) in _SUMS.items()}
    return _table(f"probe_{level}s", {**keys, **sums}, ", PRIMARY KEY (bucket, endpoint, replica)")


GOLDEN = (
    """CREATE TABLE golden_answers (endpoint VARCHAR, version VARCHAR, fingerprint VARCHAR, answer VARCHAR,
        PRIMARY KEY (endpoint, version, fingerprint))""",
)
"""First answers to golden probes; apart from the other tables, as they came with a later schema."""

CONDITIONS = ("ALTER TABLE probes ADD COLUMN IF NOT EXISTS conditions VARCHAR",)
"""How the conditions of endpoints stood at each look; there already where the table was made by this version."""
RECOGNISED = ("ALTER TABLE probes ADD COLUMN IF NOT EXISTS recognised VARCHAR",)
"""How sure the kind of server is, and why."""
METRICS = (_table("server_metrics", _METRICS),)
"""What servers say about themselves; apart for the same reason."""

TABLES = (
    _table("probes", _COLUMNS),
    _rollup(MINUTE),
    _rollup(HOUR),
    _table("host_samples", _HOST),
)


def record(
    connection: DuckDBPyConnection,
    probes: Sequence[Probe] = (),
    samples: Sequence[HostSample] = (),
    metrics: Sequence[ServerMetrics] = (),
) -> None:
    """Store probes with their sums, samples of the host, and metrics of servers, in one transaction.

    Args:
        connection: A cursor of this thread; no other thread may record.
        probes: In any order.
        samples: The same.
        metrics: The same.
    """
    if not probes and not samples and not metrics:
        return
    with all_or_nothing(connection):
        if probes:
            text = json.dumps([_row(probe) for probe in probes], allow_nan=False)
            connection.execute(f"INSERT INTO probes FROM ({unnested(_COLUMNS)})", [text])
            for level in (MINUTE, HOUR):
                connection.execute(_fold(level), [text])
            _keep_first_answers(connection, probes)
        if samples:
            text = json.dumps([_host_row(sample) for sample in samples], allow_nan=False)
            connection.execute(f"INSERT INTO host_samples FROM ({unnested(_HOST)})", [text])
        if metrics:
            text = json.dumps([_metrics_row(each) for each in metrics], allow_nan=False)
            connection.execute(f"INSERT INTO server_metrics FROM ({unnested(_METRICS)})", [text])
            server_sums.fold(connection, metrics)


def baselines(connection: DuckDBPyConnection) -> list[Baseline]:
    """Return the first answers to all golden probes."""
    from mlwatch.endpoints.types import Baseline  # noqa: PLC0415  most stores are opened without endpoints

    rows = connection.execute("SELECT endpoint, version, fingerprint, answer FROM golden_answers").fetchall()
    return [Baseline(*row) for row in rows]


def courses(
    connection: DuckDBPyConnection, names: Sequence[str], since: datetime, recent: datetime
) -> dict[tuple[str, str], Course]:
    """Return how an earlier run left endpoints, by name and replica.

    Args:
        connection: A cursor of this thread.
        names: The endpoints that have conditions.
        since: Conditions stand as the last look after this moment left them.
        recent: Looks from this moment on are returned themselves.
    """
    from mlwatch.endpoints.types import Course, Seen  # noqa: PLC0415  as above

    rows = connection.execute(
        """SELECT endpoint, replica, arg_max(conditions, ts),
            list([epoch(ts), latency_ms, up::DOUBLE] ORDER BY ts) FILTER (ts >= $recent)
        FROM probes WHERE ts >= $since AND endpoint IN (SELECT unnest($names)) GROUP BY endpoint, replica""",
        {"names": list(names), "since": _naive(since), "recent": _naive(recent)},
    ).fetchall()
    return {
        (endpoint, replica): Course(
            _judged(conditions), tuple(Seen(at, latency, bool(up)) for at, latency, up in looks or ())
        )
        for endpoint, replica, conditions, looks in rows
    }


def _judged(conditions: str | None) -> tuple[Judged, ...]:
    from mlwatch.endpoints.types import Judged  # noqa: PLC0415  as above

    return tuple(
        Judged(text, state, said, begun and datetime.fromisoformat(begun).replace(tzinfo=UTC))
        for text, state, said, begun in json.loads(conditions or "[]")
    )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _keep_first_answers(connection: DuckDBPyConnection, probes: Sequence[Probe]) -> None:
    found = [probe.golden.first for probe in probes if probe.golden is not None]
    for first in found:
        if first is not None:
            connection.execute(
                "INSERT INTO golden_answers VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", list(astuple(first))
            )


def forget(connection: DuckDBPyConnection, before: datetime) -> None:
    """Delete raw rows older than a time, naive UTC; the sums stay."""
    with all_or_nothing(connection):
        for table in ("probes", "host_samples", "server_metrics"):
            connection.execute(f"DELETE FROM {table} WHERE ts < ?", [before])


def _fold(level: str) -> str:
    """Return the statement that adds rows to the sums of their minute or hour."""
    merged = ", ".join(
        f"{name} = {name} + excluded.{name}" if how == "+" else f"{name} = GREATEST({name}, excluded.{name})"
        for name, (_, _, how) in _SUMS.items()
    )
    measures = ", ".join(f"{how} AS {name}" for name, (_, how, _) in _SUMS.items())
    return f"""INSERT INTO probe_{level}s
        SELECT date_trunc('{level}', ts) AS bucket, endpoint, replica, {measures}
        FROM ({unnested(_COLUMNS)}) GROUP BY 1, 2, 3
        ON CONFLICT DO UPDATE SET {merged}"""


def _row(probe: Probe) -> dict[str, Any]:
    golden = probe.golden
    return {
        "ts": stamp(probe.at),
        "endpoint": text_of(probe.endpoint),
        "replica": text_of(probe.replica),
        "server": text_of(probe.server),
        "live": probe.live,
        "ready": probe.ready,
        "up": probe.up,
        "status": probe.status,
        "latency_ms": finite(probe.latency_ms),
        "late_ms": finite(probe.late_ms),
        "error": text_of(probe.error),
        "served": json.dumps([[text_of(one.model), text_of(one.version), one.ready] for one in probe.served]),
        "metrics": _numbers(probe.metrics),
        "certificate_days": finite(probe.certificate_days),
        "golden": golden.matches if golden is not None else None,
        "golden_difference": finite(golden.difference) if golden is not None else None,
        "golden_reason": text_of(golden.reason) if golden is not None else None,
        "conditions": _conditions(probe.conditions) if probe.conditions else None,
        "recognised": text_of(probe.recognised),
    }


def _conditions(judged: Sequence[Judged]) -> str:
    return json.dumps(
        [
            [text_of(one.text), one.state, text_of(one.said), None if one.since is None else stamp(one.since)]
            for one in judged
        ]
    )


def _metrics_row(metrics: ServerMetrics) -> dict[str, Any]:
    return {
        "ts": stamp(metrics.at),
        "endpoint": text_of(metrics.endpoint),
        "replica": text_of(metrics.replica),
        "found": _numbers(metrics.values),
        "error": text_of(metrics.error),
    }


def _numbers(values: Mapping[str, float]) -> str:
    return json.dumps({text_of(name): value for name, value in values.items() if math.isfinite(value)})


def _host_row(sample: HostSample) -> dict[str, Any]:
    detail = asdict(sample)
    del detail["at"]
    disks = [disk.used for disk in sample.disks]
    return {
        **{name: finite(getattr(sample, name)) for name in _HOST if hasattr(sample, name)},
        "ts": stamp(sample.at),
        "disk": max(disks, default=None),
        "load_1m": sample.load[0] if sample.load else None,
        "detail": json.dumps(detail, default=_plain),
    }


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(type(value).__name__)
