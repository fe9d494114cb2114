"""Native records of serving products in topics: recognised, joined across partitions and restarts, exactly once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.config.topics import parse_topics
from mlwatch.session import Options, Session
from mlwatch.sources.messages import whole_event

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("confluent_kafka")
from brokers import Cluster

ASK, ANSWER = {"instances": [[1.5]]}, {"predictions": [1]}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as found:
        yield found


def attributes(side: str, number: int, ms: int) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": f"k{number}",
        "type": f"org.kubeflow.serving.inference.{side}",
        "source": "http://localhost/",
        "inferenceservicename": "flights",
        "endpoint": "canary" if number % 2 else "default",
        "time": f"2026-11-01T10:00:{number:02d}.{ms:03d}Z",
    }


def event(side: str, number: int, ms: int = 0) -> dict[str, Any]:
    return {**attributes(side, number, ms), "data": ASK if side == "request" else ANSWER}


def opened(cluster: Cluster, tmp_path: Path) -> Session:
    topics = parse_topics(cluster.url("serving"))
    return Session(Options(Path(), topics=topics, db=tmp_path / "store.duckdb"))


def test_halves_meet_across_partitions_and_restarts(cluster: Cluster, tmp_path: Path) -> None:
    cluster.send("serving", [event("request", number) for number in range(20)], partition=0)
    cluster.send("serving", [event("response", number, 25) for number in range(10)], partition=1)
    cluster.send("serving", [b'{"type": '], partition=1)
    with opened(cluster, tmp_path) as session:
        session.ingest_all()
        assert session.snapshot().ingest.predictions == 10
        assert session.query("SELECT file, line, reason FROM quarantine")[1] == [
            ("kafka://serving/1", 10, "not valid JSON")
        ]
    cluster.send("serving", [event("response", number, 25) for number in range(10, 20)], partition=3)
    with opened(cluster, tmp_path) as session:
        session.ingest_all()
        found = session.snapshot()
        assert session.query("SELECT COUNT(*) FROM waiting")[1] == [(0,)]
        assert session.query("SELECT DISTINCT latency_ms FROM predictions")[1] == [(25.0,)]
    assert (found.ingest.predictions, found.ingest.duplicates, found.ingest.rejected) == (20, 0, 1)
    assert {name: one.predictions for name, one in found.models["flights"].versions.items()} == {
        "default": 10,
        "canary": 10,
    }
    assert [one.offset for one in found.ingest.streams] == [20, 11, 0, 10]


def test_events_with_their_attributes_in_headers(cluster: Cluster, tmp_path: Path) -> None:
    for number in range(6):
        for side, ms, body in (("request", 0, ASK), ("response", 40, ANSWER)):
            headers = {f"ce_{name}": text for name, text in attributes(side, number, ms).items()}
            cluster.send("serving", [body], partition=number % 4, headers=headers)
    with opened(cluster, tmp_path) as session:
        session.ingest_all()
        assert session.query("SELECT DISTINCT prediction, latency_ms FROM predictions")[1] == [("1", 40.0)]
        assert session.snapshot().ingest.predictions == 6


def test_a_body_that_is_no_json_is_kept_as_base64() -> None:
    whole = whole_event(b"\xff", {"ce_type": b"t", "ce_id": "1", "content-type": "x"})
    assert json.loads(whole or b"") == {"type": "t", "id": "1", "data_base64": "/w=="}
    assert whole_event(b"{}", {"traceparent": b"x"}) == b"{}"
    assert whole_event(None, {"ce_type": b"t"}) is None
