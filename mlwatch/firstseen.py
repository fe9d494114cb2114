"""Since when what is wrong at a moment has been wrong: since the first look that found it.

What endpoints, host and clocks give cause to say is worked out anew at every look, most of it from that
moment alone.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mlwatch.snapshot.types import Alert

FORGOTTEN_S = 60.0
"""Nobody knows what was between two looks that are so far apart."""


class FirstSeen:
    """Remember when alerts of the moment were first seen; any thread may ask.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = -FORGOTTEN_S
        self._since: dict[tuple[str, str], datetime] = {}

    def dated(self, alerts: Sequence[Alert]) -> tuple[Alert, ...]:
        """Return the alerts of a look at the present, those of the moment with the time of the first such look."""
        with self._lock:
            now = self._clock()
            former = self._since if now - self._looked < FORGOTTEN_S else {}
            momentary = {one.key: one.since for one in alerts if _is_of_the_moment(one)}
            known = {key: min(since, former.get(key, since)) for key, since in momentary.items()}
            self._looked, self._since = now, known
        return tuple(replace(one, since=known.get(one.key, one.since)) for one in alerts)


def _is_of_the_moment(alert: Alert) -> bool:
    """Tell whether an alert does not know since when it holds; that an endpoint is down, for one, is known."""
    from mlwatch.snapshot.clocks import FUTURE  # noqa: PLC0415  not before the first snapshot
    from mlwatch.snapshot.health_alerts import ENDPOINT, HOST  # noqa: PLC0415  the same

    in_part = alert.rule.startswith(ENDPOINT) and bool(alert.about)
    return in_part or alert.rule.startswith(HOST) or alert.rule == FUTURE
