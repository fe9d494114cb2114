"""The Flink job writes records and rollup rows that mlwatch reads, and both say the same numbers."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flinkjob
import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.systems.flink import job
from mlwatch.systems.numbers import numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.snapshot.types import Version, Window

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
        *("predictions", "labels", "prediction_files", "label_files"),
        *("traffic_rows", "latency_rows", "outcome_rows", "score_rows", "labelled"),
    ]
    assert not any("kafka" in table or "/var/" in table for table in created)
    assert inserts.startswith("EXECUTE STATEMENT SET\nBEGIN")
    assert inserts.endswith("END")


@pytest.mark.slow
def test_records_and_rollup_rows_are_equal_window_by_window(tmp_path: Path) -> None:
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
    with mlwatch.open(tmp_path / "rollups", db=":memory:") as session:
        counted = session.snapshot()
    assert (counted.ingest.predictions, counted.ingest.outcomes) == (len(predictions), len(labels))
    for name, version in found.models["fraud"].versions.items():
        other = counted.models["fraud"].versions[name]
        assert numbers(other) == pytest.approx(numbers(version), rel=1e-9)
        windows = [window for window in version.windows if window.predictions]
        assert len(windows) == 20
        theirs = {window.start: window for window in other.windows}
        for window in windows:
            assert numbers(theirs[window.start]) == pytest.approx(numbers(window), rel=1e-9)


def numbers(found: Version | Window) -> dict[str, float | int | None]:
    """Return what both count."""
    business = {"business/conversion", "business/engagement", "business/revenue_per_prediction"}
    alike = {name: value for name, value in numbers_of(found).items() if name not in business}
    bare = {name: value for name, value in alike.items() if not name.startswith("estimated/")}
    return {**bare, "errors": found.errors.count, "mean": found.latency.mean, "max": found.latency.max}


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
        yield (
            prediction,
            {"ts": at, "request_id": f"r{number}", "label": int(chance.random() < 0.7) ^ (number % 2)}
            if labelled
            else None,
        )
