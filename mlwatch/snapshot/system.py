"""Read the samples of the host: the newest in full, and the last hour minute by minute."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlwatch.asking import first_row
from mlwatch.host.types import Container, Disk, Gpu, HostSample, Process
from mlwatch.snapshot.health_types import HostPoint, System

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FRESH = timedelta(minutes=1)
"""An older sample says nothing about the moment."""
HISTORY = timedelta(hours=1)


def system_of(connection: DuckDBPyConnection, now: datetime) -> System | None:
    """Return the host as it stood at a moment, naive UTC; None where nobody had looked for a minute."""
    row = first_row(
        connection,
        "SELECT ts, detail FROM host_samples WHERE ts <= $now AND ts > $since ORDER BY ts DESC LIMIT 1",
        {"now": now, "since": now - FRESH},
    )
    if row is None:
        return None
    return of_sample(_sample(row[0], json.loads(row[1])), _history(connection, now))


def of_sample(sample: HostSample, history: tuple[HostPoint, ...] = ()) -> System:
    """Return the host as one look saw it."""
    return System(
        cpu=sample.cpu,
        memory=sample.memory,
        disk=max((disk.used for disk in sample.disks), default=None),
        memory_used_bytes=sample.memory_used_bytes,
        memory_total_bytes=sample.memory_total_bytes,
        load_1m=sample.load[0] if sample.load else None,
        sample=sample,
        history=history,
    )


def _history(connection: DuckDBPyConnection, now: datetime) -> tuple[HostPoint, ...]:
    rows = connection.execute(
        """SELECT date_trunc('minute', ts), AVG(cpu), AVG(memory), MAX(disk), AVG(read_bytes_per_s),
            AVG(written_bytes_per_s), AVG(received_bytes_per_s), AVG(sent_bytes_per_s)
        FROM host_samples WHERE ts <= $now AND ts > $since GROUP BY 1 ORDER BY 1""",
        {"now": now, "since": now - HISTORY},
    ).fetchall()
    return tuple(HostPoint(start.replace(tzinfo=UTC), *values) for start, *values in rows)


def _sample(at: datetime, detail: dict[str, Any]) -> HostSample:
    """Return a sample from its text; what later versions add or leave out does no harm."""
    parts: dict[str, Any] = {
        "disks": tuple(Disk(**one) for one in detail.pop("disks", ())),
        "processes": tuple(_process(one) for one in detail.pop("processes", ())),
        "gpus": tuple(Gpu(**one) for one in detail.pop("gpus", ())),
        "cores": tuple(detail.pop("cores", ())),
    }
    load, container = detail.pop("load", None), detail.pop("container", None)
    parts["load"] = tuple(load) if load else None
    parts["container"] = Container(**container) if container else None
    known = {name: value for name, value in detail.items() if name in HostSample.__dataclass_fields__}
    return HostSample(at=at.replace(tzinfo=UTC), **parts, **known)


def _process(one: dict[str, Any]) -> Process:
    started = one.pop("started", None)
    return Process(**one, started=datetime.fromisoformat(started) if started else None)
