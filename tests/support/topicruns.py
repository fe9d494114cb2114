"""Kill what follows topics, and compare every total with what was sent."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brokers import PARTITIONS

from mlwatch.config.topics import parse_topics
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

FOLLOW = """
import sys, time
from pathlib import Path
from mlwatch.config.topics import parse_topics
from mlwatch.session import Options, Session
session = Session(Options(Path(), topics=parse_topics(sys.argv[1]), db=Path(sys.argv[2])))
session.start()
print("up", flush=True)
time.sleep(60)
"""


class Truth:
    """What was sent."""

    def __init__(self) -> None:
        self.predictions = 0
        self.labels = 0
        self.broken = 0
        self.amount = 0

    def values(self, chance: random.Random) -> Iterator[Any]:
        """Yield some messages: predictions, some of them labelled, and a few broken ones."""
        for _ in range(chance.randint(20, 200)):
            number = self.predictions
            record = {"timestamp": 1_790_000_000 + number, "request_id": f"r{number}", "version": "v1"}
            yield {**record, "prediction": number % 2, "amount": number}
            self.predictions += 1
            self.amount += number
            if chance.random() < 0.3:
                yield {"timestamp": 1_790_000_000 + number, "request_id": f"r{number}", "label": 1}
                self.labels += 1
            if chance.random() < 0.02:
                yield b'{"broken": '
                self.broken += 1


def kill_after(seconds: float, url: str, database: Path) -> None:
    """Follow the topic for a while, and kill what follows."""
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOW, url, database],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as ingest:  # fmt: skip
        assert ingest.stdout is not None
        assert ingest.stderr is not None
        assert ingest.stdout.readline() == "up\n", ingest.stderr.read()
        time.sleep(seconds)
        ingest.send_signal(signal.SIGKILL)


def check(truth: Truth, url: str, database: Path) -> None:
    """Compare every total with what was sent."""
    with Session(Options(Path(), topics=parse_topics(url), db=database)) as session:
        session.ingest_all()
        snapshot = session.snapshot()
        _, ((amount,),) = session.query("SELECT SUM(amount) FROM predictions")
    found = snapshot.ingest
    assert (found.predictions, found.outcomes, found.rejected) == (
        truth.predictions, truth.labels, truth.broken
    )  # fmt: skip
    assert (found.duplicates, found.outcomes_unmatched) == (0, 0)
    assert found.records == truth.predictions + truth.labels + truth.broken
    assert amount == truth.amount
    assert snapshot.models["m"].versions["v1"].labelled == truth.labels
    assert len(found.streams) == PARTITIONS
    assert sum(one.offset for one in found.streams) == found.records
