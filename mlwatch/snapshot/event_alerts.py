"""Events that are odd by their times: dated before what they are said to follow, or equal to an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.snapshot.types import QUALITY, Alert
from mlwatch.store.event_times import TOLERANCE
from mlwatch.times import format_duration
from mlwatch.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mlwatch.snapshot.types import Severity, Version

ENOUGH = 20
"""Events from which on it is no chance that they equal earlier ones."""
TROUBLED = 0.01
"""Share of a version's events from which on early ones are a warning, and a word is said of repeated ones."""


def event_alerts(version: Version, who: str, end: datetime) -> Iterator[Alert]:
    """Say how many events are left out as no doing of their request, and how many may be counted twice.

    Args:
        version: With its business.
        who: Its name, with the model's where there are several.
        end: Of the range, aware.
    """
    business = version.business
    if early := business.early_events:
        share = early / (early + business.events)
        events = f"{early:,} events of {who} are" if early > 1 else f"1 event of {who} is"
        when = f"dated more than {format_duration(TOLERANCE)} before the request"
        text = f"{events} {when}, and left out as not its doing"
        severity: Severity = "warning" if share > TROUBLED else "info"
        yield Alert(f"{QUALITY}early events", "firing", severity, text, end, float(early))
    repeated = business.repeated_events
    share = repeated / max(business.events, repeated, 1)
    if repeated >= ENOUGH and share > TROUBLED:
        text = (
            f"{repeated:,} events of {who} ({percent(share)}) equal an earlier one in request, kind, "
            "amount and time; each is counted, for they have no event_id"
        )
        yield Alert(f"{QUALITY}repeated events", "firing", "info", text, end, share)
