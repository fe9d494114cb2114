"""Measure taking logs in, and what a store costs afterwards, each in a process of its own.

`python tests/benchmarks/bench_ingest.py WAY PATH [DATABASE]` prints one JSON object. WAY is `raw` (PATH is what DuckDB
reads into a table), `ours` (a directory into store and rollups), `whole` (the same as a session does it, with the rules
and the verdict at its end): wall and CPU seconds and the most memory in MB; `refresh` (milliseconds of new snapshots
over a store); `tail` (seconds from write to snapshot at 2,000 lines a second).
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlwatch.session import Session

LOOKS = 20
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
    """Return milliseconds of wall and CPU time of new snapshots, sorted."""
    opened = session(directory, database)
    opened.ingest_all()
    opened.snapshot()
    found: dict[str, Any] = {}
    for name, span in (("hour", timedelta(hours=1)), ("full", None)):
        looks = []
        for _ in range(LOOKS):
            began, cpu = time.perf_counter(), time.process_time()
            opened.snapshot(span)
            looks.append(((time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000))
        found[name], found[f"{name}_cpu"] = (sorted(kind) for kind in zip(*looks, strict=True))
    return found


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
