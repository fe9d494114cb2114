"""Start, restart and end the servers of the demo, each a process of its own on a free port of this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Self

from mlwatch.errors import MlwatchError

START_S = 20.0


@dataclass
class Server:
    """One version that is served."""

    version: str
    port: int = 0
    """A free one where 0."""
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.port = self.port or free_port()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, faulty: bool = False) -> Self:
        """Start it and wait until it takes connections.

        Raises:
            MlwatchError: It ended, or took too long.
        """
        command = [sys.executable, "-m", "mlwatch.demo.server", "--port", str(self.port)]
        command += ["--version", self.version, *(["--faulty"] if faulty else [])]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + START_S
        while not listens(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise MlwatchError(f"a server of the demo does not start: {self.url}: try again")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End it."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port of the loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether somebody takes connections at a port."""
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex(("127.0.0.1", port)) == 0
