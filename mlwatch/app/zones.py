"""The zone whose clock charts show."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import tzinfo

    from mlwatch.app.units import Zone

LOCALTIME = Path("/etc/localtime")


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
