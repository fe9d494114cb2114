"""The script of the demo: 5, 25, 50 % of the traffic to v2, then a restart that brings a fault with it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from mlwatch.demo.servers import Server
from mlwatch.demo.traffic import Traffic

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
# Written by mlwatch demo.
[rollout]
baseline = "v1"
candidate = "v2"
min_time = "{min_time}s"
label_delay = "1m"

[system]
processes = [":{ports[0]}", ":{ports[1]}"]
interval = "2s"

[[endpoint]]
name = "chargeback v1"
url = "{urls[0]}"
interval = "1s"
metrics_interval = "2s"
probe = {probe}

[[endpoint]]
name = "chargeback v2"
url = "{urls[1]}"
interval = "1s"
metrics_interval = "2s"
conditions = ["status == 200", "version == 'v2'", "metrics.latency_p95_ms < 100", "metrics.error_share < 1%"]
probe = {probe}
"""
GOLDEN = {"amount": 19.9, "hour": 14, "account_days": 400, "new_device": False, "country": "DE"}
"""A fixed payment: what a version makes of it must not change while it calls itself the same."""
PROBE = '{input = "golden.json", every = "5s", ignore = ["features"]}'


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the script."""

    share: float
    """Candidate's share of the traffic."""
    part: float
    """Part of the script's length for which it lasts."""
    faulty: bool = False
    """Whether the candidate is restarted with the fault when the step begins."""


SCRIPT = (Step(0.05, 0.15), Step(0.25, 0.15), Step(0.5, 0.2), Step(0.5, 0.5, faulty=True))


class Rollout:
    """Runs servers, traffic and script until it is closed; use it as a context manager.

    Args:
        directory: An empty directory for logs and configuration.
        length: Seconds of the whole script; the last step then goes on.
        rate: Requests a second.
    """

    def __init__(self, directory: Path, length: float = 240.0, rate: float = 40.0) -> None:
        self.directory = directory
        self._length = length
        self.servers = {version: Server(version) for version in ("v1", "v2")}
        self.share = SCRIPT[0].share
        """Candidate's share just now."""
        self.faulty = False
        self._traffic = Traffic(directory, self._route, rate)
        self._stopping = threading.Event()
        self._script = threading.Thread(target=self._play, name="mlwatch-demo", daemon=True)

    def __enter__(self) -> Self:
        self._configure()
        try:
            for server in self.servers.values():
                server.start()
        except BaseException:
            self._end_servers()
            raise
        self._traffic.start()
        self._script.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._script.join(timeout=30)
        self._traffic.stop()
        self._end_servers()

    @property
    def sent(self) -> int:
        """Requests so far."""
        return self._traffic.sent

    def _end_servers(self) -> None:
        for server in self.servers.values():
            server.stop()

    def _configure(self) -> None:
        servers = list(self.servers.values())
        text = CONFIG.format(
            min_time=max(1, round(self._length / 4)),
            ports=[server.port for server in servers],
            urls=[server.url for server in servers],
            probe=PROBE,
        )
        (self.directory / "golden.json").write_text(json.dumps(GOLDEN), encoding="utf-8")
        (self.directory / "mlwatch.toml").write_text(text, encoding="utf-8")

    def _route(self, drawn: float) -> tuple[str, str]:
        version = "v2" if drawn < self.share else "v1"
        return version, self.servers[version].url

    def _play(self) -> None:
        for step in SCRIPT:
            self.share = step.share
            if step.faulty:
                self._break()
            if self._stopping.wait(self._length * step.part):
                return

    def _break(self) -> None:
        """Restart the candidate with its fault; for a moment nobody answers."""
        server = self.servers["v2"]
        server.stop()
        time.sleep(min(3.0, self._length / 40))
        if not self._stopping.is_set():
            server.start(faulty=True)
            self.faulty = True
