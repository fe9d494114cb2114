"""Measure taking logs in, and what a store costs afterwards, each in a process of its own.

`python tests/benchmarks/bench_ingest.py WAY PATH [DATABASE]` prints one JSON object. WAY is `raw` (PATH is what DuckDB
reads into a table), `ours` (a directory into store and rollups), `whole` (the same as a session does it, with the rules
and the verdict at its end): wall and CPU seconds and the most memory in MB; `refresh` (milliseconds of new snapshots
over a store); `tail` (seconds from write to snapshot at 2,000 lines a second).
"""

from __future__ import annotations

import importlib
import json
import math
import os
import random
import resource
import shutil
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import workload

if TYPE_CHECKING:
    from mlwatch.session import Session

LOOKS, WARM = 20, 2
NEW_ROWS = 100
RATE, SECONDS = 2000, 12


def raw(source: str, database: str) -> None:
    """Let DuckDB read the same into a table."""
    import duckdb

    with duckdb.connect(database) as connection:
        connection.execute(f"CREATE TABLE t AS SELECT * FROM {source}")


def ours(directory: str, database: str) -> None:
    """Take a directory into store and rollups."""
    from mlwatch.config import Config
    from mlwatch.store.database import cursor, open_store
    from mlwatch.store.ingest import Ingest

    opened = open_store(Path(directory), Path(database))
    ingest = Ingest(cursor(opened.connection), Path(directory), Config())
    while ingest.run_once():
        pass
    ingest.settle(enough=1)
    ingest.close()
    opened.connection.close()


def session(directory: str, database: str) -> Session:
    """Return a session over a directory."""
    from mlwatch.session import Options, Session

    return Session(Options(Path(directory), db=Path(database)))


def whole(directory: str, database: str) -> None:
    """Take a directory in, evaluate the rules and judge the rollouts."""
    opened = session(directory, database)
    opened.ingest_all()
    opened.stop()


def measured(way: str, source: str, database: str) -> dict[str, float]:
    """Return what a way costs."""
    ways = {"raw": raw, "ours": ours, "whole": whole}
    for module in ("duckdb",) if way == "raw" else ("duckdb", "mlwatch.config", "mlwatch.session"):
        importlib.import_module(module)  # starting is measured elsewhere
    began, cpu = time.perf_counter(), time.process_time()
    ways[way](source, database)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "rss_mb": most_memory()}


def most_memory() -> float:
    """Return the most memory that this process had, in MB: the kernel's usual number includes the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1000)


def refresh(directory: str, database: str) -> dict[str, Any]:
    """Return milliseconds of wall and CPU time of new snapshots, sorted: with new rows before each, and without."""
    from mlwatch.following import Follower

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=Path(database).parent) as scratch:
        logs, copy = Path(scratch) / "logs", Path(scratch) / "copy.duckdb"
        logs.mkdir()
        for path in Path(directory).iterdir():
            os.link(path, logs / path.name)  # known by its inode
        shutil.copy(database, copy)
        opened = session(str(logs), str(copy))
        opened.ingest_all()
        Follower.follows = True  # type: ignore[assignment,method-assign]  # as in the app, where what is dear has its pace
        newest = max(v.last for m in opened.snapshot().models.values() for v in m.versions.values() if v.last)
        for turn, (name, span) in enumerate((("hour", timedelta(hours=1)), ("full", None))):
            for rows in (0, NEW_ROWS):
                looks = []
                for look in range(WARM + LOOKS):
                    if rows:
                        newest += timedelta(seconds=1)
                        _append(logs / f"new-{turn}-{look}.jsonl", newest, rows)
                        opened._ingest.run_once()
                    began, cpu = time.perf_counter(), time.process_time()
                    opened.snapshot(span)
                    looks.append(((time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000))
                kind = f"{name}_new" if rows else name
                walls, cpus = zip(*looks[WARM:], strict=True)
                found[kind], found[f"{kind}_cpu"] = sorted(walls), sorted(cpus)
        opened.stop()
    return found


def _append(log: Path, at: datetime, rows: int) -> None:
    """Write predictions like those of `workload`, all of one moment."""
    chance = random.Random(log.name)
    with log.open("w") as out:
        for row in range(rows):
            features = {
                **{
                    f"num_{j:02d}": round(j + (1 + j) * chance.gauss(0, 1), 5)
                    for j in range(workload.NUMERIC)
                },
                **{f"cat_{j}": f"c{chance.randrange(30)}" for j in range(workload.CATEGORICAL)},
            }
            record = {
                "timestamp": at.isoformat(),
                "request_id": f"{log.stem}-{row}",
                "model": "m",
                "version": "v2" if row % 5 == 0 else "v1",
                "features": features,
                "prediction": chance.randrange(2),
                "score": round(chance.random(), 5),
                "latency_ms": round(math.exp(3 + 0.5 * chance.gauss(0, 1)), 3),
                "status": 200,
            }
            out.write(json.dumps(record) + "\n")


def tail(directory: str, database: str) -> dict[str, float]:
    """Return the seconds from writing a line until a snapshot counts it, the 95th percentile."""
    log = Path(directory) / "live.jsonl"
    log.write_text("")
    opened = session(directory, database)
    opened.start()
    written: list[tuple[float, int]] = []
    writer = threading.Thread(target=_write, args=(log, written))
    writer.start()
    seen: list[tuple[float, int]] = [(0.0, 0)]
    deadline = time.perf_counter() + SECONDS + 15
    while time.perf_counter() < deadline and seen[-1][1] < RATE * SECONDS:
        count = opened.snapshot().ingest.predictions
        seen.append((time.perf_counter(), count))
        time.sleep(0.1)
    writer.join()
    opened.stop()
    lags = sorted(next((t for t, n in seen if n >= count), float("inf")) - at for at, count in written)
    return {"p95": lags[int(len(lags) * 0.95)], "missing": RATE * SECONDS - seen[-1][1]}


def _write(log: Path, written: list[tuple[float, int]]) -> None:
    step = RATE // 20
    with log.open("a") as out:
        for tick in range(SECONDS * 20):
            now = datetime.now(UTC).isoformat()
            for k in range(tick * step, (tick + 1) * step):
                record = {"timestamp": now, "request_id": f"r{k}", "version": "v1", "prediction": k % 2}
                more = {"score": 0.5, "latency_ms": 3.2, "features": {"a": k, "b": "x"}}
                out.write(json.dumps(record | more) + "\n")
            out.flush()
            written.append((time.perf_counter(), (tick + 1) * step))
            time.sleep(0.05)


def main() -> None:
    """Measure one thing and print it."""
    way, source, database = sys.argv[1:]
    looks = {"refresh": refresh, "tail": tail}
    found = looks[way](source, database) if way in looks else measured(way, source, database)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
