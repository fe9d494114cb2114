"""TensorFlow Serving, servers with OpenAI's protocol, and Feast: their answers replayed by a real HTTP server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import servers
from servers import Reply, as_json, recorded

from mlwatch.config import EndpointSettings
from mlwatch.endpoints.adapter import instead
from mlwatch.endpoints.address import parse
from mlwatch.endpoints.target import Target
from mlwatch.endpoints.types import Probe, ServedVersion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def here(name: str) -> Path:
    raise AssertionError("no file is needed")


async def look(replies: Mapping[str, Reply], base: str = "", **settings: Any) -> tuple[Probe, list[str]]:
    server = await servers.replaying(replies)
    url = server.url + base
    target = Target("e", parse(url), EndpointSettings(url=url, **settings), here)
    probe = await target.probe(asyncio.get_running_loop().time())
    await target.aclose()
    await server.aclose()
    return probe, server.asked


def states(*rows: tuple[str, str, str]) -> Reply:
    listed = [
        {"version": version, "state": state, "status": {"error_code": "OK", "error_message": why}}
        for version, state, why in rows
    ]
    return as_json({"model_version_status": listed})


async def test_tensorflow_serving_is_ready_with_one_version_available_while_the_next_one_loads() -> None:
    probe, asked = await look(recorded("tensorflow"), model="churn")
    assert (probe.server, probe.up, probe.error) == ("tensorflow", True, "")
    assert probe.served == (ServedVersion("churn", "7", False), ServedVersion("churn", "6", True))
    assert all(each.startswith("GET ") for each in asked)
    assert asked[-2:] == ["GET /v1/models", "GET /v1/models/churn"]


async def test_tensorflow_serving_without_a_configured_model_says_what_it_cannot_say() -> None:
    probe, _ = await look(recorded("tensorflow"))
    assert (probe.server, probe.live, probe.ready) == ("tensorflow", True, None)
    assert probe.error == "this server does not list its models: configure model"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (states(("9", "AVAILABLE", ""), ("10", "LOADING", "")), ""),
        (states(("9", "END", ""), ("10", "LOADING", "")), "churn 10 loading"),
        (states(("10", "END", "Could not load")), "churn 10 unloaded: Could not load"),
        (states(), "no version of churn"),
        (as_json({"error": "Could not find any versions of model None"}, 404), "404: no such path"),
    ],
)
async def test_tensorflow_serving_is_judged_by_its_versions(reply: Reply, error: str) -> None:
    probe, _ = await look({"/v1/models/churn": reply}, model="churn", kind="tensorflow")
    assert (probe.live, probe.ready, probe.error) == (True, not error, error)


async def test_tensorflow_serving_is_told_by_the_model_where_its_error_differs() -> None:
    replies = {"/v1/models/churn": recorded("tensorflow")["GET /v1/models/churn"]}
    probe, asked = await look(replies, model="churn")
    assert (probe.server, probe.up) == ("tensorflow", True)
    assert all(each.startswith("GET ") for each in asked)


async def test_tensorflow_serving_without_a_status_is_read_by_its_metadata() -> None:
    replies = recorded("tensorflow")
    replies["GET /v1/models/churn"] = as_json({"error": "Malformed request: GET /v1/models/churn"}, 400)
    probe, _ = await look(replies, model="churn")
    assert probe.up
    assert probe.served == (ServedVersion("churn", "6", True),)


async def test_vllm_is_told_by_the_owner_of_its_models() -> None:
    probe, asked = await look(recorded("vllm"), model="churn-llm")
    assert (probe.server, probe.up, probe.served, probe.error) == ("vllm", True, (), "")
    assert probe.unversioned == (ServedVersion("churn-llm", ""),)
    assert asked[-2:] == ["GET /v1/models", "GET /health"]
    assert all(each.startswith("GET ") for each in asked)


async def test_an_openai_address_with_v1_is_the_same_server() -> None:
    probe, asked = await look(recorded("vllm"), "/v1")
    assert (probe.server, probe.up) == ("vllm", True)
    assert asked[-2:] == ["GET /v1/models", "GET /health"]


async def test_an_openai_server_without_the_model_is_not_ready() -> None:
    probe, _ = await look(recorded("vllm"), model="other")
    assert (probe.live, probe.ready, probe.error) == (True, False, "no model other: it serves churn-llm")


async def test_a_gateway_whose_health_may_cost_something_is_judged_by_its_models() -> None:
    replies = {"/v1/models": as_json({"object": "list", "data": [{"id": "m", "owned_by": "openai"}]})}
    probe, asked = await look(replies)
    assert (probe.server, probe.up) == ("openai", True)
    assert "GET /health" not in asked
    probe, asked = await look(replies | {"/health/liveliness": Reply("", 503)}, health="/health/liveliness")
    assert (probe.live, probe.ready) == (True, False)


async def test_vllm_whose_engine_is_dead_is_live_and_not_ready() -> None:
    probe, _ = await look(recorded("vllm") | {"GET /health": Reply("", 503)})
    assert (probe.live, probe.ready, probe.error) == (True, False, "503: not available")


async def test_vllm_that_refuses_the_token_is_live_and_says_so() -> None:
    replies = recorded("vllm") | {"GET /v1/models": as_json({"error": "Unauthorized"}, 401)}
    probe, _ = await look(replies, kind="openai")
    assert (probe.live, probe.ready, probe.error) == (True, None, "401: not authorised")


async def test_feast_is_told_from_other_fastapi_and_asked_for_health_alone() -> None:
    probe, asked = await look(recorded("feast"))
    assert (probe.server, probe.up, probe.served) == ("feast", True, ())
    assert asked[-1] == "GET /health"
    assert all(each.startswith("GET ") for each in asked)


async def test_a_list_of_something_else_is_no_openai_server() -> None:
    probe, _ = await look({"/v1/models": Reply(json.dumps({"data": [1, 2]}))})
    assert probe.server == "http"


@pytest.mark.parametrize(
    ("names", "said"),
    [([], ""), (["a"], ": it serves a"), (["a", "b", "c"], ": it serves a, b, c"),
     (["a", "b", "c", "d", "e"], ": it serves a, b, c and 2 more")],
)  # fmt: skip
def test_what_there_is_instead_is_said_briefly(names: list[str], said: str) -> None:
    assert instead(names) == said
