"""Write a busy log directory: growth, rotation by renaming, copytruncate, compression, late labels, other columns.

Run as `python crash_writer.py DIRECTORY TRUTH SEED SECONDS`. Every line that goes into a log also goes to TRUTH, a
file outside the directory, so that a test can compare.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 11, 3, tzinfo=UTC)
LABELLED = 200
"""Predictions that may still get a label: after that they would be older than what a store keeps."""
CHANGED_AT = 500
"""Predictions after which the columns are no longer what they were."""


class Writer:
    """Keeps the state of one simulated service."""

    def __init__(self, directory: Path, truth: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.directory = directory
        self.truth = truth.open("w")
        self.number = 0
        self.clock = START
        self.open_ids: list[str] = []
        self.logs = {
            name: self._open(name)
            for name in ("renamed.jsonl", "truncated.jsonl", "labels.jsonl", "events.jsonl")
        }

    def _open(self, name: str) -> Any:
        return (self.directory / name).open("a")

    def line(self, name: str, record: dict[str, Any] | str) -> None:
        """Write one line to a log and to the truth; sometimes in two pieces, as a flush in mid-line does."""
        text = record if isinstance(record, str) else json.dumps(record)
        out = self.logs[name]
        if self.random.random() < 0.02:
            cut = self.random.randrange(1, len(text))
            out.write(text[:cut])
            out.flush()
            time.sleep(0.002)
            out.write(text[cut:] + "\n")
        else:
            out.write(text + "\n")
        out.flush()
        self.truth.write(json.dumps([name, text]) + "\n")
        self.truth.flush()

    def step(self) -> None:
        """Write a few predictions and what belongs to earlier ones."""
        for _ in range(self.random.randrange(1, 30)):
            self.predict()
        del self.open_ids[:-LABELLED]
        while self.open_ids and self.random.random() < 0.9:
            request = self.open_ids.pop(self.random.randrange(len(self.open_ids)))
            self.line(
                "labels.jsonl",
                {"request_id": request, "label": self.random.randrange(2), "timestamp": self.now()},
            )
            if self.random.random() < 0.2:
                value = self.random.randrange(1, 50)
                self.line(
                    "events.jsonl",
                    {"request_id": request, "event": "purchase", "value": value, "timestamp": self.now()},
                )
        if self.random.random() < 0.3:
            self.rotate()

    def now(self) -> str:
        """Return the simulated time, a little later than before."""
        self.clock += timedelta(milliseconds=self.random.randrange(1, 4000))
        return self.clock.isoformat().replace("+00:00", "Z")

    def predict(self) -> None:
        """Write one prediction, a duplicate of one, or a broken line."""
        name = self.random.choice(("renamed.jsonl", "truncated.jsonl"))
        self.number += 1
        request = f"r{self.number}"
        failed = self.random.random() < 0.05
        record = {
            "timestamp": self.now(),
            "request_id": request,
            "model": "m",
            "version": self.random.choice(("v1", "v2")),
            "features": {"age": self.random.choice((None, 20, 30, 41.5)), "city": self.random.choice("abc")},
            "prediction": None if failed else self.random.randrange(2),
            "latency_ms": round(self.random.expovariate(0.1), 3),
            "status": 503 if failed else 200,
        }
        if self.number > CHANGED_AT:
            self.change(record)
        self.line(name, record)
        if not failed:
            self.open_ids.append(request)
        if self.random.random() < 0.03:
            self.line(name, record)
        if self.random.random() < 0.02:
            self.line(name, '{"timestamp": "2026-11-03T00:00:00Z", "broken')

    def change(self, record: dict[str, Any]) -> None:
        """Give some records a further column, and write values as something else than before."""
        if self.number % 3 == 0:
            record["features"]["late_feature"] = self.number
        if self.number % 7 == 0:
            record["features"]["age"] = "old"
        if self.number % 13 == 0 and record["prediction"] is not None:
            record["prediction"] = str(record["prediction"])
        if self.number % 17 == 0:
            record["features"] |= {"nested": {"a": [1, "x"], "b": self.number}, "flag": True}

    def rotate(self) -> None:
        """Rotate one of the two logs in its own way."""
        if self.random.random() < 0.5:
            self._rotate_renamed()
        else:
            self._rotate_truncated()

    def _rotate_renamed(self) -> None:
        self.logs["renamed.jsonl"].close()
        base = self.directory / "renamed.jsonl"
        kept = sorted(self.directory.glob("renamed.jsonl.*"), key=lambda path: -int(path.name.split(".")[2]))
        for path in kept:
            number = int(path.name.split(".")[2])
            target = (
                self.directory / f"renamed.jsonl.{number + 1}{'.gz' if path.name.endswith('.gz') else ''}"
            )
            path.rename(target)
            if number == 2 and not target.name.endswith(".gz"):
                self._compress(target)
        base.rename(self.directory / "renamed.jsonl.1")
        self.logs["renamed.jsonl"] = self._open("renamed.jsonl")

    def _compress(self, path: Path) -> None:
        with gzip.open(path.with_name(f"{path.name}.gz"), "wb") as target:
            self._copy(path, target)
        path.unlink()

    def _rotate_truncated(self) -> None:
        number = len(list(self.directory.glob("truncated.jsonl.*"))) + 1
        source = self.directory / "truncated.jsonl"
        with (self.directory / f"truncated.jsonl.{number}").open("wb") as target:
            self._copy(source, target)
        self.logs["truncated.jsonl"].truncate(0)

    def _copy(self, path: Path, target: Any) -> None:
        """Copy as `cp` and `gzip` do, in blocks: the copy is there beside the original, first in part, then whole."""
        with path.open("rb") as source:
            while data := source.read(8192):
                target.write(data)
                target.flush()
                time.sleep(0.001)


def main() -> None:
    """Write until the time is over."""
    directory, truth, seed, seconds = (
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        int(sys.argv[3]),
        float(sys.argv[4]),
    )
    writer = Writer(directory, truth, seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        writer.step()
        time.sleep(0.015)


if __name__ == "__main__":
    main()
