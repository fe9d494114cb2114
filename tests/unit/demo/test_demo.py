"""The demo's parts with real servers; the whole of it is slow."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import numpy as np
import psutil
import pytest

from mlwatch.demo.model import TRUTH, VERSIONS, draw, score
from mlwatch.demo.rollout import SCRIPT, Rollout
from mlwatch.demo.servers import Server, listens
from mlwatch.endpoints.exposition import read
from mlwatch.endpoints.measures import WANTED
from mlwatch.endpoints.server_metrics import since_start
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_the_new_version_is_better_and_the_fault_makes_it_worse() -> None:
    random = np.random.default_rng(3)
    drawn = [draw(random) for _ in range(20_000)]
    labels = random.random(20_000) < np.array([score(TRUTH, one) for one in drawn])

    def accuracy(version: str, factor: float = 1.0) -> float:
        asked = ({**one, "amount": one["amount"] * factor} for one in drawn)
        predicted = np.array([score(VERSIONS[version], one) >= 0.5 for one in asked])
        return float(np.mean(predicted == labels))

    assert accuracy("v2") > accuracy("v1") + 0.005
    assert accuracy("v2", 100.0) < accuracy("v1") - 0.1


def test_the_script_is_as_long_as_it_says() -> None:
    assert sum(step.part for step in SCRIPT) == pytest.approx(1.0)
    assert [step.share for step in SCRIPT] == [0.05, 0.25, 0.5, 0.5]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server("v2").start()
    yield made
    made.stop()


def test_a_server_answers_is_restarted_with_its_fault_and_ends(server: Server) -> None:
    features = draw(np.random.default_rng(1))
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.get("/version").json() == {"model": "chargeback", "version": "v2"}
        answer = client.post("/predict", json=features).json()
    assert answer["score"] == pytest.approx(score(VERSIONS["v2"], features))
    assert answer["features"] == features
    server.stop()
    assert not listens(server.port)
    server.start(faulty=True)
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        answers = [client.post("/predict", json=features) for _ in range(5)]
        said = client.get("/metrics/")
    told = since_start(read(said.content, said.headers["Content-Type"], WANTED, 0.0))
    assert (told["requests"], told["in_flight"]) == (5, 0)
    assert told.get("errors", 0) == sum(answer.status_code == 503 for answer in answers)
    assert 1 < told["latency_p50_ms"] < 1000
    assert told["memory_bytes"] > 1e7
    good = next(answer.json() for answer in answers if answer.status_code == 200)
    assert good["features"]["amount"] == pytest.approx(100 * features["amount"])


@pytest.mark.slow
def test_the_whole_demo_ends_with_a_roll_back_and_leaves_no_process() -> None:
    command = [sys.executable, "-m", "mlwatch", "demo", "--headless", "--for", "10s", "--rate", "60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    servers = children(process.pid)
    out, complaint = process.communicate(timeout=100)
    assert process.returncode in {1, 3}, complaint
    assert "v2 against v1" in out
    assert "accuracy" in out
    assert not any(server.is_running() for server in servers)


@pytest.mark.deep
def test_the_fault_is_caught_by_the_golden_probe_though_the_version_is_the_same(tmp_path: Path) -> None:
    with Rollout(tmp_path, length=12, rate=20), Session(Options(tmp_path, db=":memory:")) as session:
        session.start()
        said: list[str] = []
        end = time.monotonic() + 60
        while not said and time.monotonic() < end:
            time.sleep(0.5)
            alerts = (alert.message for alert in session.snapshot().alerts)
            said = [text for text in alerts if "output changed without a new version" in text]
        assert session.snapshot().ingest.rejected == 0, "golden.json is no log"
    assert said
    assert said[0].startswith("chargeback v2 does not give the expected answer to its fixed input")
    assert "instead of" in said[0]


@pytest.mark.slow
def test_a_demo_that_is_told_to_end_takes_its_servers_with_it() -> None:
    command = [sys.executable, "-m", "mlwatch", "demo", "--headless", "--for", "60s"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    servers = children(process.pid)
    process.terminate()
    process.wait(timeout=30)
    assert not any(server.is_running() for server in servers)


def children(pid: int) -> list[psutil.Process]:
    """Return the two servers of a demo, as soon as they are there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [one for one in psutil.Process(pid).children() if "mlwatch.demo.server" in one.cmdline()]
        if len(found) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError("the servers do not start")


def test_without_a_terminal_or_with_a_bad_length_one_line_says_what_to_do() -> None:
    for more, said in (
        ([], "mlwatch: the app needs a terminal: standard output: use --headless"),
        (["--for", "1s"], "mlwatch: 1s is too short or too long: --for: give 5s to 24h"),
        (["--for", "soon"], "--for: give a length such as 4m"),
    ):
        command = [sys.executable, "-m", "mlwatch", "demo", *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
