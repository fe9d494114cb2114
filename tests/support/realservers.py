"""Real inference servers, each in a virtual environment of its own that `make test-servers` makes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
APPS = ROOT / "tests" / "servers" / "apps"
PATIENCE_S = 120.0


def programs(server: str) -> Path:
    """Return the directory of programs of a server's environment; without one, the test is left out."""
    found = ROOT / ".servers" / server / "bin"
    if not (found / "python").exists():
        pytest.skip(f"make test-servers SERVERS={server} makes its environment")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports(number: int) -> int:
    """Return the first of so many free ports in a row."""
    for _ in range(100):
        first = free_port()
        held = [socket.socket() for _ in range(number)]
        try:
            for at, each in enumerate(held):
                each.bind(("127.0.0.1", first + at))
        except (OSError, OverflowError):
            continue
        finally:
            for each in held:
                each.close()
        return first
    raise RuntimeError("no free ports in a row")


def environment(server: str, **more: str) -> dict[str, str]:
    """Return the environment of a server: its own programs first, nothing of this one's Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
    return {**kept, "PATH": f"{programs(server)}:{kept.get('PATH', '')}", **more}


def run(server: str, *command: str, cwd: Path, **more: str) -> None:
    """Run a program of a server's environment to its end."""
    done = subprocess.run(
        [programs(server) / command[0], *command[1:]],
        cwd=cwd, env=environment(server, **more), capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@contextmanager
def started(server: str, *command: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Run a server with all its children, and end them all; yields the file of what it prints."""
    log = cwd / f"{server}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [programs(server) / command[0], *command[1:]],
            cwd=cwd, env=environment(server, **(env or {})), stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        yield log
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group: first kindly, as some have children in other groups."""
    for sign, patience in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            return
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    process.poll()


def answers(url: str) -> int | None:
    """Return the status that a URL answers with; None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def request(url: str, method: str) -> None:
    """Send a request that a test of its own server may send."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as response:
        assert response.status < 400


def until(holds: Callable[[], bool], log: Path) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, log.read_text("utf-8", "replace")[-3000:]
        time.sleep(0.2)


def until_answers(url: str, log: Path, status: int | None = 200) -> None:
    """Wait until a URL answers, with a status or with any."""

    def answered() -> bool:
        found = answers(url)
        return found is not None and status in {found, None}

    until(answered, log)
