"""Ray Serve's applications: what its proxy leaves out, its dashboard says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import servers
from servers import Reply, as_json, recorded

from mlwatch.config import EndpointSettings
from mlwatch.endpoints.adapters.ray import REFUSED, UNKNOWN
from mlwatch.endpoints.address import parse
from mlwatch.endpoints.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.endpoints.types import Probe, ServerMetrics

FIXTURES = Path(__file__).parents[2] / "fixtures" / "endpoints" / "metrics"
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
    assert (probe.live, probe.ready, probe.error) == (True, False, "no application other: it serves churn")


async def test_the_dashboard_is_left_alone_while_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    probe, asked = await look(monkeypatch, {"churn": ("RUNNING", "")}, recorded("ray"), "churn")
    assert (probe.up, probe.error, asked) == (True, "", [])


METRICS = FIXTURES / "ray.txt"


async def told(monkeypatch: pytest.MonkeyPatch, answer: Reply) -> tuple[ServerMetrics | None, list[str]]:
    """Look for metrics where a dashboard's answer says that they are; `{port}` in it is where they really are."""
    exporter = await servers.replaying({"/metrics": Reply(METRICS.read_text("utf-8"))})
    said = Reply(answer.body.replace("{port}", str(exporter.port)), answer.status, answer.headers)
    dashboard = await servers.replaying({"GET /api/prometheus/sd": said})
    monkeypatch.setattr("mlwatch.endpoints.adapters.ray.DASHBOARD", dashboard.port)
    proxy = await servers.replaying(recorded("ray"))
    target = Target("e", parse(proxy.url), EndpointSettings(url=proxy.url, kind="ray"), here)
    await target.probe(asyncio.get_running_loop().time())
    found = [await target.scrape(asyncio.Semaphore(1)) for _ in range(2)]
    await target.aclose()
    for server in (proxy, dashboard, exporter):
        await server.aclose()
    assert len(dashboard.asked) == 1, "once a minute"
    return found[-1], exporter.asked


@pytest.mark.parametrize(
    "targets",
    [
        ["127.0.0.1:{port}", "127.0.0.1:44217"],
        ["10.0.0.9:1", "127.0.0.1:{port}"],  # its own node before others
        [
            "192.0.2.2:{port}"
        ],  # how the node calls itself: the host that is polled is asked, never another one
    ],
)
async def test_metrics_are_found_by_the_dashboard(
    monkeypatch: pytest.MonkeyPatch, targets: list[str]
) -> None:
    found, asked = await told(monkeypatch, as_json([{"labels": {"job": "ray"}, "targets": targets}]))
    assert found is not None
    assert (found.error, asked) == ("", ["GET /metrics"] * 2)
    assert found.values


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Reply("Unauthorized: Missing authentication token", 401), REFUSED),
        (Reply("", 404), UNKNOWN),
        (as_json({"error": "service discovery error"}), UNKNOWN),
        (as_json([1, {"targets": [None, "[", "host:port", "host:99999999"]}]), UNKNOWN),
    ],
)
async def test_why_there_are_no_metrics_is_said(
    monkeypatch: pytest.MonkeyPatch, answer: Reply, why: str
) -> None:
    found, asked = await told(monkeypatch, answer)
    assert found is not None
    assert (found.error, dict(found.values), asked) == (why, {}, [])
