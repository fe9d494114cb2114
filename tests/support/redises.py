"""Real Redis servers on 127.0.0.1, where this machine has the program."""

from __future__ import annotations

import inspect
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="apt-get install redis-server brings the server"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plain_client(port: int) -> Any:
    """Return a client that adds no errors to the server's count: it tells no name and speaks the old protocol."""
    known = inspect.signature(redis.Redis.__init__).parameters
    silent = ("driver_info",) if "driver_info" in known else ("lib_name", "lib_version")
    return redis.Redis(port=port, protocol=2, **dict.fromkeys(silent))  # type: ignore[arg-type]


@contextmanager
def redis_server(
    directory: Path, *options: str, port: int | None = None, program: str | Path = "redis-server"
) -> Iterator[int]:
    """Run a server without persistence; yields its port once it answers."""
    port = port or free_port()
    command = (
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(directory),
    )
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not _answers(port):
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=15)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
