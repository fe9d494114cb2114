"""A busy model service: prediction logs at a steady rate with rotation, late labels and events, and live endpoints.

Run as `python busyservice.py DIRECTORY ENDPOINTS LINES_PER_S SECONDS PAST_S`. The first line on standard output says
the ports of the endpoints as JSON; then, each second, how many lines were written. Every minute each log is rotated by
renaming, the older generation is compressed, and what is older still is deleted, as logrotate does. Before it begins it
writes a log of what it did in the PAST_S seconds before, at a lower rate.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import signal
import sys
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

import servers

TICK_S = 0.1
ROTATED_EVERY_S = 60.0
LABEL_DELAY_S = 20.0
LABELLED, BOUGHT = 0.2, 0.05
EARLIER_PER_S = 50


class Log:
    """One log file that is rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a", encoding="utf-8")

    def write(self, lines: list[str]) -> None:
        self._file.write("".join(lines))
        self._file.flush()

    def rotate(self) -> None:
        """Rename the log, compress the generation before, delete the one before that."""
        older, oldest = self._path.with_suffix(".jsonl.1"), self._path.with_suffix(".jsonl.2.gz")
        if older.exists():
            packed = oldest.with_suffix(".part")
            packed.write_bytes(gzip.compress(older.read_bytes(), 1))
            packed.rename(oldest)
        self._file.close()
        self._path.rename(older)
        self._file = self._path.open("a", encoding="utf-8")


class Service:
    """Writes what a service of two versions would."""

    def __init__(self, directory: Path, past: float) -> None:
        self._chance = random.Random(1)
        self._number = 0
        self._waiting: deque[tuple[float, int]] = deque()
        self._predictions, self._later = Log(directory / "requests.jsonl"), Log(directory / "labels.jsonl")
        self.lines = 0
        self._write_earlier(directory / "earlier.jsonl", past)

    def _write_earlier(self, path: Path, seconds: float) -> None:
        """Write what was asked in the seconds before, each request with the label that came later."""
        start = datetime.now(UTC) - timedelta(seconds=seconds)
        with path.open("w", encoding="utf-8") as file:
            for at in range(int(seconds * EARLIER_PER_S)):
                when = start + timedelta(seconds=at / EARLIER_PER_S)
                file.write(self._prediction(when.isoformat()))
                file.writelines(self._outcome(number, when.isoformat()) for _, number in self._waiting)
                self.lines += 1 + len(self._waiting)
                self._waiting.clear()

    def write(self, lines: int) -> None:
        """Write so many lines: labels and events that are due, and predictions."""
        later = self._due(lines // 4)
        self._later.write(later)
        self._predictions.write([self._prediction(_now()) for _ in range(lines - len(later))])
        self.lines += lines

    def rotate(self) -> None:
        self._predictions.rotate()
        self._later.rotate()

    def _due(self, most: int) -> list[str]:
        found: list[str] = []
        now = time.monotonic()
        while self._waiting and len(found) < most and self._waiting[0][0] < now:
            found.append(self._outcome(self._waiting.popleft()[1], _now()))
        return found

    def _outcome(self, number: int, when: str) -> str:
        if self._chance.random() < BOUGHT:
            event = {"request_id": f"r{number}", "event": "purchase", "value": 20.0, "timestamp": when}
            return json.dumps(event) + "\n"
        label = {"request_id": f"r{number}", "label": number % 3 == 0, "timestamp": when}
        return json.dumps(label) + "\n"

    def _prediction(self, when: str) -> str:
        self._number += 1
        chance, number = self._chance, self._number
        if chance.random() < LABELLED:
            self._waiting.append((time.monotonic() + LABEL_DELAY_S, number))
        score = chance.random()
        return json.dumps({
            "timestamp": when, "request_id": f"r{number}", "model": "churn",
            "model_version": "v2" if number % 4 == 0 else "v1", "score": round(score, 4),
            "prediction": int(score > 0.6), "latency_ms": round(chance.lognormvariate(3, 0.4), 2), "status": 200,
            "features": {"age": chance.randrange(18, 90), "amount": round(chance.expovariate(0.01), 2),
                         "plan": chance.choice(("free", "plus", "pro"))},
        }) + "\n"  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat()


async def main(directory: Path, endpoints: int, per_second: int, seconds: float, past: float) -> None:
    """Serve and write until the time is over, or until told to end."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    health = {
        "/": servers.as_json({"status": "ok"}),
        "/health": servers.as_json({"status": "ok", "version": "v2"}),
    }
    _say([(await servers.replaying(health)).port for _ in range(endpoints)])
    service = Service(directory, past)
    before, began = service.lines, time.monotonic()
    rotated = said = began
    while (now := time.monotonic()) - began < seconds and not over.is_set():
        behind = int((now - began) * per_second) - (service.lines - before)
        if behind > 0:
            service.write(behind)
        if now - rotated > ROTATED_EVERY_S:
            service.rotate()
            rotated = now
        if now - said > 1:
            _say(service.lines)
            said = now
        await asyncio.sleep(TICK_S)
    _say(service.lines)


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    place, ports, rate, length, before_s = sys.argv[1:]
    asyncio.run(main(Path(place), int(ports), int(rate), float(length), float(before_s)))
