"""A store as a power loss leaves it opens, is consistent, and comes to the exact totals."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

from crashing import beginning, check_totals, writing

from mlwatch.session import Options, Session


def test_a_store_copied_at_any_moment_is_consistent(tmp_path: Path) -> None:
    """What a power loss leaves: database and log as they were at one moment, of a process that writes."""
    logs, truth, database = tmp_path / "logs", tmp_path / "truth.jsonl", tmp_path / "store.duckdb"
    chance = random.Random(3)
    copies = []
    # a copy that is read on with later may be hours behind in the time of the log: nothing has to go before its label
    with writing(logs, truth, 3, 6, keep="1d"), beginning(logs, database, "through") as begin:
        ingest = begin()
        for number in range(6):
            time.sleep(chance.uniform(0.1, 0.9))
            os.kill(ingest, signal.SIGSTOP)
            copies.append(tmp_path / f"copy-{number}.duckdb")
            for suffix in ("", ".wal"):
                if (found := Path(f"{database}{suffix}")).exists():
                    shutil.copyfile(found, f"{copies[-1]}{suffix}")
            os.kill(ingest, signal.SIGCONT)
        os.kill(ingest, signal.SIGKILL)
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
