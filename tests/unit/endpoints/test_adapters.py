"""Adapters on the answers of real servers, trimmed, replayed by a real HTTP server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import servers
from servers import Reply, as_json

from mlwatch.config import EndpointSettings
from mlwatch.endpoints.address import parse
from mlwatch.endpoints.target import Target
from mlwatch.endpoints.types import Probe, ServedVersion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def here(name: str) -> Path:
    raise AssertionError("no file is needed")


async def look(replies: Mapping[str, Reply], model: str | None = None) -> tuple[Probe, list[str]]:
    server = await servers.replaying(replies)
    target = Target("e", parse(server.url), EndpointSettings(url=server.url, model=model), here)
    probe = await target.probe(asyncio.get_running_loop().time())
    await target.aclose()
    await server.aclose()
    return probe, server.asked


TRITON = {
    "/v2": as_json({"name": "triton", "version": "2.51.0", "extensions": ["statistics"]}),
    "/v2/health/ready": Reply(""),
    "/v2/models/churn/ready": Reply(""),
    "POST /v2/repository/index": as_json(
        [
            {"name": "churn", "version": "6", "state": "READY"},
            {"name": "churn", "version": "7", "state": "READY"},
        ]
    ),
}


async def test_triton_is_told_by_one_request_and_lists_its_versions() -> None:
    probe, asked = await look(TRITON)
    assert (probe.server, probe.up, probe.error) == ("triton", True, "")
    assert probe.served == (ServedVersion("churn", "6", True), ServedVersion("churn", "7", True))
    assert asked == ["GET /v2", "GET /v2/health/ready", "POST /v2/repository/index"]


@pytest.mark.parametrize(
    ("other", "served", "error"),
    [
        ({"state": "UNAVAILABLE", "reason": "unloaded"}, {"7": True}, ""),
        ({"state": "LOADING", "reason": ""}, {"7": True}, ""),
        ({"state": "UNLOADING"}, {"7": True}, ""),
        ({"state": "UNAVAILABLE", "reason": "failed to load"}, {"7": True, "6": False}, "not ready: churn 6"),
    ],
)
async def test_a_triton_that_goes_from_one_version_to_another_is_up_unless_one_fails(
    other: dict[str, str], served: dict[str, bool], error: str
) -> None:
    rows = [{"name": "churn", "version": "7", "state": "READY"}, {"name": "churn", "version": "6"} | other]
    probe, _ = await look(TRITON | {"POST /v2/repository/index": as_json(rows)})
    assert {one.version: one.ready for one in probe.served} == served
    assert (probe.up, probe.error) == (not error, error)


async def test_a_model_that_only_loads_is_not_ready() -> None:
    rows = [{"name": "churn", "version": "7", "state": "LOADING"}]
    probe, _ = await look(TRITON | {"POST /v2/repository/index": as_json(rows)})
    assert (probe.ready, probe.error) == (False, "not ready: churn 7")


async def test_a_ready_triton_without_its_model_is_not_ready() -> None:
    reply = Reply('{"error":"Model version not ready"}', 400)
    probe, _ = await look(TRITON | {"/v2/models/nope/ready": reply}, "nope")
    assert (probe.live, probe.ready, probe.error) == (True, False, "400 while nope is not ready")


async def test_mlserver_that_loads_is_live_and_not_ready() -> None:
    replies = {
        "/v2": as_json({"name": "mlserver", "version": "1.7.1", "extensions": []}),
        "/v2/health/ready": Reply("", 400),
    }
    probe, _ = await look(replies)
    assert (probe.server, probe.live, probe.ready, probe.error) == ("mlserver", True, False, "400: not ready")


async def test_kserve_without_an_index_is_judged_by_its_models() -> None:
    replies = {
        "/v2": as_json({"name": "kserve", "version": "0.21.0", "extensions": ["model_repository_extension"]}),
        "/v2/health/ready": as_json({"ready": True}),
        "/v2/models": as_json({"models": ["churn"]}),
        "/v2/models/churn/ready": as_json({"error": "Model with name churn is not ready."}, 503),
    }
    probe, asked = await look(replies)
    assert (probe.server, probe.ready, probe.error) == ("kserve", False, "not ready: churn")
    assert probe.served == ()  # it says no version
    assert not [each for each in asked if each.startswith("POST")]


async def torchserve(workers: list[dict[str, str]], ping: Reply) -> Probe:
    management = {
        "/models": as_json({"models": [{"modelName": "churn", "modelUrl": "churn.mar"}]}),
        "/models/churn/all": as_json([{"modelName": "churn", "modelVersion": "1.0", "workers": workers}]),
    }
    return (await torchserve_with(management, ping))[0]


async def torchserve_with(
    management: dict[str, Reply], ping: Reply, **changes: Any
) -> tuple[Probe, list[dict[str, str]], list[dict[str, str]]]:
    """Look once; also return the headers of the requests for inference and for management."""
    unknown = as_json({"code": 404, "type": "ResourceNotFoundException", "message": "…"}, 404)
    for _ in range(20):  # the management port is the next one, and must be free
        inference = await servers.replaying({"/ping": ping}, other=unknown)
        try:
            behind = await servers.replaying(management, port=inference.port + 1)
            break
        except OSError:
            await inference.aclose()
    target = Target("e", parse(inference.url), EndpointSettings(url=inference.url, **changes), here)
    probe = await target.probe(asyncio.get_running_loop().time())
    await target.aclose()
    await inference.aclose()
    await behind.aclose()
    return probe, inference.seen, behind.seen


async def test_torchserve_is_ready_with_a_worker_and_not_without() -> None:
    healthy = as_json({"status": "Healthy"})
    ready = await torchserve([{"id": "9000", "status": "READY"}], healthy)
    idle = await torchserve([], healthy)
    assert (ready.server, ready.up) == ("torchserve", True)
    assert ready.served == (ServedVersion("churn", "1.0", True),)
    assert (idle.live, idle.ready, idle.error) == (True, False, "no worker for churn 1.0")


async def test_torchserve_has_another_token_for_management(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE", "Bearer one")
    monkeypatch.setenv("MANAGEMENT", "Bearer two")
    headers = {"Authorization": "env:INFERENCE"}
    refused = as_json({"code": 400, "type": "InvalidKeyException", "message": "…"}, 400)
    healthy, models = as_json({"status": "Healthy"}), {"/models": as_json({"models": []})}
    probe, asked, managed = await torchserve_with(
        models, healthy, headers=headers, management_headers={"Authorization": "env:MANAGEMENT"}
    )
    assert probe.error == ""
    assert {each["authorization"] for each in asked} == {"Bearer one"}
    assert {each["authorization"] for each in managed} == {"Bearer two"}
    probe, _, managed = await torchserve_with({"/models": refused}, healthy, headers=headers)
    assert {each["authorization"] for each in managed} == {"Bearer one"}
    assert (probe.up, probe.error) == (True, "the management port refuses the token: give management_headers")


async def test_torchserve_refuses_a_token_with_400() -> None:
    refused = as_json({"code": 400, "type": "InvalidKeyException", "message": "…"}, 400)
    probe = await torchserve([], refused)
    assert (probe.live, probe.ready, probe.error) == (True, None, "400: token refused")


async def test_ray_is_up_and_says_no_version() -> None:
    replies = {"/-/routes": as_json({"/churn": "churn"}), "/-/healthz": Reply("success")}
    probe, _ = await look(replies)
    assert (probe.server, probe.up, probe.served) == ("ray", True, ())


async def test_ray_without_routes_yet_is_loading() -> None:
    reply = Reply("Route table is not populated yet.", 503, {"Content-Type": "text/plain"})
    probe, _ = await look({"/-/routes": reply, "/-/healthz": reply})
    assert (probe.server, probe.live, probe.ready, probe.error) == ("ray", True, False, "503 while loading")


@pytest.mark.parametrize(
    ("version", "paths", "served"),
    [
        ("0.1.0", (), ()),
        ("2.0.0", (), (ServedVersion("FastAPI", "2.0.0"),)),
        ("0.1.0", ("/version",), (ServedVersion("FastAPI", "0.6.0"),)),
        ("0.1.0", ("/version", "/v1/models", "/v1/chat/completions"), ()),
    ],
)
async def test_neither_fastapis_default_nor_the_version_of_the_software_is_the_models(
    version: str, paths: tuple[str, ...], served: tuple[ServedVersion, ...]
) -> None:
    info = {"title": "FastAPI", "version": version}
    described = {"openapi": "3.1.0", "info": info, "paths": {path: {} for path in ("/health", *paths)}}
    probe, _ = await look(
        {
            "/openapi.json": as_json(described),
            "/health": Reply(""),
            "/v1/models": as_json({"error": "Unauthorized"}, 401),
            "/version": as_json({"version": "0.6.0"}),
        }
    )
    assert (probe.server, probe.up, probe.served) == ("fastapi", True, served)


async def test_mlflow_is_told_from_other_fastapi_and_its_version_is_not_the_models() -> None:
    paths = dict.fromkeys(("/ping", "/health", "/version", "/invocations"), "")
    replies = {
        "/openapi.json": as_json({"openapi": "3.1.0", "info": {"title": "FastAPI"}, "paths": paths}),
        "/version": Reply("3.17.2"),
        "/ping": Reply("\n"),
    }
    probe, _ = await look(replies)
    assert (probe.server, probe.up, probe.served) == ("mlflow", True, ())


async def test_bentoml_is_up_and_says_no_version() -> None:
    replies = {
        "/schema.json": as_json({"name": "churn", "type": "service", "routes": [{"name": "predict"}]}),
        "/readyz": Reply("\n"),
    }
    probe, _ = await look(replies)
    assert (probe.server, probe.up, probe.served) == ("bentoml", True, ())
