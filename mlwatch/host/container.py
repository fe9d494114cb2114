"""The limits of a container, as the kernel's control groups of version 2 tell them.

Source: the kernel's "Control Group v2" documentation, sections on `memory.max`, `memory.stat` and `cpu.stat`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from mlwatch.host.types import Container

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class _Clock:
    """Counters of `cpu.stat` at one moment."""

    at: float
    usage_s: float
    periods: int
    throttled: int


class ContainerReader:
    """Read the limits that hold for this process, and what changed since the last look.

    Args:
        root: Where control groups are mounted.
        membership: File that says which group this process is in.
    """

    def __init__(self, root: Path = ROOT, membership: Path = MEMBERSHIP) -> None:
        self._groups = _groups(root, membership)
        self._last: _Clock | None = None

    def read(self) -> Container | None:
        """Return the limits; None where no group of version 2 has any."""
        memory = self._memory()
        cores = min((limit for group in self._groups if (limit := _cores(group)) is not None), default=None)
        now = next((found for group in self._groups if (found := _clock(group)) is not None), None)
        before, self._last = self._last, now
        if memory is None and cores is None:
            return None
        used, limit = memory or (None, None)
        return Container(used, limit, cores, _used_cores(before, now), _throttled(before, now))

    def _memory(self) -> tuple[int, int] | None:
        """Return use and limit of the group that has the least room left in share."""
        found = [pair for group in self._groups if (pair := _memory(group)) is not None]
        return max(found, key=lambda pair: pair[0] / pair[1], default=None)


def _groups(root: Path, membership: Path) -> tuple[Path, ...]:
    """Return this process's group and those around it, the innermost first."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return ()
    name = next((line[3:] for line in lines if line.startswith("0::")), None)
    if name is None:
        return ()
    parts = [part for part in name.split("/") if part not in {"", "..", "."}]
    return tuple(root.joinpath(*parts[:length]) for length in range(len(parts), -1, -1))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def _table(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _memory(group: Path) -> tuple[int, int] | None:
    limit, used = _number(_text(group / "memory.max")), _number(_text(group / "memory.current"))
    if not limit or used is None:
        return None
    return max(0, used - _table(group / "memory.stat").get("inactive_file", 0)), limit


def _cores(group: Path) -> float | None:
    words = _text(group / "cpu.max").split()
    if len(words) != 2 or not words[0].isdigit() or not words[1].isdigit() or words[1] == "0":
        return None
    return int(words[0]) / int(words[1])


def _clock(group: Path) -> _Clock | None:
    table = _table(group / "cpu.stat")
    if "nr_periods" not in table or "usage_usec" not in table:
        return None
    return _Clock(
        time.monotonic(), table["usage_usec"] / 1e6, table["nr_periods"], table.get("nr_throttled", 0)
    )


def _used_cores(before: _Clock | None, now: _Clock | None) -> float | None:
    if before is None or now is None or now.at <= before.at:
        return None
    return max(0.0, now.usage_s - before.usage_s) / (now.at - before.at)


def _throttled(before: _Clock | None, now: _Clock | None) -> float | None:
    if before is None or now is None or now.periods <= before.periods:
        return None
    return min(1.0, max(0, now.throttled - before.throttled) / (now.periods - before.periods))
