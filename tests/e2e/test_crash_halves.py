"""Kill the ingest while requests and responses come in files of their own: afterwards each pair is there once."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from crashing import beginning

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS, KILLS, ROTATED_AT = 3000, 6, 3


def event(side: str, number: int) -> str:
    body = {"instances": [[number]]} if side == "request" else {"predictions": [number % 2]}
    milliseconds = 7 * (side == "response")
    return json.dumps(
        {
            "specversion": "1.0",
            "type": f"org.kubeflow.serving.inference.{side}",
            "id": f"r{number}",
            "time": f"2026-11-03T10:{number // 60:02d}:{number % 60:02d}.{milliseconds:03d}Z",
            "inferenceservicename": "m",
            "endpoint": "default",
            "data": body,
        }
    )


@pytest.mark.deep
@pytest.mark.slow
def test_every_pair_is_taken_in_once(tmp_path: Path) -> None:
    logs, database = tmp_path / "logs", tmp_path / "store.duckdb"
    logs.mkdir()
    chance = random.Random(5)
    lines = {side: [event(side, number) for number in range(REQUESTS)] for side in ("request", "response")}
    for written in lines.values():
        chance.shuffle(written)
    step = REQUESTS // KILLS
    with beginning(logs, database) as begin:
        for part in range(KILLS):
            ingest = begin()
            for start in range(part * step, (part + 1) * step, 50):
                for side in ("response", "request"):
                    with (logs / f"{side}s.jsonl").open("a") as file:
                        file.write("".join(f"{line}\n" for line in lines[side][start : start + 50]))
                time.sleep(chance.uniform(0, 0.05))
            os.kill(ingest, signal.SIGKILL)
            if part == ROTATED_AT:
                rotate(logs / "responses.jsonl")
    with Session(Options(logs, db=database)) as session:
        session.ingest_all()
        run = session.connection.execute
        assert run("SELECT COUNT(*), COUNT(DISTINCT id) FROM predictions").fetchone() == (REQUESTS, REQUESTS)
        wrong = (
            "failed OR prediction <> CAST(CAST(SUBSTR(id, 2) AS INTEGER) % 2 AS VARCHAR) OR latency_ms <> 7"
        )
        assert run(f"SELECT COUNT(*) FROM predictions WHERE {wrong}").fetchone() == (0,)
        assert run("SELECT COUNT(*) FROM waiting").fetchone() == (0,)
        total = session.snapshot().ingest
        assert (total.records, total.duplicates, total.rejected) == (REQUESTS, 0, 0)
        assert session.snapshot().models["m"].versions["default"].predictions == REQUESTS


def rotate(path: Path) -> None:
    """Compress a log that is full; its writer goes on in a new one."""
    path.with_suffix(".jsonl.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
