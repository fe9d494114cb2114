"""The values of one look at the host. Shares are 0 to 1, sizes bytes, rates a second."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Disk:
    """One file system."""

    path: str
    """What was asked about, not where it is mounted."""
    used: float
    """Share that is used of what an ordinary user may use."""
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Process:
    """One watched process, or that there is none."""

    wanted: str
    """As the configuration names it: a name, an id or `:port`."""
    pid: int | None = None
    """None while nothing matches."""
    name: str = ""
    cpu: float | None = None
    """In cores: 1.5 is one core and a half; None at the first look."""
    rss_bytes: int | None = None
    threads: int | None = None
    open_files: int | None = None
    started: datetime | None = None
    restarts: int = 0
    """How often a process of this name, id or port was replaced by another since mlwatch watches."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU."""

    name: str
    load: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """The limits of the control group that mlwatch runs in (cgroup v2); None where there is no such limit."""

    memory_used_bytes: int | None = None
    """Without the page cache that the kernel can take back."""
    memory_limit_bytes: int | None = None
    cpu_limit: float | None = None
    """In cores."""
    cpu_used: float | None = None
    """In cores, since the last look."""
    throttled: float | None = None
    """Share of the scheduler's periods since the last look in which the group had used up its time."""

    @property
    def memory(self) -> float | None:
        """Share of the limit that is in use."""
        if self.memory_used_bytes is None or not self.memory_limit_bytes:
            return None
        return self.memory_used_bytes / self.memory_limit_bytes


@dataclass(frozen=True, slots=True)
class HostSample:
    """Everything seen in one look."""

    at: datetime
    cpu: float | None = None
    """Share of all cores since the last look; None at the first."""
    cores: tuple[float, ...] = ()
    """The same, core by core."""
    load: tuple[float, float, float] | None = None
    """Averages over 1, 5 and 15 minutes."""
    memory: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    swap: float | None = None
    """None without swap."""
    disks: tuple[Disk, ...] = ()
    read_bytes_per_s: float | None = None
    written_bytes_per_s: float | None = None
    received_bytes_per_s: float | None = None
    sent_bytes_per_s: float | None = None
    open_files: int | None = None
    """File descriptors of the whole system; of mlwatch itself where that is not told."""
    open_files_limit: int | None = None
    temperatures_c: Mapping[str, float] = field(default_factory=dict)
    """By sensor, where there are any."""
    processes: tuple[Process, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    container: Container | None = None
    """None outside of control groups."""
