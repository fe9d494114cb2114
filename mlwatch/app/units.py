"""Numbers with their units, as a reader of the screen says them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, tzinfo
from typing import Literal

Unit = Literal["share", "ms", "per_s", "money", "score", "count", "bytes"]
"""share: 0 to 1, shown in percent; ms: milliseconds; score: a number without a unit."""

Zone = tzinfo | None
"""The zone in which times are shown; None is the machine's own."""

NOT_AVAILABLE = "n/a"
MOST_PLACES = 12
"""Decimals of an amount at most."""


def show(value: float | None, unit: Unit, currency: str | None = None) -> str:
    """Return a value with its unit, "n/a" where there is none."""
    if value is None:
        return NOT_AVAILABLE
    return _SHOW[unit](value) if unit != "money" else _money(value, currency)


def show_change(difference: float, unit: Unit, currency: str | None = None) -> str:
    """Return a signed difference; that of shares is in percentage points ("pt")."""
    sign = "−" if difference < 0 else "+"
    size = abs(difference)
    text = f"{_digits(100 * size)} pt" if unit == "share" else show(size, unit, currency)
    return _signed(sign, text)


def show_relative(share: float) -> str:
    """Return a signed relative change in percent."""
    return _signed("−" if share < 0 else "+", f"{_digits(100 * abs(share))} %")


def _signed(sign: str, text: str) -> str:
    """Put a sign before a number; what is too small to be shown has none."""
    return " ".join(["0", *text.split()[2:]]) if text.startswith("<") else sign + text


def show_interval(
    low: float | None, high: float | None, unit: Unit, currency: str | None = None, *, change: bool = False
) -> str:
    """Return "low to high" with the unit said once where both ends share it; an open end is "…"."""
    if low is None and high is None:
        return ""
    say = show_change if change else show
    ends = ["…" if end is None else say(end, unit, currency) for end in (low, high)]
    first, last = (end.rpartition(" ") for end in ends)
    if first[2] == last[2] and first[0]:
        return f"{first[0]} to {ends[1]}"
    return f"{ends[0]} to {ends[1]}"


def show_count(value: float) -> str:
    """Return a whole number with separators, from ten million on in millions."""
    if abs(value) >= 1e9:
        return f"{value / 1e9:.2f} bn"
    if abs(value) >= 1e7:
        return f"{value / 1e6:.1f} M"
    return f"{value:,.0f}"


def show_about(count: int) -> str:
    """Return an estimated number to two digits, as sentences about rollouts do."""
    return show_count(round(count, 2 - len(str(abs(count)))))


def show_bytes(value: float) -> str:
    """Return a size in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5 or unit == "GB":
            return f"{value:,.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError  # the loop always returns


def show_duration(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    if seconds < 0.0005:
        return "0 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def show_rate(value: float, like: float | None = None) -> str:
    """Return a number of things a second; below one a minute or an hour, where that reads better.

    Args:
        value: Things a second.
        like: Another rate that stands beside; its size chooses the unit.
    """
    size = value if like is None else like
    for factor, unit in ((1, "/s"), (60, "/min"), (3600, "/h")):
        if size * factor >= 1 or unit == "/h":
            return f"{_digits(value * factor)} {unit}"
    raise AssertionError  # the loop always returns


def show_clock(moment: datetime, zone: Zone) -> str:
    """Return the time of day with its zone."""
    return f"{moment.astimezone(zone):%H:%M:%S} {zone_name(moment, zone)}"


def show_moment(moment: datetime, zone: Zone) -> str:
    """Return date and time to the minute, without the zone."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def show_span(start: datetime, end: datetime, zone: Zone) -> str:
    """Return a time range; the date is said once where both ends share it."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    if first.date() == last.date():
        return f"{first:%Y-%m-%d %H:%M} to {last:%H:%M}"
    if last - first < timedelta(days=300):
        return f"{first:%Y-%m-%d %H:%M} to {last:%m-%d %H:%M}"
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"


def zone_name(moment: datetime, zone: Zone) -> str:
    """Return the short name of a zone at a moment."""
    return moment.astimezone(zone).tzname() or "local time"


def _digits(size: float) -> str:
    """Return a number with about three digits that count, in plain notation."""
    if size >= 1000:
        return show_count(size)
    if size >= 100:
        return f"{size:.0f}"
    if size >= 10:
        return f"{size:.1f}"
    if size >= 0.01 or size == 0:
        return f"{size:.2f}"
    return f"{size:.3g}" if size >= 0.0001 else "< 0.0001"


def _share(value: float) -> str:
    percent = 100 * value
    if 0 < abs(percent) < 10 or 99 < percent < 100:
        return f"{percent:.2f} %" if abs(percent) >= 0.005 else "< 0.01 %"
    return f"{percent:.1f} %"


def _milliseconds(value: float) -> str:
    if value >= 60_000:
        return f"{value / 60_000:.1f} min"
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    if 0 < value < 0.1:  # a cache answers within microseconds
        return f"{value:.2g} ms"
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def _score(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _money(value: float, currency: str | None) -> str:
    size = f"{value:,.2f}" if abs(value) < 1000 else show_count(value)
    if 0 < abs(value) < 0.1:  # three digits, so that an interval of what one request costs has two ends
        size = f"{value:.{min(2 - math.floor(math.log10(abs(value))), MOST_PLACES)}f}"
    return f"{size} {currency}" if currency else size


_SHOW = {
    "share": _share,
    "ms": _milliseconds,
    "per_s": show_rate,
    "score": _score,
    "count": show_count,
    "bytes": show_bytes,
}


def counted(n: int, what: str) -> str:
    """Return how many there are of something whose plural ends with s."""
    return f"{show_count(n)} {what}{'' if n == 1 else 's'}"
