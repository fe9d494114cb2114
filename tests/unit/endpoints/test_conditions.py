"""Conditions of endpoints: read, and judged look by look."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import servers
from servers import Reply, as_json

from mlwatch.config import EndpointSettings
from mlwatch.config import conditions as syntax
from mlwatch.config.conditions import parse
from mlwatch.config.reader import load
from mlwatch.endpoints.answer import Answer
from mlwatch.endpoints.conditions import Conditions
from mlwatch.endpoints.measures import MEASURES, QUANTILES
from mlwatch.endpoints.poller import Poller
from mlwatch.endpoints.types import Course, Judged, Probe, Seen, ServedVersion
from mlwatch.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def probe(seconds: float = 0, **changes: Any) -> Probe:
    good: dict[str, Any] = {
        "endpoint": "one", "at": NOON + timedelta(seconds=seconds), "server": "fastapi", "live": True,
        "ready": True, "status": 200, "latency_ms": 20.0, "certificate_days": 30.0,
        "served": (ServedVersion("fraud", "v2"),),
    }  # fmt: skip
    return Probe(**{**good, **changes})


def answer(document: Any) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(200, {}, body, 0.0)


BODY = {"version": "v2", "ready": True, "model": {"name": "fraud", "trees": 80}, "tags": ["a", "b"]}


@pytest.mark.parametrize(
    ("condition", "state", "said"),
    [
        ("status == 200", "ok", "200"),
        ("status != 200", "pending", "200"),
        ("latency < 80", "ok", "20 ms"),
        ("latency.p95 < 0.01s", "pending", "20 ms"),
        ("latency.max <= 20ms", "ok", "20 ms"),
        ("error_rate <= 1%", "ok", "0 %"),
        ("metrics.latency_p95_ms < 60", "pending", "84.5 ms"),
        ("certificate.days > 14", "ok", "30 days"),
        ("certificate.days > 60", "pending", "30 days"),
        ("live == true", "ok", "true"),
        ("ready == false", "pending", "true"),
        ("version == 'v2'", "ok", "v2"),
        ('version == "v1"', "pending", "v2"),
        ("server != 'triton'", "ok", "fastapi"),
        ("body.version == 'v2'", "ok", "v2"),
        ("body.ready == true", "ok", "true"),
        ("body.model.trees >= 100", "pending", "80"),
        ("body.tags.1 == 'b'", "ok", "b"),
        ("body.tags == 'a'", "pending", "a list"),
        ("body.model == 'fraud'", "pending", "an object"),
        ("body.version == 2", "unknown", "n/a, because v2 is no number"),
        ("body.model.depth > 3", "unknown", "n/a, because the answer has no model.depth"),
        ("metrics.queue_length < 10", "ok", "3"),
        ("metrics.gpu_share < 90%", "unknown", "n/a, because the server has not said gpu_share yet"),
    ],
)
def test_a_condition_of_each_kind(condition: str, state: str, said: str) -> None:
    judged = Conditions([condition]).judge(
        probe(), answer(BODY), {"queue_length": 3.0, "latency_p95_ms": 84.5}
    )
    since = NOON if state == "pending" else None
    assert judged == (Judged(condition, state, said, since),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "changes", "body", "said"),
    [
        ("certificate.days > 1", {"certificate_days": None}, BODY, "no certificate was verified"),
        ("ready == true", {"ready": None}, BODY, "the server does not say it"),
        ("version == 'v2'", {"served": ()}, BODY, "the server does not say a version"),
        (
            "version == 'v2'",
            {"served": (), "live": False, "error": "refused"},
            None,
            "there is no answer: refused",
        ),
        ("metrics.keys < 1", {"live": False, "error": "refused"}, None, "there is no answer: refused"),
        ("status == 200", {"status": None, "error": "refused"}, None, "there is no answer: refused"),
        ("body.version == 'v2'", {"error": "refused"}, None, "there is no answer: refused"),
        ("body.version == 'v2'", {}, b"<html>", "the answer is no JSON"),
    ],
)
def test_what_cannot_be_told_says_why(condition: str, changes: Any, body: Any, said: str) -> None:
    (judged,) = Conditions([condition]).judge(probe(**changes), answer(body) if body else None, {})
    assert (judged.state, judged.said) == ("unknown", f"n/a, because {said}")


@pytest.mark.parametrize("name", ["error_share", "latency_p95_ms", "latency_mean_ms", "queue_mean_ms"])
def test_what_takes_requests_says_that_none_came(name: str) -> None:
    conditions = Conditions([f"metrics.{name} < 1"])
    told: dict[str, float] = {"requests_per_s": 0.0, "errors_per_s": 0.0, "queue_length": 0.0}
    found = [
        conditions.judge(probe(), answer(BODY), metrics, 12.3)[0].said
        for metrics in (told, {**told, "requests_per_s": 0.1}, {}, {**told, name: 0.5})
    ]
    not_said = f"n/a, because the server has not said {name} yet"
    assert found[:3] == ["n/a, because no requests came in the last 12 s", not_said, not_said]
    assert found[3].startswith(("50 %", "0.5"))


def test_what_takes_no_requests_is_just_not_said() -> None:
    (judged,) = Conditions(["metrics.gpu_share < 1"]).judge(
        probe(), answer(BODY), {"requests_per_s": 0.0}, 12.3
    )
    assert judged.said == "n/a, because the server has not said gpu_share yet"


def test_three_looks_in_a_row_fire_and_three_resolve() -> None:
    conditions = Conditions(["status == 200"])
    statuses = [200, 503, 503, 200, 503, 503, 503, 200, 200, 503, None, 200, 200, 200, 200, 503]
    found = [conditions.judge(probe(n, status=status), None, {})[0] for n, status in enumerate(statuses)]
    assert [one.state for one in found] == [
        "ok", "pending", "pending", "ok", "pending", "pending", "firing", "firing", "firing", "firing",
        "firing", "firing", "firing", "resolved", "resolved", "pending",
    ]  # fmt: skip
    assert {one.since for one in found[4:13]} == {NOON + timedelta(seconds=4)}
    assert found[13].since == found[14].since == NOON + timedelta(seconds=13)


def test_a_later_run_goes_on_where_an_earlier_one_ended() -> None:
    since = NOON - timedelta(hours=1)
    conditions = Conditions(["status == 200", "latency < 80ms", "live == true"])
    conditions.resume(
        Course(
            (Judged("status == 200", "firing", "503", since), Judged("live == false", "firing", "x", since))
        )
    )
    found = [conditions.judge(probe(n, status=200), None, {}) for n in range(3)]
    assert [judged[0].state for judged in found] == ["firing", "firing", "resolved"]
    assert [judged[0].since for judged in found[:2]] == [since, since]
    assert {judged[2].state for judged in found} == {"ok"}, "another condition begins anew"


def test_the_quarter_of_an_hour_goes_on_over_a_restart() -> None:
    before = [
        Seen((NOON + timedelta(seconds=n)).timestamp(), 10.0 + n % 7, n % 50 > 0) for n in range(-1000, 0)
    ]
    conditions = Conditions(["latency.p95 < 1", "error_rate < 1%"])
    conditions.resume(Course(looks=tuple(before)))
    judged = conditions.judge(probe(0, latency_ms=500.0), None, {})
    latencies = [*(10.0 + n % 7 for n in range(-899, 0)), 500.0]
    assert [one.said for one in judged] == [f"{np.quantile(latencies, 0.95):.6g} ms", f"{1700 / 900:.4g} %"]


def test_quantiles_are_those_of_the_last_quarter_of_an_hour() -> None:
    conditions = Conditions(["latency.p50 < 1", "latency.p95 < 1", "error_rate < 1%"])
    latencies = [5000.0, *np.random.default_rng(1).gamma(2, 10, 90).round(3)]
    for n, latency in enumerate(latencies):
        judged = conditions.judge(probe(n * 10 + 5, latency_ms=latency, live=n < 90), None, {})
    assert [one.said for one in judged] == [
        f"{np.quantile(latencies[1:], 0.5):.6g} ms", f"{np.quantile(latencies[1:], 0.95):.6g} ms", f"{100 / 90:.4g} %"
    ]  # fmt: skip


def test_all_versions_are_meant_and_long_values_are_cut() -> None:
    both = (ServedVersion("fraud", "v1"), ServedVersion("fraud", "v2"))
    (judged,) = Conditions(["version == 'v2'"]).judge(probe(served=both), None, {})
    assert (judged.state, judged.said) == ("pending", "v1, v2")
    (judged,) = Conditions(["body == 'x'"]).judge(probe(), answer(b"y" * 10_000), {})
    assert judged.said == "y" * 80 + "…"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("status = 200", "is no condition"),
        ("statsu == 200", "statsu is unknown. Allowed: status, latency"),
        ("status == 'ok'", "status is compared with a number"),
        ("metrics.requests_per_sec > 1", "did you mean metrics.requests_per_s?"),
        ("metrics.feature_age_s > 1", "did you mean metrics.feature_age_s.NAME?"),
        ("metrics.my_gauge == 42.5", "they go by common names: requests_per_s, errors_per_s, "),
        ("metrics. == 42.5", "they go by common names: requests_per_s, errors_per_s, "),
        ("ready == 1", "ready is compared with true or false"),
        ("version > 'v2'", "compared by == and != only"),
        ("certificate.days > 14ms", "only latency has a unit of time"),
        ("status == 1.2.3", "1.2.3 is no number"),
        ("latency.p95 <", "is no condition"),
    ],
)
def test_a_wrong_condition_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "mlwatch.toml"
    config.write_text(f'[[endpoint]]\nurl = "http://one"\nconditions = ["status == 200", "{text}"]\n')
    with pytest.raises(ConfigError) as caught:
        load(config)
    assert said in str(caught.value)
    assert f"{config}, line 3, endpoint[1].conditions" in str(caught.value)


def test_units_are_those_of_rules() -> None:
    assert [parse(text).limit for text in ("latency < 80", "latency < 80ms", "latency < 0.08s")] == [
        80,
        80,
        80,
    ]
    assert parse("error_rate < 5%").limit == 0.05


async def test_a_real_server_breaks_and_keeps_its_conditions() -> None:
    replies = {"/": as_json({"version": "v1"})}
    server = await servers.replaying(replies)
    found: list[Probe] = []
    settings = EndpointSettings(
        url=server.url, kind="http", interval=timedelta(seconds=0.03), conditions=("body.version == 'v2'",)
    )
    poller = Poller([settings], found.append)
    task = asyncio.create_task(poller.run())
    await _until(found, "firing")
    replies["/"] = as_json({"version": "v2"})
    await _until(found, "resolved")
    await poller.aclose()
    await asyncio.wait_for(task, 5)
    await server.aclose()
    assert found[0].conditions[0].said == "v1"
    assert found[-1].conditions[0].said == "v2"
    assert all(each.up for each in found)


async def test_the_share_of_errors_is_what_the_server_counts() -> None:
    def counted(good: int, bad: int) -> Reply:
        lines = (f'http_requests_total{{status="{status}"}} {n}' for status, n in ((200, good), (500, bad)))
        return Reply("\n".join([*lines, ""]), headers={"Content-Type": "text/plain; version=0.0.4"})

    replies = {"/": Reply("ok"), "/stats": counted(10, 0)}
    server = await servers.replaying(replies)
    found: list[Probe] = []
    settings = EndpointSettings(
        url=server.url, kind="http", interval=timedelta(seconds=0.03), metrics="/stats",
        metrics_interval=timedelta(seconds=0.05), conditions=("metrics.error_share < 10%",),
    )  # fmt: skip
    poller = Poller([settings], found.append)
    task = asyncio.create_task(poller.run())
    deadline = time.monotonic() + 5
    while server.asked.count("GET /stats") < 2:
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.01)
    replies["/stats"] = counted(85, 25)
    await _until(found, "firing")
    await poller.aclose()
    await asyncio.wait_for(task, 5)
    await server.aclose()
    assert found[-1].conditions[0].said == "25 %"


async def test_what_a_server_said_before_an_outage_keeps_no_condition() -> None:
    told = Reply("process_open_fds 5\n", headers={"Content-Type": "text/plain; version=0.0.4"})
    server = await servers.replaying({"/": Reply("ok"), "/stats": told})
    found: list[Probe] = []
    settings = EndpointSettings(
        url=server.url, kind="http", interval=timedelta(seconds=0.03), metrics="/stats",
        metrics_interval=timedelta(seconds=0.05), conditions=("metrics.open_files < 9",),
    )  # fmt: skip
    poller = Poller([settings], found.append)
    task = asyncio.create_task(poller.run())
    await _until(found, "ok")
    await server.aclose()
    await _until(found, "unknown")
    await poller.aclose()
    await asyncio.wait_for(task, 5)
    assert found[-1].conditions[0].said == "n/a, because there is no answer: refused"


async def _until(found: list[Probe], state: str) -> None:
    deadline = time.monotonic() + 5
    while not found or found[-1].conditions[0].state != state:
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.01)


def test_conditions_know_every_name_that_a_server_s_metrics_have() -> None:
    of_time = {f"{time}_{statistic}_ms" for time in syntax.TIMES for statistic in syntax.STATISTICS}
    read = {
        name
        for each in MEASURES
        for name in (
            [f"{each.name}_p{q * 100:g}_ms" for q in QUANTILES]
            if each.how in {"quantiles", "summary"}
            else [each.name]
        )
    }
    elsewhere = {"clock_skew_s", "server_time_ms", "error_share"}
    assert {*syntax.SERVER_METRICS, *of_time} == read | elsewhere
    readme = (ROOT / "README.md").read_text("utf-8")
    families = (*syntax.OF_FEATURES, *syntax.OF_KEYS)
    for name in (*syntax.SERVER_METRICS, *(f"{each}.NAME" for each in families)):
        assert f"`{name}`" in readme
        assert syntax.parse(f"metrics.{name} < 1").subject == f"metrics.{name}"
