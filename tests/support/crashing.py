"""Processes that take a log in while it is written, to be killed, and the truth that their store must come to."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NURSERY = """
import os, sys
from pathlib import Path
import mlwatch.snapshot.build
from mlwatch.session import Options, Session
for wish in sys.stdin:
    child = os.fork()
    if child == 0:
        session = Session(Options(Path(sys.argv[1]), db=Path(sys.argv[2])))
        if wish.strip() == "through":
            session.ingest_all()
        print(os.getpid(), flush=True)
        while True:
            session.ingest_all()
    os.waitpid(child, 0)
"""
"""A process that has imported everything, and forks one that takes in for each line: kills strike no imports."""

KEEP = "3h"
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


@contextmanager
def writing(logs: Path, truth: Path, seed: int, seconds: float, keep: str = KEEP) -> Iterator[None]:
    """Run the writer beside the block, and let it end."""
    logs.mkdir()
    (logs / "mlwatch.toml").write_text(f'[store]\nkeep = "{keep}"\n')
    script = Path(__file__).with_name("crash_writer.py")
    writer = subprocess.Popen([sys.executable, script, logs, truth, str(seed), str(seconds)])
    try:
        yield
    finally:
        writer.wait(timeout=60 + seconds)


@contextmanager
def beginning(logs: Path, database: Path, wish: str = "") -> Iterator[Callable[[], int]]:
    """Give a function that starts a process which takes in what is there, again and again, and returns its id.

    With the wish `through` it returns once that process is through for the first time. The one before has to be
    killed first.
    """
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, logs, database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as nursery:

        def begin() -> int:
            assert nursery.stdin is not None
            assert nursery.stdout is not None
            nursery.stdin.write(f"{wish}\n")
            nursery.stdin.flush()
            return int(nursery.stdout.readline())

        yield begin


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
