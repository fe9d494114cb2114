"""Since when what is wrong at a moment has been wrong: since the first look that found it.

What endpoints, host, clocks and data give cause to say is worked out anew at every look, most of it from that
moment alone.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from datetime import datetime

    from mlwatch.snapshot.types import Alert

FORGOTTEN_S = 60.0
"""Nobody knows what was between two looks that are so far apart."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen last of one scope."""

    at: float
    """In seconds of the clock."""
    since: Mapping[tuple[str, str], datetime] = field(default_factory=dict)


class FirstSeen:
    """Remember when alerts of the moment were first seen; any thread may ask.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._looks: dict[Hashable, _Look] = {}

    def dated(self, alerts: Sequence[Alert], asked: Hashable = None) -> tuple[Alert, ...]:
        """Return the alerts of a look at the present, those of the moment with the time of the first such look.

        Args:
            alerts: All of them.
            asked: What the look was at: another range has other alerts about its data, but the same of endpoints.
        """
        with self._lock:
            now = self._clock()
            recent = {whose: look for whose, look in self._looks.items() if now - look.at < FORGOTTEN_S}
            known: dict[tuple[str, str], datetime] = {}
            for of_range in (False, True):
                whose = (of_range, asked if of_range else None)
                former = recent.get(whose, _Look(now)).since
                mine = (one for one in alerts if _is_of_the_moment(one) and one.is_of_range == of_range)
                recent[whose] = _Look(
                    now, {one.key: min(one.since, former.get(one.key, one.since)) for one in mine}
                )
                known |= recent[whose].since
            self._looks = recent
        return tuple(replace(one, since=known.get(one.key, one.since)) for one in alerts)


def _is_of_the_moment(alert: Alert) -> bool:
    """Tell whether an alert does not know since when it holds; that an endpoint is down, for one, is known."""
    from mlwatch.snapshot.health_alerts import ENDPOINT, HOST  # noqa: PLC0415  not before the first snapshot

    in_part = alert.rule.startswith(ENDPOINT) and bool(alert.about)
    return in_part or alert.rule.startswith(HOST) or alert.is_of_range
