"""Kill the ingest at random moments while files grow and rotate: afterwards every total is exact."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from mlwatch.session import Options, Session

KILLS = 30
INGEST = """
import sys
from pathlib import Path
from mlwatch.session import Options, Session
session = Session(Options(Path(sys.argv[1]), db=Path(sys.argv[2])))
print("up", flush=True)
while True:
    session.ingest_all()
"""


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
    unique = frame.drop_duplicates("request_id")
    return (
        unique,
        pd.DataFrame(records["labels"]),
        pd.DataFrame(records["events"]),
        broken,
        len(frame) - len(unique),
    )


@pytest.mark.parametrize("seed", [11])
def test_totals_are_exact_after_thirty_kills(tmp_path: Path, seed: int) -> None:
    logs, truth, database = tmp_path / "logs", tmp_path / "truth.jsonl", tmp_path / "store.duckdb"
    logs.mkdir()
    chance = random.Random(seed)
    script = Path(__file__).with_name("crash_writer.py")
    writer = subprocess.Popen([sys.executable, script, logs, truth, str(seed), "25"])
    try:
        for _ in range(KILLS):
            ingest = subprocess.Popen(
                [sys.executable, "-c", INGEST, logs, database],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert ingest.stdout is not None
            assert ingest.stdout.readline() == "up\n", ingest.stderr.read() if ingest.stderr else ""
            time.sleep(chance.uniform(0.0, 0.6))
            ingest.send_signal(signal.SIGKILL)
            ingest.communicate()
    finally:
        writer.wait(timeout=60)
    check_totals(logs, truth, database)


def check_totals(logs: Path, truth: Path, database: Path) -> None:
    """Compare every total with a straight reading of all lines that were written."""
    predictions, labels, events, broken, duplicates = read_truth(truth)
    with Session(Options(logs, db=database)) as session:
        session.ingest_all()
        snapshot = session.snapshot()
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
        assert version.quality.features["age"].missing == int(served.age.isna().sum())
        gains = rows.request_id.map(money).fillna(0.0)
        assert version.business.revenue.gross == pytest.approx(gains.sum(), rel=1e-9)
        assert version.business.conversion.value == pytest.approx((gains > 0).mean(), abs=1e-12)
    assert sum(
        window.predictions for v in snapshot.models["m"].versions.values() for window in v.windows
    ) == len(predictions)
