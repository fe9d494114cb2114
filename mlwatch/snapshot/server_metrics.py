"""Read what servers said about themselves, and put that of several replicas together."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from mlwatch.endpoints.server_metrics import with_error_share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from duckdb import DuckDBPyConnection

CURRENT = timedelta(minutes=5)
"""What is older is of the past: there are two minutes at most between two scrapes."""
ADDED = ("_per_s", "queue_length", "in_flight", "_bytes", "cpu_cores", "open_files")
"""Ends of the names whose values add up over replicas; of all others the mean is told."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one replica said last."""

    replica: str
    values: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


def told_by_servers(connection: DuckDBPyConnection, now: datetime) -> dict[str, list[Told]]:
    """Return what each replica said last before a moment, naive UTC, by endpoint."""
    rows = connection.execute(
        """SELECT endpoint, replica, arg_max(found, ts), arg_max(error, ts) FROM server_metrics
        WHERE ts <= $now AND ts > $since GROUP BY endpoint, replica ORDER BY endpoint, replica""",
        {"now": now, "since": now - CURRENT},
    ).fetchall()
    told: dict[str, list[Told]] = defaultdict(list)
    for endpoint, replica, found, error in rows:
        told[endpoint].append(Told(replica, json.loads(found or "{}"), error or ""))
    return told


def together(several: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the metrics of several replicas as one, and the share of errors where there are requests."""
    listed: dict[str, list[float]] = defaultdict(list)
    for values in several:
        for name, value in values.items():
            listed[name].append(value)
    found = {
        name: math.fsum(values) if name.endswith(ADDED) else math.fsum(values) / len(values)
        for name, values in listed.items()
    }
    return with_error_share(found)
