"""Measure what polling costs: CPU, and how late looks begin, with the servers in a process of their own.

`python tests/benchmarks/bench_endpoints.py CLIENT NUMBER [SECONDS]` prints one JSON object: CPU and lateness of
polling NUMBER endpoints at 1 Hz by CLIENT, which is `ours` (the poller), `stored` (the poller with everything it finds
put into a store) or `aiohttp` (the same schedule and requests by that library, without any judgement of answers).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwatch.config import EndpointSettings
from mlwatch.endpoints.poller import Poller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.endpoints.types import Probe

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WARM_S, SECONDS = 3.0, 10.0
BODY = b'{"status":"ready","model":"fraud","version":"v2"}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: application/json\r\n"
    b"content-length: " + str(len(BODY)).encode() + b"\r\n\r\n" + BODY
)


class Serving(asyncio.Protocol):
    """Answers every request alike, as cheaply as can be: it shares the machine with what is measured."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.waiting = b""

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        requests = self.waiting.count(b"\r\n\r\n")
        if requests:
            self.waiting = self.waiting[self.waiting.rindex(b"\r\n\r\n") + 4 :]
            self.transport.write(ANSWER * requests)


async def serve(number: int) -> None:
    """Listen on as many ports, print them, and serve until killed."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Serving, "127.0.0.1", 0) for _ in range(number)]
    sys.stdout.write(json.dumps([server.sockets[0].getsockname()[1] for server in servers]) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


@contextmanager
def serving(number: int) -> Iterator[list[str]]:
    """Run the servers in a process and yield their addresses."""
    command = [sys.executable, __file__, "serve", str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield [f"http://127.0.0.1:{port}" for port in json.loads(process.stdout.readline())]
        finally:
            process.kill()


class Measured:
    """CPU of this process and lateness of looks, between two moments."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self.failed = 0
        self._counting = False

    def took(self, late_ms: float, *, good: bool) -> None:
        """Count one look."""
        if self._counting:
            self.late_ms.append(late_ms)
            self.failed += not good

    async def over(self, seconds: float) -> dict[str, float]:
        """Let everything settle, count for a while, and return the sums."""
        await asyncio.sleep(WARM_S)
        self._counting, began, cpu = True, time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        cpu, wall, self._counting = time.process_time() - cpu, time.perf_counter() - began, False
        late = sorted(self.late_ms)
        return {
            "probes": len(late),
            "per_s": len(late) / wall,
            "failed": self.failed,
            "core_share": cpu / wall,
            "cpu_s_per_1000": 1000 * cpu / len(late),
            "late_p50_ms": late[len(late) // 2],
            "late_p99_ms": late[int(len(late) * 0.99)],
            "late_max_ms": late[-1],
        }


async def ours(urls: list[str], seconds: float, *, stored: bool = False) -> dict[str, float]:
    """Poll with the product's poller."""
    settings = [
        EndpointSettings(url=url, kind="http", health="/healthz", interval=timedelta(seconds=1))
        for url in urls
    ]
    measured = Measured()
    keep, close = recorder() if stored else (lambda _: None, lambda: None)

    def on_probe(probe: Probe) -> None:
        measured.took(probe.late_ms, good=probe.up)
        keep(probe)

    poller = Poller(settings, on_probe)
    task = asyncio.create_task(poller.run())
    found = await measured.over(seconds)
    await poller.aclose()
    await task
    close()
    return found


def recorder() -> tuple[Any, Any]:
    """Return what takes a probe into a store in a file, and what closes it."""
    from mlwatch.host.types import HostSample
    from mlwatch.recorder import Recorder
    from mlwatch.store.database import cursor, open_store

    directory = tempfile.TemporaryDirectory()
    connection = open_store(Path(directory.name), Path(directory.name) / "store.duckdb").connection
    found = Recorder(lambda: cursor(connection), lambda: HostSample(EPOCH), 3600)
    found.start()

    def close() -> None:
        found.stop()
        connection.close()
        directory.cleanup()

    return found.take, close


async def aiohttp(urls: list[str], seconds: float) -> dict[str, float]:
    """Poll with aiohttp: one session, a task for each endpoint, the whole answer read."""
    from aiohttp import ClientSession, ClientTimeout, TCPConnector

    measured = Measured()
    loop = asyncio.get_running_loop()

    async def one(session: ClientSession, url: str, start: float) -> None:
        for slot in range(1_000_000):
            due = start + slot
            await asyncio.sleep(max(0.0, due - loop.time()))
            late = loop.time() - due
            async with session.get(url) as response:
                await response.read()
                measured.took(late * 1000, good=response.status == 200)

    async with ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=2)) as session:
        tasks = [
            asyncio.create_task(one(session, f"{url}/healthz", loop.time() + at / len(urls)))
            for at, url in enumerate(urls)
        ]
        found = await measured.over(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


def main() -> None:
    """Run what the arguments name."""
    what, number = sys.argv[1], int(sys.argv[2])
    if what == "serve":
        asyncio.run(serve(number))
        return
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else SECONDS
    with serving(number) as urls:
        run = aiohttp(urls, seconds) if what == "aiohttp" else ours(urls, seconds, stored=what == "stored")
        sys.stdout.write(json.dumps(asyncio.run(run)) + "\n")


if __name__ == "__main__":
    main()
