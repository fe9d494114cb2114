"""What INFO of Redis says, under the names that redis_exporter gives it: one scrape of the server's metrics.

https://redis.io/docs/latest/commands/info/; names: https://github.com/oliver006/redis_exporter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.endpoints.exposition import Labels, Scrape

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN = {
    "keyspace_hits": "redis_keyspace_hits",
    "evicted_keys": "redis_evicted_keys",
    "expired_keys": "redis_expired_keys",
    "total_commands_processed": "redis_commands_processed",
    "total_error_replies": "redis_errors",  # since Redis 6.2
    "rejected_connections": "redis_rejected_connections",
    "connected_clients": "redis_connected_clients",
    "used_memory": "redis_memory_used_bytes",
    "maxmemory": "redis_memory_max_bytes",
    "mem_fragmentation_ratio": "redis_mem_fragmentation_ratio",
}
NOTHING: Labels = frozenset()


def scrape_of(
    info: Mapping[str, Any], commands: Mapping[str, Any], at: float, own: tuple[int, int] = (0, 0)
) -> Scrape:
    """Return what a server said as a scrape.

    Args:
        info: INFO, as the client reads it.
        commands: INFO commandstats.
        at: Seconds on a clock that never goes back.
        own: Hits and misses among them that were ours.
    """
    series: dict[str, dict[Labels, float]] = {}
    for ours, name in _PLAIN.items():
        value = _number(info.get(ours))
        if value is not None:
            series[name] = {NOTHING: value}
    hits, misses = _number(info.get("keyspace_hits")), _number(info.get("keyspace_misses"))
    if hits is not None and misses is not None:
        found, missed = max(0.0, hits - own[0]), max(0.0, misses - own[1])
        series["redis_keyspace_hits"] = {NOTHING: found}
        series["redis_keyspace_lookups"] = {NOTHING: found + missed}
    databases = {
        frozenset({("db", name)}): keys
        for name, each in info.items()
        if name.startswith("db") and (keys := _member(each, "keys")) is not None
    }
    series["redis_db_keys"] = databases or {NOTHING: 0.0}
    for name, each in commands.items():
        labels = frozenset({("cmd", name.removeprefix("cmdstat_"))})
        calls, spent_us = _member(each, "calls"), _member(each, "usec")
        if calls is not None and spent_us is not None:
            series.setdefault("redis_commands", {})[labels] = calls
            series.setdefault("redis_commands_duration_seconds", {})[labels] = spent_us / 1e6
    return Scrape(at, series)


def _member(found: Any, name: str) -> float | None:
    return _number(found.get(name)) if isinstance(found, dict) else None


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:  # an integer of hundreds of digits
        return None
