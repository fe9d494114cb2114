"""The machine that mlwatch runs on: shares as bars, rates and processes in words, the last hour as a chart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlwatch.app.drawing import clean
from mlwatch.app.panels.bars import Bar, BarsPanel, BarsState
from mlwatch.app.panels.base import Plotted
from mlwatch.app.units import counted, show_bytes, show_count
from widgets.chart import Chart, Series
from widgets.sparkline import sparkline
from widgets.timeseries import TimeSeries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View
    from mlwatch.host.types import Container, Gpu, HostSample, Process
    from mlwatch.snapshot.health_types import HostPoint, System

MOST_PROCESSES = 8
MOST_CORES = 32
"""Blocks for the load of single cores; of more cores several share one."""
NO_LIMIT = 1e12
"""Open files from which on a limit is none."""


class HostPanel(BarsPanel):
    """Show the load of the machine that mlwatch runs on."""

    HELP_TEXT = (
        "The machine that mlwatch runs on, not the one that serves the model. Memory of a container is that of its "
        "limit; throttled is the share of time slices in which it had used up its CPU. [system] processes names "
        "processes to watch: their CPU is in cores. A block a core shows how busy each is."
    )
    BORDER_TITLE = "This host"

    def digest(self, view: View) -> BarsState:
        """Return shares as bars, then what has no upper end."""
        system = view.snapshot.system
        details = _details(system, view.glyphs) if system.sample else _load(system)
        bars = [*_shares(system), *details]
        return BarsState(tuple(bars), view.glyphs, "n/a, because the host was not sampled")


def _shares(system: System) -> Iterator[Bar]:
    amount = "" if system.memory_total_bytes is None else f" of {show_bytes(system.memory_total_bytes)}"
    sample = system.sample
    disks = [(_disk_name(disk.path, len(sample.disks)), disk.used, f", {show_bytes(disk.free_bytes)} free")
             for disk in sample.disks] if sample else [("Disk", system.disk, "")]  # fmt: skip
    rows = [("CPU", system.cpu, ""), ("Memory", system.memory, amount), *disks]
    if sample is not None:
        rows[2:2] = [("Swap", sample.swap, ""), *_container(sample.container)]
        rows += [(f"GPU {clean(gpu.name, 16)}", gpu.load, _of_gpu(gpu)) for gpu in sample.gpus]
    for name, share, text in rows:
        if share is not None:
            yield Bar(name, share, f"{100 * share:.0f} %{text}", _tone(share))


def _of_gpu(gpu: Gpu) -> str:
    used, total, heat = gpu.memory_used_bytes, gpu.memory_total_bytes, gpu.temperature_c
    memory = f", {show_bytes(used)} of {show_bytes(total)}" if used is not None and total is not None else ""
    return memory + (f", {heat:.0f} °C" if heat is not None else "")


def _disk_name(path: str, count: int) -> str:
    return "Disk" if count == 1 else f"Disk …{clean(path)[-12:]}" if len(path) > 12 else f"Disk {clean(path)}"


def _container(container: Container | None) -> list[tuple[str, float | None, str]]:
    if container is None:
        return []
    limit = container.memory_limit_bytes
    cpu = container.cpu_used / container.cpu_limit if container.cpu_used and container.cpu_limit else None
    return [
        ("Container memory", container.memory, f" of {show_bytes(limit)}" if limit else ""),
        ("Container CPU", cpu, f" of {container.cpu_limit:.3g} cores" if container.cpu_limit else ""),
        ("Throttled", container.throttled, " of the time slices"),
    ]


def _load(system: System) -> Iterator[Bar]:
    if system.load_1m is not None:
        yield Bar("Load", None, f"{system.load_1m:.2f} over 1 min", "")


def _details(system: System, glyphs: Glyphs) -> Iterator[Bar]:
    """Yield what has no upper end, of a host that was sampled."""
    sample = system.sample
    if sample is None:
        return
    yield from _processes(sample)
    if sample.cores:
        drawn = sparkline(sample.cores, min(len(sample.cores), MOST_CORES), 0.0, 1.0, ascii_only=glyphs.ascii)
        yield Bar("Cores", None, f"{drawn} busiest {100 * max(sample.cores):.0f} %", "")
    yield from _load(system)
    yield from _rates("Network", "in", sample.received_bytes_per_s, "out", sample.sent_bytes_per_s)
    yield from _rates("Disk traffic", "read", sample.read_bytes_per_s, "written", sample.written_bytes_per_s)
    if sample.open_files is not None:
        most = sample.open_files_limit
        limit = f" of {show_count(most)}" if most is not None and most < NO_LIMIT else ""
        yield Bar("Open files", None, show_count(sample.open_files) + limit, "")
    if sample.temperatures_c:
        name, hottest = max(sample.temperatures_c.items(), key=lambda one: one[1])
        yield Bar("Hottest", None, f"{hottest:.0f} °C ({clean(name, 20)})", "")


def _rates(name: str, first: str, one: float | None, second: str, other: float | None) -> Iterator[Bar]:
    if one is not None and other is not None:
        yield Bar(name, None, f"{show_bytes(one)}/s {first}, {show_bytes(other)}/s {second}", "")


def _processes(sample: HostSample) -> Iterator[Bar]:
    for process in sample.processes[:MOST_PROCESSES]:
        name = clean(process.wanted, 16)
        yield Bar(name if process.pid is None else f"{name} {process.pid}", None, _uses(process), "")
    left = len(sample.processes) - MOST_PROCESSES
    if left > 0:
        yield Bar("", None, f"{left} more processes", "")


def _uses(process: Process) -> str:
    times = f"{process.restarts} restart{'s' if process.restarts > 1 else ''}" if process.restarts else ""
    if process.pid is None:
        return f"not running, {times}" if times else "not running"
    known = [
        f"{process.cpu:.2f} cores" if process.cpu is not None else "",
        show_bytes(process.rss_bytes) if process.rss_bytes is not None else "",
        times,
        counted(process.threads, "thread") if process.threads else "",
    ]
    return ", ".join(part for part in known if part)


def _tone(share: float) -> str:
    return "$bad" if share >= 0.95 else "$unclear" if share >= 0.85 else "$primary"


class HostChart(Plotted, TimeSeries):
    """Plot CPU, memory and disk over the last hour."""

    HELP_TEXT = "The last hour of this host, a point a minute."
    BORDER_TITLE = "This host over the last hour"

    def __init__(self, identity: str, **rest: Any) -> None:
        super().__init__(id=identity, **rest)

    def take(self, view: View) -> None:
        """Show the history of a view."""
        history = view.snapshot.system.history
        self.say("" if history else "The host has no history yet: it is sampled while the app is open.")
        shares = (("CPU", "cpu"), ("memory", "memory"), ("disk", "disk"))
        series = tuple(_line(label, name, history) for label, name in shares) if history else ()
        self.update(Chart(series, unit="%", low=0.0, high=1.0))


class TrafficChart(Plotted, TimeSeries):
    """Plot network and disk traffic over the last hour."""

    HELP_TEXT = "Bytes a second through network and disks of this host, a point a minute."
    BORDER_TITLE = "Network and disk, per second"

    def __init__(self, identity: str, **rest: Any) -> None:
        super().__init__(id=identity, **rest)

    def take(self, view: View) -> None:
        """Show the history of a view."""
        history = view.snapshot.system.history
        self.say("" if history else "The host has no history yet: it is sampled while the app is open.")
        rates = (
            ("in", "received_bytes_per_s"), ("out", "sent_bytes_per_s"), ("read", "read_bytes_per_s"),
            ("written", "written_bytes_per_s"),
        )  # fmt: skip
        series = tuple(_line(label, name, history) for label, name in rates) if history else ()
        self.update(Chart(series, unit="B", low=0.0))


def _line(label: str, name: str, history: Iterable[HostPoint]) -> Series:
    points = [(point.start.timestamp() + 30, getattr(point, name)) for point in history]
    values = [math.nan if value is None else value for _, value in points]
    return Series.of(label, np.array([at for at, _ in points], dtype=float), np.array(values, dtype=float))
