"""`mlwatch check` as a pipeline runs it: a process of its own, its exit code, its files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "sample_logs"
START = datetime(2026, 11, 3, 10, tzinfo=UTC)
SECONDS = 60


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mlwatch", "check", *arguments]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "NO_COLOR": "1"}


def requests(first: int, last: int, wrong: float) -> str:
    lines = []
    for i in range(first, last):
        version, label = ("v1", "v2")[i % 2], i // 2 % 2
        bad = version == "v2" and i % 100 < 100 * wrong
        record = {
            "timestamp": (START + timedelta(seconds=6 * i)).isoformat(),
            "id": f"r{i}",
            "model": "m",
            "version": version,
            "prediction": 1 - label if bad else label,
            "label": label,
            "latency_ms": 5.0,
        }
        lines.append(json.dumps(record) + "\n")
    return "".join(lines)


def test_the_sample_rollout_stops_a_pipeline(tmp_path: Path, environment: dict[str, str]) -> None:
    summary = tmp_path / "summary.md"
    arguments = command(str(LOGS), "--format", "junit", "--summary", str(summary))
    done = subprocess.run(arguments, capture_output=True, env=environment, timeout=SECONDS, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    failure = ET.fromstring(done.stdout.decode()).find("testcase/failure")
    assert failure is not None
    assert "accuracy of v2 is 4.1 points below v1's 89.5 %" in str(failure.text)
    assert summary.read_text().startswith("## Roll back: flight-delay: v2 against v1, canary")
    # the second look finds the store of the first
    done = subprocess.run(
        command(str(LOGS), "--at", "2026-11-03T16:59:00Z"),
        capture_output=True,
        env=environment,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout.startswith(b"HOLD")
    assert b"\x1b" not in done.stdout


@pytest.mark.deep
def test_a_pipeline_waits_for_the_verdict(tmp_path: Path, environment: dict[str, str]) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "log.jsonl").write_text(requests(0, 200, 0.0))
    waiting = subprocess.Popen(
        command(str(logs), "--wait", "50s", "--until", "decided"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    killer = threading.Timer(SECONDS, waiting.kill)
    killer.start()
    try:
        assert waiting.stderr is not None
        assert "mlwatch: waiting" in waiting.stderr.readline()  # it has looked and holds
        with (logs / "log.jsonl").open("a") as file:
            file.write(requests(200, 2000, 0.6))
        out, _ = waiting.communicate()
    finally:
        killer.cancel()
        waiting.kill()
    assert waiting.returncode == 1
    assert "ROLL BACK  m: v2 against v1" in out


def test_a_wrong_path_is_exit_code_2(tmp_path: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command(str(tmp_path / "nowhere")),
        capture_output=True,
        env=environment,
        timeout=SECONDS,
        check=False,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
