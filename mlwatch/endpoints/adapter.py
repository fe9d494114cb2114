"""What an adapter of a server is: the requests of one look, and how a server is recognised."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from mlwatch.endpoints.failures import Failure, TimedOut
from mlwatch.endpoints.types import ServedVersion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from datetime import datetime

    from mlwatch.config import EndpointSettings
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client
    from mlwatch.endpoints.exposition import Scrape


MOST_NAMES = 3
"""Models that a sentence names."""


class WrongServer(Failure):
    """What answers is not the server that the adapter is for."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a server found."""

    answer: Answer
    """Of the request whose time and status count: health, or readiness."""
    live: bool | None
    ready: bool | None
    served: tuple[ServedVersion, ...] = ()
    error: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What the server says about itself outside its Prometheus text."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Why a server is taken for what it is."""

    sure: float
    """0 to 1; 0.9 and more ends the search."""
    why: str
    server: str = ""
    """A closer name, such as "triton" for a server of the Open Inference Protocol."""


class Adapter:
    """Generic HTTP, and the base of all others.

    Only requests that change nothing are sent: GET and OPTIONS, and POST where a protocol reads that way.
    """

    kind: ClassVar[str] = "http"
    title: ClassVar[str] = "HTTP"
    order: ClassVar[int] = 100
    """Place among the others when a server is looked for."""
    asks: ClassVar[tuple[str, ...]] = ()
    """Harmless paths whose answers tell this server."""
    metrics_path: ClassVar[str | None] = None
    """Path of Prometheus metrics on the endpoint's own port."""
    metrics_port: ClassVar[int | None] = None
    """How far above the endpoint's own port that of Prometheus metrics is, where there is one: 8000 and 8002."""
    metrics_sign: ClassVar[str] = ""
    """What metrics of this server contain, where those of another one may be in their place."""
    unheard: str = ""
    """Why there are no metrics, where more can be said than that there are none in their place."""
    volatile: ClassVar[frozenset[str]] = frozenset()
    """Members of an answer that are never the same, such as the id of the request."""
    output_is_fixed: ClassVar[bool] = True
    """Whether the same input must give the same output while the version is the same."""

    def __init__(self, settings: EndpointSettings, server: str = "") -> None:
        """Keep the settings.

        Args:
            settings: Of the endpoint.
            server: The closer name that detection found.
        """
        self.settings = settings
        self.server = server or self.kind

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:  # noqa: ARG003  for those who override it
        """Say whether an answer is one of this server, whoever asked for it."""
        return None

    async def prepare(self, client: Client) -> None:
        """Learn what is needed once, before looks are timed.

        Raises:
            Failure: It cannot be learnt now.
        """

    async def look(self, client: Client) -> Look:
        """Ask for health: any answer below 500 is live, a success is ready.

        Raises:
            Failure: Nothing useful came back.
        """
        settings = self.settings
        look = await readiness(
            client,
            settings.health or "",
            settings.live,
            path_is_known=settings.health is not None,
            pages=None if settings.health is not None else True,
        )
        named = await version_at(client, settings.version, settings.model or "") if settings.version else None
        return replace(look, served=(named,)) if named is not None else look

    async def metrics_url(self, client: Client) -> str | None:
        """Return where the Prometheus text is; None when there is none, or where is not known."""
        address, path = client.address, self.metrics_path
        if self.settings.metrics is not None:
            return address.join(self.settings.metrics) if self.settings.metrics else None
        if path is None:
            return None
        if self.metrics_port is None:
            return address.join(path)
        port = urlsplit(address.url).port  # None behind a proxy: the other port is not known there
        return address.at_port(port + self.metrics_port) + path if port is not None else None

    async def statistics(self, client: Client) -> Scrape | None:  # noqa: ARG002  for those who override it
        """Ask for what a server tells of itself in its own protocol, where its Prometheus text is not to be had.

        Returns:
            The same series as in that text; None where the protocol has none.
        """
        return None

    def inference_path(self, model: str | None) -> str | None:  # noqa: ARG002  for those who override it
        """Return where the server takes input for a model; None when that is not known."""
        return None

    def output(self, document: Any) -> Any:
        """Return what of an answer must not change: all but what is never the same."""
        if not isinstance(document, dict):
            return document
        return {name: value for name, value in document.items() if name not in self.volatile}

    def measure(self, request: Any, document: Any, now: datetime) -> Mapping[str, float]:  # noqa: ARG002  for others
        """Return metrics that the answer to a configured request holds.

        Args:
            request: What was sent, where it is JSON.
            document: What was answered.
            now: The present.
        """
        return {}


def instead(names: Sequence[str]) -> str:
    """Say what a server has where it has not what was asked for; empty where it has nothing.

    Args:
        names: Of its models.
    """
    more = len(names) - MOST_NAMES
    listed = ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return f": it serves {listed}" if names else ""


async def readiness(
    client: Client, ready: str, live: str | None, *, path_is_known: bool = True, pages: bool | None = False
) -> Look:
    """Ask for readiness, and where that goes wrong whether the server lives: what is ready does.

    Args:
        client: Of the endpoint.
        ready: Path of readiness.
        live: Path of liveness; None where there is none: then who answers lives.
        path_is_known: As for `judge`.
        pages: The same.

    Raises:
        Failure: Nothing useful came back.
    """
    try:
        look = judge(await client.get(ready), path_is_known=path_is_known, pages=pages)
    except TimedOut as failure:
        if live is not None and await lives(client, live):
            raise Failure(str(failure), answered=True) from None
        raise
    if look.ready is not False or live is None or await lives(client, live) is not False:
        return look
    return replace(look, live=False)


async def lives(client: Client, path: str) -> bool | None:
    """Ask whether a server lives; None where it does not say."""
    answer = await maybe(client.get(path))
    if answer is None or answer.status >= 500:
        return False
    return True if answer.ok else None


async def version_at(client: Client, path: str, named: str) -> ServedVersion | None:
    """Read which version is served from a path of the server's own making.

    Args:
        client: Of the endpoint.
        path: Answers with JSON.
        named: How the model is called where the answer does not say it.
    """
    answer = await maybe(client.get(path))
    found = answer.maybe_json() if answer is not None and answer.ok else None
    if not isinstance(found, dict):
        return None
    version = next((said for said in map(found.get, ("version", "model_version")) if _is_version(said)), None)
    model = found.get("model") or found.get("model_name") or found.get("name")
    if version is None:
        return None
    return ServedVersion(model if isinstance(model, str) else named, str(version))


def _is_version(said: object) -> bool:
    """Tell whether a value of JSON can be a version: text or a number, also 0."""
    return isinstance(said, str | int | float) and not isinstance(said, bool) and said != ""


async def maybe(asking: Awaitable[Answer]) -> Answer | None:
    """Wait for an answer that a look can do without."""
    try:
        return await asking
    except Failure:
        return None


def judge(answer: Answer, *, path_is_known: bool = True, pages: bool | None = False) -> Look:
    """Judge an answer by its status alone.

    Args:
        answer: Of a health path.
        path_is_known: The path is one of health; otherwise 404 and the like say nothing about it.
        pages: A page for people may be its health; otherwise what answers is something else, such as a login.
            None where it may be either.
    """
    if answer.ok and answer.is_page and not pages:
        unknown = None if pages is None else False
        return Look(answer, live=True, ready=unknown, error="HTML where its health belongs")
    if answer.ok:
        return Look(answer, live=True, ready=True)
    if answer.status in {401, 403, 429} or 300 <= answer.status < 400:
        return Look(answer, live=True, ready=None, error=answer.words)
    if answer.status < 500 and not path_is_known:
        return Look(answer, live=True, ready=None)
    return Look(answer, live=True, ready=False, error=answer.words)
