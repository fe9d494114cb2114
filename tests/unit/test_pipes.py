"""A pipe that lies where a file is looked for keeps nobody waiting."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from logfiles import lines, prediction

FORMATS = Path(__file__).parents[1] / "fixtures" / "formats"


def report(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `mlwatch report`, for a minute at most: one that waits for a pipe is killed, and the test fails."""
    return subprocess.run(
        [sys.executable, "-m", "mlwatch", "report", "--db", ":memory:", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "logs"
    directory.mkdir()
    (directory / "a.jsonl").write_text(lines(prediction(n) for n in range(10)))
    return directory


def test_a_pipe_or_a_device_is_no_place_for_logs(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    todo = "give the directory that holds the prediction logs"
    for path in (pipe, Path(os.devnull)):
        done = report(path)
        said = f"mlwatch: neither a directory nor a regular file: {path}: {todo}\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", ["manifest.json", "data_definition.json"])
def test_a_pipe_beside_the_logs_is_passed_over(logs: Path, name: str) -> None:
    os.mkfifo(logs / name)
    done = report(logs)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ingest"]["predictions"] == 10


def test_a_schema_that_is_a_pipe_is_none(tmp_path: Path) -> None:
    shutil.copytree(FORMATS / "bentoml", tmp_path / "logs")
    schema = tmp_path / "logs" / "monitoring" / "iris" / "schema" / "schema.0.log"
    schema.unlink()
    os.mkfifo(schema)
    done = report(tmp_path / "logs")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no whole schema in the directory schema beside it yet" in done.stderr


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        ("--reference", "training.csv", "cannot read the reference: {}: not a regular file"),
        ("--db", "store.duckdb", "not a store of mlwatch: {}: give another file with --db"),
    ],
)
def test_a_pipe_that_is_named_is_refused(logs: Path, option: str, name: str, said: str) -> None:
    pipe = logs.parent / name
    os.mkfifo(pipe)
    done = report(logs, option, pipe)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"mlwatch: {said.format(pipe)}\n")
