"""Settings of what is polled and sampled: endpoints, caches, and the host."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  the reader resolves the annotations at run time
from dataclasses import dataclass, field
from datetime import timedelta

from mlwatch.config import checks
from mlwatch.errors import InputError

REDIS = ("redis://", "rediss://")
"""What addresses of caches begin with."""


@dataclass(frozen=True)
class ProbeSettings:
    """`[[endpoint]] probe`: a fixed input whose output must not change."""

    input: str = field(default="", metadata={"required": True})
    """File with the request's body, relative to this file."""
    expect: str | None = None
    """File with the expected answer; when not said, the first answer of each version."""
    tolerance: float = field(default=1e-6, metadata={"check": checks.not_negative})
    """Largest difference between numbers, absolute."""
    every: timedelta = field(default=timedelta(minutes=5), metadata={"check": checks.golden_interval})
    """Time between two requests."""
    path: str | None = None
    """Path of the request below the endpoint's URL; the server's usual one when not said."""
    ignore: tuple[str, ...] = ()
    """Members of the answer that may change, such as `request_id`, however deep they are."""


@dataclass(frozen=True)
class EndpointSettings:
    """`[[endpoint]]`: a server to poll."""

    url: str = field(default="", metadata={"required": True, "check": checks.url})
    name: str | None = None
    """How the endpoint is called; its URL when not said."""
    kind: str | None = None
    """Kind of server, such as `torchserve`; found out when not said."""
    interval: timedelta = field(default=timedelta(seconds=5), metadata={"check": checks.positive})
    timeout: timedelta = field(default=timedelta(seconds=2), metadata={"check": checks.positive})
    """For a whole request, from connecting to the last byte."""
    connect_timeout: timedelta = field(default=timedelta(seconds=1), metadata={"check": checks.positive})
    """For connecting, handshake of TLS included."""
    headers: Mapping[str, str] = field(default_factory=dict, metadata={"check": checks.headers})
    """Request headers; secrets only as `env:NAME` or `file:PATH`."""
    management_headers: Mapping[str, str] = field(default_factory=dict, metadata={"check": checks.headers})
    """The same for TorchServe's port of management and Ray's dashboard, where their token is another."""
    model: str | None = None
    """Name of the model at this server."""
    verify: bool | str = field(default=True, metadata={"read": checks.verify})
    """Check TLS certificates: true, false, or a file of certificate authorities."""
    follow_redirects: bool = False
    health: str | None = None
    """Path of the health check of a server of one's own making: whether it is ready."""
    live: str | None = None
    """Path that says whether it lives, where that is another."""
    version: str | None = None
    """Path whose JSON answer names the version that it serves, as `version` or `model_version`."""
    metrics: str | None = None
    """URL or path of its Prometheus metrics, where they are not where its kind of server has them; "" asks for none."""
    metrics_interval: timedelta = field(
        default=timedelta(seconds=15), metadata={"check": checks.metrics_interval}
    )
    """Time between two looks at them."""
    probe: ProbeSettings | None = None
    conditions: tuple[str, ...] = field(default=(), metadata={"check": checks.conditions})
    """What must hold, such as `status == 200` or `latency.p95 < 80`."""


@dataclass(frozen=True)
class CacheSettings:
    """`[[cache]]`: a cache of features to watch."""

    url: str = field(default="", metadata={"required": True, "check": checks.redis_address})
    """`redis://host:6379/0`, or `rediss://` for TLS."""
    name: str | None = None
    """How the cache is called; its URL when not said."""
    user: str | None = None
    password: str | None = field(default=None, metadata={"check": checks.secret_reference})
    """As `env:NAME` or `file:PATH`."""
    verify: bool | str = field(default=True, metadata={"read": checks.verify})
    """Check TLS certificates: true, false, or a file of certificate authorities."""
    interval: timedelta = field(default=timedelta(seconds=5), metadata={"check": checks.positive})
    timeout: timedelta = field(default=timedelta(seconds=2), metadata={"check": checks.positive})
    metrics_interval: timedelta = field(
        default=timedelta(seconds=15), metadata={"check": checks.metrics_interval}
    )
    """Time between two looks at what it says about itself."""
    keys: Mapping[str, str] = field(default_factory=dict, metadata={"check": checks.key_groups})
    """Groups of keys to look at samples of, by name: `{user = "user:*"}`."""
    updated: Mapping[str, str] = field(default_factory=dict)
    """By name of a group: the field of a hash, or member of a JSON text, that holds when it was written."""
    keys_interval: timedelta = field(default=timedelta(minutes=1), metadata={"check": checks.positive})
    """Time between two samples."""
    conditions: tuple[str, ...] = field(default=(), metadata={"check": checks.conditions})
    """What must hold, such as `metrics.hit_ratio > 0.9` or `metrics.feature_age_s.user < 3600`."""


def cache_of(url: str) -> CacheSettings:
    """Return the settings of a cache that the command line names.

    Raises:
        InputError: It is no address.
    """
    try:
        return CacheSettings(checks.redis_address(url))
    except ValueError as error:
        raise InputError("not an address", "an endpoint", str(error)) from None


@dataclass(frozen=True)
class SystemSettings:
    """`[system]`: what to watch on this host."""

    processes: tuple[str, ...] = ()
    """Process names, ids, or `:port`."""
    disk: tuple[str, ...] = ()
    """Paths whose file systems are watched; that of the logs when empty."""
    interval: timedelta = field(default=timedelta(seconds=5), metadata={"check": checks.positive})
    """Time between two looks at the host."""
