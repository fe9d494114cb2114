"""Look beyond the logs: the threads that poll endpoints, sample this host, and record what was seen."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.asking import number
from mlwatch.recorder import Recorder
from mlwatch.store import probes
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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
    ) -> None:
        from mlwatch.host.sampler import Sampler  # noqa: PLC0415  only who follows needs it

        wanted = config.system
        self._sampler = Sampler(wanted.disk or (str(path.resolve()),), wanted.processes)
        every_s = wanted.interval.total_seconds()
        self._recorder = Recorder(connect, self._sampler.sample, every_s, on_news)
        self._polling = self._polling_of(connect, endpoints, config, caches)

    def _polling_of(
        self,
        connect: Callable[[], DuckDBPyConnection],
        endpoints: Sequence[EndpointSettings],
        config: Config,
        caches: Sequence[CacheSettings],
    ) -> Polling | None:
        if not endpoints and not caches:
            return None
        from mlwatch.polling import Polling, with_conditions  # noqa: PLC0415  pulls httpx

        now, names = datetime.now(UTC), with_conditions(endpoints, caches)
        with closing(connect()) as connection:
            baselines = probes.baselines(connection)
            courses = probes.courses(connection, names, now - REMEMBERED, now - RECENT)
        take = self._recorder.take
        return Polling(endpoints, config, take, baselines, take, caches, courses)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of endpoints and caches."""
        return self._polling.names if self._polling is not None else ()

    @property
    def failure(self) -> str | None:
        """Why nothing is polled or stored just now; None when all goes well."""
        return self._recorder.failure or (self._polling.failure if self._polling is not None else None)

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


HURRY = timedelta(milliseconds=500)
"""Interval of polling for those who judge once."""
LOOKS = 4
"""One more than it takes to call an endpoint down."""


def look_around(
    connect: Callable[[], DuckDBPyConnection],
    config: Config,
    endpoints: Sequence[EndpointSettings],
    path: Path,
    caches: Sequence[CacheSettings] = (),
) -> None:
    """Poll every endpoint and cache a few times, in a hurry, store what was found, and return.

    Args:
        connect: Returns a cursor on the store for a thread.
        config: As for `Lookout`.
        endpoints: What to poll; nothing happens without any.
        path: Of the logs.
        caches: What to poll besides.

    Raises:
        InputError: The address of an endpoint or its kind of server is wrong.
    """
    hurried = [replace(one, interval=min(one.interval, HURRY)) for one in endpoints]
    others = [replace(one, interval=min(one.interval, HURRY)) for one in caches]
    total = len(hurried) + len(others)
    if not total:
        return
    began = now_in_store()
    lookout = Lookout(connect, config, hurried, path, caches=others)
    waits = [
        *(one.timeout + one.interval for one in hurried),
        *(one.timeout + one.interval for one in others),
    ]
    longest = max(waits).total_seconds()
    end = time.monotonic() + LOOKS * longest + 5
    lookout.start()
    connection = connect()
    while time.monotonic() < end and _looked_at(connection, began) < total:
        time.sleep(0.1)
    connection.close()
    lookout.stop()


def _looked_at(connection: DuckDBPyConnection, since: datetime) -> int:
    """Return how many endpoints have been looked at often enough."""
    return number(
        connection,
        """SELECT COUNT(*) FROM (
            SELECT endpoint FROM probes WHERE ts >= ? GROUP BY endpoint HAVING COUNT(*) >= ?)""",
        [since, LOOKS],
    )
