"""Look at the host through psutil; what a system does not tell is None, never an error."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwatch.host.container import ContainerReader
from mlwatch.host.gpus import GpuReader
from mlwatch.host.processes import ProcessReader
from mlwatch.host.types import Disk, HostSample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FILES = Path("/proc/sys/fs/file-nr")


@dataclass(frozen=True, slots=True)
class _Counters:
    """Bytes since the machine started."""

    at: float
    read: int | None
    written: int | None
    received: int | None
    sent: int | None


class Sampler:
    """Look at the host again and again; rates are those between two looks.

    Args:
        disks: Paths whose file systems are watched.
        processes: Names, ids or `:port`.
    """

    def __init__(self, disks: Sequence[str] = (), processes: Sequence[str] = ()) -> None:
        self._disks = tuple(disks)
        self._processes = ProcessReader(processes)
        self._container = ContainerReader()
        self._gpus = GpuReader()
        self._last: _Counters | None = None

    def sample(self) -> HostSample:
        """Look once; takes milliseconds, never waits."""
        import psutil  # noqa: PLC0415  a native library

        first, now = self._last is None, _counters()
        before, self._last = self._last or now, now
        cores = tuple(share / 100 for share in psutil.cpu_percent(interval=None, percpu=True))
        memory, swap = psutil.virtual_memory(), _told(psutil.swap_memory)
        files, most = _open_files()
        return HostSample(
            at=datetime.now(UTC),
            cpu=None if first or not cores else sum(cores) / len(cores),
            cores=() if first else cores,
            load=_told(psutil.getloadavg),
            memory=memory.percent / 100,
            memory_used_bytes=memory.total - memory.available,
            memory_total_bytes=memory.total,
            swap=swap.percent / 100 if swap is not None and swap.total else None,
            disks=tuple(disk for path in self._disks if (disk := _disk(path)) is not None),
            read_bytes_per_s=_rate(before.read, now.read, now.at - before.at),
            written_bytes_per_s=_rate(before.written, now.written, now.at - before.at),
            received_bytes_per_s=_rate(before.received, now.received, now.at - before.at),
            sent_bytes_per_s=_rate(before.sent, now.sent, now.at - before.at),
            open_files=files,
            open_files_limit=most,
            temperatures_c=_temperatures(),
            processes=self._processes.read(),
            gpus=self._gpus.read(),
            container=self._container.read(),
        )

    def close(self) -> None:
        """Let go of what is held."""
        self._gpus.close()


def _told(ask: Callable[[], Any]) -> Any | None:
    """Return an answer; None where this system has none."""
    try:
        return ask()
    except (OSError, RuntimeError, AttributeError, NotImplementedError):
        return None


def _counters() -> _Counters:
    import psutil  # noqa: PLC0415

    disk, network = _told(psutil.disk_io_counters), _told(psutil.net_io_counters)
    return _Counters(
        time.monotonic(),
        disk.read_bytes if disk else None,
        disk.write_bytes if disk else None,
        network.bytes_recv if network else None,
        network.bytes_sent if network else None,
    )


def _rate(before: int | None, now: int | None, seconds: float) -> float | None:
    if before is None or now is None or seconds <= 0 or now < before:
        return None
    return (now - before) / seconds


def _disk(path: str) -> Disk | None:
    import psutil  # noqa: PLC0415

    usage = _told(lambda: psutil.disk_usage(path))
    return Disk(path, usage.percent / 100, usage.free, usage.total) if usage is not None else None


def _temperatures() -> dict[str, float]:
    import psutil  # noqa: PLC0415

    sensors = _told(lambda: psutil.sensors_temperatures()) or {}  # noqa: PLW0108  not on every system
    return {
        f"{chip} {sensor.label}".strip(): float(sensor.current)
        for chip, several in sensors.items()
        for sensor in several
        if sensor.current is not None
    }


def _open_files() -> tuple[int | None, int | None]:
    """Return how many files the system has open and may have; mlwatch's own where the system does not tell."""
    import psutil  # noqa: PLC0415

    try:
        words = FILES.read_text().split()
        return int(words[0]), int(words[2])
    except (OSError, ValueError, IndexError):
        return _told(lambda: psutil.Process(os.getpid()).num_fds()), None
