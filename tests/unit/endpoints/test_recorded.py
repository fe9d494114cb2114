"""Every server as it really answered, also to what it has no path for: told by few, harmless requests, and judged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import servers

from mlwatch.config import EndpointSettings
from mlwatch.endpoints.adapters import known
from mlwatch.endpoints.address import parse
from mlwatch.endpoints.client import Client
from mlwatch.endpoints.detection import detect
from mlwatch.endpoints.target import Target

if TYPE_CHECKING:
    from pathlib import Path

HARMLESS = ("GET ", "OPTIONS ", "POST /v2/repository/index")


def here(name: str) -> Path:
    raise AssertionError("no file is needed")


@pytest.mark.parametrize(
    ("name", "model", "server", "ready", "error", "served"),
    [
        ("mlserver", None, "mlserver", True, "", "slow v1, churn v7"),
        ("mlserver", "nope", "mlserver", False, "404: no such path", "slow v1, churn v7"),
        ("mlserver-loading", None, "mlserver", False, "400: not ready", ""),
        ("mlserver-loading", "churn", "mlserver", True, "", ""),
        ("mlserver-loading", "slow", "mlserver", False, "400 while slow is not ready", ""),
        ("triton", None, "triton", True, "", "churn 6, churn 7, slow 1"),
        ("triton", "nope", "triton", False, "400 while nope is not ready", "churn 6, churn 7, slow 1"),
        ("kserve", None, "kserve", False, "not ready: churn", ""),
        ("kserve", "churn", "kserve", False, "503 while churn is not ready", ""),
        ("mlflow", None, "mlflow", True, "", ""),
        ("fastapi", None, "fastapi", True, "", "churn 7"),
        ("fastapi-loading", None, "fastapi", False, "503 while loading", "churn 7"),
        ("torchserve", None, "torchserve", True, "", ""),
        ("torchserve-refused", None, "torchserve", None, "400: token refused", ""),
        ("bentoml", None, "bentoml", True, "", ""),
        ("ray", None, "ray", True, "", ""),
        ("ray-loading", None, "ray", False, "503 while loading", ""),
        ("feast", None, "feast", True, "", ""),
        ("tensorflow", "churn", "tensorflow", True, "", "churn 7, churn 6"),
        ("vllm", "churn-llm", "vllm", True, "", ""),
    ],
)
async def test_a_server_is_told_and_judged(
    name: str, model: str | None, server: str, ready: bool | None, error: str, served: str
) -> None:
    running = await servers.replaying(servers.recorded(name))
    target = Target("e", parse(running.url), EndpointSettings(url=running.url, model=model), here)
    probe = await target.probe(asyncio.get_running_loop().time())
    await target.aclose()
    await running.aclose()
    assert (probe.server, probe.live, probe.ready, probe.error) == (server, True, ready, error)
    assert ", ".join(f"{one.model} {one.version}" for one in probe.served) == served
    assert all(asked.startswith(HARMLESS) for asked in running.asked)


@pytest.mark.parametrize(
    ("name", "kind", "most"),
    [
        ("mlserver", "v2", 1), ("triton", "v2", 1), ("kserve", "v2", 1), ("torchserve", "torchserve", 1),
        ("ray", "ray", 1), ("bentoml", "bentoml", 4), ("vllm", "openai", 5), ("tensorflow", "tensorflow", 5),
        ("mlflow", "mlflow", 6), ("feast", "feast", 6), ("fastapi", "fastapi", 6),
    ],
)  # fmt: skip
async def test_detection_takes_few_requests(name: str, kind: str, most: int) -> None:
    running = await servers.replaying(servers.recorded(name))
    client = Client(parse(running.url))
    found = await detect(client)
    await client.aclose()
    await running.aclose()
    assert found.kind == kind
    assert found.sure >= 0.8
    assert found.requests <= most
    assert set(known()) >= {kind}
