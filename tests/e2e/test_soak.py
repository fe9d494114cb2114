"""The real app in a real terminal under a steady load: memory flat, nothing behind, the store bounded by retention.

`make test-soak` runs it for two hours (`SOAK_S` for another time); the usual tests for less than a minute.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from terminals import DEADLINE_S, Terminal

import mlwatch
from mlwatch.app.units import show_count

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

SERVICE = Path(__file__).parents[1] / "support" / "busyservice.py"
ENDPOINTS, LINES_PER_S = 20, 5000
SHORT_S, LONG_S = 12.0, 7200.0
PAST_S = 3600.0
"""The app shows the last hour: where that is full from the start, filling it is no growth."""
CONFIG = '[store]\nkeep = "10m"\n'
ENDPOINT = '[[endpoint]]\nname = "replica {at}"\nurl = "http://127.0.0.1:{port}"\ninterval = "1s"\n'
SHOWN = re.compile(r"Feed .*?lag (?P<lag>[^·]+) ·")
UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Look:
    """What the app showed and held at one moment."""

    at_s: float
    written: int
    lag_s: float
    memory_mb: float
    store_mb: float


class Load:
    """The service that writes, in a process of its own."""

    def __init__(self, directory: Path, seconds: float, past: float) -> None:
        command = [
            sys.executable,
            str(SERVICE),
            str(directory),
            str(ENDPOINTS),
            str(LINES_PER_S),
            str(seconds),
            str(past),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.written = 0
        assert self._process.stdout is not None
        self.ports: list[int] = json.loads(self._process.stdout.readline())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.written = json.loads(line)

    @property
    def over(self) -> bool:
        return self._process.poll() is not None

    def end(self) -> None:
        """Let the service write no more, and learn how much it has written."""
        self._process.terminate()
        self._process.wait()
        self._reader.join()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()


def watched(directory: Path, seconds: float, past: float = 0.0) -> Iterator[Look]:
    """Yield what the app shows once a second while the service writes; at the end, all lines must have been counted.

    Args:
        directory: For logs and store.
        seconds: How long.
        past: Seconds before that there are logs of.
    """
    logs, store = directory / "logs", directory / "store.duckdb"
    logs.mkdir()
    load = Load(logs, seconds + DEADLINE_S, past)
    endpoints = (ENDPOINT.format(at=at, port=port) for at, port in enumerate(load.ports))
    (logs / "mlwatch.toml").write_text(CONFIG + "".join(endpoints), encoding="utf-8")
    terminal = Terminal(120, 40, "watch", str(logs), "--db", str(store))
    try:
        terminal.wait_for("lag", "rows")
        process, began = psutil.Process(terminal.app_process()), time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            written, screen = load.written, terminal.screen()
            if (found := SHOWN.search(screen)) is not None:
                memory = process.memory_info().rss / 1e6
                size = sum(path.stat().st_size for path in directory.glob("store.duckdb*")) / 1e6
                yield Look(passed, written, seconds_of(found["lag"]), memory, size)
            time.sleep(1)
        assert not load.over
        load.end()
        terminal.wait_for(f"{show_count(load.written)} rows")
        terminal.press("q")
        terminal.assert_clean(0)
    finally:
        terminal.close()
        load.close()
    with mlwatch.open(logs, db=store) as session:
        taken_in = session.snapshot().to_dict()["ingest"]
    assert (taken_in["records"], taken_in["rejected"], taken_in["duplicates"]) == (load.written, 0, 0)


def seconds_of(text: str) -> float:
    """Return the seconds of a duration as the app shows it, such as `1 min 20 s`."""
    parts = text.split()
    return sum(float(value) * UNITS[unit] for value, unit in zip(parts[::2], parts[1::2], strict=True))


def slope_per_hour(looks: list[Look], name: str) -> float:
    """Return the least-squares slope of one figure."""
    times = np.array([look.at_s for look in looks]) / 3600
    return float(np.polyfit(times, np.array([getattr(look, name) for look in looks]), 1)[0])


def test_keeps_up_with_a_busy_service(tmp_path: Path) -> None:
    looks = list(watched(tmp_path, SHORT_S))
    later = [look for look in looks if look.at_s > SHORT_S / 3]

    assert len(later) > SHORT_S / 6
    assert max(look.lag_s for look in later) < 5
    assert max(look.memory_mb for look in later) < 600


@pytest.mark.soak
def test_two_hours_leave_memory_lag_and_store_flat(tmp_path: Path) -> None:
    length = float(os.environ.get("SOAK_S", LONG_S))
    looks: list[Look] = []
    for look in watched(tmp_path, length, PAST_S):
        looks.append(look)
        sys.stdout.write(f"{look}\n")
    warm = [look for look in looks if look.at_s > length / 4]
    half = len(warm) // 2

    assert slope_per_hour(warm, "memory_mb") <= 1
    assert max(look.lag_s for look in warm) < 5
    assert slope_per_hour(warm, "lag_s") < 0.1
    assert max(look.store_mb for look in warm[half:]) < 1.1 * max(look.store_mb for look in warm[:half])
