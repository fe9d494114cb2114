"""Endpoints and host in the JSON document: the keys of the contract, and plain values only."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlwatch.config import Config, EndpointSettings
from mlwatch.config.polled import ProbeSettings
from mlwatch.endpoints.types import Golden, Probe, ServedVersion
from mlwatch.host.types import Container, Disk, HostSample, Process
from mlwatch.snapshot.build import Question, snapshot
from mlwatch.snapshot.health_document import system_document
from mlwatch.snapshot.health_types import System
from mlwatch.snapshot.system import of_sample
from mlwatch.store import probes
from mlwatch.store.database import open_store

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def test_endpoints_and_system_of_the_document(tmp_path: Path) -> None:
    opened = open_store(tmp_path, ":memory:")
    looks = [
        Probe(
            "http://one",
            NOON,
            replica="10.0.0.1",
            server="torchserve",
            live=True,
            ready=True,
            status=200,
            latency_ms=8.0,
            served=(ServedVersion("fraud", "v2", ready=True),),
            metrics={"requests_per_s": 3.0},
            golden=Golden(matches=False, difference=0.25, reason="0.75 instead of 0.5 (0.25 apart)"),
        ),
        Probe("http://one", NOON, replica="10.0.0.2", live=False, error="refused"),
    ]
    sample = HostSample(
        NOON,
        cpu=0.5,
        memory=0.25,
        disks=(Disk("/", 0.9, 1, 10),),
        processes=(Process("uvicorn", 4, started=NOON),),
        container=Container(1, 2),
    )
    probes.record(opened.connection, looks, [sample])
    config = Config(endpoints=(EndpointSettings(url="http://one", probe=ProbeSettings(input="golden.json")),))
    found = snapshot(opened.connection, config, Question(), now=NOON).to_dict()
    opened.close()
    json.dumps(found, allow_nan=False)
    (endpoint,) = found["endpoints"]
    assert endpoint["url"] == "http://one"
    assert endpoint["state"] == "degraded"
    assert (endpoint["live"], endpoint["ready"]) == (True, True)
    assert endpoint["models"] == {"fraud": {"v2": {"replicas": 1, "ready": True}}}
    assert endpoint["latency_ms"] == {"n": 1, "p50": 8.0, "p95": 8.0, "max": 8.0}
    assert endpoint["errors"] == {
        "count": 1,
        "rate": 0.5,
        "last": "refused",
        "last_at": "2026-11-03T12:00:00Z",
    }
    assert endpoint["metrics"] == {"requests_per_s": 3.0}
    assert endpoint["replicas"][1]["down_since"] == "2026-11-03T12:00:00Z"
    assert endpoint["golden"] == {
        "matches": False,
        "at": "2026-11-03T12:00:00Z",
        "difference": 0.25,
        "reason": "0.75 instead of 0.5 (0.25 apart)",
        "replica": "10.0.0.1",
        "day": [{"start": "2026-11-03T11:31:00Z", "n": 1, "bad": 1, "difference": 0.25}],
    }
    assert endpoint["uptime"]["hour"] == {"probes": 2, "share": 0.5}
    assert (found["system"]["cpu"], found["system"]["memory"], found["system"]["disk"]) == (0.5, 0.25, 0.9)
    assert found["system"]["processes"][0]["started"] == "2026-11-03T12:00:00Z"
    assert found["system"]["container"]["memory_limit_bytes"] == 2


def test_what_is_not_known_of_the_host_says_why() -> None:
    nobody = system_document(System())
    assert {name for name, value in nobody.items() if value is None} == set(nobody["reasons"])
    assert set(nobody["reasons"].values()) == {"nobody looked at the host at this time"}
    first = system_document(of_sample(HostSample(NOON, memory=0.5, load=(1.0, 2.0, 3.0))))
    assert {name for name, value in first.items() if value is None} == set(first["reasons"])
    assert first["reasons"]["cpu"] == "a rate takes two looks at the host, and there was one"
    assert first["reasons"]["sent_bytes_per_s"] == first["reasons"]["cpu"]
    assert first["reasons"]["swap"] == "there is no swap"
    assert "memory" not in first["reasons"]
    second = system_document(of_sample(HostSample(NOON, cpu=0.1)))
    assert "cpu" not in second["reasons"]
    assert second["reasons"]["sent_bytes_per_s"] == "the operating system does not tell"
