"""Measure mlwatch against the raw engine in the same run, and print each figure beside its budget.

`BENCH_ROWS` sets the number of records (default 1,000,000); a second, ten times larger log is measured too when
`BENCH_LARGE=1`. Nothing here is a test: figures depend on the machine, ratios less so.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import bench_drift
import bench_rollout
import workload

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    budget: str
    met: bool


FIGURES: list[Figure] = []


def figure(name: str, value: float, unit: str, limit: float) -> None:
    """Note a figure whose budget is an upper limit, and print it at once."""
    found = Figure(name, value, unit, f"≤ {limit:g}{unit}", value <= limit)
    FIGURES.append(found)
    said = "ok" if found.met else "MISSED"
    say(f"{name:<78} {value:>9.2f} {unit:<3} {found.budget:>9}  {said}")


def note(name: str, value: float, unit: str) -> None:
    """Print a figure that has no budget."""
    say(f"{name:<78} {value:>9.2f} {unit}")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def child(code: str, *arguments: str) -> dict[str, Any]:
    """Run Python code in a process of its own; it prints one JSON object as its last line."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return answer


RAW = """
    import json, os, resource, sys, time
    import duckdb
    source, database = sys.argv[1:3]
    began = time.perf_counter()
    connection = duckdb.connect(database)
    connection.execute(f"CREATE TABLE t AS SELECT * FROM {source}")
    connection.close()
    print(json.dumps({"wall": time.perf_counter() - began}))
"""

OURS = """
    import json, resource, sys, time
    from pathlib import Path
    from mlwatch.session import Options, Session
    directory, database = map(Path, sys.argv[1:3])
    began = time.perf_counter()
    session = Session(Options(directory, db=database))
    session.ingest_all()
    session.stop()
    wall = time.perf_counter() - began
    print(json.dumps({"wall": wall, "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}))
"""

REFRESH = """
    import json, sys, time
    from datetime import timedelta
    from pathlib import Path
    from mlwatch.session import Options, Session
    session = Session(Options(Path(sys.argv[1]), db=Path(sys.argv[2])))
    began = time.perf_counter()
    session.ingest_all()
    session.snapshot()
    restart = time.perf_counter() - began
    def times(span):
        found = []
        for _ in range(20):
            start = time.perf_counter()
            session.snapshot(span)
            found.append(time.perf_counter() - start)
        return sorted(found)
    hour, full = times(timedelta(hours=1)), times(None)
    batches = session.connection.execute("SELECT COUNT(*) FROM batches").fetchone()[0]
    print(json.dumps({"hour": hour, "full": full, "batches": batches}))
"""


def repeated(code: str, *arguments: str, database: Path, times: int = 3) -> dict[str, Any]:
    """Run a child several times on a fresh database and return its fastest answer."""
    best: dict[str, Any] | None = None
    for _ in range(times):
        for path in (database, Path(f"{database}.wal")):
            path.unlink(missing_ok=True)
        answer = child(code, *arguments, str(database))
        if best is None or answer["wall"] < best["wall"]:
            best = answer
    if best is None:
        raise ValueError("at least one run")
    return best


def backfill(directory: Path, rows: int) -> None:
    """Measure taking in a log against the engine's own CREATE TABLE AS."""
    lines, table = workload.make(directory, rows)
    times = 3 if rows <= 1_000_000 else 1
    database = directory / "raw.duckdb"
    raw = repeated(RAW, f"read_json('{lines}/log.jsonl')", database=database, times=times)
    ours = repeated(OURS, str(lines), database=directory / "lines.duckdb", times=times)
    note(f"JSONL, {rows:,} records: raw engine", raw["wall"], "s")
    note(f"JSONL, {rows:,} records: mlwatch", ours["wall"], "s")
    figure(
        f"backfill of JSONL, {rows:,} records, against the raw engine", ours["wall"] / raw["wall"], "x", 1.6
    )
    figure(f"peak memory of that backfill, {rows:,} records", ours["rss_mb"] / 1000, "GB", 1.0)
    raw = repeated(RAW, f"'{table}/log.parquet'", database=database, times=times)
    ours = repeated(OURS, str(table), database=directory / "table.duckdb", times=times)
    note(f"Parquet, {rows:,} records: raw engine", raw["wall"], "s")
    note(f"Parquet, {rows:,} records: mlwatch", ours["wall"], "s")
    figure(
        f"backfill of Parquet, {rows:,} records, against the raw engine", ours["wall"] / raw["wall"], "x", 2.5
    )
    database.unlink(missing_ok=True)


def refresh(directory: Path, rows: int) -> dict[str, float]:
    """Measure snapshots over a store that `backfill` left."""
    lines, _ = workload.make(directory, rows)
    answer = child(REFRESH, str(lines), str(directory / "lines.duckdb"))
    for name in ("hour", "full"):
        figure(f"refresh, {name}, {rows:,} records, p95", answer[name][18] * 1000, "ms", 100)
    return {name: statistics.median(answer[name]) for name in ("hour", "full")}


START = """
    import json, subprocess, sys, time
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mlwatch", "--version"], check=True, capture_output=True)
    print(json.dumps({"wall": time.perf_counter() - began}))
"""

RESTART = """
    import json, sys, time
    began = time.perf_counter()
    from pathlib import Path
    from mlwatch.session import Options, Session
    session = Session(Options(Path(sys.argv[1]), db=Path(sys.argv[2])))
    before = session.connection.execute("SELECT COUNT(*) FROM batches").fetchone()
    session.ingest_all()
    session.snapshot()
    wall = time.perf_counter() - began
    assert before == session.connection.execute("SELECT COUNT(*) FROM batches").fetchone()
    print(json.dumps({"wall": wall}))
"""

TAIL = """
    import json, sys, threading, time
    from datetime import UTC, datetime
    from pathlib import Path
    from mlwatch.session import Options, Session
    directory, database = map(Path, sys.argv[1:3])
    rate, seconds = 2000, 12
    log = directory / "live.jsonl"
    log.write_text("")
    session = Session(Options(directory, db=database))
    session.start()
    written, seen, total = [], [], rate * seconds
    def write():
        with log.open("a", buffering=1) as out:
            for tick in range(seconds * 20):
                base, now = tick * rate // 20, datetime.now(UTC).isoformat()
                lines = "".join(
                    json.dumps({"timestamp": now, "request_id": f"r{base + k}", "version": "v1", "prediction": k % 2,
                                "score": 0.5, "latency_ms": 3.2, "features": {"a": k, "b": "x"}}) + "\\n"
                    for k in range(rate // 20))
                out.write(lines); out.flush()
                written.append((time.perf_counter(), base + rate // 20))
                time.sleep(0.05)
    writer = threading.Thread(target=write); writer.start()
    deadline = time.perf_counter() + seconds + 15
    while time.perf_counter() < deadline and (not seen or seen[-1][1] < total):
        count = session.snapshot().ingest.predictions
        seen.append((time.perf_counter(), count))
        time.sleep(0.1)
    writer.join(); session.stop()
    lags = [next((t for t, n in seen if n >= count), float("inf")) - at for at, count in written]
    print(json.dumps({"p95": sorted(lags)[int(len(lags) * 0.95)], "missing": total - seen[-1][1]}))
"""


def interactive(directory: Path, rows: int) -> None:
    """Measure what a person waits for."""
    version = min(child(START)["wall"] for _ in range(5))
    figure("mlwatch --version", version * 1000, "ms", 150)
    lines, _ = workload.make(directory, rows)
    figure(
        f"restart on {rows:,} known records to a snapshot",
        child(RESTART, str(lines), str(directory / "lines.duckdb"))["wall"],
        "s",
        1.5,
    )
    with tempfile.TemporaryDirectory() as scratch:
        tail = child(TAIL, scratch, str(Path(scratch) / "tail.duckdb"))
        figure("an appended line until a snapshot shows it, 2,000 lines/s, p95", tail["p95"], "s", 1.5)
        sample = repeated(OURS, str(ROOT / "sample_logs"), database=Path(scratch) / "sample.duckdb")
        figure("sample_logs taken in from cold", sample["wall"], "s", 3)


def app(directory: Path, rows: int) -> None:
    """Measure what watching costs, and how soon keys are answered while a log is read."""
    lines, _ = workload.make(directory, rows)

    def measured(*arguments: str) -> dict[str, Any]:
        script = str(Path(__file__).with_name("bench_app.py"))
        done = subprocess.run(
            [sys.executable, script, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
        )
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer

    for screen, cost in measured("refresh").items():
        figure(f"refresh of the screen {screen} at 120x40, CPU", cost, "ms", 60)
    figure("idle app, share of a core", 100 * measured("idle")["share"], "%", 3)
    figure(
        f"from key to paint while {rows:,} records are read, p95",
        measured("keys", str(lines))["p95"],
        "ms",
        50,
    )
    charts = measured("charts")
    figure("time series of 5 x 500 points at 120x40, CPU a repaint", charts["ours"], "ms", 15)
    if "theirs" in charts:
        note("the same chart by textual-plot", charts["theirs"], "ms")


def endpoints() -> None:
    """Measure what polling costs beside aiohttp, and whether looks begin on time."""

    def measured(client: str, number: int) -> dict[str, Any]:
        script = str(Path(__file__).with_name("bench_endpoints.py"))
        done = subprocess.run(
            [sys.executable, script, client, str(number)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer

    stored, many = measured("stored", 200), measured("ours", 500)
    figure("200 endpoints at 1 Hz, polled and stored, share of a core", 100 * stored["core_share"], "%", 40)
    figure("the same, lateness of looks, p99", stored["late_p99_ms"], "ms", 100)
    figure("500 endpoints at 1 Hz, lateness of looks, p99", many["late_p99_ms"], "ms", 100)
    figure("the same, share of looks that were not begun", 100 * (1 - many["per_s"] / 500), "%", 1)
    pairs = [(measured("ours", 200), measured("aiohttp", 200)) for _ in range(3)]
    mine, theirs = (min(pair[at]["cpu_s_per_1000"] for pair in pairs) for at in (0, 1))
    note("CPU of 1,000 looks: mlwatch", mine, "s")
    note("CPU of 1,000 requests on the same schedule: aiohttp", theirs, "s")
    figure("CPU of a look against a request of aiohttp", mine / theirs, "x", 3)


def drift(directory: Path, rows: int) -> None:
    """Measure drift of 20 features beside Evidently and NannyML, and of a thousand features."""

    def measured(way: str, *tables: Path) -> dict[str, Any]:
        script = str(Path(__file__).with_name("bench_drift.py"))
        python = os.environ.get("PEERS_PYTHON", sys.executable) if way in PEERS else sys.executable
        done = subprocess.run(
            [python, script, way, *map(str, tables)], capture_output=True, text=True, check=True, cwd=ROOT
        )
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer

    tables = bench_drift.tables(directory / "drift", rows, 20, rows // 10)
    mine = measured("file", *tables)
    note(f"drift report of {rows:,} x 20 from Parquet, CPU", mine["cpu"], "s")
    note("the same, most memory", mine["mb"], "MB")
    figure("drift of 20 features from rollups", measured("rollups", *tables)["ms"], "ms", 50)
    for peer, times in PEERS.items():
        theirs = measured(peer, *tables)
        if theirs:
            figure(f"CPU against {peer}'s {theirs['cpu']:.1f} s", mine["cpu"] / theirs["cpu"], "x", 1 / times)
            figure(f"memory against {peer}'s {theirs['mb']:.0f} MB", mine["mb"] / theirs["mb"], "x", 0.25)
        else:
            say(
                f"  beside {peer}: n/a, because it is not installed (PEERS_PYTHON names a Python that has it)"
            )
    wide = bench_drift.tables(directory / "drift", rows // 10, 1000, rows // 100)
    figure(f"drift report of {rows // 10:,} x 1,000 from Parquet", measured("file", *wide)["wall"], "s", 60)


PEERS = {"evidently": 20, "nannyml": 10}
"""How many times faster than each the report must be."""


def main() -> int:
    """Run everything; return 1 when a budget was missed."""
    rows = int(os.environ.get("BENCH_ROWS", "1_000_000"))
    directory = Path(os.environ.get("BENCH_DIR", tempfile.gettempdir())) / "mlwatch-bench"
    backfill(directory, rows)
    small = refresh(directory, rows)
    interactive(directory, rows)
    app(directory, rows)
    endpoints()
    drift(directory, rows)
    bench_rollout.run(figure)
    if os.environ.get("BENCH_LARGE") == "1":
        backfill(directory, rows * 10)
        large = refresh(directory, rows * 10)
        for name in ("hour", "full"):
            figure(
                f"refresh, {name}: {rows * 10:,} records against {rows:,}",
                large[name] / small[name],
                "x",
                1.3,
            )
    missed = [found.name for found in FIGURES if not found.met]
    say(
        f"{len(FIGURES) - len(missed)} of {len(FIGURES)} budgets met"
        + "".join(f"\n  missed: {name}" for name in missed)
    )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
