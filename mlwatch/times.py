"""Durations and moments: how users write them and how logs do."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from numbers import Integral, Real
from typing import Literal
from zoneinfo import ZoneInfo

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Times before this are taken for damage."""
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""Times from here on are taken for damage."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_DURATION_PART = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*(us|ms|min|s|m|h|d|w)", re.ASCII)
_WRITTEN_UNITS = ("w", "d", "h", "m", "s", "ms", "us")

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,3})?", re.ASCII)
_APACHE = re.compile(
    r"\[?(\d{1,2})/([A-Za-z]{3})/(\d{4}):(\d\d):(\d\d):(\d\d)(?: ([+-])(\d\d):?(\d\d))?\]?", re.ASCII
)
_RFC_2822 = re.compile(r"(?:[A-Za-z]{3,9},?\s+)?\d{1,2}\s+[A-Za-z]{3}\s+\d{4}\s+\d\d?:\d\d.*", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}[-/]\d\d[-/]\d\d", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?", re.ASCII)
_LOOSE_ZONE = re.compile(r"\s+(?=[+-]\d\d|Z$)|\s*(?:UTC|GMT)$", re.ASCII)
SPACED_ZONE = "^ *[0-9]{4}[-/].*[0-9] +([+-][0-9]{2}(:?[0-9]{2})?|Z)$"
"""A time of ISO 8601 with spaces before its zone, as Snowflake and Ruby write it; the engine reads it without them."""
_LONGEST = 64


def now_in_store() -> datetime:
    """Return the present as the store holds times: UTC without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `500ms`, `10m`, `1h30m` or `30d`.

    Raises:
        ValueError: The text is no duration, or a negative or immensely long one.
    """
    total, position = 0.0, 0
    while position < len(text.rstrip()):
        part = _DURATION_PART.match(text, position)
        if part is None:
            break
        total += float(part[1]) * _MICROSECONDS[part[2]]
        position = part.end()
    if position == 0 or position < len(text.rstrip()):
        raise ValueError(
            "a duration is a number and a unit (us, ms, s, m, h, d, w), such as 500ms, 10m or 1h30m"
        )
    try:
        return timedelta(microseconds=round(total))
    except OverflowError:
        raise ValueError("the duration is too long") from None


def format_duration(duration: timedelta) -> str:
    """Write a duration so that `parse_duration` reads it back."""
    left = duration // timedelta(microseconds=1)
    if left < 0:
        raise ValueError("a duration is zero or more")
    parts = []
    for unit in _WRITTEN_UNITS:
        count, left = divmod(left, _MICROSECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_time(text: str, now: datetime | None = None, timezone: str = "UTC") -> datetime:
    """Read a moment as written on the command line.

    Args:
        text: A time as in logs (`2026-11-23T10:00Z`), or one relative to now: `now`, `2h ago`, `-2h`.
        now: The present; the clock when not given.
        timezone: Zone of a time that carries none.

    Returns:
        An aware datetime in UTC.

    Raises:
        ValueError: The text is no time.
    """
    present = now or datetime.now(UTC)
    words = text.strip()
    if words.lower() == "now":
        return present.astimezone(UTC)
    back = words[1:] if words.startswith("-") else words[:-3] if words.lower().endswith("ago") else None
    try:
        if back is not None:
            return (present - parse_duration(back.strip())).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    moment = parse_timestamp(words, timezone)
    if moment is None:
        raise ValueError("a time is like 2026-11-23T10:00Z, 2h ago or now")
    return moment


def parse_timestamp(value: object, timezone: str = "UTC") -> datetime | None:
    """Read a time as logs write it.

    Understands ISO 8601 (basic and extended, comma fractions, any zone or none), `2026/01/01 10:00`,
    `01.11.2026 10:00` (day first), RFC 2822, Apache's `03/Nov/2026:10:00:00 +0100`, and seconds, milli-, micro- or
    nanoseconds since 1970 by magnitude, as number or text.

    Args:
        value: Anything found in a record.
        timezone: Zone of times that carry none.

    Returns:
        An aware datetime in UTC, or None when this is no time between 1990 and 2100.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, datetime):
        return _within(value, timezone)
    if isinstance(value, date):
        return _within(datetime(value.year, value.month, value.day), timezone)  # noqa: DTZ001  the zone follows
    if isinstance(value, Real):
        return from_epoch(value)
    if isinstance(value, str) and 0 < len(value) <= _LONGEST:
        return _from_text(value.strip(), timezone)
    return None


def epoch_unit(value: float) -> Literal["s", "ms", "us", "ns"]:
    """Tell by its magnitude whether a number since 1970 counts `s`, `ms`, `us` or `ns`."""
    size = abs(value)
    return "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"


def from_epoch(value: Real) -> datetime | None:
    """Turn a number since 1970, its unit told by its magnitude, into a time; None outside 1990 to 2100."""
    number = int(value) if isinstance(value, Integral) else float(value)
    if not abs(number) < 9e18:
        return None
    unit = epoch_unit(number)
    if unit == "ns":
        micros = int(number) // 1000
    else:
        factor = {"s": 1_000_000, "ms": 1_000, "us": 1}[unit]
        micros = number * factor if isinstance(number, int) else round(number * factor)
    try:
        return _within(_EPOCH + timedelta(microseconds=micros), "UTC")
    except OverflowError:
        return None


def _within(moment: datetime, timezone: str) -> datetime | None:
    try:
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=_zone(timezone))
        utc = aware.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return utc if EARLIEST <= utc < LATEST else None


@lru_cache(maxsize=32)
def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _from_text(text: str, timezone: str) -> datetime | None:
    if _NUMBER.fullmatch(text):
        return _from_digits(text, timezone)
    for notation in (_iso, _apache, _rfc_2822):
        try:
            moment = notation(text)
        except (ValueError, TypeError, LookupError, OverflowError):
            continue
        if moment is not None:
            return _within(moment, timezone)
    return None


def _from_digits(text: str, timezone: str) -> datetime | None:
    number = int(text) if text.lstrip("+-").isdigit() else float(text)
    if isinstance(number, float) and not math.isfinite(number):
        return None
    moment = from_epoch(number)  # type: ignore[arg-type]  # int and float are Real; typeshed does not say so
    compact = _COMPACT.fullmatch(text)
    if moment is not None or compact is None:
        return moment
    try:
        parts = [int(part) for part in compact.groups() if part is not None]
        return _within(datetime(*parts), timezone)  # type: ignore[arg-type]  # noqa: DTZ001  the zone follows
    except ValueError:
        return None


def _iso(text: str) -> datetime | None:
    if day_first := _DAY_FIRST.match(text):
        day, month, year = day_first.groups()
        text = f"{year}-{month:0>2}-{day:0>2}{text[day_first.end() :]}"
    if _ISO_DATE.match(text):
        text = text[:10].replace("/", "-") + text[10:]
    return datetime.fromisoformat(_LOOSE_ZONE.sub(_tight_zone, text))


def _tight_zone(match: re.Match[str]) -> str:
    return "Z" if match[0].strip() else ""


def _apache(text: str) -> datetime | None:
    match = _APACHE.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    moment = datetime(int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), int(second))  # noqa: DTZ001
    if sign is None:
        return moment
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    return (moment - offset if sign == "+" else moment + offset).replace(tzinfo=UTC)


def _rfc_2822(text: str) -> datetime | None:
    if not _RFC_2822.fullmatch(text):
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  hardly ever needed

    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
