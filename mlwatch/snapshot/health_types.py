"""The frozen values about endpoints and the host; part of a `Snapshot`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mlwatch.host.types import HostSample

Square = Literal["ok", "warn", "bad", "unknown"]
"""ok: every probe found it up. warn: some did. bad: none did. unknown: nobody looked."""


@dataclass(frozen=True, slots=True)
class Uptime:
    """How often probes found an endpoint up over a time, and step by step."""

    n: int = 0
    up: int = 0
    squares: tuple[Square, ...] = ()
    """Oldest first."""

    @property
    def share(self) -> float | None:
        """Share of the probes that found it up."""
        return self.up / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class Served:
    """One version of one model at an endpoint."""

    model: str
    version: str
    replicas: int
    """How many replicas serve it."""
    ready: bool | None
    """Whether all of them say that it is ready; None where they do not say."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time that a replica was down, and is not any more."""

    since: datetime
    until: datetime
    """When it was seen to be up again."""
    error: str
    """The last one, in words; empty where the server answered."""


@dataclass(frozen=True, slots=True)
class Replica:
    """The last look at one replica."""

    address: str
    """Empty where the endpoint's name has one address."""
    at: datetime
    live: bool | None
    ready: bool | None
    up: bool
    status: int | None
    latency_ms: float | None
    error: str
    versions: tuple[tuple[str, str], ...] = ()
    """Pairs of model and version."""
    failures: int = 0
    """Looks since it was last up."""
    down_since: datetime | None = None
    outage: Outage | None = None
    """The last one that was over within the last quarter of an hour."""

    @property
    def doubt(self) -> str:
        """Why nobody knows whether it is ready, though it answers; empty where it says so, or has no place for it."""
        return self.error if self.up and self.ready is None else ""


@dataclass(frozen=True, slots=True)
class EndpointLatency:
    """Time to answer a probe in milliseconds, over the last quarter of an hour."""

    n: int = 0
    p50: float | None = None
    p95: float | None = None
    max: float | None = None
    late_p99: float | None = None
    """How late probes themselves began: large values mean that this machine is too busy to judge."""


@dataclass(frozen=True, slots=True)
class EndpointPoint:
    """One minute of an endpoint."""

    start: datetime
    n: int
    up: int
    latency_ms: float | None
    """Mean."""


@dataclass(frozen=True, slots=True)
class ServerPoint:
    """One minute of what a server says about itself."""

    start: datetime
    values: Mapping[str, float]
    """By name, which carries the unit; of several replicas added up or averaged."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far golden answers were from what is expected, over one step of time."""

    start: datetime
    n: int
    """Answers asked for."""
    bad: int
    """Answers among them that were not the expected one."""
    difference: float
    """Largest difference of a number; 0 too where an answer differs in more than numbers."""


@dataclass(frozen=True, slots=True)
class GoldenState:
    """The answers of an endpoint to its fixed input."""

    matches: bool
    """Whether the last answer of every replica is the expected one."""
    at: datetime
    """When the last of them came."""
    difference: float | None = None
    """Largest difference of a number; None where the answers differ in shape, or there is none."""
    reason: str = ""
    """What differs first, and by how much."""
    replica: str = ""
    """Whose answer that is; empty where the endpoint's name has one address."""
    hour: tuple[Deviation | None, ...] = ()
    """Minute by minute over the last hour; None without answers."""
    day: tuple[Deviation | None, ...] = ()
    """By half hours over the last day."""


@dataclass(frozen=True, slots=True)
class ConditionState:
    """How one of an endpoint's conditions stands; of several replicas, where it stands worst."""

    text: str
    state: Literal["ok", "pending", "firing", "resolved", "unknown"]
    said: str
    """The value it speaks of, or why there is none."""
    since: datetime | None = None
    """Since when it is broken; when it was resolved."""
    replica: str = ""
    """Empty where the endpoint's name has one address."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Everything known about one endpoint."""

    name: str
    at: datetime
    """When it was looked at last."""
    server: str
    live: bool | None
    """Whether any replica answers."""
    ready: bool | None
    """Whether every replica that answers is ready; None where none says so."""
    replicas: tuple[Replica, ...] = ()
    served: tuple[Served, ...] = ()
    silent: tuple[Served, ...] = ()
    """What replicas that are down, and so do not say it now, served when they were last up."""
    latency: EndpointLatency = field(default_factory=EndpointLatency)
    probes: int = 0
    """Over the last quarter of an hour."""
    failed: int = 0
    """Probes among them that did not find it up."""
    changes: int = 0
    """How often a replica went up or down among them."""
    error: str = ""
    """The last error in words."""
    error_at: datetime | None = None
    hour: Uptime = field(default_factory=Uptime)
    day: Uptime = field(default_factory=Uptime)
    month: Uptime = field(default_factory=Uptime)
    burn: Mapping[str, float] = field(default_factory=dict)
    """Share of failed probes over the last 5 min, 30 min, 1 h and 6 h: `5m`, `30m`, `1h`, `6h`."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What the server says about itself, added up or averaged over replicas; names carry units."""
    metrics_error: str = ""
    """Why there are none, or none of one replica."""
    certificate_days: float | None = None
    conditions: tuple[ConditionState, ...] = ()
    """In the order of the configuration."""
    golden: GoldenState | None = None
    """None without a golden probe."""
    history: tuple[EndpointPoint, ...] = ()
    """Minute by minute over the last hour."""
    server_history: tuple[ServerPoint, ...] = ()
    """The minutes of the last hour in which the server told something about itself."""
    recognised: str = ""
    """How sure it is that the server is of this kind, and why; empty where that was configured."""
    stale: bool = False
    """Whether nobody has looked for a minute: what is shown is then of the past."""
    unasked: str = ""
    """Why nobody can ask it, for what the configuration refers to is not there; what is shown is then of the past."""

    @property
    def up(self) -> int:
        """How many replicas are up."""
        return sum(replica.up for replica in self.replicas)

    @property
    def doubt(self) -> str:
        """Why nobody knows whether it is ready, though it answers; of the first replica that it is so of."""
        return "" if self.state == "unknown" else next((one.doubt for one in self.replicas if one.doubt), "")

    @property
    def differs(self) -> bool:
        """Whether it gives another answer to its fixed input than it should."""
        return self.golden is not None and not self.golden.matches

    @property
    def state(self) -> Square:
        """One word for whether it can serve."""
        if self.stale or self.unasked or not self.replicas:
            return "unknown"
        return "ok" if self.up == len(self.replicas) else "warn" if self.up else "bad"


@dataclass(frozen=True, slots=True)
class HostPoint:
    """One minute of the host: means of its samples."""

    start: datetime
    cpu: float | None
    memory: float | None
    disk: float | None
    read_bytes_per_s: float | None
    written_bytes_per_s: float | None
    received_bytes_per_s: float | None
    sent_bytes_per_s: float | None


@dataclass(frozen=True, slots=True)
class System:
    """The host that mlwatch runs on; shares are 0 to 1."""

    cpu: float | None = None
    memory: float | None = None
    disk: float | None = None
    """Of the fullest of the watched file systems."""
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    load_1m: float | None = None
    sample: HostSample | None = None
    """The look that these are from, in full."""
    history: tuple[HostPoint, ...] = ()
    """Minute by minute over the last hour."""
