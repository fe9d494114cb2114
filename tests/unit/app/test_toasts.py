"""What has just begun to fire pops up, as far as it was not muted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from driving import running, settle
from factory import NOW, FakeSource, snapshot

from mlwatch.app.toasts import LEVELS, loud
from mlwatch.snapshot.types import Alert

if TYPE_CHECKING:
    from mlwatch.app.app import MlwatchApp

OLD = Alert("old", "firing", "critical", "was there before", NOW)
WARNING = Alert("latency", "firing", "warning", "latency [red]is high", NOW)
CRITICAL = Alert("errors", "firing", "critical", "errors\x1b[2J rise", NOW)


def said(app: MlwatchApp) -> list[tuple[str, str]]:
    return [(message.severity, message.message) for message in app._notifications]


def test_levels_let_through_what_is_severe_enough_and_not_silenced() -> None:
    alerts = (
        WARNING, CRITICAL, replace(CRITICAL, silence="mute"), replace(WARNING, state="resolved"),
        replace(WARNING, severity="info"),
    )  # fmt: skip
    assert [loud(alerts, level) for level in LEVELS] == [(WARNING, CRITICAL), (CRITICAL,), ()]


async def test_only_what_begins_to_fire_pops_up_and_only_once() -> None:
    source = FakeSource(snapshot(alerts=(OLD,)))
    async with running(source) as (app, pilot):
        assert said(app) == []
        for _ in range(2):
            source.renew(snapshot(alerts=(CRITICAL, WARNING, OLD)))
            app.look()
            await settle(pilot)
        assert said(app) == [("error", "errors rise"), ("warning", "latency [red]is high")]


async def test_what_gets_worse_pops_up_again() -> None:
    source = FakeSource(snapshot(alerts=(WARNING,)))
    async with running(source) as (app, pilot):
        for severity in ("critical", "warning", "critical"):
            source.renew(snapshot(alerts=(replace(WARNING, severity=severity),)))
            app.look()
            await settle(pilot)
        assert said(app) == [("error", "latency [red]is high")] * 2


async def test_what_another_range_has_to_say_of_its_records_is_no_news() -> None:
    volume, skew = (replace(WARNING, rule=f"quality: {name}", message=name) for name in ("volume", "skew"))
    source = FakeSource(snapshot(alerts=(OLD,)))
    async with running(source) as (app, pilot):
        source.renew(snapshot(alerts=(OLD, volume)))
        await pilot.press("left_square_bracket")
        await settle(pilot)
        assert said(app) == []
        source.renew(snapshot(alerts=(OLD, skew, CRITICAL)))
        await pilot.press("right_square_bracket")
        await settle(pilot)
        assert said(app) == [("error", "errors rise")]
        source.renew(snapshot(alerts=(OLD, skew, CRITICAL, volume)))
        app.look()
        await settle(pilot)
        assert said(app)[1:] == [("warning", "volume")]


async def test_toasts_are_muted_by_a_key_and_by_configuration() -> None:
    source = FakeSource(snapshot(alerts=()))
    async with running(source, toasts="critical") as (app, pilot):
        source.renew(snapshot(alerts=(WARNING, CRITICAL)))
        app.look()
        await settle(pilot)
        assert [severity for severity, _ in said(app)] == ["error"]
        await pilot.press("t")
        assert said(app)[-1][1].startswith("Toasts are muted")
        before = len(said(app))
        source.renew(snapshot(alerts=(WARNING, CRITICAL, replace(CRITICAL, rule="other"))))
        app.look()
        await settle(pilot)
        assert len(said(app)) == before
        await pilot.press("t")
        assert app.toasts == "all"


async def test_many_are_counted_and_the_past_is_no_news() -> None:
    source = FakeSource(snapshot(alerts=()))
    many = tuple(replace(WARNING, rule=f"r{number}") for number in range(8))
    async with running(source) as (app, pilot):
        source.renew(snapshot(alerts=many))
        await pilot.press("comma")
        await settle(pilot)
        assert said(app) == []
        app.go_live()
        await settle(pilot)
        assert len(said(app)) == 4
        assert said(app)[-1][1] == "5 more alerts: a lists them."
