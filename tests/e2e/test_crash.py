"""Kill the ingest at random moments while files grow, rotate and change columns, and old rows go: totals are exact."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from crashing import beginning, check_totals, writing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("seed", "kills"),
    [
        (11, 12),
        pytest.param(11, 30, marks=pytest.mark.deep),
        *(pytest.param(seed, 40, marks=pytest.mark.soak) for seed in range(12, 17)),
    ],
)
def test_totals_are_exact_after_many_kills(tmp_path: Path, seed: int, kills: int) -> None:
    logs, truth, database = tmp_path / "logs", tmp_path / "truth.jsonl", tmp_path / "store.duckdb"
    chance = random.Random(seed)
    with writing(logs, truth, seed, kills * 0.5), beginning(logs, database) as begin:
        for _ in range(kills):
            ingest = begin()
            time.sleep(chance.uniform(0.0, 0.6))
            os.kill(ingest, signal.SIGKILL)
    kept, written = check_totals(logs, truth, database)
    assert 0 < kept < written, "old rows have gone"
