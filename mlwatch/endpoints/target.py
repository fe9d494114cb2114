"""One replica of one endpoint: its client, its adapter, and what a look at it yields."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.endpoints.adapter import WrongServer
from mlwatch.endpoints.client import Client
from mlwatch.endpoints.conditions import Conditions
from mlwatch.endpoints.failures import Failure, NotAsked, TimedOut, Unreached
from mlwatch.endpoints.golden import Schedule
from mlwatch.endpoints.recognition import Recognition
from mlwatch.endpoints.scraping import Scraped, Scraper
from mlwatch.endpoints.secret_headers import authorities, headers
from mlwatch.endpoints.server_metrics import with_error_share
from mlwatch.endpoints.types import Course, Probe, ServerMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mlwatch.config import EndpointSettings
    from mlwatch.endpoints.adapter import Adapter, Look
    from mlwatch.endpoints.address import Address
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.exposition import Scrape
    from mlwatch.endpoints.golden import GoldenProbe
    from mlwatch.endpoints.types import Golden

SKEW = 5.0
"""Seconds from which on a server's clock is said to be wrong; its Date has no fractions and may be cached a moment."""
REREAD = 10.0
"""Seconds between two readings of the headers' files: tokens of a cluster rotate."""


class Target:
    """Looks at one replica."""

    def __init__(
        self,
        name: str,
        address: Address,
        settings: EndpointSettings,
        resolve: Callable[[str], Path],
        replica: str = "",
        golden: GoldenProbe | None = None,
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            name: Of the endpoint, as it is shown.
            address: Where it is.
            settings: Of the endpoint.
            resolve: Makes a file name of the settings a path.
            replica: IP address where the name has several.
            golden: What to send besides, where the configuration says so.
        """
        self.name, self.address, self.settings, self.replica = name, address, settings, replica
        self.failures = 0
        """Looks in a row that found nobody."""
        self.unresolved = ""
        """Why the endpoint's name had no address when it was asked for last: then nobody can be reached in time."""
        self._resolve = resolve
        self._client: Client | None = None
        self._recognition = Recognition(settings, address)
        self._news = ""
        """What has changed, until a look says it."""
        self._headers_at = float("-inf")
        self._golden = Schedule(golden) if golden is not None else None
        self._scraper = Scraper(settings)
        self._conditions = Conditions(settings.conditions)
        self._told: Mapping[str, float] = {}
        """What the last scrape found."""

    def resume(self, known: Mapping[tuple[str, str], Course]) -> None:
        """Go on from how earlier runs left endpoints and their replicas."""
        self._conditions.resume(known.get((self.name, self.replica), Course()))

    async def probe(self, due: float) -> Probe:
        """Look once.

        Args:
            due: When the look was due, on the clock of the event loop, seconds.

        Returns:
            What was found; a failure is a finding too.

        Raises:
            NotAsked: What the settings refer to is not there.
        """
        probe, answer = await self._look(due)
        judged = self._conditions.judge(probe, answer, self._told, self._scraper.seconds)
        return replace(probe, conditions=judged) if judged else probe

    async def _look(self, due: float) -> tuple[Probe, Answer | None]:
        """Look once, and return the answer too."""
        loop = asyncio.get_running_loop()
        late = max(0.0, loop.time() - due)
        at = datetime.now(UTC) - timedelta(seconds=late)
        try:
            client = self._ready_client(loop.time())
            if self._recognition.pending:
                self._news = await self._recognition.settle(client) or self._news
                due = loop.time()  # what is asked once is not the server's latency
            adapter = self._adapter_of()
            look = await adapter.look(client)
            golden = await self._golden.ask(client, adapter, look) if self._golden is not None else None
        except NotAsked:
            raise
        except Failure as failure:
            return self._failed(at, late, failure), None
        except Exception as error:  # noqa: BLE001  an answer of a shape that nobody foresaw must not end the polling
            said = f"answer not understood: {type(error).__name__}"
            return self._failed(at, late, Failure(said, answered=True)), None
        self.failures = 0
        self._recognition.noted(
            look.answer, answered=True, odd=look.ready is False and 400 <= look.answer.status < 500
        )
        found = self._found(at, late, look, (look.answer.ended - due) * 1000, golden)
        if self._news and not found.error:
            found, self._news = replace(found, error=self._news), ""
        return found, look.answer

    async def scrape(self, reading: asyncio.Semaphore) -> ServerMetrics | None:
        """Fetch and read the server's Prometheus metrics, apart from all looks.

        Args:
            reading: Lets so many texts be read at once, each in a thread: reading is all computing.

        Returns:
            What it says; None where it has no metrics, and while nobody answers.
        """
        client, adapter = self._client, self._recognition.adapter
        if client is None or adapter is None or not self.prepared or self.failures:
            self._told = {}  # of before an outage: no condition holds for that
            return None
        at = datetime.now(UTC)
        url = await adapter.metrics_url(client)
        found = await self._scraper.scrape(client, url, reading, adapter.metrics_sign)
        if found is None and self.settings.metrics is None:
            told = await adapter.statistics(client)
            why = adapter.unheard or _nothing_at(url, client)
            found = self._scraper.take(told) if told is not None else Scraped(error=why)
        if found is None:
            return None
        self._told = with_error_share(found.values)
        return ServerMetrics(self.name, at, self.replica, found.values, found.error)

    @property
    def prepared(self) -> bool:
        """Whether the kind of server is known, so that a look can tell what there is to tell."""
        return self._recognition.prepared

    @property
    def last_scrape(self) -> Scrape | None:
        """The last metrics that could be read."""
        return self._scraper.last

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    def _ready_client(self, now: float) -> Client:
        if self._client is None:
            self._client = Client(
                self.address,
                timeout=self.settings.timeout.total_seconds(),
                connect_timeout=self.settings.connect_timeout.total_seconds(),
                verify=authorities(self.settings.verify, self._resolve),
                follow=self.settings.follow_redirects,
                replica=self.replica,
            )
        if now - self._headers_at >= REREAD:
            own, management = self.settings.headers, self.settings.management_headers
            self._client.use(headers(own, self._resolve), headers(management, self._resolve))
            self._headers_at = now
        return self._client

    def _adapter_of(self) -> Adapter:
        if self._recognition.adapter is None:
            raise RuntimeError("settle first")
        return self._recognition.adapter

    def _found(
        self, at: datetime, late: float, look: Look, latency_ms: float, golden: Golden | None
    ) -> Probe:
        served = tuple(each for each in look.served if each.version)
        unversioned = tuple(each for each in look.served if not each.version)
        return Probe(
            endpoint=self.name, at=at, replica=self.replica, server=self._adapter_of().server,
            recognised=self._recognition.why,
            live=look.live, ready=look.ready, status=look.answer.status,
            latency_ms=latency_ms, late_ms=late * 1000, error=look.error, served=served,
            unversioned=unversioned,
            metrics=self._metrics(look), certificate_days=self._certificate_days(), golden=golden,
        )  # fmt: skip

    def _metrics(self, look: Look) -> Mapping[str, float]:
        skew = look.answer.clock_skew_s
        clock = {"clock_skew_s": skew} if skew is not None and abs(skew) >= SKEW else {}
        return {**look.metrics, **clock, **(self._golden.measured if self._golden is not None else {})}

    def _failed(self, at: datetime, late: float, failure: Failure) -> Probe:
        self.failures = 0 if failure.answered else self.failures + 1
        adapter = self._recognition.adapter
        lost = isinstance(failure, TimedOut | Unreached) and not failure.answered
        self._recognition.noted(None, answered=failure.answered, odd=failure.answered)
        if isinstance(failure, WrongServer):
            self._recognition.reject()
        return Probe(
            endpoint=self.name, at=at, replica=self.replica,
            server=adapter.server if adapter is not None else "", recognised=self._recognition.why,
            live=failure.answered, ready=False, late_ms=late * 1000,
            error=self.unresolved if self.unresolved and lost else str(failure),
            certificate_days=self._certificate_days(),
        )  # fmt: skip

    def _certificate_days(self) -> float | None:
        end = self._client.certificate_end if self._client is not None else None
        return (end - time.time()) / 86400 if end is not None else None


def _nothing_at(url: str | None, client: Client) -> str:
    """Say that a server has no metrics where such servers usually have them."""
    if url is None:
        return "such servers have no usual place for them: configure metrics"
    return f"there are none at {url.removeprefix(client.address.url)}: configure metrics"
