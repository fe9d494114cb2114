"""A segment or two versions are chosen, and the whole app shows these alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from driving import running, settle, text_of
from factory import FakeSource, model, rollout, snapshot, unlabelled, version
from stored import StoreSource, assert_harmless, shows, write_hostile_logs, write_logs

from mlwatch.app.panels.choicebanner import ChoiceBanner
from mlwatch.app.panels.verdict import VerdictBanner
from mlwatch.app.screens.segment import SegmentScreen
from mlwatch.app.screens.versions import VersionsScreen
from mlwatch.choice import USUAL, Choice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from textual.pilot import Pilot


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[StoreSource]:
    source = StoreSource(write_logs(tmp_path / "logs"))
    yield source
    source.stop()


async def typed(pilot: Pilot[None], text: str) -> None:
    """Type a line and enter."""
    names = {" ": "space", "=": "equals_sign", "'": "apostrophe"}
    for char in text:
        await pilot.press(names.get(char, char))
    await pilot.press("enter")
    await settle(pilot)


async def test_a_filter_shows_everything_of_a_segment(stored: StoreSource) -> None:
    async with running(stored, (120, 40)) as (app, pilot):
        await shows(pilot, "v2")
        assert not app.screen.query_one(ChoiceBanner).display
        await pilot.press("f")
        await settle(pilot)
        await typed(pilot, "version = v1")
        drawn = await shows(pilot, "125 predictions")
        assert "Only  version = v1" in drawn
        assert app.view is not None
        assert app.view.model is not None
        assert list(app.view.model.versions) == ["v1"]
        assert app.view.candidate is None
        await pilot.press("7")
        await shows(pilot, "125 records pass")
        await pilot.press("2")
        await shows(pilot, "Only  version = v1")
        await pilot.press("f", "end", *["backspace"] * 12, "enter")
        await settle(pilot)
        assert app.status.choice == USUAL
        assert len(app.view.model.versions) == 2


async def test_a_wrong_filter_is_said_in_the_dialog_and_nothing_changes(stored: StoreSource) -> None:
    async with running(stored, (120, 40)) as (app, pilot):
        await shows(pilot, "v2")
        await pilot.press("f")
        await settle(pilot)
        await typed(pilot, "town = 3")
        drawn = await shows(pilot, "At character 1: there is no field town")
        assert "did you mean" in drawn or "there are" in drawn
        await pilot.press("escape")
        await settle(pilot)
        assert app.status.choice == USUAL
        await pilot.press("f")
        await settle(pilot)
        await typed(pilot, "latency > 99999")
        await shows(pilot, "no record passes this filter")


async def test_a_segment_is_chosen_from_the_list(stored: StoreSource) -> None:
    async with running(stored, (120, 40)) as (app, pilot):
        await shows(pilot, "v2")
        await pilot.press("f")
        await settle(pilot)
        assert isinstance(app.screen, SegmentScreen)
        (first, *_), _ = app.screen._listed[0]
        await pilot.press("down", "enter")
        await settle(pilot)
        await shows(pilot, "Only  ")
        assert app.status.choice.filter.startswith(first.column)
        assert app.view is not None
        assert app.view.choice == app.status.choice


async def test_versions_are_compared_the_other_way_round_or_alone() -> None:
    source = FakeSource()
    async with running(source, (120, 40)) as (app, pilot):
        assert app.view is not None
        assert app.view.baseline is not None
        assert app.view.candidate is not None
        before, after = app.view.baseline.name, app.view.candidate.name
        await pilot.press("v")
        await settle(pilot)
        assert isinstance(app.screen, VersionsScreen)
        await pilot.press("down", "b")
        await settle(pilot)
        assert source.choice == Choice(baseline=after, candidate=before)
        assert f"Only  {before} against {after}" in text_of(app)
        await pilot.press("v")
        await settle(pilot)
        await pilot.press("o")
        await settle(pilot)
        assert source.choice.alone
        alone = app.view
        assert (alone.candidate, alone.rollout) == (None, None)
        assert "No verdict: only v1 is shown. Press v to compare it with another version." in text_of(app)
        await pilot.press("v", "u")
        await settle(pilot)
        assert source.choice == USUAL
        assert not app.screen.query_one(ChoiceBanner).display


async def test_several_candidates_have_their_roles_and_the_gravest_verdict_its_line() -> None:
    versions = (
        version("v1", "baseline"),
        version("v3", "shadow"),
        version("v2", "candidate", bad=True),
        version("v0", "other"),
    )
    made = snapshot(
        models={"late_arrival": model(versions=versions)},
        rollouts=(replace(rollout("hold"), candidate="v3", reasons=("too few pairs",)), rollout("rollback")),
    )
    async with running(FakeSource(made), (80, 24)) as (app, pilot):
        drawn = text_of(app)
        assert "= HOLD" in drawn
        assert "Too few pairs" in drawn
        assert "▼ ROLL BACK v2: Accuracy is lower by 3.3 points" in drawn
        assert app.screen.query_one(VerdictBanner).has_class("-bad")
        await pilot.press("v")
        await settle(pilot)
        listed = " ".join(text_of(app).split())
        assert all(row in listed for row in ("● v1 baseline", "● v3 shadow", " v2 candidate"))
        assert "● v2" not in listed


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (["b"], Choice(baseline="v1", candidate="v2")),
        (["enter"], Choice(baseline="v2", candidate="v1")),
        (["down", "b"], Choice(baseline="v2", candidate="v1")),
        (["down", "enter"], Choice(baseline="v1", candidate="v2")),
    ],
)
async def test_what_was_shown_alone_is_compared_with_another(keys: list[str], found: Choice) -> None:
    source = FakeSource()
    async with running(source, (120, 40)) as (app, pilot):
        await pilot.press("v", "o")
        await settle(pilot)
        assert source.choice == Choice(baseline="v1", alone=True)
        await pilot.press("v", *keys)
        await settle(pilot)
        assert source.choice == found
        assert f"Only  {found.candidate} against {found.baseline}" in text_of(app)


@pytest.mark.usual(1)
@pytest.mark.parametrize("key", ["b", "enter"])
async def test_a_lone_version_is_compared_with_nothing(key: str) -> None:
    async with running(FakeSource(unlabelled())) as (app, pilot):
        await pilot.press("v", key)
        await settle(pilot)
        assert isinstance(app.screen, VersionsScreen)
        assert app.status.choice == USUAL
        said = [message.message for message in app._notifications]
        assert said == ["There is no other version to compare it with."]


async def test_without_data_there_is_nothing_to_choose() -> None:
    async with running(FakeSource(snapshot(models={}, rollouts=()))) as (app, pilot):
        await pilot.press("v", "f")
        await settle(pilot)
        assert [message.message for message in app._notifications] == [
            "There are no versions yet.",
            "There are no records yet.",
        ]


async def test_hostile_names_are_harmless_in_both_dialogs(tmp_path: Path) -> None:
    source = StoreSource(write_hostile_logs(tmp_path / "logs"))
    async with running(source, (80, 24)) as (app, pilot):
        for key in "vf":
            await pilot.press(key)
            await settle(pilot)
            assert isinstance(app.screen, VersionsScreen | SegmentScreen)
            assert_harmless(text_of(app))
            await pilot.press("escape")
    source.stop()
