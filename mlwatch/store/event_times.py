"""When an event may be the doing of its prediction: not before it, and not later than the configuration says.

Clocks of services differ, so that a little earlier is no harm. Of an event that is dated by day the whole day counts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from mlwatch.config import Config

TOLERANCE = timedelta(minutes=5)
"""How much earlier than its prediction an event may be dated by another clock."""
_DAY = timedelta(days=1)
_YEARS = range(2000, 2040)
_MICROSECOND = timedelta(microseconds=1)


def is_early(prediction: str, event: str, zone: str) -> str:
    """Return the condition for an event that was there before its prediction, which cannot have caused it.

    Args:
        prediction: Alias of the row with the prediction's `ts`.
        event: The same of the event.
        zone: In which days are dated.
    """
    days = ", ".join(map(str, midnights(zone)))
    at, day = f"epoch_us({event}.ts)", _DAY // _MICROSECOND
    lasts = f"CASE WHEN {at} % {day} IN ({days}) THEN {day} ELSE 0 END"
    return f"({at} + {lasts} < epoch_us({prediction}.ts) - {TOLERANCE // _MICROSECOND})"


def is_in_time(prediction: str, event: str, config: Config) -> str:
    """Return the condition for an event that may be its prediction's doing; see `is_early`.

    Args:
        prediction: Alias of the row with the prediction's `ts`.
        event: The same of the event.
        config: For the attribution and the zone.
    """
    condition = f"NOT {is_early(prediction, event, config.roles.timezone)}"
    attribution = config.business.attribution
    if attribution is None:
        return condition
    return f"{condition} AND {event}.ts <= {prediction}.ts + to_seconds({attribution.total_seconds()!r})"


@lru_cache
def midnights(zone: str) -> tuple[int, ...]:
    """Return the times of day in UTC at which days begin in a zone, in microseconds: two where it has summer time."""
    offsets = {
        datetime(year, month, 15, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for year in _YEARS
        for month in (1, 7)
    }
    return tuple(sorted({(at - at.replace(hour=0, minute=0, second=0)) // _MICROSECOND for at in offsets}))
