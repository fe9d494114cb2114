"""The HTTP client of one endpoint: bounded in time and size, without redirects unless asked for.

One connection pool for each endpoint: httpx's pool looks at all its connections for each request, so a shared one costs
five times as much at 200 endpoints. The transport is called directly for the same reason.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx

from mlwatch.endpoints.answer import Answer
from mlwatch.endpoints.failures import Failure, NotAsked, TimedOut, Unreached, in_words, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.endpoints.address import Address

LARGEST = 1024 * 1024
"""Most bytes of an answer."""
LARGEST_METRICS = 8 * 1024 * 1024
REDIRECTS = 3
AGENT = "mlwatch"
_PORTS = {"http": 80, "https": 443}


def context_of(verify: bool | str) -> ssl.SSLContext:
    """Return the checks of certificates.

    Args:
        verify: Whether they are checked, or the path of a file of authorities.

    Raises:
        NotAsked: The file is of no use.
    """
    try:
        return _context(verify)
    except (OSError, ssl.SSLError):
        words = f"cannot read the certificate authorities in {verify}"
        raise NotAsked(words, "name a file of certificates in PEM") from None


@functools.lru_cache(maxsize=32)
def _context(verify: bool | str) -> ssl.SSLContext:
    """Return the checks of certificates; made once, as reading the authorities takes milliseconds."""
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    return httpx.create_ssl_context(verify=verify, trust_env=False)


class Client:
    """Sends requests to one endpoint (one replica of it)."""

    def __init__(
        self,
        address: Address,
        *,
        timeout: float = 2.0,
        connect_timeout: float | None = None,
        verify: bool | str = True,
        follow: bool = False,
        replica: str = "",
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            address: The endpoint.
            timeout: Seconds for a whole request, from connecting to the last byte.
            connect_timeout: Seconds for connecting, handshake of TLS included; None for no limit of its own.
            verify: Check certificates; or a file of authorities.
            follow: Follow redirects, at most `REDIRECTS`, tokens only to the same origin.
            replica: IP address to connect to, in place of what the name means.

        Raises:
            NotAsked: The file of authorities cannot be read.
        """
        self.address = address
        self.timeout = timeout
        self._connect_timeout = connect_timeout
        self.certificate_end: float | None = None
        """When the certificate ends, seconds since 1970; known after the first answer over TLS that was verified."""
        self._tls: object = None
        """The connection whose certificate was looked at last: the next one may have a renewed certificate."""
        self.headers: dict[str, str] = {}
        self._management: dict[str, str] = {}
        self._follow = follow
        self._replica = replica
        self._requests: dict[str, httpx.Request] = {}
        context = context_of(verify)
        limits = httpx.Limits(max_connections=8, max_keepalive_connections=4, keepalive_expiry=120)
        self._transport = httpx.AsyncHTTPTransport(verify=context, limits=limits)

    def use(self, headers: Mapping[str, str], management: Mapping[str, str] | None = None) -> None:
        """Send these headers from now on; only ever to the endpoint's own host.

        Args:
            headers: To every port of it.
            management: In their place where a request is one of management.
        """
        own, apart = dict(headers), dict(management or {})
        if self.address.authorization and not any(name.lower() == "authorization" for name in own):
            own["Authorization"] = self.address.authorization
        if (own, apart) != (self.headers, self._management):
            self.headers, self._management = own, apart
            self._requests.clear()

    async def get(
        self, path: str = "", *, largest: int = LARGEST, accept: str = "*/*", management: bool = False
    ) -> Answer:
        """Send GET and read the whole answer.

        Args:
            path: Below the endpoint, or a whole URL.
            largest: Most bytes that are read.
            accept: Content types.
            management: The request is one of management, which may want another token.

        Raises:
            Failure: There is no whole answer; `str()` says why in words.
        """
        url = self.address.join(path)
        request = self._requests.get(url)
        if request is None:
            request = self._requests[url] = self._request(
                "GET", url, b"", {"Accept": accept}, management=management
            )
        return await self._answer(request, largest)

    async def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        """Send POST: only for what is asked for explicitly, or known to change nothing.

        Raises:
            Failure: There is no whole answer.
        """
        request = self._request("POST", self.address.join(path), body, {"Content-Type": content_type})
        return await self._answer(request, LARGEST)

    async def options(self, path: str = "") -> Answer:
        """Send OPTIONS.

        Raises:
            Failure: There is no whole answer.
        """
        return await self._answer(self._request("OPTIONS", self.address.join(path), b"", {}), LARGEST)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    def _request(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: dict[str, str],
        *,
        management: bool = False,
        trusted: bool = True,
    ) -> httpx.Request:
        parts = urlsplit(url)
        home = urlsplit(self.address.url)
        same_host = parts.hostname == home.hostname
        # A token goes to the endpoint's host and never from TLS to plain text.
        named = self._management if management and self._management else self.headers
        own = named if trusted and same_host and (parts.scheme == "https" or home.scheme == "http") else {}
        fixed = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
        limits = {"timeout": {"connect": self._connect_timeout}}  # `_answer` bounds the whole
        request = httpx.Request(method, url, content=body, headers=fixed | headers | own, extensions=limits)
        if self._replica and same_host:
            request.headers["Host"] = parts.netloc
            request.url = request.url.copy_with(host=self._replica)
            request.extensions["sni_hostname"] = parts.hostname or ""
        return request

    async def _answer(self, request: httpx.Request, largest: int) -> Answer:
        got = 0
        try:
            async with asyncio.timeout(self.timeout):
                asked = _named(request)
                for _ in range(REDIRECTS + 1):
                    response = await self._transport.handle_async_request(request)
                    body = bytearray()
                    try:
                        async for part in response.stream:  # type: ignore[union-attr]  # it is asynchronous here
                            body += part
                            got = len(body)
                            if got > largest:
                                raise Failure(f"answer larger than {largest / 1e6:.0f} MB")
                    finally:
                        await response.aclose()
                    self._note_certificate(response)
                    following = self._next(request, response, asked) if self._follow else None
                    if following is None:
                        ended = asyncio.get_running_loop().time()
                        return Answer(response.status_code, response.headers, bytes(body), ended)
                    request = following
                raise Failure(f"more than {REDIRECTS} redirects")
        except TimeoutError:
            so_far = f", {got} bytes in" if got else ""
            raise TimedOut(f"timed out after {seconds(self.timeout)}{so_far}") from None
        except httpx.ConnectTimeout:
            raise Unreached(f"no connection after {seconds(self._connect_timeout or self.timeout)}") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise Failure(in_words(error)) from None

    def _next(self, request: httpx.Request, response: httpx.Response, asked: str) -> httpx.Request | None:
        """Return the request that a redirect asks for: with GET, and within http and https.

        Args:
            request: What was redirected.
            response: Where to.
            asked: URL that was asked for at first: tokens go to its origin only, not to whatever else is on its host.
        """
        target = response.headers.get("Location", "")
        if response.status_code not in {301, 302, 303, 307, 308} or not target or request.method != "GET":
            return None
        url = urljoin(_named(request), target)
        if urlsplit(url).scheme not in _PORTS:
            raise Failure("redirected to something that is not HTTP")
        accept = {"Accept": request.headers.get("Accept", "*/*")}
        return self._request("GET", url, b"", accept, trusted=_is_same_origin(asked, url))

    def _note_certificate(self, response: httpx.Response) -> None:
        if not self.address.url.startswith("https"):
            return
        stream = response.extensions.get("network_stream")
        tls = stream.get_extra_info("ssl_object") if stream is not None else None
        if tls is self._tls:
            return  # the same connection
        self._tls = tls
        certificate = tls.getpeercert() if tls is not None else None  # empty when it is not verified
        if certificate and "notAfter" in certificate:
            self.certificate_end = ssl.cert_time_to_seconds(certificate["notAfter"])


def _named(request: httpx.Request) -> str:
    """Return a request's URL with the name of the host, whichever replica it goes to."""
    return str(request.url.copy_with(netloc=request.headers["Host"].encode()))


def _is_same_origin(one: str, other: str) -> bool:
    """Tell whether two URLs have the scheme, host and port in common, or the other is the same host's usual TLS."""
    host, before, after = urlsplit(one).hostname, _port(one), _port(other)
    upgraded = (before, after) == (("http", 80), ("https", 443))
    return urlsplit(other).hostname == host and (before == after or upgraded)


def _port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.port or _PORTS[parts.scheme]
