"""Kill the ingest at random moments while files grow, rotate and change columns, and old rows go: totals are exact."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

INGEST = """
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from mlwatch.session import Options, Session
session = Session(Options(Path(sys.argv[1]), db=Path(sys.argv[2])))
print("up", flush=True)
while True:
    session.ingest_all()
"""

CONFIG = """
[store]
keep = "3h"
"""
"""In the time of the log, an hour of which is written in a second or two; labels come within minutes of it."""


def read_truth(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, int, int]:
    """Read what was written: predictions, labels, events, broken lines, duplicates."""
    records: dict[str, list[dict[str, object]]] = {"predictions": [], "labels": [], "events": []}
    broken = 0
    for line in path.read_text().splitlines():
        name, text = json.loads(line)
        try:
            record = json.loads(text)
        except ValueError:
            broken += 1
            continue
        kind = {"labels.jsonl": "labels", "events.jsonl": "events"}.get(name, "predictions")
        records[kind].append({**record, **record.pop("features", {})})
    frame = pd.DataFrame(records["predictions"])
    frame["prediction"] = frame.prediction.astype(float)
    unique = frame.drop_duplicates("request_id")
    return (
        unique,
        pd.DataFrame(records["labels"]),
        pd.DataFrame(records["events"]),
        broken,
        len(frame) - len(unique),
    )


@pytest.mark.parametrize(
    ("seed", "kills"), [(11, 30), *(pytest.param(seed, 40, marks=pytest.mark.soak) for seed in range(12, 17))]
)
def test_totals_are_exact_after_many_kills(tmp_path: Path, seed: int, kills: int) -> None:
    logs, truth, database = tmp_path / "logs", tmp_path / "truth.jsonl", tmp_path / "store.duckdb"
    chance = random.Random(seed)
    with writing(logs, truth, seed, kills * 0.8):
        for _ in range(kills):
            ingest = begin(logs, database)
            time.sleep(chance.uniform(0.0, 0.6))
            ingest.send_signal(signal.SIGKILL)
            ingest.communicate()
    kept, written = check_totals(logs, truth, database)
    assert 0 < kept < written, "old rows have gone"


def test_a_store_copied_at_any_moment_is_consistent(tmp_path: Path) -> None:
    """What a power loss leaves: database and log as they were at one moment, of a process that writes."""
    logs, truth, database = tmp_path / "logs", tmp_path / "truth.jsonl", tmp_path / "store.duckdb"
    chance = random.Random(3)
    copies = []
    with writing(logs, truth, 3, 12):
        ingest = begin(logs, database)
        for number in range(8):
            time.sleep(chance.uniform(0.1, 1.0))
            ingest.send_signal(signal.SIGSTOP)
            copies.append(tmp_path / f"copy-{number}.duckdb")
            for suffix in ("", ".wal"):
                if (found := Path(f"{database}{suffix}")).exists():
                    shutil.copyfile(found, f"{copies[-1]}{suffix}")
            ingest.send_signal(signal.SIGCONT)
        ingest.send_signal(signal.SIGKILL)
        ingest.communicate()
    seen = 0
    empty = tmp_path / "empty"
    empty.mkdir()
    for copy in copies:
        with Session(Options(empty, db=copy)) as session:
            snapshot = session.snapshot()
        total = snapshot.ingest
        versions = [version for model in snapshot.models.values() for version in model.versions.values()]
        assert total.rows + total.rejected + total.duplicates == total.records
        assert sum(version.predictions for version in versions) == total.predictions
        seen = max(seen, total.predictions)
    assert seen > 0
    check_totals(logs, truth, copies[4])


@contextmanager
def writing(logs: Path, truth: Path, seed: int, seconds: float) -> Iterator[None]:
    """Run the writer beside the block, and let it end."""
    logs.mkdir()
    (logs / "mlwatch.toml").write_text(CONFIG)
    script = Path(__file__).with_name("crash_writer.py")
    writer = subprocess.Popen([sys.executable, script, logs, truth, str(seed), str(seconds)])
    try:
        yield
    finally:
        writer.wait(timeout=60 + seconds)


def begin(logs: Path, database: Path) -> subprocess.Popen[str]:
    """Start a process that takes in what is there, again and again."""
    ingest = subprocess.Popen(
        [sys.executable, "-c", INGEST, logs, database],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert ingest.stdout is not None
    assert ingest.stdout.readline() == "up\n", ingest.stderr.read() if ingest.stderr else ""
    return ingest


def check_totals(logs: Path, truth: Path, database: Path) -> tuple[int, int]:
    """Compare every total with a straight reading of all lines; return how many rows are kept, and were written."""
    predictions, labels, events, broken, duplicates = read_truth(truth)
    with Session(Options(logs, db=database)) as session:
        session.ingest_all()
        snapshot = session.snapshot()
        (kept,) = session.connection.execute("SELECT COUNT(*) FROM predictions").fetchone() or (0,)
    found = snapshot.ingest
    assert (found.predictions, found.outcomes, found.events) == (len(predictions), len(labels), len(events))
    assert (found.rejected, found.duplicates) == (broken, duplicates)
    assert found.rows + found.rejected + found.duplicates == found.records
    assert (found.outcomes_unmatched, found.events_unmatched) == (0, 0)
    truth_by_version = predictions.merge(labels[["request_id", "label"]], on="request_id", how="left")
    money = events.groupby("request_id")["value"].sum()
    for name, version in snapshot.models["m"].versions.items():
        rows = truth_by_version[truth_by_version.version == name]
        served = rows[rows.status == 200]
        assert version.predictions == len(rows)
        assert version.errors.count == int((rows.status == 503).sum())
        assert version.labelled == int(served.label.notna().sum())
        accuracy = (served.prediction == served.label)[served.label.notna()].mean()
        assert version.performance["accuracy"].value == pytest.approx(accuracy, abs=1e-12)
        assert version.latency.mean == pytest.approx(rows.latency_ms.mean(), rel=1e-9)
        age = version.quality.features["age"]
        assert age.missing == int(served.age.isna().sum())
        if age.kind == "numeric":  # what it is depends on when the first process began to read
            assert age.invalid == int((served.age == "old").sum())
        gains = rows.request_id.map(money).fillna(0.0)
        assert version.business.revenue.gross == pytest.approx(gains.sum(), rel=1e-9)
        assert version.business.conversion.value == pytest.approx((gains > 0).mean(), abs=1e-12)
    assert sum(
        window.predictions for v in snapshot.models["m"].versions.values() for window in v.windows
    ) == len(predictions)
    return kept, len(predictions)
