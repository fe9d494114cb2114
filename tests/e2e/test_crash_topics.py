"""Kill the ingest of a topic at random moments while messages keep coming: afterwards every total is exact."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("confluent_kafka")
from brokers import Cluster
from topicruns import Truth, check, kill_after


@pytest.mark.deep
@pytest.mark.parametrize(
    ("seed", "kills"), [(5, 8), *(pytest.param(seed, 40, marks=pytest.mark.soak) for seed in range(6, 9))]
)
def test_totals_are_exact_after_many_kills(tmp_path: Path, seed: int, kills: int) -> None:
    chance, truth, over = random.Random(seed), Truth(), threading.Event()
    database = tmp_path / "store.duckdb"
    with Cluster() as cluster:
        cluster.make("m")

        def write() -> None:
            while not over.is_set():
                cluster.send("m", truth.values(random.Random(truth.predictions)))
                time.sleep(0.02)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(kills):
                kill_after(chance.uniform(0.0, 0.8), cluster.url("m"), database)
        finally:
            over.set()
            writer.join()
        check(truth, cluster.url("m"), database)
