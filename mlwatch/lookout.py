"""Look beyond the logs: the threads that poll endpoints, sample this host, and record what was seen."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.asking import number
from mlwatch.config.conditions import METRICS, parse
from mlwatch.recorder import Recorder
from mlwatch.store import probes
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.config import CacheSettings, Config, EndpointSettings
    from mlwatch.polling import Polling


REMEMBERED = timedelta(days=1)
"""How long ago an earlier run may have looked for its conditions to go on."""
RECENT = timedelta(minutes=15)
"""Time over which conditions look back."""


class Lookout:
    """Poll endpoints, sample the host, and store what is seen, until stopped.

    Args:
        connect: Returns a cursor on the store for a thread.
        config: Which processes and disks, how often.
        endpoints: What to poll.
        path: Of the logs: their file system is watched where no other is named.
        on_news: Called from another thread when something new is stored.
        caches: What to poll besides.
        hurried: How many looks at each endpoint come in a hurry before the others.

    Raises:
        InputError: The address of an endpoint or its kind of server is wrong.
    """

    def __init__(
        self,
        connect: Callable[[], DuckDBPyConnection],
        config: Config,
        endpoints: Sequence[EndpointSettings],
        path: Path,
        on_news: Callable[[], None] = lambda: None,
        caches: Sequence[CacheSettings] = (),
        hurried: int = 0,
    ) -> None:
        from mlwatch.host.sampler import Sampler  # noqa: PLC0415  only who follows needs it

        wanted = config.system
        self._sampler = Sampler(wanted.disk or (str(path.resolve()),), wanted.processes)
        every_s = wanted.interval.total_seconds()
        self._recorder = Recorder(connect, self._sampler.sample, every_s, on_news)
        self._polling = self._polling_of(connect, endpoints, config, caches, hurried)

    def _polling_of(
        self,
        connect: Callable[[], DuckDBPyConnection],
        endpoints: Sequence[EndpointSettings],
        config: Config,
        caches: Sequence[CacheSettings],
        hurried: int,
    ) -> Polling | None:
        if not endpoints and not caches:
            return None
        from mlwatch.polling import Polling, with_conditions  # noqa: PLC0415  pulls httpx

        now, names = datetime.now(UTC), with_conditions(endpoints, caches)
        with closing(connect()) as connection:
            baselines = probes.baselines(connection)
            courses = probes.courses(connection, names, now - REMEMBERED, now - RECENT)
        take = self._recorder.take
        return Polling(endpoints, config, take, baselines, take, caches, courses, hurried)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of endpoints and caches."""
        return self._polling.names if self._polling is not None else ()

    @property
    def failure(self) -> str | None:
        """Why nothing is polled or stored just now; None when all goes well."""
        return self._recorder.failure or (self._polling.failure if self._polling is not None else None)

    @property
    def unasked(self) -> Mapping[str, str]:
        """Why endpoints and caches cannot be asked just now, by name."""
        return self._polling.unasked if self._polling is not None else {}

    def start(self) -> None:
        """Begin, in threads."""
        self._recorder.start()
        if self._polling is not None:
            self._polling.start()

    def stop(self) -> None:
        """End the threads; what was seen is stored."""
        if self._polling is not None:
            self._polling.stop()
        self._recorder.stop()
        self._sampler.close()


LOOKS = 4
"""In a hurry: one more than it takes to call an endpoint down."""
TELLING = 24
"""The same where a condition speaks of what a server says about itself: rates take two scrapes, some servers count in
steps of ten seconds, and an alert takes three looks more."""
OFTEN = timedelta(seconds=15)
"""Longest time between two looks while somebody waits for a verdict: what nobody has looked at for a minute is of the
past."""


def look_around(
    connect: Callable[[], DuckDBPyConnection],
    config: Config,
    endpoints: Sequence[EndpointSettings],
    path: Path,
    on_news: Callable[[], None] = lambda: None,
    caches: Sequence[CacheSettings] = (),
) -> Lookout | None:
    """Poll every endpoint and cache a few times, in a hurry, and store what was found.

    Args:
        connect: Returns a cursor on the store for a thread.
        config: As for `Lookout`.
        endpoints: What to poll.
        path: Of the logs.
        on_news: As for `Lookout`.
        caches: What to poll besides.

    Returns:
        The lookout, which goes on until it is stopped; None where there is nothing to poll.

    Raises:
        InputError: The address of an endpoint or its kind of server is wrong.
        ConfigError: A variable or file that the settings refer to is not there.
    """
    polled = [replace(one, interval=min(one.interval, OFTEN)) for one in endpoints]
    others = [replace(one, interval=min(one.interval, OFTEN)) for one in caches]
    if not polled and not others:
        return None
    from mlwatch.endpoints.poller import HURRY  # noqa: PLC0415  pulls httpx
    from mlwatch.polling import need_references  # noqa: PLC0415  the same

    need_references(polled, others, config)
    settings: list[EndpointSettings | CacheSettings] = [*polled, *others]
    longest = max(one.timeout.total_seconds() for one in settings) + HURRY
    looks = TELLING if _speak_of_metrics(settings) else LOOKS
    began, end = now_in_store(), time.monotonic() + looks * longest + 5
    lookout = Lookout(connect, config, polled, path, on_news, others, hurried=looks)
    lookout.start()
    total = len(set(lookout.names))
    with closing(connect()) as connection:
        while time.monotonic() < end and _looked_at(connection, began, looks) < total:
            time.sleep(0.1)
    return lookout


def _speak_of_metrics(polled: Iterable[EndpointSettings | CacheSettings]) -> bool:
    """Tell whether any condition is about what a server says about itself."""
    return any(parse(text).subject.startswith(METRICS) for one in polled for text in one.conditions)


def _looked_at(connection: DuckDBPyConnection, since: datetime, looks: int) -> int:
    """Return how many endpoints have been looked at often enough; who does not answer has nothing more to tell."""
    return number(
        connection,
        """SELECT COUNT(*) FROM (
            SELECT endpoint FROM (
                SELECT endpoint, COUNT(*) AS n, bool_or(live) AS live FROM probes
                WHERE ts >= ? GROUP BY endpoint, replica)
            GROUP BY endpoint HAVING bool_and(n >= CASE WHEN live THEN ? ELSE ? END))""",
        [since, looks, LOOKS],
    )
