"""Look at all endpoints on a schedule that no slow server can hold up.

The schedule is open: the next look is due at its time whether or not the last one has been answered, and latency counts
from when a look was due. A server that stalls therefore shows as slow for as long as it stalls, which a loop of "ask,
wait, ask again" hides (coordinated omission).
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from mlwatch.endpoints.adapters import known
from mlwatch.endpoints.address import Address, parse
from mlwatch.endpoints.failures import Failure, NotAsked
from mlwatch.endpoints.golden import Baselines, GoldenProbe
from mlwatch.endpoints.resolving import Threads, replicas
from mlwatch.endpoints.target import Target
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import timedelta

    from mlwatch.config import EndpointSettings
    from mlwatch.endpoints.types import Baseline, Course, Probe, ServerMetrics

JITTER = 0.1
"""Share of the interval by which a look may come early or late, so that endpoints are not asked all at once."""
MOST_WAITING = 4
"""Looks at one replica that may wait for an answer at the same time."""
MOST_AT_ONCE = 512
"""Looks at all replicas that answer, together."""
MOST_FAILING = 128
"""Looks together at replicas that found nobody the last time: they wait among themselves, and for nobody else."""
PATIENCE = 3
"""Looks in a row without an answer, after which every second one is left out."""
FIRST_SCRAPE = 1.0
"""Seconds between two tries to get a server's metrics, until the first look has found it, and in a hurry."""
HURRY = 0.5
"""Seconds between two looks in a hurry."""
RESOLVE_EVERY = 30.0
"""Seconds between two questions to the name server."""


class Intervals(Protocol):
    """How often something is looked at."""

    @property
    def interval(self) -> timedelta:
        """Time between two looks."""

    @property
    def metrics_interval(self) -> timedelta:
        """Time between two questions for its own metrics."""


class Looked(Protocol):
    """What the schedule looks at: a replica of an endpoint, or another system."""

    failures: int
    """Looks in a row that found nobody."""

    @property
    def name(self) -> str:
        """How it is called."""

    @property
    def settings(self) -> Intervals:
        """How often it is looked at."""

    @property
    def prepared(self) -> bool:
        """Whether it is known what there is to ask."""

    def resume(self, known: Mapping[tuple[str, str], Course]) -> None:
        """Go on from how earlier runs left it, by name and replica."""

    async def probe(self, due: float) -> Probe:
        """Look once; a failure is a finding too, unless nothing could be asked: then `NotAsked` is raised."""

    async def scrape(self, reading: asyncio.Semaphore) -> ServerMetrics | None:
        """Return what it says about itself."""

    async def aclose(self) -> None:
        """Close the connections."""


class Poller:
    """Polls endpoints until it is stopped."""

    def __init__(
        self,
        endpoints: Sequence[EndpointSettings],
        on_probe: Callable[[Probe], None],
        *,
        resolve: Callable[[str], Path] = Path,
        baselines: Iterable[Baseline] = (),
        on_metrics: Callable[[ServerMetrics], None] = lambda _: None,
        others: Sequence[Looked] = (),
        courses: Mapping[tuple[str, str], Course] | None = None,
        hurried: int = 0,
    ) -> None:
        """Read the addresses; nothing is sent before `run`.

        Args:
            endpoints: What to poll.
            on_probe: Called with each look, in the thread of the event loop: it must return at once.
            resolve: Makes a file name of the settings a path, such as `Config.resolve`.
            baselines: First answers to golden probes, from earlier runs.
            on_metrics: Called with what servers say about themselves, as `on_probe` is.
            others: What else to look at, each as it is.
            courses: How earlier runs left endpoints and caches, by name and replica.
            hurried: How many looks at each replica come in a hurry, before the schedule begins.

        Raises:
            InputError: An address or kind of server is wrong, or a file of a golden probe.
        """
        known = Baselines(baselines)
        addressed = [(each, address_of(each)) for each in endpoints]
        self._endpoints = [(*each, golden_of(*each, resolve, known)) for each in addressed]
        self._others = others
        self._courses = courses or {}
        self._hurried = hurried
        self._on_probe = on_probe
        self._resolve = resolve
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._stopped = False
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._failing = asyncio.Semaphore(MOST_FAILING)
        self._looks: set[asyncio.Task[None]] = set()
        self._on_metrics = on_metrics
        self._reading = asyncio.Semaphore(1)
        self._unasked: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the endpoints in order."""
        return (
            *(name_of(settings, address) for settings, address, _ in self._endpoints),
            *(other.name for other in self._others),
        )

    @property
    def unasked(self) -> Mapping[str, str]:
        """Return why endpoints cannot be asked just now, by name; from any thread."""
        return dict(self._unasked)

    async def run(self) -> None:
        """Poll until `stop` or `aclose`, or until cancelled."""
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        if self._stopped:
            return
        self._loop.set_default_executor(Threads())  # connecting resolves names there
        watches = [
            *(asyncio.create_task(self._watch(*endpoint)) for endpoint in self._endpoints),
            *(asyncio.create_task(self._poll(other)) for other in self._others),
        ]
        try:
            await self._over.wait()
        finally:
            await _end([*watches, *self._looks])

    def stop(self) -> None:
        """End `run`; from any thread, at any time."""
        self._stopped = True
        if self._loop is not None and self._over is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._over.set)

    async def aclose(self) -> None:
        """End `run`."""
        self.stop()

    async def _watch(self, settings: EndpointSettings, address: Address, golden: GoldenProbe | None) -> None:
        """Poll one endpoint: each address of its name, or the name where it has one address."""
        running: dict[str, tuple[Target, asyncio.Task[None]]] = {}
        name = name_of(settings, address)
        try:
            while True:
                wanted, trouble = await self._replicas(settings, address, tuple(running))
                await _end([running.pop(gone)[1] for gone in set(running) - set(wanted)])
                for replica in wanted:
                    if replica not in running:
                        target = Target(name, address, settings, self._resolve, replica, golden)
                        running[replica] = target, asyncio.create_task(self._poll(target))
                    running[replica][0].unresolved = trouble
                await asyncio.sleep(RESOLVE_EVERY)
        finally:
            await _end([task for _, task in running.values()])

    async def _replicas(
        self, settings: EndpointSettings, address: Address, before: tuple[str, ...]
    ) -> tuple[tuple[str, ...], str]:
        """Return the replicas to look at, and why the name cannot be resolved: then it is looked at as it is."""
        parts = urlsplit(address.url)
        timeout = settings.timeout.total_seconds()
        try:
            found = await replicas(parts.hostname or "", parts.port or 80, timeout)
        except Failure as failure:
            return before or ("",), str(failure)
        return found or ("",), ""

    async def _poll(self, target: Looked) -> None:
        """Begin a look at each time of the schedule."""
        loop = asyncio.get_running_loop()
        interval = target.settings.interval.total_seconds()
        slot = 0
        waiting: set[asyncio.Task[None]] = set()
        missed = 0
        target.resume(self._courses)
        scraping = asyncio.create_task(self._scrape(target))
        try:
            await self._hurry(target, waiting)
            start = loop.time() + random.uniform(0, min(interval, 1.0))  # noqa: S311  no secret
            while True:
                jitter = random.uniform(-JITTER, JITTER) * interval if slot else 0.0  # noqa: S311  no secret
                due = start + slot * interval + jitter
                await asyncio.sleep(max(0.0, due - loop.time()))
                if len(waiting) < MOST_WAITING:
                    self._begin(target, due, missed, waiting)
                    missed = 0
                else:
                    missed += 1
                slot += 2 if target.failures >= PATIENCE else 1
                behind = math.floor((loop.time() - start) / interval) - slot
                if behind > 0:  # the process did not run for a while
                    missed, slot = missed + behind, slot + behind
        finally:
            await _end([*waiting, scraping])
            await target.aclose()

    async def _hurry(self, target: Looked, waiting: set[asyncio.Task[None]]) -> None:
        """Begin the first looks in a row, for those who judge before the schedule has told enough."""
        pause = min(HURRY, target.settings.interval.total_seconds())
        left = self._hurried
        while left:
            await asyncio.sleep(pause * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  no secret
            if len(waiting) < MOST_WAITING:
                self._begin(target, asyncio.get_running_loop().time(), 0, waiting)
                left -= 1

    async def _scrape(self, target: Looked) -> None:
        """Fetch the server's own metrics now and then; no look waits for that."""
        loop = asyncio.get_running_loop()
        interval = target.settings.metrics_interval.total_seconds()
        calm = loop.time() + self._hurried * HURRY
        while True:
            found = await target.scrape(self._reading)
            if found is not None:
                self._on_metrics(found)
            settled = target.prepared and loop.time() >= calm
            soon = interval if settled else min(interval, FIRST_SCRAPE)
            await asyncio.sleep(soon * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  no secret

    def _begin(self, target: Looked, due: float, missed: int, waiting: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(self._look(target, due, missed))
        for group in (waiting, self._looks):
            group.add(task)
            task.add_done_callback(group.discard)

    async def _look(self, target: Looked, due: float, missed: int) -> None:
        async with self._failing if target.failures else self._at_once:
            try:
                probe = await target.probe(due)
            except NotAsked as why:
                self._unasked[target.name] = f"{why}: {why.todo}"
                return
        self._unasked.pop(target.name, None)
        if missed:
            probe = replace(probe, missed=missed)
        self._on_probe(probe)


def address_of(settings: EndpointSettings) -> Address:
    """Return an endpoint's address.

    Raises:
        InputError: The address or the kind of server is wrong.
    """
    address = parse(settings.url)
    kind = settings.kind or address.kind
    if kind is not None and kind not in known():
        where = f"endpoint {name_of(settings, address)}"
        raise InputError(f"no kind of server {kind}", where, f"one of {', '.join(known())}")
    return address


def golden_of(
    settings: EndpointSettings, address: Address, resolve: Callable[[str], Path], known: Baselines
) -> GoldenProbe | None:
    """Return an endpoint's golden probe, with its files read; None where the configuration has none.

    Raises:
        InputError: A file cannot be read or is no JSON.
    """
    if settings.probe is None:
        return None
    return GoldenProbe(name_of(settings, address), settings.probe, resolve, known)


def name_of(settings: EndpointSettings, address: Address) -> str:
    """Return how an endpoint is called: never with credentials."""
    return settings.name or address.url


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            logging.getLogger(__name__).error("polling ended with %s", type(result).__name__)
