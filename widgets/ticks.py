"""Where an axis has its ticks and what they say."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from widgets.text import DIVIDED, format_number

if TYPE_CHECKING:
    from datetime import tzinfo

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = (
    1, 2, 5, 10, 15, 30,
    _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE,
    _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR,
    _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY,
)  # fmt: skip
"""Seconds between ticks; beyond, ticks stand on months."""
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` round numbers between two limits, 1, 2 or 5 times a power of ten apart."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or most < 1:
        return []
    if high - low < 1e-12 * max(abs(low), abs(high)):
        return []  # finer than floating point tells apart
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [at * step for at in range(first, last + 1)]
    return []


def number_labels(ticks: list[float], unit: str = "", *, ascii_only: bool = False) -> list[str]:
    """Return labels with as many digits as the step between ticks needs, and the unit.

    The unit `%` takes the numbers as shares of one.
    """
    if not ticks:
        return []
    scale, prefix = (
        (100.0, "") if unit == "%" else _common_prefix(max(abs(tick) for tick in ticks), unit in DIVIDED)
    )
    step = min((abs(b - a) for a, b in pairwise(ticks)), default=abs(ticks[0]) or 1.0) * scale
    decimals = _decimals([tick * scale for tick in ticks], step)
    suffix = f" {prefix}{unit}" if prefix or unit else ""
    labels = [f"{tick * scale + 0.0:.{decimals}f}{suffix}" for tick in ticks]
    labels = [_without_sign_of_zero(label) for label in labels]
    return (
        [label.replace("µ", "u") for label in labels]
        if ascii_only
        else [label.replace("-", "−") for label in labels]
    )


def _decimals(numbers: list[float], step: float) -> int:
    """Return digits after the point that tell numbers a step apart; one more where they fall between."""
    if not step > 0:
        return 0
    fewest = min(max(-math.floor(math.log10(step) + 1e-9), 0), 9)
    exact = all(abs(round(number, fewest) - number) < 0.01 * step for number in numbers)
    return fewest if exact else fewest + 1


def _common_prefix(largest: float, small: bool) -> tuple[float, str]:
    """Return what to multiply by and the SI prefix for numbers up to `largest`."""
    prefixes = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")]
    if small:
        prefixes += [(1e-3, "m"), (1e-6, "µ"), (1e-9, "n")]
    for size, prefix in prefixes:
        if largest >= size:
            return 1 / size, prefix
    return 1.0, ""


def _without_sign_of_zero(label: str) -> str:
    return (
        label[1:] if label.startswith("-") and not label[1:].split(" ", maxsplit=1)[0].strip("0.") else label
    )


def value_label(value: float, unit: str = "", *, ascii_only: bool = False) -> str:
    """Return one value for a readout; the unit `%` takes it as a share of one."""
    if unit == "%":
        return format_number(value * 100, "%", 3, ascii_only=ascii_only)
    return format_number(value, unit, 3, ascii_only=ascii_only)


def time_ticks(start: float, end: float, most: int, zone: tzinfo = UTC) -> list[tuple[float, str]]:
    """Return at most `most` round times of a zone's clock with their labels.

    Args:
        start: First time, seconds since 1970-01-01 UTC.
        end: Last time, the same.
        most: Ticks wanted at most.
        zone: Whose clock; its changes of summer time are followed.
    """
    if not (math.isfinite(start) and math.isfinite(end)) or end <= start or most < 1:
        return []
    step = next((step for step in _STEPS if _ticks_of(start, end, step) <= most), None)
    times = _clock_times(start, end, step, zone) if step else _months(start, end, most, zone)
    return [(at, _time_label(at, step, zone)) for at in times[:most]]


def _ticks_of(start: float, end: float, step: int) -> int:
    return math.floor((end - start) / step) + 1


def _offset(at: float, zone: tzinfo) -> float:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return offset.total_seconds() if offset else 0.0


def _clock_times(start: float, end: float, step: int, zone: tzinfo) -> list[float]:
    """Return the times at which the clock of a zone shows a multiple of a step."""
    offset = _offset(start, zone)
    phase = 4 * _DAY if step % (7 * _DAY) == 0 else 0  # 1970-01-05 was a Monday
    first = math.ceil((start + offset - phase) / step)
    last = math.floor((end + offset - phase) / step) + 1
    times = []
    for at in range(first, last + 1):
        moment = at * step + phase - offset
        shift = _offset(moment, zone) - offset if step > _HOUR else 0.0
        times.append(moment - shift)
    return [at for at in times if start <= at <= end]


def _months(start: float, end: float, most: int, zone: tzinfo) -> list[float]:
    first = datetime.fromtimestamp(start, zone)
    count = (end - start) / (30.44 * _DAY)
    step = next((months for months in _MONTHS if count / months + 1 <= most), _MONTHS[-1])
    month = (first.year * 12 + first.month - 1) // step * step
    times: list[float] = []
    while len(times) <= most and month // 12 <= 9998:
        at = datetime(month // 12, month % 12 + 1, 1, tzinfo=zone).timestamp()
        if at > end:
            break
        if at >= start:
            times.append(at)
        month += step
    return times


def _time_label(at: float, step: int | None, zone: tzinfo) -> str:
    moment = datetime.fromtimestamp(at, zone)
    if step is None:
        return f"{moment:%Y-%m}"
    if step >= _DAY or (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return f"{moment:%m-%d}"
    return f"{moment:%H:%M}" if step >= _MINUTE else f"{moment:%H:%M:%S}"


def moment_label(at: float, zone: tzinfo = UTC) -> str:
    """Return a time in full, such as `2026-03-14 02:26:00 UTC`; n/a where a calendar has no such day."""
    try:
        return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S %Z}".rstrip()
    except (ValueError, OverflowError, OSError):
        return "n/a"
