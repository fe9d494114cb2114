"""A store that cannot grow: it is said, what is there stays to be seen, and nothing is lost or twice when it can again.

The operating system's limit on the size of a file stands for a full disk: writing fails in the same places.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("resource")

SCRIPT = """
import json, resource, sys, time
from pathlib import Path
from mlwatch.session import Options, Session

logs, database = Path(sys.argv[1]), Path(sys.argv[2])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
written = 0

def write(count):
    global written
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with (logs / "a.jsonl").open("a") as out:
        for number in range(written, written + count):
            out.write(json.dumps({
                "timestamp": 1762164000 + number, "request_id": f"r{number}", "model": "m", "version": "v1",
                "features": {"a": number * 1.37, "b": f"x{number * 7919}"}, "prediction": number % 2}) + "\\n")
    written += count

def until(condition):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False

def critical():
    return [alert.message for alert in session.snapshot().alerts if alert.severity == "critical"]

session = Session(Options(logs, db=database))
session.start()
write(1000)
assert until(lambda: session.snapshot().ingest.predictions == written)
rounds = 0
while not (said := critical()):
    rounds += 1
    assert rounds < 50
    before = session.snapshot().ingest.predictions
    write(1000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    until(lambda: session.snapshot().ingest.predictions > before or critical())
shown = session.snapshot().ingest.predictions
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert until(lambda: session.snapshot().ingest.predictions == written), session.snapshot()
until(lambda: not critical())  # said after the batch
after = critical()
session.stop()
print(json.dumps({"said": said, "shown": shown, "written": written, "after": after}))
"""


def test_a_disk_that_fills_up_and_is_freed(tmp_path: Path) -> None:
    logs, database = tmp_path / "logs", tmp_path / "store.duckdb"
    logs.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(logs), str(database)],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["said"][0].startswith("the disk of the store is full")
    assert 0 < answer["shown"] < answer["written"]
    assert answer["after"] == []
    counted = subprocess.run(
        [sys.executable, "-m", "mlwatch", "report", str(logs), "--db", str(database)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    ingest = json.loads(counted.stdout)["ingest"]
    assert (ingest["predictions"], ingest["duplicates"], ingest["rejected"]) == (answer["written"], 0, 0)
