"""Fetch a server's metrics at intervals and keep the last minute of them, so that counters become rates."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlwatch.endpoints.client import LARGEST_METRICS
from mlwatch.endpoints.exposition import ACCEPT, Scrape, read
from mlwatch.endpoints.failures import Failure
from mlwatch.endpoints.measures import WANTED
from mlwatch.endpoints.server_metrics import measured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.config import EndpointSettings
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client

WINDOW = 60.0
"""Seconds over which rates and quantiles are taken, or four intervals where these are longer."""
RETRY = 60.0
"""Seconds after which metrics are looked for again where a server has none in the usual place."""
MOVED = frozenset({301, 302, 307, 308})


@dataclass(frozen=True, slots=True)
class Scraped:
    """What came of one scrape."""

    values: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


class Scraper:
    """Scrapes one replica.

    Args:
        settings: Of the endpoint.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self._configured = settings.metrics is not None
        self._keep = max(WINDOW, 4 * settings.metrics_interval.total_seconds())
        self._window: deque[Scrape] = deque()
        self._not_before = float("-inf")

    @property
    def last(self) -> Scrape | None:
        """The last metrics that could be read."""
        return self._window[-1] if self._window else None

    @property
    def seconds(self) -> float:
        """Over how many seconds rates and quantiles are taken; 0 where there are none yet."""
        return self._window[-1].at - self._window[0].at if self._window else 0.0

    @property
    def _expected(self) -> bool:
        """Whether a server without metrics is one in trouble."""
        return self._configured or bool(self._window)

    async def scrape(
        self, client: Client, url: str | None, reading: asyncio.Semaphore, sign: str = ""
    ) -> Scraped | None:
        """Fetch and read once.

        Args:
            client: Of the endpoint.
            url: Where the metrics are; None where there are none.
            reading: Held while a text is read.
            sign: What the text must contain where nobody has named its place.

        Returns:
            Metrics or an error; None where a server has no metrics in a place that nobody has named.
        """
        now = asyncio.get_running_loop().time()
        if url is None or now < self._not_before:
            return None
        try:
            answer = self._checked(await self._get(client, url), sign.encode())
            content_type = answer.headers.get("content-type", "")
            async with reading:
                found = await asyncio.to_thread(read, answer.body, content_type, WANTED, answer.ended)
            return self.take(found)
        except Failure as failure:
            return self._missing(failure, now)
        except Exception as error:  # noqa: BLE001  a text of a shape that nobody foresaw must not end the scraping
            return Scraped(error=f"metrics not understood: {type(error).__name__}")

    def _missing(self, failure: Failure, now: float) -> Scraped | None:
        if failure.answered or self._expected:
            return Scraped(error=str(failure))
        self._not_before = now + RETRY
        return None

    def _checked(self, answer: Answer, sign: bytes) -> Answer:
        if not self._expected and not (_is_text(answer) and sign in answer.body):
            raise Failure("no metrics here")
        if not answer.ok:
            raise Failure(answer.words, answered=True)
        return answer

    async def _get(self, client: Client, url: str) -> Answer:
        """Ask, and again with or without the slash at the end where a framework wants that."""
        answer = await client.get(url, largest=LARGEST_METRICS, accept=ACCEPT)
        place = answer.headers.get("location", "")
        if answer.status not in MOVED or not place.rstrip("/").endswith(
            url.rstrip("/").removeprefix(_origin(url))
        ):
            return answer
        other = url.rstrip("/") + ("" if url.endswith("/") else "/")
        return await client.get(other, largest=LARGEST_METRICS, accept=ACCEPT)

    def take(self, found: Scrape) -> Scraped:
        """Take what a server told, also in another way than by its Prometheus text."""
        if not found.series:
            return Scraped(error="no metrics under names that are known here")
        self._window.append(found)
        while found.at - self._window[0].at > self._keep:
            self._window.popleft()
        return Scraped(measured(self._window))


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _is_text(answer: Answer) -> bool:
    """Tell whether an answer can be metrics at all: an application may answer every path with a page."""
    kind = answer.headers.get("content-type", "text/plain").lower()
    return answer.ok and not any(sign in kind for sign in ("html", "json"))
