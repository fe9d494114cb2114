"""Poll endpoints and caches in a thread of its own, with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from mlwatch.config.polled import EndpointSettings
from mlwatch.endpoints.client import context_of
from mlwatch.endpoints.failures import NotAsked
from mlwatch.endpoints.poller import Poller, address_of, name_of
from mlwatch.endpoints.secret_headers import authorities, headers, secret
from mlwatch.errors import ConfigError
from mlwatch.systems.redis_cache import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mlwatch.config import CacheSettings, Config
    from mlwatch.endpoints.types import Baseline, Course, Probe, ServerMetrics
    from mlwatch.systems.redis_cache import Cache


class Polling:
    """Looks at endpoints and caches until stopped.

    Args:
        endpoints: What to poll.
        config: Whose file paths in the settings are relative to.
        on_probe: Called with each look, in the polling thread.
        baselines: First answers to golden probes, from earlier runs.
        on_metrics: Called with what servers say about themselves, in the polling thread.
        caches: What else to poll.
        courses: How earlier runs left endpoints and caches, by name and replica.
        hurried: How many looks come in a hurry before the others.

    Raises:
        InputError: An address or kind of server is wrong, or a file of a golden probe.
        ConfigError: The client of caches is not installed, or their settings contradict each other.
    """

    def __init__(
        self,
        endpoints: Sequence[EndpointSettings],
        config: Config,
        on_probe: Callable[[Probe], None],
        baselines: Iterable[Baseline] = (),
        on_metrics: Callable[[ServerMetrics], None] = lambda _: None,
        caches: Sequence[CacheSettings] = (),
        courses: Mapping[tuple[str, str], Course] | None = None,
        hurried: int = 0,
    ) -> None:
        self._poller = Poller(
            endpoints,
            on_probe,
            resolve=config.resolve,
            baselines=baselines,
            on_metrics=on_metrics,
            others=_opened(caches, config),
            courses=courses,
            hurried=hurried,
        )
        self._thread: threading.Thread | None = None
        self.failure: str | None = None
        """Why polling has ended by itself; None while it goes on."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the endpoints, in order."""
        return self._poller.names

    @property
    def unasked(self) -> Mapping[str, str]:
        """Why endpoints and caches cannot be asked just now, by name."""
        return self._poller.unasked

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="mlwatch-poll", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._poller.stop()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def _run(self) -> None:
        try:
            asyncio.run(self._poller.run())
        except Exception as error:  # noqa: BLE001  said on the screen; the logs go on being read
            self.failure = f"endpoints are not polled any more: {type(error).__name__}: {error}"


def with_conditions(endpoints: Sequence[EndpointSettings], caches: Sequence[CacheSettings]) -> list[str]:
    """Return the names of the endpoints and caches that have conditions.

    Raises:
        InputError: An address or kind of server is wrong.
    """
    return [name for name, one in settings_of(endpoints, caches) if one.conditions]


def settings_of(
    endpoints: Sequence[EndpointSettings], caches: Sequence[CacheSettings]
) -> list[tuple[str, EndpointSettings | CacheSettings]]:
    """Return what is polled, by the names that the store knows.

    Raises:
        InputError: An address or kind of server is wrong.
    """
    named: list[tuple[str, EndpointSettings | CacheSettings]] = [
        (name_of(one, address_of(one)), one) for one in endpoints
    ]
    return named + [(one.name or shown(one.url), one) for one in caches]


def need_references(
    endpoints: Sequence[EndpointSettings], caches: Sequence[CacheSettings], config: Config
) -> None:
    """Make sure that all is there that the settings refer to: who judges once has no use for a server not asked.

    Raises:
        ConfigError: A variable or a file is not there.
        InputError: An address or kind of server is wrong.
    """
    for name, one in settings_of(endpoints, caches):
        try:
            context_of(authorities(one.verify, config.resolve))
            if isinstance(one, EndpointSettings):
                headers(one.headers, config.resolve)
                headers(one.management_headers, config.resolve)
            elif one.password is not None:
                secret("password", one.password, config.resolve)
        except NotAsked as error:
            what = "endpoint" if isinstance(one, EndpointSettings) else "cache"
            raise ConfigError(str(error), f"{what} {name}", error.todo) from None


def _opened(caches: Sequence[CacheSettings], config: Config) -> list[Cache]:
    if not caches:
        return []
    from mlwatch.systems.redis_cache import Cache  # noqa: PLC0415  an extra

    return [Cache(settings, config.resolve) for settings in caches]
