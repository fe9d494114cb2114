"""The screen of health and the strip of the overview, over endpoints that are up, degraded, down and hostile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from driving import check_snapshot, running, settle, text_of
from factory import NOW, FakeSource, model, snapshot, version
from textual.geometry import Size

from mlwatch.app.endpointwords import remark_of, state_of, trouble_of
from mlwatch.app.panels.endpointchart import EndpointChart
from mlwatch.app.panels.endpoints import EndpointsPanel, EndpointStrip
from mlwatch.app.panels.serverhistory import ServerHistoryPanel
from mlwatch.app.panels.troubletable import TroubleTable
from mlwatch.host.types import Container, Disk, HostSample, Process
from mlwatch.metrics.segments import Losses, contrast
from mlwatch.snapshot.health_types import (
    Deviation,
    Endpoint,
    EndpointLatency,
    EndpointPoint,
    GoldenState,
    HostPoint,
    Replica,
    Served,
    ServerPoint,
    Square,
    System,
    Uptime,
)
from mlwatch.snapshot.request_segments import RequestSegment
from mlwatch.snapshot.segments import Segment

if TYPE_CHECKING:
    from mlwatch.snapshot.types import Version


def squares(count: int, bad: int) -> tuple[Square, ...]:
    return tuple("unknown" if n < 2 else "ok" if n < count - bad else "bad" for n in range(count))


def history(latency: float, down: int) -> tuple[EndpointPoint, ...]:
    return tuple(
        EndpointPoint(
            NOW - timedelta(minutes=60 - n),
            12,
            0 if n >= 60 - down else 12,
            latency + n % 7 if n < 60 - down else None,
        )
        for n in range(60)
    )


def golden(bad: int) -> GoldenState:
    """An hour in which the last answers differ by a quarter."""
    hour = tuple(
        Deviation(NOW - timedelta(minutes=60 - n), 1, int(late), 0.25 * late) if n % 5 == 0 else None
        for n in range(60)
        for late in (n >= 60 - bad,)
    )
    day = tuple(Deviation(NOW - timedelta(minutes=30 * (48 - n)), 6, 0, 1e-9) for n in range(48))
    reason = "predictions[0]: 0.75 instead of 0.5 (0.25 apart)" if bad else ""
    return GoldenState(not bad, NOW - timedelta(minutes=2), 0.25 if bad else 0.0, reason, hour=hour, day=day)


def said() -> tuple[ServerPoint, ...]:
    """An hour but its seventh minute, with more errors towards its end; nothing was said of the queue at first."""
    return tuple(
        ServerPoint(
            NOW - timedelta(minutes=60 - at),
            {
                "requests_per_s": 100.0 + at, "errors_per_s": max(0.0, at - 49.0), "latency_p95_ms": 20.0 + at % 5,
                "cpu_share": 0.4, "memory_bytes": 1e9 + at * 1e7,
            } | ({"queue_length": float(at - 30)} if at >= 30 else {}),
        )
        for at in range(60)
        if at != 6
    )  # fmt: skip


def fraud(replicas: int = 10) -> Endpoint:
    looks = tuple(
        Replica(
            f"10.0.0.{n}", NOW, live=True, ready=True, up=True, status=200, latency_ms=12.0, error="",
            versions=(("fraud", "v2" if n < 3 else "v1"),),
        )
        for n in range(replicas)
    )  # fmt: skip
    return Endpoint(
        "http://fraud.prod:8080", NOW, "torchserve", live=True, ready=True, replicas=looks,
        served=(Served("fraud", "v1", 7, ready=True), Served("fraud", "v2", 3, ready=True)),
        latency=EndpointLatency(1800, 12.4, 31.0, 80.2, 3.0), probes=1800,
        hour=Uptime(7200, 7200, squares(60, 0)), day=Uptime(9000, 8991, squares(48, 0)),
        month=Uptime(90_000, 89_000, squares(30, 0)), metrics={"requests_per_s": 118.0}, certificate_days=12.3,
        server_history=said(),
        recognised="95 % sure: it looks healthy",
        golden=golden(0), history=history(12.0, 0),
    )  # fmt: skip


def dead(name: str = "http://10.1.2.3:9000", error: str = "refused") -> Endpoint:
    since = NOW - timedelta(minutes=4)
    look = Replica(
        "", NOW, live=False, ready=None, up=False, status=None, latency_ms=None, error=error, failures=48,
        down_since=since,
    )  # fmt: skip
    return Endpoint(
        name, NOW, "fastapi", live=False, ready=None, replicas=(look,), latency=EndpointLatency(132, 8.0, 9.0, 11.0),
        probes=180, failed=48, changes=1, error=error, error_at=NOW - timedelta(seconds=5),
        hour=Uptime(720, 672, squares(60, 4)), day=Uptime(720, 672, squares(48, 1)),
        month=Uptime(720, 672, squares(30, 1)), history=history(8.0, 4),
    )  # fmt: skip


def system() -> System:
    sample = HostSample(
        NOW, cpu=0.31, cores=(0.5, 0.12), load=(1.27, 1.0, 0.9), memory=0.62, memory_used_bytes=10_200_000_000,
        memory_total_bytes=16_400_000_000, disks=(Disk("/data", 0.93, 7_000_000_000, 100_000_000_000),),
        read_bytes_per_s=0.0, written_bytes_per_s=6_800_000.0, received_bytes_per_s=12_000.0,
        sent_bytes_per_s=800.0, open_files=913,
        processes=(Process("uvicorn", 4711, "uvicorn", 0.35, 120_000_000, 4, 12, NOW, 1), Process(":8081")),
        container=Container(900_000_000, 1_000_000_000, 2.0, 1.5, 0.25),
    )  # fmt: skip
    points = tuple(
        HostPoint(NOW - timedelta(minutes=60 - n), 0.3 + n / 200, 0.6, 0.93, 0.0, 6.8e6, 12e3, 800.0)
        for n in range(60)
    )
    return System(0.31, 0.62, 0.93, 10_200_000_000, 16_400_000_000, 1.27, sample, points)


def source(*endpoints: Endpoint) -> FakeSource:
    return FakeSource(snapshot(endpoints=endpoints, system=system()))


@pytest.mark.usual(2)
@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_pictures(size: tuple[int, int]) -> None:
    async with running(source(fraud(), dead()), size) as (app, pilot):
        check_snapshot(f"overview-endpoints-{size[0]}x{size[1]}", text_of(app))
        await pilot.press("4")
        await settle(pilot)
        check_snapshot(f"health-endpoints-{size[0]}x{size[1]}", text_of(app))


async def test_the_table_says_what_is_served_and_what_is_wrong() -> None:
    async with running(source(fraud(), dead()), (120, 40)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        drawn = text_of(app)
    first, second = (line for line in drawn.splitlines() if "torchserve" in line or "fastapi" in line)
    assert "10.1.2.3:9000" in first, "those in trouble come first"
    assert "✖ down" in first
    assert "26.7 %" in first
    assert "v1 7/10, v2 3/10" in second
    assert "31.0 ms" in second
    assert "refused (5.0 s ago)" in drawn
    assert "2026-03-14 03:03, 48 probes" in drawn


async def test_the_chosen_endpoint_is_told_in_full_when_zoomed() -> None:
    async with running(source(fraud(), dead()), (120, 40)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        app.screen.query_one(EndpointsPanel).focus()
        await pilot.press("down", "z")
        await settle(pilot)
        drawn = text_of(app)
    for part in (
        "Uptime 1 h", "Uptime 24 h", "Uptime 30 d", "7 of 10 replicas on v1, 3 of 10 replicas on v2", "12 days left",
        "requests 118", "the fixed input gives the expected answer", "10.0.0.2 up serves v2",
        "none in the last hour",
    ):  # fmt: skip
        assert part in drawn


async def test_what_the_server_says_is_drawn_over_the_last_hour() -> None:
    other = replace(fraud(), name="http://quiet", server_history=())
    async with running(source(fraud(), dead(), other), (200, 60)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        panel = app.screen.query_one(ServerHistoryPanel)
        assert panel.display
        app.screen.query_one(EndpointsPanel).focus()
        await pilot.press("down")  # to the second: the first is in trouble
        await settle(pilot)
        assert "fraud.prod:8080" in str(panel.border_title)
        assert panel.state is not None
        drawn = [str(row) for row in panel.lines(panel.state, Size(110, 6))]
        await pilot.press("down")
        await settle(pilot)
        assert "quiet" in str(panel.border_title)
        assert "n/a, because this server has said nothing of itself" in str(
            panel.lines(panel.state, Size(110, 6))[0]
        )
    assert [row[:13].strip() for row in drawn] == [
        "Requests",
        "Errors",
        "Latency p95",
        "Queue",
        "CPU",
        "Memory",
    ]
    errors = drawn[1]
    assert errors[19] == " ", "nothing is known of the seventh minute"
    assert errors[13:19] + errors[72] == "▁▁▁▁▁▁█"
    assert errors[73:].split() == ["10.0", "/s", "≤", "10.0", "/s"]
    assert drawn[3][13:43].strip() == ""


async def test_answers_to_the_fixed_input_are_drawn_over_time() -> None:
    async with running(source(replace(fraud(), golden=golden(20))), (120, 40)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        app.screen.query_one(EndpointsPanel).focus()
        await pilot.press("z")
        await settle(pilot)
        drawn = text_of(app)
    hour = next(line for line in drawn.splitlines() if "Golden 1 h" in line)
    assert "▁····▁····▁····▁····▁····▁····▁····▁····█····█····█····█····" in hour
    assert "≤ 0.25" in hour
    day = next(line for line in drawn.splitlines() if "Golden 24 h" in line)
    assert "▂" * 48 in day, "what is within the tolerance is not drawn like a difference"
    assert "◆ differs" in drawn
    assert "predictions[0]: 0.75 instead of 0.5 (0.25 apart) (2 min 0 s ago)" in drawn


async def test_what_servers_say_is_drawn_a_metric_at_a_time() -> None:
    points = tuple(
        ServerPoint(NOW - timedelta(minutes=30 - n), {"requests_per_s": 100.0 + n, "cpu_share": 0.5})
        for n in range(30)
    )
    async with running(source(replace(fraud(), server_history=points), dead()), (200, 60)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        chart = app.screen.query_one(EndpointChart)
        assert str(chart.border_title) == "Time to answer a probe (1 of 3, o: next)"
        await pilot.press("o")
        assert str(chart.border_title) == "Servers: Requests, per second (2 of 3, o: next)"
        (line,) = chart.chart.series
        assert (line.name, line.values.tolist()) == ("fraud.prod:8080", [100.0 + n for n in range(30)])
        await pilot.press("o")
        assert (str(chart.border_title), chart.chart.unit) == ("Servers: CPU (3 of 3, o: next)", "%")
        await pilot.press("o")
        assert str(chart.border_title) == "Time to answer a probe (1 of 3, o: next)"
        panel = app.screen.query_one(ServerHistoryPanel)
        panel.focus()
        await pilot.press("down", "down")  # what is chosen among the small charts is drawn large
        await settle(pilot)
        assert str(chart.border_title) == "Servers: CPU (3 of 3, o: next)"
        assert "▸CPU" in text_of(app)
        await pilot.press("o", "o")
        await settle(pilot)
        assert "▸Requests" in text_of(app)


async def test_the_features_of_a_feature_store_are_told_by_age() -> None:
    metrics = {"feature_age_s.conv": 10_800.0, "feature_absent.conv": 1 / 3, "feature_age_s.trips": 30.0,
               "feature_absent.trips": 0.0, "feature_absent.rating": 1.0, "queue_length": 3.0}  # fmt: skip
    async with running(source(replace(fraud(), metrics=metrics)), (120, 40)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        app.screen.query_one(EndpointsPanel).focus()
        await pilot.press("z")
        await settle(pilot)
        drawn = text_of(app)
    assert "conv 3 h 0 min old (33.3 % absent), trips 30 s old, rating absent" in drawn
    assert "queue 3" in drawn


async def test_a_wrong_answer_comes_before_what_is_well() -> None:
    well, wrong = replace(fraud(), name="http://a"), replace(fraud(), name="http://b", golden=golden(20))
    async with running(source(well, wrong), (120, 40)) as (app, pilot):
        assert "up, wrong answer to its fixed input" in text_of(app)
        await pilot.press("4")
        await settle(pilot)
        rows = [line for line in text_of(app).splitlines() if "torchserve" in line]
    assert "◆ differs" in rows[0]
    assert "■ up" in rows[1]


async def test_the_host_shows_processes_and_the_limits_of_its_container() -> None:
    async with running(source(), (200, 60)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        drawn = text_of(app)
    for part in (
        "uvicorn 4711", "0.35 cores, 120 MB, 1 restart", "not running", "93 %, 7.0 GB free",
        "90 % of 1.0 GB", "25 % of the time slices", "6.8 MB/s written", "No endpoints are polled",
    ):  # fmt: skip
        assert part in drawn


async def test_of_the_past_without_endpoints_it_is_not_said_that_none_are_configured() -> None:
    async with running(source(), (120, 40)) as (app, pilot):
        await pilot.press("4", "comma")
        await settle(pilot)
        drawn = text_of(app)
    assert "No endpoints were polled in the day before this moment." in drawn
    assert "[[endpoint]]" not in drawn


async def test_the_strip_is_there_only_with_endpoints() -> None:
    async with running(source(), (120, 40)) as (app, _):
        assert not app.screen.query_one(EndpointStrip).display
    async with running(source(fraud(), dead()), (120, 40)) as (app, _):
        assert app.screen.query_one(EndpointStrip).display
        assert "v1 7/10, v2 3/10, p95 31.0 ms" in text_of(app)


async def test_one_that_refuses_to_say_whether_it_is_ready_is_not_shown_as_up() -> None:
    refused = replace(fraud(1).replicas[0], ready=None, error="401: not authorised")
    unsure = replace(fraud(1), ready=None, replicas=(refused,), served=())
    assert (state_of(unsure), trouble_of(unsure)) == ("answers", "warn")
    async with running(source(unsure), (160, 40)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        app.screen.query_one(EndpointsPanel).focus()
        await pilot.press("z")
        await settle(pilot)
        drawn = text_of(app)
    assert "◆ answers" in drawn
    assert "answers; live yes, ready n/a, because 401: not authorised" in drawn


async def test_one_that_cannot_be_asked_says_why() -> None:
    why = "header X: the environment has no variable TOK: set TOK"
    never = Endpoint("http://new", NOW, "", live=None, ready=None, unasked=why)
    assert (state_of(never), trouble_of(never), remark_of(never)) == ("not asked", "unknown", why)
    async with running(source(never), (160, 40)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        drawn = text_of(app)
    assert "not asked" in drawn
    assert why in drawn


HOSTILE = "[red]x[/red]\x1b[31m\u202e\n\x00<b>" + "y" * 5000


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 60)])
async def test_hostile_text_from_servers_is_harmless(size: tuple[int, int]) -> None:
    hostile = Endpoint(
        HOSTILE, NOW, HOSTILE, live=True, ready=False, served=(Served(HOSTILE, HOSTILE, 1, ready=False),),
        replicas=(dead(error=HOSTILE).replicas[0], dead(error=HOSTILE).replicas[0]), error=HOSTILE, error_at=NOW,
        metrics={HOSTILE: 1.0}, history=history(1.0, 1),
        golden=GoldenState(matches=False, at=NOW, reason=HOSTILE, replica=HOSTILE),
    )  # fmt: skip
    async with running(source(hostile), size) as (app, pilot):
        for keys in (("4",), ("tab",), ("z",)):
            await pilot.press(*keys)
            await settle(pilot)
            drawn = text_of(app)
            assert not any(mark in drawn for mark in ("\x1b", "\u202e", "\x00"))


def troubled(name: str, column: str = "country", value: str = "NO") -> Version:
    """A version whose requests fail in one segment, and are slow in another."""
    here, rest, before = Losses(1_000, 112, 112), Losses(9_000, 45, 45), Losses(900, 9, 9)
    found, change = contrast(here, rest), contrast(here, before)
    assert found is not None
    failing = RequestSegment(
        "failed", Segment(column, value, 1_000, 0), 1_000, 112, 112 / 157, found, change, named=()
    )
    slow = replace(failing, trouble="slow", segment=Segment("age", "70 and more", 1_000, 0), limit_ms=45.2)
    return replace(version(name, "candidate"), request_segments=(failing, slow))


def with_trouble(one: Version) -> FakeSource:
    return FakeSource(
        snapshot(models={"late_arrival": model(versions=(version("v1", "baseline"), one))}, rollouts=())
    )


async def test_segments_in_which_requests_fail_or_are_slow_are_listed() -> None:
    async with running(with_trouble(troubled("v2")), (200, 60)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        table = app.screen.query_one(TroubleTable)
        drawn = ["".join(text for text, _ in line) for line in table.draw(90, 12)][1:3]
    assert [line.split()[:6] for line in drawn] == [
        ["▸country", "NO", "11.2", "%", "fail", "0.50"],
        ["age", "70", "and", "mo…", "11.2", "%"],
    ]


async def test_there_is_no_room_for_them_where_there_are_none() -> None:
    async with running(FakeSource(), (200, 60)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        assert "Where requests fail" not in text_of(app)


async def test_hostile_names_of_segments_are_harmless() -> None:
    async with running(with_trouble(troubled(HOSTILE, HOSTILE, HOSTILE)), (200, 60)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        drawn = text_of(app)
        assert "Where requests fail" in drawn
        assert not any(mark in drawn for mark in ("\x1b", "\u202e", "\x00"))


async def test_one_that_nobody_polls_any_more_is_said() -> None:
    old = replace(fraud(), at=NOW - timedelta(hours=2), stale=True)
    async with running(source(old), (120, 40)) as (app, pilot):
        await pilot.press("4")
        await settle(pilot)
        assert "not polled for 2 h 0 min" in text_of(app)


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({}, ""),
        ({"replicas": (replace(fraud(1).replicas[0], error="401: no\x1b"),)}, "401: no"),
        ({"golden": GoldenState(matches=False, at=NOW, reason="score: 1 instead of 2 (1 apart)")},
         "score: 1 instead of 2 (1 apart)"),
        ({"metrics": {"clock_skew_s": -315.0}}, "clock 5 min 15 s behind this host's"),
        ({"metrics_error": "damaged metrics in line 2: 'a{'"}, "damaged metrics in line 2: 'a{'"),
        ({"metrics_error": "there are none at /metrics/: configure metrics"}, ""),
        ({"metrics": {"clock_skew_s": -315.0}, "stale": True}, ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_of_the_row(changes: dict[str, Any], remark: str) -> None:
    assert remark_of(replace(fraud(1), **changes)).rstrip("\N{REPLACEMENT CHARACTER}␛") == remark
