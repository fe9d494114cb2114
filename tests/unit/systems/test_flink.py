"""The Flink job writes files that mlwatch reads, and its minutes are mlwatch's minutes."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flinkjob
import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.systems.flink import job

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = os.environ.get("FLINK_PYTHON", sys.executable)
"""PyFlink wants older packages than mlwatch: an environment of its own may have it."""
RUNNER = Path(flinkjob.__file__)


def test_the_job_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--to", "flink"]) == 0
    assert capsys.readouterr().out == job()


def test_what_is_inserted_fits_its_table() -> None:
    *tables, inserts = flinkjob.statements(job(), Path("/tmp/x"))
    created = [table for table in tables if table.startswith("CREATE")]
    assert [re.split(r"\W+", table)[2] for table in created] == [
        "predictions", "labels", "prediction_files", "label_files", "minutes"
    ]  # fmt: skip
    assert not any("kafka" in table or "/var/" in table for table in created)
    assert inserts.startswith("EXECUTE STATEMENT SET\nBEGIN")
    assert inserts.endswith("END")


@pytest.mark.slow
def test_files_are_read_and_minutes_are_equal(tmp_path: Path) -> None:
    if subprocess.run([PYTHON, "-c", "import pyflink"], check=False, capture_output=True).returncode:
        pytest.skip("needs PyFlink: name an interpreter that has it with FLINK_PYTHON")
    predictions, labels = map(list, zip(*traffic(), strict=True))
    labels = [label for label in labels if label is not None]
    for name, records in (("predictions", predictions), ("labels", labels)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "job.sql").write_text(job())
    done = subprocess.run(
        [PYTHON, RUNNER, tmp_path / "job.sql", tmp_path],
        capture_output=True, text=True, timeout=180, check=False, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    with mlwatch.open(tmp_path / "predictions", db=":memory:") as session:
        found = session.snapshot()
    assert (found.ingest.predictions, found.ingest.outcomes, found.ingest.rejected) == (
        len(predictions), len(labels), 0
    )  # fmt: skip
    assert set(found.models["fraud"].versions["v1"].quality.features) == {"amount", "country"}
    ours = {
        (name, window.start.replace(tzinfo=None)): (
            window.predictions,
            window.errors.count,
            pytest.approx(window.latency.mean, rel=1e-12),
        )
        for name, version in found.models["fraud"].versions.items()
        for window in version.windows
    }
    theirs = {
        (row["version"], datetime.fromisoformat(row["minute"])): (
            row["predictions"], row["errors"], row["mean_latency_ms"]
        )
        for path in (tmp_path / "rollups" / "minutes").glob("part-*")
        for row in map(json.loads, path.read_text().splitlines())
    }  # fmt: skip
    assert len(theirs) == 2 * 20
    assert theirs == ours


def traffic() -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Yield twenty minutes of predictions with the labels of some."""
    chance = random.Random(3)
    for number in range(1200):
        at = f"2026-11-01T10:{number // 60:02d}:{number % 60:02d}.{chance.randrange(1000):03d}Z"
        failed = chance.random() < 0.05
        prediction = {
            "ts": at,
            "request_id": f"r{number}",
            "model": "fraud",
            "version": f"v{number % 2 + 1}",
            "prediction": None if failed else number % 2,
            "score": None if failed else chance.random(),
            "latency_ms": chance.expovariate(0.1),
            "status": 503 if failed else 200,
            "amount": chance.random() * 100,
            "country": chance.choice(["NO", "SE"]),
        }
        labelled = not failed and number % 3 == 0
        yield prediction, {"ts": at, "request_id": f"r{number}", "label": 1} if labelled else None
