"""Find the processes that the configuration names, and notice when one was replaced by another."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

from mlwatch.host.types import Process

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psutil

Identity = tuple[int, float]
"""Id and start: ids are used again, together they are one process."""


@dataclass
class _Watched:
    """What is remembered of one wanted name."""

    alive: set[Identity] = field(default_factory=set)
    gone: int = 0
    """Processes that ended and have no successor yet."""
    restarts: int = 0

    def see(self, alive: set[Identity]) -> None:
        """Count as restarts those that came where others had gone."""
        self.gone += len(self.alive - alive)
        came = min(len(alive - self.alive), self.gone)
        self.restarts += came
        self.gone -= came
        self.alive = alive


class ProcessReader:
    """Follow processes by id (`"4711"`), port (`":8080"`) or name (`"uvicorn"`, also of a script or module).

    Args:
        wanted: As the configuration names them.
    """

    def __init__(self, wanted: Sequence[str]) -> None:
        self._wanted = {name: _Watched() for name in wanted}
        self._seen: set[Identity] = set()

    def read(self) -> tuple[Process, ...]:
        """Return each process that matches, and for each name without one that there is none."""
        if not self._wanted:
            return ()
        import psutil  # noqa: PLC0415  a native library

        running = list(psutil.process_iter(["name", "cmdline", "create_time"]))
        listening = _listening() if any(name.startswith(":") for name in self._wanted) else {}
        found: list[Process] = []
        kept: set[Identity] = set()
        for name, watched in self._wanted.items():
            matching = [process for process in running if _matches(process, name, listening)]
            watched.see({_identity(process) for process in matching})
            kept |= watched.alive
            rows = [row for process in matching if (row := self._row(process, name, watched.restarts))]
            found += rows or [Process(name, restarts=watched.restarts)]
        self._seen = kept
        return tuple(found)

    def _row(self, process: psutil.Process, wanted: str, restarts: int) -> Process | None:
        """Return what a process uses; None where it ended just now or is not ours to look at."""
        import psutil  # noqa: PLC0415

        try:
            with process.oneshot():
                share = process.cpu_percent(None)  # psutil keeps the object, and with it the last look
                return Process(
                    wanted=wanted,
                    pid=process.pid,
                    name=process.info["name"] or "",
                    cpu=share / 100 if _identity(process) in self._seen else None,
                    rss_bytes=process.memory_info().rss,
                    threads=process.num_threads(),
                    open_files=_open_files(process),
                    started=datetime.fromtimestamp(process.create_time(), UTC),
                    restarts=restarts,
                )
        except psutil.Error:
            return None


def _identity(process: psutil.Process) -> Identity:
    return process.pid, float(process.info["create_time"] or 0.0)


def _matches(process: psutil.Process, wanted: str, listening: dict[int, set[int]]) -> bool:
    if wanted.startswith(":"):
        return wanted[1:].isdigit() and process.pid in listening.get(int(wanted[1:]), set())
    if wanted.isdigit():
        return process.pid == int(wanted)
    info = process.info
    if info["name"] == wanted:
        return True
    return any(_is_named(word, wanted) for word in _program(info["cmdline"] or []))


def _program(words: Sequence[str]) -> Sequence[str]:
    """Return the words of a command line that say what runs: the executable, then script or module."""
    if len(words) > 2 and words[1] == "-m":
        return [words[0], words[2]]
    return [word for word in words[:2] if not word.startswith("-")]


def _is_named(word: str, wanted: str) -> bool:
    return word == wanted or PurePath(word).name == wanted or PurePath(word).stem == wanted


def _listening() -> dict[int, set[int]]:
    """Return the ids of the processes that listen at each port, as far as we may know."""
    import psutil  # noqa: PLC0415

    found: dict[int, set[int]] = {}
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):  # macOS tells this to nobody but root
        return found
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.pid is not None and connection.laddr:
            found.setdefault(connection.laddr.port, set()).add(connection.pid)
    return found


def _open_files(process: psutil.Process) -> int | None:
    import psutil  # noqa: PLC0415

    try:
        return process.num_fds()
    except (psutil.Error, AttributeError, OSError):  # another user's, or Windows
        return None
