"""Ray Serve's applications: what its proxy leaves out, its dashboard says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import servers
from servers import Reply, as_json, recorded

from mlwatch.config import EndpointSettings
from mlwatch.endpoints.address import parse
from mlwatch.endpoints.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from mlwatch.endpoints.types import Probe

LOADING = Reply("Route table is not populated yet.", 503, {"Content-Type": "text/plain"})
FAILED = "Traceback (most recent call last):\n  …\nModuleNotFoundError: No module named 'nomodule'\n"


def here(name: str) -> Path:
    raise AssertionError("no file is needed")


async def look(
    monkeypatch: pytest.MonkeyPatch, applications: Any, replies: Mapping[str, Reply], model: str | None = None
) -> tuple[Probe, list[str]]:
    """Look at a proxy whose dashboard is another server of this test."""
    rows = {
        name: {"name": name, "status": state, "message": why} for name, (state, why) in applications.items()
    }
    dashboard = await servers.replaying({"GET /api/serve/applications/": as_json({"applications": rows})})
    monkeypatch.setattr("mlwatch.endpoints.adapters.ray.DASHBOARD", dashboard.port)
    proxy = await servers.replaying(replies)
    target = Target("e", parse(proxy.url), EndpointSettings(url=proxy.url, kind="ray", model=model), here)
    probe = await target.probe(asyncio.get_running_loop().time())
    await target.aclose()
    await proxy.aclose()
    await dashboard.aclose()
    return probe, dashboard.asked


async def test_an_application_that_could_not_be_deployed_is_not_just_loading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replies = {"/-/healthz": LOADING, "/-/routes": LOADING}
    applications = {"churn": ("DEPLOYING", ""), "broken": ("DEPLOY_FAILED", FAILED)}
    probe, _ = await look(monkeypatch, applications, replies)
    said = "broken deploy failed: ModuleNotFoundError: No module named 'nomodule'"
    assert (probe.live, probe.ready, probe.error) == (True, False, said)
    probe, _ = await look(monkeypatch, applications, replies, "churn")
    assert probe.error == "churn deploying"
    probe, _ = await look(monkeypatch, {"churn": ("RUNNING", "")}, replies)
    assert probe.error == "503 while loading"


async def test_a_healthy_proxy_without_the_application_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    probe, _ = await look(monkeypatch, {"other": ("UNHEALTHY", "")}, recorded("ray"), "other")
    assert (probe.live, probe.ready, probe.error) == (True, False, "other unhealthy")
    probe, _ = await look(monkeypatch, {}, recorded("ray"), "other")
    assert (probe.live, probe.ready, probe.error) == (True, False, "no application other")


async def test_the_dashboard_is_left_alone_while_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    probe, asked = await look(monkeypatch, {"churn": ("RUNNING", "")}, recorded("ray"), "churn")
    assert (probe.up, probe.error, asked) == (True, "", [])
