"""Measure mlwatch against the raw engine in the same run, and print each figure beside its budget.

`BENCH_ROWS` sets the number of records (default 1,000,000). With more than a million, a million is measured first, and
memory and refreshes are compared. Nothing here is a test: figures depend on the machine, ratios less so. Where other
work keeps the machine busy, the ratio of CPU seconds, which is printed beside, says more than that of the clock.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does

import bench_drift
import bench_rollout
import workload

ROOT = Path(__file__).resolve().parents[2]
MILLION = 1_000_000


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


def child(script: str, *arguments: str, python: str = sys.executable) -> dict[str, Any]:
    """Run a script of this directory in a process of its own; it prints one JSON object as its last line."""
    command = [python, str(Path(__file__).with_name(script)), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=compiled())
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{result.stderr}")
    answer: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return answer


def compiled() -> dict[str, str]:
    """Return an environment in which modules are compiled once, as they are where a program is installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(place() / "compiled")}


def place() -> Path:
    """Return the directory of what is made here."""
    return Path(os.environ.get("BENCH_DIR", tempfile.gettempdir())) / "mlwatch-bench"


def afresh(way: str, source: str, database: Path) -> dict[str, Any]:
    """Take a source into a new database."""
    for path in (database, Path(f"{database}.wal")):
        path.unlink(missing_ok=True)
    return child("bench_ingest.py", way, source, str(database))


def side_by_side(source: str, directory: Path, ours: Path, times: int) -> dict[str, float]:
    """Let the raw engine and mlwatch take turns; return the best of each and what they come to."""
    raw, mine = [], []
    for _ in range(times):
        raw.append(afresh("raw", source, ours.with_name("raw.duckdb")))
        mine.append(afresh("ours", str(directory), ours))
    ours.with_name("raw.duckdb").unlink()
    best = {
        f"{who}_{what}": min(run[what] for run in runs)
        for who, runs in (("raw", raw), ("ours", mine))
        for what in ("wall", "cpu")
    }
    return best | {"mb": max(run["rss_mb"] for run in mine)}


def backfill(directory: Path, rows: int) -> float:
    """Measure taking in a log against the engine's own CREATE TABLE AS; return the memory that lines take, in MB."""
    lines, table = workload.make(directory, rows)
    times = 3 if rows <= MILLION else 1
    memory = 0.0
    for name, source, logs, budget in (
        ("JSONL", f"read_json('{lines}/log.jsonl')", lines, 1.6),
        ("Parquet", f"'{table}/log.parquet'", table, 2.5),
    ):
        found = side_by_side(source, logs, directory / f"{logs.name}.duckdb", times)
        what = f"{name}, {rows:,} records"
        note(f"{what}: raw engine", found["raw_wall"], "s")
        note(f"{what}: mlwatch", found["ours_wall"], "s")
        note(f"{what}: CPU against the raw engine's", found["ours_cpu"] / found["raw_cpu"], "x")
        figure(
            f"backfill of {what}, against the raw engine", found["ours_wall"] / found["raw_wall"], "x", budget
        )
        figure(f"most memory of the backfill of {what}", found["mb"] / 1000, "GB", 1.0)
        memory = memory or found["mb"]
    return memory


def refresh(directory: Path, rows: int) -> dict[str, float]:
    """Measure snapshots over a store that `backfill` left."""
    lines, _ = workload.make(directory, rows)
    answer = child("bench_ingest.py", "refresh", str(lines), str(directory / f"{lines.name}.duckdb"))
    for name in ("hour", "full"):
        for kind, what in ((name, ""), (f"{name}_new", " after new rows")):
            figure(f"refresh{what}, {name}, {rows:,} records, p95", answer[kind][18], "ms", 100)
            note("the same, CPU, median", statistics.median(answer[f"{kind}_cpu"]), "ms")
    return {kind: statistics.median(answer[kind]) for kind in ("hour", "full", "hour_new", "full_new")}


def grown(directory: Path, small: int, large: int) -> None:
    """Measure two sizes of log, and compare what should not depend on the size."""
    memory, times = backfill(directory, small), refresh(directory, small)
    if large == small:
        return
    more, later = backfill(directory, large), refresh(directory, large)
    figure(f"memory of the backfill, {large:,} records against {small:,}", more / memory, "x", 1.2)
    for name, median in times.items():
        figure(f"refresh, {name}, {large:,} records against {small:,}", later[name] / median, "x", 1.3)


def started(what: str, *arguments: str) -> float:
    """Return the seconds from starting a process until a screen shows something."""
    wall: float = child("bench_start.py", str(time.time()), what, *arguments)["wall"]
    return wall


def interactive(directory: Path, rows: int) -> None:
    """Measure what a person waits for."""
    figure("mlwatch --version", version() * 1000, "ms", 150)
    samples, lines = str(ROOT / "sample_logs"), workload.make(directory, rows)[0]
    with tempfile.TemporaryDirectory() as scratch:
        fresh = [str(Path(scratch) / f"{turn}.duckdb") for turn in range(7)]
        first = min(started("paint", samples, database) for database in fresh[:3])
        empty = min(started("empty") for _ in range(3))
        figure("first paint against an empty Textual app's", first / empty, "x", 2)
        shown = min(started("shown", samples, database, str(SAMPLE_RECORDS)) for database in fresh[3:6])
        figure("sample_logs from cold until a screen shows all of it", shown, "s", 3)
        known = str(directory / f"{lines.name}.duckdb")
        figure(
            f"restart on {rows:,} known records until a screen shows them",
            min(started("shown", str(lines), known, str(rows)) for _ in range(3)),
            "s",
            1.5,
        )
        live = Path(scratch) / "live"
        live.mkdir()
        tail = child("bench_ingest.py", "tail", str(live), fresh[6])
        figure("an appended line until a snapshot shows it, 2,000 lines/s, p95", tail["p95"], "s", 1.5)


SAMPLE_RECORDS = 25_575
"""Of `sample_logs`, as its report counts them."""


def version() -> float:
    """Return the seconds that `mlwatch --version` takes, the best of several."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        command = [sys.executable, "-m", "mlwatch", "--version"]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=compiled())
        found.append(time.perf_counter() - began)
    return min(found)


def app(directory: Path, rows: int) -> None:
    """Measure what watching costs, and how soon keys are answered while a log is read."""
    lines, _ = workload.make(directory, rows)

    for screen, cost in child("bench_app.py", "refresh").items():
        figure(f"refresh of the screen {screen} at 120x40, CPU", cost, "ms", 60)
    figure("idle app, share of a core", 100 * child("bench_app.py", "idle")["share"], "%", 3)
    figure(
        f"from key to paint while {rows:,} records are read, p95",
        child("bench_app.py", "keys", str(lines))["p95"],
        "ms",
        50,
    )
    charts = child("bench_app.py", "charts")
    figure("time series of 5 x 500 points at 120x40, CPU a repaint", charts["ours"], "ms", 15)
    note("the same chart by textual-plot", charts["theirs"], "ms")
    figure("CPU of a repaint against textual-plot's", charts["ours"] / charts["theirs"], "x", 1 / 8)


def endpoints() -> None:
    """Measure what polling costs beside aiohttp, and whether looks begin on time."""

    def measured(client: str, number: int) -> dict[str, Any]:
        return child("bench_endpoints.py", client, str(number))

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
        python = os.environ.get("PEERS_PYTHON", sys.executable) if way in PEERS else sys.executable
        return child("bench_drift.py", way, *map(str, tables), python=python)

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
    rows = int(os.environ.get("BENCH_ROWS", f"{MILLION}"))
    directory, usual = place(), min(rows, MILLION)
    grown(directory, usual, rows)
    interactive(directory, usual)
    app(directory, usual)
    bench_rollout.run(figure)
    endpoints()
    drift(directory, usual)
    missed = [found.name for found in FIGURES if not found.met]
    say(
        f"{len(FIGURES) - len(missed)} of {len(FIGURES)} budgets met"
        + "".join(f"\n  missed: {name}" for name in missed)
    )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
