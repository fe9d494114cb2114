"""Server metrics, fetched from real servers beside the looks at them."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import servers
from servers import Reply, as_json

from mlwatch.config import EndpointSettings
from mlwatch.endpoints.adapters.feast import Feast
from mlwatch.endpoints.address import parse
from mlwatch.endpoints.poller import Poller
from mlwatch.endpoints.server_metrics import since_start
from mlwatch.endpoints.target import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mlwatch.endpoints.types import Probe, ServerMetrics

FIXTURES = Path(__file__).parents[2] / "fixtures" / "endpoints" / "metrics"
TEXT = {"Content-Type": "text/plain; version=0.0.4"}


def settings(url: str, **other: Any) -> EndpointSettings:
    given: dict[str, Any] = {
        "interval": timedelta(seconds=0.05),
        "timeout": timedelta(seconds=0.5),
        "metrics_interval": timedelta(seconds=0.1),
        "kind": "http",
    } | other
    return EndpointSettings(url=url, **given)


@asynccontextmanager
async def polling(*endpoints: EndpointSettings) -> AsyncIterator[tuple[list[Probe], list[ServerMetrics]]]:
    probes: list[Probe] = []
    metrics: list[ServerMetrics] = []
    poller = Poller(endpoints, probes.append, on_metrics=metrics.append)
    task = asyncio.create_task(poller.run())
    try:
        yield probes, metrics
    finally:
        await poller.aclose()
        await asyncio.wait_for(task, 5)


async def until(holds: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.01)


async def test_counters_become_rates_where_the_configuration_says_that_metrics_are() -> None:
    replies = {"/": Reply("ok"), "/stats": Reply("http_requests_total 5\n", headers=TEXT)}
    server = await servers.replaying(replies)
    async with polling(settings(server.url, metrics="/stats", name="mine")) as (_, metrics):
        await until(lambda: metrics)
        assert metrics[0].values == {}
        replies["/stats"] = Reply("http_requests_total 105\n", headers=TEXT)
        await until(lambda: metrics[-1].values.get("requests_per_s"))
    await server.aclose()
    assert (metrics[-1].endpoint, metrics[-1].error) == ("mine", "")
    assert 0 < metrics[-1].values["requests_per_s"] < 100 / 0.08


async def test_a_guessed_place_without_metrics_is_told_and_left_alone() -> None:
    page = Reply("<html>", headers={"Content-Type": "text/html"})
    answers = {"/openapi.json": as_json({"openapi": "3.1.0", "info": {}, "paths": {"/readyz": {}}})}
    server = await servers.replaying(answers | {"/readyz": Reply("ok")}, other=page)
    async with polling(settings(server.url, kind="fastapi")) as (probes, metrics):
        await until(lambda: "GET /metrics/" in server.asked)
        count = len(probes)
        await until(lambda: len(probes) > count + 10)
    await server.aclose()
    assert {each.error for each in metrics} == {"there are none at /metrics/: configure metrics"}
    assert not any(each.error for each in probes)
    assert server.asked.count("GET /metrics/") == 1


async def test_a_path_that_wants_no_slash_is_asked_without() -> None:
    answers = {
        "/openapi.json": as_json({"openapi": "3.1.0", "info": {}, "paths": {"/readyz": {}}}),
        "/readyz": Reply("ok"),
        "/metrics/": Reply(status=307, headers={"Location": "/metrics"}),
        "/metrics": Reply((FIXTURES / "fastapi.txt").read_text("utf-8"), headers=TEXT),
    }
    server = await servers.replaying(answers)
    async with polling(settings(server.url, kind="fastapi")) as (_, metrics):
        await until(lambda: metrics)
    await server.aclose()
    assert metrics[0].values["memory_bytes"] == 153870336


async def test_triton_has_metrics_two_ports_higher() -> None:
    api, told = await _two_apart()
    async with polling(settings(api.url, kind="v2")) as (_, metrics):
        await until(lambda: metrics)
    await api.aclose()
    await told.aclose()
    assert metrics[0].values["queue_length"] == 0
    assert told.asked == ["GET /metrics"] * len(told.asked)


async def _two_apart() -> tuple[servers.Server, servers.Server]:
    """Serve requests on one port, and metrics on the next but one."""
    ready = {"/v2": as_json({"name": "triton", "version": "2"}), "/v2/health/ready": Reply("")}
    text = {"/metrics": Reply((FIXTURES / "triton.txt").read_text("utf-8"), headers=TEXT)}
    for _ in range(50):
        api = await servers.replaying(ready)
        try:
            return api, await servers.replaying(text, port=api.port + 2)
        except OSError:  # taken
            await api.aclose()
    raise AssertionError("no two ports two apart are free")


async def test_trouble_with_metrics_is_said_and_does_not_make_an_endpoint_bad() -> None:
    replies = {
        "/": Reply("ok"),
        "/damaged": Reply("process_open_fds 1\nhttp_requests_total{ 5\n", headers=TEXT),
        "/huge": Reply("# " + "x" * 9_000_000 + "\n", headers=TEXT),
        "/foreign": Reply("my_own_total 5\n", headers=TEXT),
    }
    server = await servers.replaying(replies)
    paths = ("/damaged", "/huge", "/foreign", "/missing")
    patient = timedelta(seconds=20)  # nine megabytes take their time on a busy machine
    endpoints = [settings(server.url, name=path, metrics=path, timeout=patient) for path in paths]
    async with polling(*endpoints) as (probes, metrics):
        await until(lambda: {each.endpoint for each in metrics} == set(paths))
    await server.aclose()
    said = {each.endpoint: each.error for each in metrics}
    assert said == {
        "/damaged": "damaged metrics in line 2: 'http_requests_total{ 5'",
        "/huge": "answer larger than 8 MB",
        "/foreign": "no metrics under names that are known here",
        "/missing": "404: no such path",
    }
    assert all(probe.up and not probe.error for probe in probes)


async def test_a_hanging_port_of_metrics_delays_no_look() -> None:
    async def silent(*_: Any) -> None:
        await asyncio.sleep(60)

    hanging = await servers.raw(silent)
    server = await servers.replaying({"/": Reply("ok")})
    async with polling(settings(server.url, metrics=f"{hanging.url}/metrics")) as (probes, metrics):
        await until(lambda: metrics)
    await server.aclose()
    await hanging.aclose()
    assert metrics[0].error == "timed out after 500 ms"
    assert len(probes) >= 5
    assert max(probe.latency_ms or 0 for probe in probes) < 400


async def test_tokens_do_not_go_to_a_host_of_metrics_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    server = await servers.replaying({"/": Reply("ok")})
    other = await servers.replaying({"/metrics": Reply("process_open_fds 1\n", headers=TEXT)})
    elsewhere = other.url.replace("127.0.0.1", "localhost")
    configured = settings(server.url, metrics=f"{elsewhere}/metrics", headers={"Authorization": "env:TOKEN"})
    async with polling(configured) as (_, metrics):
        await until(lambda: metrics)
    await server.aclose()
    await other.aclose()
    assert metrics[0].values == {"open_files": 1}
    assert "authorization" not in other.seen[0]
    assert server.seen[0]["authorization"] == "s3cret"


@pytest.mark.parametrize(
    ("text", "said"),
    [((FIXTURES / "feast.txt").read_text("utf-8"), ""), ("process_open_fds 1\n", Feast.unheard)],
)
async def test_feasts_metrics_are_at_its_own_port_and_nobody_elses(
    monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    told = await servers.replaying({"/metrics": Reply(text, headers=TEXT)})
    monkeypatch.setattr("mlwatch.endpoints.adapters.feast.METRICS_PORT", told.port)
    server = await servers.replaying(servers.recorded("feast"))
    async with polling(settings(server.url, kind="feast")) as (_, metrics):
        await until(lambda: metrics)
    await server.aclose()
    await told.aclose()
    assert metrics[0].error == said
    assert bool(metrics[0].values) != bool(said)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mlflow", "MLflow's scoring server has none"),
        ("http", "such servers have no usual place for them: configure metrics"),
    ],
)
async def test_servers_without_a_place_for_metrics_say_so(name: str, why: str) -> None:
    server = await servers.replaying(servers.recorded("mlflow"))
    async with polling(settings(server.url, kind=name)) as (_, metrics):
        await until(lambda: metrics)
    await server.aclose()
    assert metrics[0].error == why


async def test_an_empty_setting_asks_for_none() -> None:
    server = await servers.replaying({"/": Reply("ok")})
    async with polling(settings(server.url, kind="openai", metrics="")) as (probes, metrics):
        await until(lambda: len(probes) > 5)
    await server.aclose()
    assert metrics == []
    assert "GET /metrics" not in server.asked


async def test_triton_without_a_port_of_metrics_is_asked_for_its_statistics() -> None:
    """The answer is one of a Triton after a request to each of two versions."""

    def stats(version: str, success: int, ns: int, queue_ns: int) -> dict[str, Any]:
        told = {"success": {"count": success, "ns": ns}, "fail": {"count": 0, "ns": 0}}
        return {
            "name": "churn",
            "version": version,
            "inference_stats": {**told, "queue": {"count": 1, "ns": queue_ns}},
        }

    replies = servers.recorded("triton")
    two = [stats("6", 1, 85_530_638, 148_420), stats("7", 1, 76_072_980, 232_915)]
    replies["GET /v2/models/stats"] = as_json({"model_stats": two})
    server = await servers.replaying(replies)
    endpoint = settings(server.url, kind=None)
    target = Target("e", parse(server.url), endpoint, Path)
    await target.probe(asyncio.get_running_loop().time())
    told = await target.scrape(asyncio.Semaphore(1))
    assert told is not None
    assert told.error == ""
    assert target.last_scrape is not None
    life = since_start(target.last_scrape)
    assert life["requests"] == 2
    assert life["errors"] == 0
    assert life["latency_mean_ms"] == pytest.approx((85.530638 + 76.072980) / 2)
    assert life["queue_mean_ms"] == pytest.approx((0.14842 + 0.232915) / 2)
    await target.aclose()
    await server.aclose()
