"""The zone whose clock the app shows."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mlwatch.errors import InputError
from widgets.text import sanitize

if TYPE_CHECKING:
    from datetime import tzinfo

    from mlwatch.app.units import Zone

LOCALTIME = Path("/etc/localtime")


def zone_of(name: str) -> Zone:
    """Return the zone of a name: UTC, local (that is None), or one of the IANA database.

    Raises:
        InputError: There is no such zone.
    """
    if name in ("UTC", "local"):
        return UTC if name == "UTC" else None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        todo = "give UTC, local or a name such as Europe/Berlin"
        raise InputError("unknown time zone", sanitize(name, 60), todo) from error


def chart_zone(zone: Zone) -> tzinfo:
    """Return a zone as charts need it; None is that of this machine."""
    return zone if zone is not None else _own()


@cache
def _own() -> tzinfo:
    """Return the machine's zone with its changes of summer time where it says them, else its present offset."""
    try:
        with LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return datetime.now(UTC).astimezone().tzinfo or UTC
