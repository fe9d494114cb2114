"""What holds on every screen: ASCII, no colour, other themes, any size, hostile text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from driving import running, settle, text_of
from factory import FakeSource, empty, feature, model, quality, rollout, snapshot, version
from rich.cells import cell_len

from mlwatch.app.modes import SCREENS
from mlwatch.app.panels.deck import Deck
from mlwatch.snapshot.types import Alert, ConfusionTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot

    from mlwatch.app.app import MlwatchApp
    from mlwatch.snapshot.types import Snapshot

MODES = [mode for mode, _, _ in SCREENS]
HOSTILE = "[bold red]x[/]\x1b[31m\u202eevil\u200b\nline\x07" + "\u0301" * 40
ACTING = set("\x1b\u202e\u200b\x07\x9b\r")


def hostile() -> FakeSource:
    """Return a source whose every name is an attack, or endless."""
    endless = "n" * 10_000
    bad_quality = replace(
        quality(bad=True), features={HOSTILE: feature(0.4, 3, drifted=True), endless: feature(0.2, 0)}
    )
    bad = replace(
        version(HOSTILE, "candidate", bad=True),
        confusion=ConfusionTable((HOSTILE, endless), ((3, 1), (0, 4))),
        quality=bad_quality,
    )
    metric = replace(rollout().metrics["accuracy"], reason=HOSTILE, notes=(HOSTILE,), label=HOSTILE)
    judged = replace(
        rollout(), model=HOSTILE, candidate=HOSTILE, baseline=endless, reasons=(HOSTILE, endless),
        metrics={HOSTILE: metric, "accuracy": metric},
    )  # fmt: skip
    made = replace(model(HOSTILE, versions=(version(endless, "baseline"), bad)), positive_class=HOSTILE)
    alerts = (Alert(HOSTILE, "firing", "critical", HOSTILE, snapshot().generated_at),)
    whole = snapshot(models={HOSTILE: made}, rollouts=(judged,), alerts=alerts)
    return FakeSource(whole, title=HOSTILE)


async def each_screen(app: MlwatchApp, pilot: Pilot[None]) -> AsyncIterator[str]:
    """Go through all screens; yield what each drew."""
    for mode in MODES:
        await app.action_screen(mode)
        await settle(pilot)
        yield text_of(app)


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [(80, 24), (160, 50), (47, 13)])
async def test_hostile_text_is_harmless_everywhere(size: tuple[int, int]) -> None:
    async with running(hostile(), size) as (app, pilot):
        async for drawn in each_screen(app, pilot):
            assert not set(drawn) & ACTING
            assert max(cell_len(line) for line in drawn.splitlines()) <= size[0]


@pytest.mark.usual(1)
@pytest.mark.parametrize("made", [snapshot(), empty()])
async def test_ascii_is_ascii_everywhere(made: Snapshot) -> None:
    async with running(FakeSource(made), (120, 40), ascii=True) as (app, pilot):
        async for drawn in each_screen(app, pilot):
            assert drawn.isascii(), sorted({char for char in drawn if not char.isascii()})
        await pilot.press("p")  # pops up a word
        for keys in (("question_mark",), ("a",), ("x",), ("v",), ("ctrl+p", *"zoom")):
            await pilot.press(*keys)
            await settle(pilot)
            drawn = text_of(app)
            assert drawn.isascii(), (keys, sorted({char for char in drawn if not char.isascii()}))
            await pilot.press("escape")
            await settle(pilot)


async def test_without_colour_no_state_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        assert app.no_color
        words = {
            "overview": ("ROLL BACK", "worse", "critical"), "quality": ("drifted", "steady"),
            "rollout": ("worse", "unclear", "fine", "no data"),
        }  # fmt: skip
        for mode, said in words.items():
            await app.action_screen(mode)
            await settle(pilot)
            drawn = text_of(app)
            assert all(word in drawn for word in said)


@pytest.mark.deep
@pytest.mark.usual(1)
@pytest.mark.parametrize("theme", ["mlwatch-light", "ansi-dark"])
async def test_every_theme_draws_every_screen(theme: str) -> None:
    async with running(FakeSource(), (120, 40), theme=theme) as (app, pilot):
        async for drawn in each_screen(app, pilot):
            assert "mlwatch" in drawn


@pytest.mark.deep
async def test_any_size_and_any_change_of_it() -> None:
    async with running(FakeSource(), (200, 60)) as (app, pilot):
        async for _ in each_screen(app, pilot):
            for size in ((20, 5), (3, 2), (160, 12), (60, 60)):
                await pilot.resize_terminal(*size)
                await settle(pilot)
            await pilot.resize_terminal(200, 60)
            await settle(pilot)
            drawn = text_of(app)
            assert len(drawn.splitlines()) == 60
            assert "mlwatch" in drawn


async def test_the_key_for_more_panels_shows_the_next_where_there_is_room_for_one() -> None:
    async with running(FakeSource(), (40, 12)) as (app, pilot):
        await pilot.press("3", "n")
        await settle(pilot)
        assert "Missing values" in text_of(app)
        await pilot.press("N")
        await settle(pilot)
        assert "Features of v2" in text_of(app)


async def test_a_panel_keeps_the_whole_screen_where_its_deck_turned_away_from_it() -> None:
    async with running(FakeSource(), (80, 24)) as (app, pilot):
        await pilot.press("3")
        await settle(pilot)
        panel = app.screen.query_one("#features")
        app.action_zoom()
        app.screen.query_one(Deck).first = 1
        await settle(pilot)
        assert panel.has_class("-turned")
        assert "dep_delay" in text_of(app)
        assert panel.size.height > 18


async def test_a_panel_can_have_the_whole_screen() -> None:
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        for mode, panel in (
            ("overview", "#families"), ("performance", "#segments"), ("quality", "#heat"), ("rollout", "#course"),
        ):  # fmt: skip
            await app.action_screen(mode)
            await settle(pilot)
            app.screen.query_one(panel).focus()
            await settle(pilot)
            app.action_zoom()
            await settle(pilot)
            assert app.screen.query_one(panel).size.height > 30
            app.action_zoom()
            await settle(pilot)
            assert app.screen.maximized is None


async def test_a_new_user_is_told_once_how_to_get_on(tmp_path: Path) -> None:
    seen = tmp_path / "state" / "greeted"
    async with running(FakeSource(), (100, 30), greeted=seen) as (app, _):
        assert "First time here?" in text_of(app)
        assert "? explains the screen" in text_of(app)
    assert seen.exists()
    async with running(FakeSource(), (100, 30), greeted=seen) as (app, _):
        assert "First time here?" not in text_of(app)
