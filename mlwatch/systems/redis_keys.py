"""Look at some of the keys of a cache: how long they still live, and how old what they hold is.

SCAN walks over the keys in an order that is as good as random, a bounded way at a time, and goes on from there.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlwatch.times import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

SAMPLE = 100
"""Keys of a group that are looked at."""
STEP = 500
"""Keys that the server walks over at once."""
MOST_STEPS = 20
LARGEST = 64 * 1024
"""Bytes of a text that are read for the time in it."""
ABSENT, UNLIMITED = -2, -1
"""What PTTL says of a key that is gone, and of one that lives for ever."""


@dataclass
class Group:
    """Keys that a pattern names."""

    name: str
    pattern: str
    updated: str | None = None
    """Field of a hash, or member of a JSON text, that holds when it was written."""
    cursor: int = 0


@dataclass
class Sampled:
    """What a sample of some groups told."""

    values: dict[str, float] = field(default_factory=dict)
    """Metrics, such as `ttl_min_s.GROUP`."""
    hits: int = 0
    """Look-ups of ours that the server counts as hits."""
    misses: int = 0


async def sample(client: Any, groups: Sequence[Group], now: datetime) -> Sampled:
    """Look at some keys of each group.

    Args:
        client: Of redis.asyncio, which answers in bytes.
        groups: Their cursors move on.
        now: The present.
    """
    found = Sampled()
    for group in groups:
        keys = await _walk(client, group)
        lives = await _all(client, [("PTTL", key) for key in keys])
        _count(found, [life == ABSENT for life in lives])
        there = [(key, life) for key, life in zip(keys, lives, strict=True) if life != ABSENT]
        found.values |= _lifetimes(group.name, [life for _, life in there])
        if group.updated is not None and there:
            times = await _times(client, [key for key, _ in there], group.updated, found)
            found.values |= _ages(group.name, times, now)
    return found


async def _walk(client: Any, group: Group) -> list[bytes]:
    keys: dict[bytes, None] = {}  # SCAN may name a key twice
    for _ in range(MOST_STEPS):
        group.cursor, some = await client.scan(group.cursor, match=group.pattern, count=STEP)
        keys.update(dict.fromkeys(some))
        if len(keys) >= SAMPLE or group.cursor == 0:
            break
    return list(keys)[:SAMPLE]


async def _all(client: Any, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Send commands at once; the first error is raised."""
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return list(await pipeline.execute()) if commands else []


def _count(found: Sampled, gone: Sequence[bool]) -> None:
    found.hits += len(gone) - sum(gone)
    found.misses += sum(gone)


def _lifetimes(name: str, lives_ms: Sequence[int]) -> Mapping[str, float]:
    limited = [life / 1000 for life in lives_ms if life >= 0]
    values = {f"keys_sampled.{name}": float(len(lives_ms))}
    if lives_ms:
        values[f"no_ttl_share.{name}"] = 1 - len(limited) / len(lives_ms)
    if limited:
        values |= {f"ttl_min_s.{name}": min(limited), f"ttl_p50_s.{name}": statistics.median(limited)}
    return values


async def _times(client: Any, keys: Sequence[bytes], updated: str, found: Sampled) -> list[float | None]:
    """Return when what each key holds was written, seconds since 1970; None where it does not say.

    Kinds of keys are asked for first: a command for another kind would be an error in the server's count.
    """
    kinds = await _all(client, [("TYPE", key) for key in keys])
    commands: list[tuple[Any, ...]] = []
    for key, kind in zip(keys, kinds, strict=True):
        if _text(kind) == "hash":
            commands.append(("HGET", key, updated))
        elif _text(kind) == "string":
            commands.append(("GETRANGE", key, 0, LARGEST))
    _count(found, [_text(kind) == "none" for kind in kinds])
    _count(found, [False] * len(commands))
    held = iter(await _all(client, commands))
    times: list[float | None] = []
    for kind in map(_text, kinds):
        if kind == "hash":
            times.append(moment(next(held)))
        elif kind == "string":
            times.append(moment(_in_json(next(held), updated)))
        else:
            times.append(None)
    return times


def _ages(name: str, times: Sequence[float | None], now: datetime) -> Mapping[str, float]:
    ages = [max(0.0, now.timestamp() - time) for time in times if time is not None]
    values = {f"feature_absent.{name}": 1 - len(ages) / len(times)}
    return values | ({f"feature_age_s.{name}": max(ages)} if ages else {})


def _in_json(text: bytes | None, member: str) -> bytes | None:
    try:
        found = json.loads(text or b"")
    except (ValueError, RecursionError):
        return None
    for part in member.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return None if found is None or isinstance(found, bool) else str(found).encode()


def moment(value: bytes | None) -> float | None:
    """Read a time: digits since 1970 by magnitude, ISO 8601, or the Timestamp of protobuf that Feast writes.

    Returns:
        Seconds since 1970; None where it is none of these.
    """
    if value is None:
        return None
    try:
        found = parse_timestamp(value.decode("ascii"))
    except UnicodeDecodeError:
        found = None
    return found.timestamp() if found is not None else _protobuf(value)


def _protobuf(value: bytes) -> float | None:
    """Read the seconds of a Timestamp: field 1, a varint, https://protobuf.dev/programming-guides/encoding/."""
    if value[:1] != b"\x08":
        return None
    seconds = 0
    for at, byte in enumerate(value[1:10]):
        seconds |= (byte & 0x7F) << (7 * at)
        if not byte & 0x80:
            return float(seconds)
    return None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
