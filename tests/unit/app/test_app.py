from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from driving import running, settle, text_of
from factory import (
    NOW,
    START,
    FakeSource,
    empty,
    model,
    renamed,
    snapshot,
    unlabelled,
)
from textual.widgets import OptionList

from mlwatch.app.app import MlwatchApp
from mlwatch.app.options import AppOptions
from mlwatch.app.panels.base import Panel
from mlwatch.app.screens.alerts import AlertsScreen
from mlwatch.app.screens.base import WatchScreen
from mlwatch.app.screens.help import HelpScreen
from mlwatch.errors import InputError
from mlwatch.snapshot.types import Alert, Feed

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "[bold red]x[/]\x1b[31m\u202eevil\u200b\nline\x07"


async def test_starts_the_source_once_and_stops_it() -> None:
    source = FakeSource()
    async with running(source):
        assert source.started == 1
    assert source.stopped == 1


async def test_shows_verdict_families_feed_and_alerts() -> None:
    async with running(FakeSource()) as (app, _):
        drawn = text_of(app)
    for part in (
        "ROLL BACK", "Accuracy is lower by 3.3 points", "v2 against v1", "91.4 %", "88.1 %", "−3.30 pt worse",
        "Performance", "Quality", "Health", "Business", "1,240 rows/s", "lag 2.1 s", "17 rejected",
        "critical",
        "live",
    ):  # fmt: skip
        assert part in drawn


async def test_asks_only_when_there_is_something_new() -> None:
    source = FakeSource()
    async with running(source) as (app, pilot):
        asked = len(source.asked)
        for _ in range(3):
            app.look()
            await settle(pilot)
        assert len(source.asked) == asked == 1
        source.renew(snapshot(feed=Feed(rows_per_s=99.0)))
        app.look()
        await settle(pilot)
        assert len(source.asked) == 2
        assert "99.0 rows/s" in text_of(app)


async def test_freeze_holds_the_picture_while_news_arrive() -> None:
    source = FakeSource()
    async with running(source) as (app, pilot):
        await pilot.press("space")
        await settle(pilot)
        source.renew(snapshot(feed=Feed(rows_per_s=99.0)))
        app.look()
        await settle(pilot)
        drawn = text_of(app)
        assert "Frozen at 03:07:42 UTC" in drawn
        assert "‖ frozen" in drawn
        assert "1,240 rows/s" in drawn
        await pilot.press("space")
        await settle(pilot)
        drawn = text_of(app)
        assert "99.0 rows/s" in drawn
        assert "Frozen" not in drawn


async def test_freeze_throws_away_an_answer_that_is_on_its_way() -> None:
    source = FakeSource()
    async with running(source) as (app, pilot):
        source.gate = threading.Event()
        source.renew(snapshot(feed=Feed(rows_per_s=99.0)))
        app.look()
        await pilot.press("space")
        source.gate.set()
        await settle(pilot)
        assert "1,240 rows/s" in text_of(app)


async def test_range_while_frozen_asks_for_the_frozen_moment() -> None:
    source = FakeSource()
    async with running(source) as (_, pilot):
        await pilot.press("space", "left_square_bracket")
        await settle(pilot)
        assert source.asked[-1] == (timedelta(hours=24), START + timedelta(hours=12))


async def test_range_keys_change_the_span_that_is_asked() -> None:
    steps = (
        ("left_square_bracket", timedelta(hours=24), "last 24 h"),
        ("left_square_bracket", timedelta(hours=6), "last 6 h"),
        ("right_square_bracket", timedelta(hours=24), "last 24 h"),
        ("right_square_bracket", None, "all time"),
        ("right_square_bracket", None, "all time"),
        ("r", timedelta(minutes=15), "last 15 min"),
        ("r", timedelta(hours=1), "last 1 h"),
    )
    source = FakeSource()
    async with running(source) as (app, pilot):
        for key, span, label in steps:
            await pilot.press(key)
            await settle(pilot)
            assert source.asked[-1] == (span, None)
            assert label in text_of(app)


async def test_an_error_of_the_source_becomes_an_alert_and_goes_again() -> None:
    source = FakeSource()
    source.error = RuntimeError("disk full: [red]/var[/] \x1b[31m")
    async with running(source, (120, 40)) as (app, pilot):
        assert "no news" in text_of(app)
        assert "\x1b" not in text_of(app)
        app.clear_notifications()
        await settle(pilot)
        assert "✖ critical disk full: [red]/var[/]" in text_of(app), "it stays when the toast is gone"
        source.error = None
        app.look()
        await settle(pilot)
        assert "● live" in text_of(app)
        source.error = OSError("disk full: [red]/var[/]")
        source.renew(snapshot())
        app.look()
        await settle(pilot)
        assert "disk full: [red]/var[/]" in text_of(app)
        assert "91.4 %" in text_of(app), "the last good numbers stay"


async def test_a_source_that_cannot_start_ends_the_app_with_its_error() -> None:
    class Broken(FakeSource):
        def start(self) -> None:
            raise OSError("no such directory")

    source = Broken()
    app = MlwatchApp(source, options=AppOptions(clock=lambda: NOW))
    async with app.run_test() as pilot:
        await settle(pilot)
        assert not app.is_running
    assert app.return_code == 2
    assert str(app.start_error) == "no such directory"
    assert source.asked == []


async def test_nothing_new_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    source = FakeSource()
    async with running(source) as (app, pilot):
        painted: list[str] = []
        for panel in app.screen.query(Panel).exclude("#header"):  # its clock ticks
            monkeypatch.setattr(panel, "refresh", lambda *a, _id=panel.id, **k: painted.append(str(_id)))
        source.renew(snapshot(generated_at=NOW + timedelta(seconds=1)))
        app.look()
        await settle(pilot)
        assert painted == []
        source.renew(snapshot(feed=Feed(rows_per_s=1.0)))
        app.look()
        await settle(pilot)
        assert painted == ["feed"]


async def test_a_small_terminal_shows_one_panel_at_a_time() -> None:
    async with running(FakeSource(), (60, 18)) as (app, pilot):
        assert "ROLL BACK" in text_of(app)
        assert "Model performance" in text_of(app)
        await pilot.press("tab")
        await settle(pilot)
        assert "P95 latency is 45 % higher" in text_of(app)
        assert "Model performance" not in text_of(app)
        await pilot.press("tab")
        await settle(pilot)
        assert "dep_delay" in text_of(app)
        assert "ROLL BACK" not in text_of(app)
        await pilot.press("shift+tab", "shift+tab")
        await settle(pilot)
        assert "Model performance" in text_of(app)
        await pilot.press("tab")
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        drawn = text_of(app)
    assert "ROLL BACK" in drawn
    assert "Model performance" in drawn
    assert "rows/s" in drawn


@pytest.mark.deep
@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [(60, 20), (70, 20), (120, 20), (60, 30)])
async def test_tab_leads_to_no_empty_screen_on_a_small_terminal(size: tuple[int, int]) -> None:
    async with running(FakeSource(), size) as (app, pilot):
        for key in "123456":
            await pilot.press(key)
            await settle(pilot)
            screen = app.screen
            assert isinstance(screen, WatchScreen)
            for _ in screen._stops():
                await pilot.press("tab")
                await settle(pilot)
                stop = screen._stops()[screen.place]
                assert stop.region.area > 0, f"{stop.id} of screen {key}"
                assert "n/a, because this is no shadow" not in text_of(app)


async def test_tab_goes_through_the_panels_of_a_large_terminal() -> None:
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        assert app.focused is not None
        assert app.focused.id == "families"
        await pilot.press("tab")
        assert app.focused.id == "feed"


async def test_a_click_chooses_a_row() -> None:
    async with running(FakeSource()) as (app, pilot):
        line = next(at for at, text in enumerate(text_of(app).splitlines()) if "Latency p95" in text)
        await pilot.click(offset=(30, line))
        await settle(pilot)
        assert "▸ Latency p95" in text_of(app)


async def test_the_chart_follows_the_chosen_row() -> None:
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        await pilot.press("4", "down")
        await settle(pilot)
        assert "Latency p99 over time" in text_of(app)


async def test_next_model_goes_round() -> None:
    source = FakeSource(renamed({"late_arrival": model(), "fraud": model("fraud")}))
    async with running(source) as (app, pilot):
        assert "late_arrival 1/2" in text_of(app)
        await pilot.press("m")
        await settle(pilot)
        assert "fraud 2/2" in text_of(app)
        await pilot.press("m")
        await settle(pilot)
        assert "late_arrival 1/2" in text_of(app)


async def test_the_chosen_model_stays_chosen_when_news_arrive() -> None:
    both = renamed({"late_arrival": model(), "fraud": model("fraud")})
    source = FakeSource(both)
    async with running(source) as (app, pilot):
        await pilot.press("m")
        source.renew(replace(both, feed=Feed(rows_per_s=5.0)))
        app.look()
        await settle(pilot)
        assert "fraud 2/2" in text_of(app)


async def test_help_and_alerts_open_and_close() -> None:
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert "Is the new version healthy?" in text_of(app)
        await pilot.press("escape", "a")
        assert isinstance(app.screen, AlertsScreen)
        assert "below 90 %" in text_of(app)
        await pilot.press("escape")
        assert app.screen.id != "help"
        assert "ROLL BACK" in text_of(app)


async def test_the_list_of_alerts_follows_the_news_and_keeps_its_cursor() -> None:
    low, slow = (Alert(f"rule {word}", "firing", "warning", f"it is {word}", NOW) for word in ("low", "slow"))
    bad = Alert("rule bad", "firing", "critical", "it is bad", NOW)
    source = FakeSource(snapshot(alerts=(low, slow)))
    async with running(source, (120, 40)) as (app, pilot):
        await pilot.press("a", "down")

        async def follow(*alerts: Alert) -> str:
            source.renew(snapshot(alerts=alerts))
            app.look()
            await settle(pilot)
            assert isinstance(app.screen, AlertsScreen)
            return text_of(app)

        assert "it is bad" in await follow(bad, low, replace(slow, message="it is slower"))
        assert app.screen.query_one(OptionList).highlighted == 2
        assert "it is slow again" in await follow(
            low, replace(slow, state="resolved", message="it is slow again")
        )
        assert app.screen.query_one(OptionList).highlighted == 1
        drawn = await follow()
        assert "No alerts: nothing has crossed" in drawn
        assert "acknowledge" not in drawn
        assert "it is low" in await follow(low)
        await pilot.press("down", "m")
        await settle(pilot)
    assert source.silenced == [("rule low", "mute", timedelta(hours=1))]


async def test_when_an_alert_was_over_is_said_beside_when_it_began() -> None:
    began, ended = (datetime(2026, 11, 3, 12, minute, tzinfo=UTC) for minute in (5, 25))
    over = Alert("accuracy", "resolved", "warning", "it was low", began, resolved=ended)
    async with running(FakeSource(snapshot(alerts=(over,))), (120, 40)) as (app, pilot):
        assert re.search(r"resolved +\S*( \S+)? ?12:25 .*it was low", text_of(app))
        await pilot.press("a")
        assert re.search(r"resolved at .*12:25 \(since .*12:05\)", text_of(app))


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("key", "word", "length", "told"),
    [
        ("m", "mute", timedelta(hours=1), "Muted for an hour."),
        ("M", "mute", None, "Muted until it is over."),
        ("k", "acknowledge", None, "Acknowledged."),
        ("u", "lift", None, "Taken back."),
    ],
)
async def test_an_alert_is_muted_and_acknowledged(
    key: str, word: str, length: timedelta | None, told: str
) -> None:
    source = FakeSource()
    async with running(source, (120, 40)) as (app, pilot):
        await pilot.press("a")
        await settle(pilot)
        assert "m mute for 1 h" in text_of(app)
        await pilot.press("down", key)
        await settle(pilot)
        assert not isinstance(app.screen, AlertsScreen)
        assert told in text_of(app)
    firing = [alert for alert in snapshot().alerts if alert.state != "resolved"]
    assert source.silenced == [(firing[1].rule, word, length)]


async def test_a_muted_alert_is_shown_as_such() -> None:
    made = snapshot()
    made = replace(made, alerts=tuple(replace(alert, silence="mute") for alert in made.alerts))
    async with running(FakeSource(made), (120, 40)) as (app, _):
        assert "muted" in text_of(app)


async def test_news_reach_the_screen_below_an_overlay() -> None:
    source = FakeSource()
    async with running(source) as (app, pilot):
        await pilot.press("question_mark")
        source.renew(snapshot(feed=Feed(rows_per_s=99.0)))
        app.look()
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert "99.0 rows/s" in text_of(app)


async def test_command_palette_offers_every_action() -> None:
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert {"Freeze", "Help", "Alerts", "Zoom", "Save screenshot", "Quit", "Business"} <= titles
        await pilot.press("ctrl+p")
        await pilot.press(*"freeze")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await settle(pilot)
        assert app.status.frozen_at == NOW


async def test_zoom_gives_the_focused_panel_the_screen_and_takes_it_back() -> None:
    async with running(FakeSource()) as (app, pilot):
        await pilot.press("z")
        await pilot.pause()
        assert "ROLL BACK" not in text_of(app)
        assert "Accuracy" in text_of(app)
        await pilot.press("z")
        await pilot.pause()
        assert "ROLL BACK" in text_of(app)


async def test_screenshot_lands_in_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        await pilot.press("s")
        await settle(pilot)
        assert "Screenshot saved" in text_of(app)
    (saved,) = tmp_path.glob("*.svg")  # noqa: ASYNC240 - a test may block
    assert saved.name == "mlwatch-20260314T030742-overview.svg"
    assert "url(" not in saved.read_text().replace("url(#", "")  # it asks no other host for anything
    assert "ROLL" in saved.read_text(encoding="utf-8")


async def test_quit_keys_end_the_app() -> None:
    for keys in (["q"], ["ctrl+c"], ["question_mark", "ctrl+c"], ["a", "ctrl+c"], ["ctrl+p", "ctrl+c"]):
        source = FakeSource()
        app = MlwatchApp(source, options=AppOptions(clock=lambda: NOW))
        async with app.run_test() as pilot:
            await settle(pilot)
            await pilot.press(*keys)
            await pilot.pause()
            assert not app.is_running, keys
        assert source.stopped == 1


async def test_q_closes_an_overlay_and_not_the_app() -> None:
    async with running(FakeSource()) as (app, pilot):
        await pilot.press("question_mark", "q")
        await settle(pilot)
        assert app.is_running
        assert not isinstance(app.screen, HelpScreen)


async def test_freeze_before_the_first_numbers_says_so() -> None:
    source = FakeSource()
    source.error = OSError("locked")
    async with running(source, (120, 40)) as (app, pilot):
        await pilot.press("space")
        await settle(pilot)
        assert "nothing to freeze yet" in text_of(app)
        assert app.status.frozen_at is None


@pytest.mark.deep
async def test_any_size_at_any_moment() -> None:
    async with running(FakeSource()) as (app, pilot):
        for screen in "12345":
            await pilot.press(screen)
            for size in ((40, 12), (200, 60), (1, 1), (80, 24)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                assert len(text_of(app).splitlines()) <= size[1]
            assert "mlwatch" in text_of(app)


@pytest.mark.slow
async def test_hostile_text_is_shown_harmlessly() -> None:
    base = model(HOSTILE)
    v1 = replace(base.versions["v1"], name=HOSTILE)
    quality = base.versions["v2"].quality
    features = {HOSTILE + str(at): feature for at, feature in enumerate(quality.features.values())}
    v2 = replace(base.versions["v2"], name="y" * 10_000, quality=replace(quality, features=features))
    hostile = replace(base, versions={v1.name: v1, v2.name: v2}, reference=HOSTILE)
    made = snapshot(models={HOSTILE: hostile}, feed=Feed(note=HOSTILE))
    made = replace(
        made,
        rollouts=(
            replace(made.rollouts[0], model=HOSTILE, baseline=HOSTILE, candidate=v2.name, reasons=(HOSTILE,)),
        ),
        alerts=tuple(replace(alert, message=HOSTILE) for alert in made.alerts),
    )
    async with running(FakeSource(made, title=HOSTILE), (120, 40)) as (app, pilot):
        drawn = ""
        for key in "12345a":
            await pilot.press(key)
            await settle(pilot)
            drawn += text_of(app) + "\n"
    assert "[bold red]x[/]" in drawn, "markup is shown as it is written"
    assert not set("\x1b\u202e\u200b\x07") & set(drawn)
    assert all(len(part) <= 121 for part in drawn.splitlines())


async def test_empty_states_say_what_to_do() -> None:
    async with running(FakeSource(empty())) as (app, _):
        drawn = text_of(app)
    assert "no predictions yet" in drawn.lower()
    assert "watches sample_logs for new files" in drawn


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        (Feed(stage="looking"), "Looking for logs in sample_logs…"),
        (Feed(stage="reading", files_ahead=3, bytes_ahead=480_000_000), "Reading 3 files, 480 MB…"),
        (
            Feed(stage="reading", files_ahead=1, bytes_ahead=480_000_000, bytes_done=120_000_000),
            "Reading 1 file, 480 MB: 25 % so far.",
        ),
    ],
)
async def test_what_is_going_on_is_said_before_there_is_a_prediction(feed: Feed, said: str) -> None:
    async with running(FakeSource(replace(empty(), feed=feed))) as (app, _):
        drawn = text_of(app)
    assert f"No verdict yet. {said}" in drawn
    assert "no predictions yet" not in drawn.lower()


async def test_a_number_that_is_missing_says_why() -> None:
    async with running(FakeSource(unlabelled())) as (app, _):
        drawn = text_of(app)
    assert "Accuracy: v1 n/a, because there are no labels yet" in drawn
    assert "only one version in this time range" in drawn


async def test_labels_that_belong_to_no_request_are_told_where_labels_are_missed() -> None:
    found = unlabelled()
    stray = replace(found, ingest=replace(found.ingest, outcomes=60, outcomes_unmatched=60))
    async with running(FakeSource(stray), (120, 40)) as (app, _):
        drawn = text_of(app)
    assert "no labels: 60 outcomes without a logged request" in drawn


async def test_backfill_shows_a_bar_and_the_time_left() -> None:
    feed = Feed(rows_per_s=90_000.0, bytes_done=120_000_000, bytes_total=480_000_000, eta_s=14.0)
    async with running(FakeSource(snapshot(feed=feed))) as (app, _):
        drawn = text_of(app)
    assert "25 %" in drawn
    assert "120 MB of 480 MB, 14 s left" in drawn


async def test_rows_are_chosen_and_explained() -> None:
    async with running(FakeSource()) as (app, pilot):
        await pilot.press("down", "down", "down", "down")
        await pilot.pause()
        assert "▸ Missing values: v1 0.28 %" in text_of(app)
        await pilot.press("end")
        await pilot.pause()
        assert "▸ Revenue / request: v1 2.47 EUR" in text_of(app)


@pytest.mark.slow
async def test_ascii_draws_ascii_only() -> None:
    async with running(FakeSource(), ascii=True) as (app, pilot):
        for screen in "12345":
            await pilot.press(screen)
            await settle(pilot)
            assert {char for char in text_of(app) if ord(char) > 126} == set()


def test_an_unknown_theme_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"unknown theme: solarised: use one of .*mlwatch-dark"):
        MlwatchApp(FakeSource(), options=AppOptions(theme="solarised"))


@pytest.mark.slow
async def test_every_theme_draws() -> None:
    async with running(FakeSource(), theme="nord") as (app, pilot):
        for theme in app.available_themes:
            app.theme = theme
            await pilot.pause()
            assert "ROLL BACK" in text_of(app)
