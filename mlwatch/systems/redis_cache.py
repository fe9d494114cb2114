"""A Redis that caches features, looked at as endpoints are: is it there, how fast, what does it say about itself.

Protocol 2 and no name of a library, so that no server, however old, counts an error of ours; no second try at a server
that is dead. Only PING, INFO, SCAN, PTTL, TYPE, HGET and GETRANGE are ever sent.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mlwatch.endpoints.conditions import Conditions
from mlwatch.endpoints.failures import Failure, NotAsked, in_words, seconds
from mlwatch.endpoints.scraping import WINDOW
from mlwatch.endpoints.secret_headers import authorities, secret
from mlwatch.endpoints.server_metrics import measured, since_start
from mlwatch.endpoints.types import Course, Probe, ServerMetrics
from mlwatch.errors import ConfigError, one_line
from mlwatch.systems.redis_info import scrape_of
from mlwatch.systems.redis_keys import Group, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mlwatch.config import CacheSettings
    from mlwatch.endpoints.exposition import Scrape

MOST_CONNECTIONS = 8
PORT = 6379
RIGHTS = "+ping +info +scan +pttl +type +hget +getrange"
"""All that is ever sent, as ACL writes it."""
AGAIN = 300.0
"""Seconds until keys are looked at again where that is not allowed: each try is an error in the server's count."""


class Cache:
    """Looks at one server.

    Args:
        settings: Of the cache.
        resolve: Makes a file name of the settings a path.

    Raises:
        ConfigError: The client is not installed, or a group that `updated` names has no pattern.
    """

    def __init__(self, settings: CacheSettings, resolve: Callable[[str], Path]) -> None:
        try:
            import redis.asyncio  # noqa: PLC0415  an extra
        except ImportError:
            todo = "pip install 'mlwatch[redis]'"
            raise ConfigError("watching a cache needs one more package", "[[cache]]", todo) from None
        self._redis = redis
        self.settings = settings
        self.name = settings.name or shown(settings.url)
        self.failures = 0
        """Looks in a row that found nobody."""
        self.prepared = True
        self.last: Scrape | None = None
        """What it said last."""
        self._resolve = resolve
        self._client: Any = None
        self.server = "redis"
        """With its version, once it has said it."""
        self._conditions = Conditions(settings.conditions)
        self._window: deque[Scrape] = deque()
        self._groups = _groups(settings)
        self._keys: Mapping[str, float] = {}
        self._blind = ""
        """Why keys are not looked at."""
        self._sampling = float("-inf")
        """When keys are looked at next, on the clock of the event loop."""
        self._own: tuple[str, int, int] = ("", 0, 0)
        """Run of the server, and our own hits and misses in it."""
        self._told: Mapping[str, float] = {}

    def resume(self, known: Mapping[tuple[str, str], Course]) -> None:
        """Go on from how earlier runs left caches."""
        self._conditions.resume(known.get((self.name, ""), Course()))

    async def probe(self, due: float) -> Probe:
        """Look once: PING.

        Args:
            due: When the look was due, on the clock of the event loop, seconds.

        Raises:
            NotAsked: What the settings refer to is not there.
        """
        loop = asyncio.get_running_loop()
        late = max(0.0, loop.time() - due)
        at = datetime.now(UTC) - timedelta(seconds=late)
        try:
            await self._ask("ping")
        except NotAsked:
            raise
        except Failure as failure:
            self.failures = 0 if failure.answered else self.failures + 1
            probe = Probe(
                self.name, at, server=self.server, live=failure.answered, ready=False,
                late_ms=late * 1000, error=str(failure),
            )  # fmt: skip
        else:
            self.failures = 0
            probe = Probe(
                self.name, at, server=self.server, live=True, ready=True,
                latency_ms=(loop.time() - due) * 1000, late_ms=late * 1000,
            )  # fmt: skip
        judged = self._conditions.judge(probe, None, self._told)
        return replace(probe, conditions=judged) if judged else probe

    async def scrape(self, _reading: asyncio.Semaphore) -> ServerMetrics | None:
        """Ask what it says about itself, and now and then look at keys; None while nobody answers."""
        if self.failures:
            self._told = {}  # of before an outage: no condition holds for that
            return None
        at, now = datetime.now(UTC), asyncio.get_running_loop().time()
        try:
            values, error = await self._info(now), ""
        except NotAsked:
            return None
        except Failure as failure:
            values, error = {}, str(failure)
        if self._groups and now >= self._sampling:
            self._blind = await self._sample(at, now)
        self._told = {**values, **self._keys}
        return ServerMetrics(self.name, at, values=self._told, error=error or self._blind)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _info(self, now: float) -> dict[str, float]:
        info = await self._ask("info")
        if not isinstance(info, dict):
            raise Failure("INFO not understood", answered=True)
        version, run = str(info.get("redis_version", "")), str(info.get("run_id", ""))
        self.server = one_line(f"redis {version}".strip())[:40]
        if run != self._own[0]:
            self._own = (run, 0, 0)
        commands = await self._ask("info", "commandstats")
        self.last = scrape_of(info, commands if isinstance(commands, dict) else {}, now, self._own[1:])
        self._window.append(self.last)
        while now - self._window[0].at > max(WINDOW, 4 * self.settings.metrics_interval.total_seconds()):
            self._window.popleft()
        values = measured(self._window)
        if now - self._window[0].at < WINDOW and "hit_ratio" in (life := since_start(self.last)):
            values.setdefault("hit_ratio", life["hit_ratio"])  # until there is a minute to speak of
        return values

    async def _sample(self, at: datetime, now: float) -> str:
        """Look at keys; return what went wrong."""
        try:
            async with asyncio.timeout(self.settings.timeout.total_seconds() * len(self._groups)):
                found = await sample(self._connected(), self._groups, at)
        except Exception as error:  # noqa: BLE001  values of keys are as hostile as any
            failure = self._failure(error)
            self._keys, self._sampling = {}, now + AGAIN
            return f"keys are not looked at: {failure}"
        run, hits, misses = self._own
        self._own = (run, hits + found.hits, misses + found.misses)
        self._keys, self._sampling = found.values, now + self.settings.keys_interval.total_seconds()
        return ""

    async def _ask(self, command: str, *arguments: str) -> Any:
        """Send a command.

        Raises:
            Failure: There is no useful answer.
        """
        try:
            async with asyncio.timeout(self.settings.timeout.total_seconds()):
                return await getattr(self._connected(), command)(*arguments)
        except Failure:
            raise
        except Exception as error:  # noqa: BLE001  the client raises what it likes at what is no Redis
            raise self._failure(error) from None

    def _connected(self) -> Any:
        if self._client is None:
            self._client = self._redis.asyncio.Redis(**self._options())
        return self._client

    def _options(self) -> dict[str, Any]:
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        settings, parts = self.settings, urlsplit(self.settings.url)
        options: dict[str, Any] = {
            "host": parts.hostname, "port": parts.port or PORT, "db": int(parts.path.strip("/") or 0),
            "username": settings.user or (unquote(parts.username) if parts.username else None),
            "password": unquote(parts.password) if parts.password else None,
            "protocol": 2, "retry": Retry(NoBackoff(), 0),
            "socket_timeout": settings.timeout.total_seconds(), "max_connections": MOST_CONNECTIONS,
        }  # fmt: skip
        if settings.password is not None:
            options["password"] = secret("[[cache]] password", settings.password, self._resolve).strip()
        known = inspect.signature(self._redis.asyncio.Redis.__init__).parameters
        options |= dict.fromkeys(("driver_info",) if "driver_info" in known else ("lib_name", "lib_version"))
        if parts.scheme == "rediss":
            verify = authorities(settings.verify, self._resolve)
            options |= {"ssl": True, "ssl_cert_reqs": "required" if verify else "none"}
            options["ssl_check_hostname"] = bool(verify)
            if isinstance(verify, str):
                options["ssl_ca_certs"] = verify
        return options

    def _failure(self, error: Exception) -> Failure:
        """Return what an exception of the client means; its text is shown only where a server said it."""
        kinds = self._redis.exceptions
        if isinstance(error, TimeoutError | kinds.TimeoutError):
            return Failure(f"timed out after {seconds(self.settings.timeout.total_seconds())}")
        if isinstance(error, kinds.InvalidResponse):
            return Failure("what answers is not Redis: correct url of [[cache]]")
        if isinstance(error, kinds.AuthenticationError):
            self._client = None  # the password is read anew
        answers: tuple[tuple[type[Exception], str], ...] = (
            (kinds.AuthenticationError, "it refuses us: set user and password of [[cache]]"),
            (kinds.NoPermissionError, f"no permission: allow this user {RIGHTS}"),
            (kinds.BusyLoadingError, "loading its data"),
            (kinds.ResponseError, f"error: {one_line(str(error))[:80]}"),
        )
        for kind, words in answers:
            if isinstance(error, kind):
                return Failure(words, answered=True)
        words = in_words(error)
        return Failure(
            words if not words.startswith("failed: ") else "it closed the connection: is it Redis?"
        )


def shown(url: str) -> str:
    """Return an address without its credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def _groups(settings: CacheSettings) -> list[Group]:
    strange = sorted(set(settings.updated) - set(settings.keys))
    if strange:
        todo = f'add {strange[0]} = "PATTERN" to its keys'
        raise ConfigError(f"updated names {strange[0]}, which has no pattern", "[[cache]]", todo)
    return [Group(name, pattern, settings.updated.get(name)) for name, pattern in settings.keys.items()]
