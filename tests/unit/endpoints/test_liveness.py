"""Whether a server lives and whether it is ready are two questions, and its versions a third."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
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

PATHS = {
    "v2": ("/v2/health/ready", "/v2/health/live", {}),
    "bentoml": ("/readyz", "/livez", {}),
    "fastapi": ("/readyz", "/livez", {}),
    "http": ("/up", "/alive", {"health": "/up", "live": "/alive"}),
}
PAGE = "HTML where its health belongs"
OPENAPI = {"openapi": "3.1.0", "info": {}, "paths": {"/readyz": {}, "/livez": {}, "/healthz": {}}}


async def look(kind: str, replies: Mapping[str, Reply], **changes: Any) -> tuple[Probe, list[str]]:
    server = await servers.replaying({"/openapi.json": as_json(OPENAPI), **replies})
    patience = timedelta(seconds=0.3 if servers.HANG in replies.values() else 10)
    settings = EndpointSettings(server.url, kind=kind, timeout=patience, **changes)
    target = Target("e", parse(server.url), settings, Path)
    probe = await target.probe(asyncio.get_running_loop().time())
    await target.aclose()
    await server.aclose()
    return probe, server.asked


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize(
    ("ready", "live", "expected"),
    [
        (Reply("ok"), Reply("broken", 500), (True, True, "")),  # not asked: what is ready lives
        (Reply("no", 503), Reply("ok"), (True, False, "503: not ")),
        (Reply("no", 503), Reply("no", 503), (False, False, "503: not ")),
        (Reply("no", 503), Reply("what?", 404), (True, False, "503: not ")),
        (servers.HANG, Reply("ok"), (True, False, "timed out after 300 ms")),
        (servers.HANG, Reply("no", 500), (False, False, "timed out after 300 ms")),
    ],
)
async def test_live_and_ready_are_told_apart(
    kind: str, ready: Reply, live: Reply, expected: tuple[bool, bool, str]
) -> None:
    of_ready, of_live, changes = PATHS[kind]
    probe, asked = await look(kind, {of_ready: ready, of_live: live}, **changes)
    assert (probe.live, probe.ready) == expected[:2]
    assert probe.error.startswith(expected[2])
    assert (f"GET {of_live}" in asked) == (ready.status != 200 or ready is servers.HANG)


@pytest.mark.parametrize("kind", ["fastapi", "http"])
async def test_the_version_is_read_where_the_configuration_says(kind: str) -> None:
    replies = {"/readyz": Reply("ok"), "/meta": as_json({"model_version": 7, "model_name": "fraud"})}
    probe, _ = await look(kind, replies, health="/readyz", version="/meta")
    assert probe.served == (ServedVersion("fraud", "7"),)


@pytest.mark.parametrize(
    ("document", "version"),
    [
        ({"version": 0}, "0"),
        ({"version": "", "model_version": "v2"}, "v2"),
        ({"version": True}, None),
        ({"version": None}, None),
    ],
)
async def test_zero_is_a_version_and_true_is_none(document: dict[str, Any], version: str | None) -> None:
    replies = {"/readyz": Reply("ok"), "/meta": as_json({"model": "fraud"} | document)}
    probe, _ = await look("http", replies, health="/readyz", version="/meta")
    assert [one.version for one in probe.served] == [version] * (version is not None)


async def test_a_model_of_kserve_that_has_versions_is_told_with_them() -> None:
    replies = servers.recorded("kserve") | {
        "GET /v2/models/churn": as_json({"name": "churn", "versions": ["3", "4"], "platform": ""}),
        "GET /v2/models/churn/ready": as_json({"ready": True, "name": "churn"}),
    }
    probe, _ = await look("v2", replies)
    assert probe.served == (ServedVersion("churn", "3", True), ServedVersion("churn", "4", True))


async def test_a_model_without_versions_is_asked_for_them_once() -> None:
    server = await servers.replaying(servers.recorded("kserve"))
    target = Target("e", parse(server.url), EndpointSettings(server.url), Path)
    for _ in range(3):
        await target.probe(asyncio.get_running_loop().time())
    await target.aclose()
    await server.aclose()
    assert server.asked.count("GET /v2/models/churn/ready") == 3
    assert server.asked.count("GET /v2/models/churn") == 1


async def test_a_server_of_the_protocol_without_a_list_of_models_tells_the_versions_of_the_named_one() -> (
    None
):
    replies = {
        "/v2": as_json({"name": "ovms", "version": "2024"}),
        "/v2/health/ready": Reply(""),
        "/v2/models/churn": as_json({"name": "churn", "versions": ["5"]}),
        "/v2/models/churn/ready": Reply(""),
    }
    probe, _ = await look("v2", replies, model="churn")
    assert (probe.up, probe.served) == (True, (ServedVersion("churn", "5", True),))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        *(
            (kind, "HTML where its health belongs")
            for kind in ("v2", "torchserve", "ray", "mlflow", "bentoml", "feast")
        ),
        *((kind, "HTML where JSON belongs") for kind in ("fastapi", "openai")),
        ("http", ""),
    ],
)
async def test_a_login_page_in_front_of_a_server_is_not_its_health(kind: str, error: str) -> None:
    page = Reply("\n<!DOCTYPE html><html>Sign in</html>", headers={"Content-Type": "text/html"})
    probe, _ = await look(kind, {"*": page, "/openapi.json": page})
    assert (probe.live, probe.ready, probe.error) == (True, not error, error)
