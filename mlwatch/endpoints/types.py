"""The values that polling yields: what crosses from the poller to the store and the screens.

Durations are milliseconds where a name says so, times aware UTC datetimes. Text that came from a server is kept
as it was and is as hostile as a log's: whoever shows it escapes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """One version of one model that an endpoint says it serves."""

    model: str
    version: str
    ready: bool | None = None
    """None where the server does not say it for each version."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The first answer of a version to a fixed input: from then on the expected one."""

    endpoint: str
    version: str
    """As the server says it; empty where it does not."""
    fingerprint: str
    """Of the input."""
    answer: str
    """JSON."""


@dataclass(frozen=True, slots=True)
class Golden:
    """The answer to a fixed input, compared with what is expected."""

    matches: bool
    difference: float | None = None
    """Largest absolute difference of a number; None where the answers differ in shape or are not numbers."""
    reason: str = ""
    first: Baseline | None = None
    """The answer itself, where it is the first one."""


ConditionState = Literal["ok", "pending", "firing", "resolved", "unknown"]


@dataclass(frozen=True, slots=True)
class Judged:
    """How one condition of an endpoint stands after a look."""

    text: str
    """The condition as it was written."""
    state: ConditionState
    said: str
    """The value it speaks of, or why there is none."""
    since: datetime | None = None
    """Since when it is broken; when it was resolved."""


class Seen(NamedTuple):
    """What conditions over a quarter of an hour keep of one look."""

    at: float
    """When it was due, seconds since 1970."""
    latency_ms: float | None
    up: bool


@dataclass(frozen=True, slots=True)
class Course:
    """How an earlier run left one replica."""

    judged: tuple[Judged, ...] = ()
    """Its conditions, as the last look left them."""
    looks: tuple[Seen, ...] = ()
    """The looks of the last quarter of an hour, oldest first."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at one endpoint (one replica of it)."""

    endpoint: str
    """Its name: the one in the configuration, or the URL without credentials."""
    at: datetime
    """When the look was due; `late_ms` later it began."""
    replica: str = ""
    """Address that was asked where a name has several, otherwise empty."""
    server: str = ""
    """Kind of server as its adapter calls it, such as "torchserve"."""
    live: bool | None = None
    ready: bool | None = None
    status: int | None = None
    """HTTP status of the readiness (or else health) request; None without an answer."""
    latency_ms: float | None = None
    """Time from when that request was due to its last byte: a slow server does not hide its slowness."""
    late_ms: float = 0.0
    error: str = ""
    """What went wrong in words ("refused", "timed out after 2 s", "503 while loading v2"); empty when all is well."""
    served: tuple[ServedVersion, ...] = ()
    unversioned: tuple[ServedVersion, ...] = ()
    """Models that it says it serves without saying which version; not stored, as no log can be compared with them."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Server metrics under names that are alike across servers, such as `requests_per_s` or `queue_length`."""
    certificate_days: float | None = None
    """Days until the TLS certificate ends; None without TLS."""
    golden: Golden | None = None
    conditions: tuple[Judged, ...] = ()
    """The endpoint's conditions, in the order of the configuration."""
    missed: int = 0
    """Looks that were due since the last one and not begun, because too many still waited for an answer."""
    recognised: str = ""
    """How sure it is that the server is of this kind, and why; empty where the configuration says the kind."""

    @property
    def up(self) -> bool:
        """Tell whether the endpoint could serve: it answered, and did not say that it is not ready."""
        return self.live is True and self.ready is not False


@dataclass(frozen=True, slots=True)
class ServerMetrics:
    """What a server said about itself in its Prometheus text, under names that are alike across servers."""

    endpoint: str
    at: datetime
    replica: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    """Units are in the names, such as `requests_per_s` and `latency_p95_ms`."""
    error: str = ""
    """Why there are none, in words."""
