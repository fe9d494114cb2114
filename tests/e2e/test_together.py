"""More than one mlwatch on one directory, while it is written; directories and homes that nothing can be written to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from terminals import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = datetime(2026, 3, 14, tzinfo=UTC)
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
HELD = "another mlwatch holds this store"


def lines(first: int, end: int) -> str:
    """Return predictions as JSON lines."""
    records = (
        {
            "timestamp": (START + timedelta(seconds=30 * at)).isoformat(), "request_id": f"r{at}",
            "model": "m", "version": "v1", "prediction": at % 2, "latency_ms": 5 + at % 7, "status": 200,
        }
        for at in range(first, end)
    )  # fmt: skip
    return "".join(json.dumps(record) + "\n" for record in records)


def run(
    *arguments: str | Path, bound: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `mlwatch ARGUMENTS` to its end."""
    command = [*bound, sys.executable, "-m", "mlwatch", *map(str, arguments)]
    surroundings = {name: value for name, value in os.environ.items() if name != "XDG_STATE_HOME"}
    return subprocess.run(
        command, env=surroundings | environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_many_read_one_directory_while_it_is_written(tmp_path: Path) -> None:
    """The app that came first has the store; all others read the logs themselves, and say so."""
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(0, 500))
    first = Terminal(120, 40, "watch", str(logs), "--db", str(store))
    second = None
    try:
        first.wait_for("500 rows")
        second = Terminal(120, 40, "watch", str(logs), "--db", str(store))
        second.wait_for("500 rows", HELD)
        with (logs / "a.jsonl").open("a") as file:
            for at in range(500, 700, 100):
                text = lines(at, at + 100)
                file.write(text[:-40])
                file.flush()  # a reader in the middle of a line
                reported = run("report", logs, "--db", store)
                found = json.loads(reported.stdout)["ingest"]
                assert HELD in reported.stderr
                assert (found["predictions"], found["rejected"], found["duplicates"]) == (at + 99, 0, 0)
                file.write(text[-40:])
        checked = run("check", logs, "--db", store, "--format", "json")
        assert checked.returncode == 3, "one version alone is no rollout"
        assert HELD in checked.stderr
        for terminal in [first, second]:
            terminal.wait_for("700 rows")
            terminal.press("q")
            terminal.assert_clean(0)
    finally:
        for started in (first, second):
            if started is not None:
                started.close()
    found = json.loads(run("report", logs, "--db", store).stdout)["ingest"]
    assert (found["predictions"], found["duplicates"]) == (700, 0)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[tuple[Path, Path, tuple[str, ...]]]:
    """Yield logs and a home without write permission, and what makes root heed it."""
    if os.name == "nt" or (ROOT and shutil.which("setpriv") is None):
        pytest.skip("permissions do not bind this user")
    logs, home = tmp_path / "logs", tmp_path / "home"
    for directory in (logs, home):
        directory.mkdir()
    (logs / "a.jsonl").write_text(lines(0, 2000))
    for path in (logs / "a.jsonl", logs, home):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield logs, home, ("setpriv", "--bounding-set=-all") if ROOT else ()
    for directory in (logs, home):
        directory.chmod(0o755)


def test_nothing_is_written_where_nothing_can_be(locked: tuple[Path, Path, tuple[str, ...]]) -> None:
    logs, home, bound = locked
    assert subprocess.run([*bound, "touch", home / "x"], capture_output=True, check=False).returncode == 1
    reported = run("report", logs, bound=bound, HOME=str(home))
    assert (reported.returncode, json.loads(reported.stdout)["ingest"]["predictions"]) == (0, 2000)
    assert "keeps its store in memory" in reported.stderr
    assert run("check", logs, bound=bound, HOME=str(home)).returncode == 3
    calibrated = run("calibrate", logs, "--splits", "1", bound=bound, HOME=str(home))
    assert "not kept, because the store is in memory" in calibrated.stdout
    for arguments in (
        ("init", logs),
        ("rollup", logs, "-o", home / "lake"),
        ("report", logs, "-o", home / "r"),
    ):
        refused = run(*arguments, bound=bound, HOME=str(home))
        assert refused.returncode == 2
        assert "cannot write (Permission denied)" in refused.stderr.splitlines()[-1]
    assert [path.name for path in (*logs.iterdir(), *home.iterdir())] == ["a.jsonl"]
