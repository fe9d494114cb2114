"""The screen of data quality: features by drift, the chosen one against its reference, drift over time."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from driving import running, settle, text_of
from factory import HOURS, FakeSource, empty, feature, model, quality, snapshot, unlabelled, version

from mlwatch.app.panels.distribution import DistributionPanel, drawn_shape
from mlwatch.app.panels.driftheat import DriftHeat, drift_grid
from mlwatch.app.panels.featuretable import FeatureTable, explain, feature_rows
from mlwatch.app.panels.together import because as together_reason
from mlwatch.app.view import View
from mlwatch.choice import USUAL, Choice
from mlwatch.errors import InputError
from mlwatch.snapshot.shapes import Shape
from mlwatch.snapshot.types import Quality
from widgets.histogram import Bins, Categories

HOSTILE = "[bold red]x[/]\x1b[31m\u202eevil\u200b\nline\x07"


def view(**changes: object) -> View:
    return View(snapshot(**changes), "logs", "late_arrival")


def test_features_are_sorted_by_harm_and_explained() -> None:
    rows = feature_rows(version("v2", "candidate", bad=True), version("v1", "baseline"))
    assert [row.name for row in rows][:3] == ["dep_delay", "carrier", "wind_speed"]
    text = explain(rows[0])
    assert "drift 0.312" in text
    assert "drifted" in text
    assert "204 out of range" in text


def test_grid_has_a_row_a_feature_and_a_column_a_step() -> None:
    grid = drift_grid(view())
    assert grid.rows[0] == "dep_delay"
    assert grid.values.shape == (8, HOURS)
    assert grid.values[0, 8] > grid.values[0, 2]
    assert (grid.low, grid.high) == (0.0, 0.5)


async def test_the_heat_map_says_how_many_features_it_follows() -> None:
    found = snapshot()
    (name, whole), *_ = found.models.items()
    features = whole.versions["v2"].quality.features
    some = {
        each: item if at < 3 else replace(item, drift_over=())
        for at, (each, item) in enumerate(features.items())
    }
    part = replace(whole.versions["v2"], quality=replace(whole.versions["v2"].quality, features=some))
    changed = replace(found, models={name: replace(whole, versions={**whole.versions, "v2": part})})
    for shown, title in (
        (found, "Drift of v2 over time"),
        (changed, "Drift of v2 over time, 3 of 8 features"),
    ):
        async with running(FakeSource(shown), (120, 40)) as (app, pilot):
            await pilot.press("3")
            await settle(pilot)
            assert str(app.screen.query_one(DriftHeat).border_title) == title


def test_shapes_become_bins_or_categories() -> None:
    bins = drawn_shape(Shape((0.0, 1.0, 2.0), (), (1.0, 2.0), (3.0, 4.0)), "v2")
    assert isinstance(bins, Bins)
    assert bins.names == ("reference", "v2")
    shares = drawn_shape(Shape((), ("a", HOSTILE), (1.0, 2.0), (3.0, 4.0)), "v2")
    assert isinstance(shares, Categories)
    assert not set(shares.labels[1]) & set("\x1b\u202e\u200b\x07\n")
    assert drawn_shape(None, "v2") is None


async def test_the_picture_follows_the_chosen_feature() -> None:
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        await pilot.press("3")
        await settle(pilot)
        assert app.screen.query_one(FeatureTable).has_focus
        drawn = text_of(app)
        assert "dep_delay of v2 against the reference" in drawn
        for part in ("▲ drifted", "Drift of v2 over time", "Mean drift over time", "Positive labels"):
            assert part in drawn
        await pilot.press("down")
        await settle(pilot)
        drawn = text_of(app)
        assert "carrier of v2 against the reference" in drawn
        shown = app.screen.query_one(DistributionPanel).data[1]
        assert isinstance(shown, Categories)
        assert "unseen" in shown.labels


async def test_filter_and_sort_by_keys() -> None:
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        await pilot.press("3", "slash", *"wind", "enter")
        await settle(pilot)
        table = app.screen.query_one(FeatureTable)
        assert table.visible_keys == ["wind_speed"]
        await pilot.press("escape", "greater_than_sign")
        await settle(pilot)
        assert table.visible_keys[0] == "air_time"


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (50, 16)])
async def test_every_size_shows_features(size: tuple[int, int]) -> None:
    async with running(FakeSource(), size) as (app, pilot):
        await pilot.press("3")
        await settle(pilot)
        assert "dep_delay" in text_of(app)
        await pilot.resize_terminal(90, 30)
        await settle(pilot)
        assert "dep_delay" in text_of(app)


async def test_without_reference_or_features_it_says_what_to_do() -> None:
    bare = replace(version("v1", "baseline"), quality=Quality())
    for made, said in (
        (empty(), "No features"),
        (snapshot(models={"late_arrival": model(versions=(bare,))}, rollouts=()), "No features"),
    ):
        async with running(FakeSource(made), (120, 40)) as (app, pilot):
            await pilot.press("3")
            await settle(pilot)
            assert said in text_of(app)
    lone = unlabelled().models["late_arrival"].versions["v1"]
    features = {
        name: replace(item, shape=None, drift_over=()) for name, item in lone.quality.features.items()
    }
    blind = replace(lone, quality=replace(lone.quality, features=features))
    source = FakeSource(snapshot(models={"late_arrival": model(versions=(blind,))}, rollouts=()))
    async with running(source, (120, 40)) as (app, pilot):
        await pilot.press("3")
        await settle(pilot)
        drawn = text_of(app)
        assert "no reference to compare with" in drawn
        assert "reference.parquet" in drawn


async def test_hostile_features_are_harmless() -> None:
    bad = replace(
        quality(bad=True),
        features={HOSTILE: feature(0.4, 3, drifted=True), "x" * 10_000: feature(math.pi / 10, 0)},
    )
    made = model(versions=(version("v1", "baseline"), replace(version("v2", "candidate"), quality=bad)))
    async with running(FakeSource(snapshot(models={"late_arrival": made})), (120, 40)) as (app, pilot):
        await pilot.press("3")
        await settle(pilot)
        drawn = text_of(app)
        assert not set(drawn) & set("\x1b\u202e\u200b\x07")
        assert "[bold red]x[/]" in drawn


async def test_all_features_together_are_looked_at_off_the_screens_thread_and_only_where_seen() -> None:
    source = FakeSource()
    async with running(source, (200, 60)) as (app, pilot):
        assert source.together_asked == [], "nobody sees them on the overview"
        await pilot.press("3")
        await settle(pilot)
        assert source.together_asked == [(None, None, False)]
        drawn = text_of(app)
        for part in ("▲ drifted", "1.234 sd", "0.950 to 1.050 sd", "4,027"):
            assert part in drawn
        source.renew(snapshot())
        app.look()
        await settle(pilot)
        assert len(source.together_asked) == 1, "news within five minutes ask for nothing"
        await pilot.press("left_curly_bracket")
        await settle(pilot)
        assert source.together_asked[-1] == (timedelta(hours=6), None, False)


async def test_all_features_together_are_those_of_what_is_shown() -> None:
    class Slow(FakeSource):
        go = threading.Event()

        def together(self, span: timedelta | None = None, at: datetime | None = None) -> dict[str, Any]:
            self.go.wait(5)
            return super().together(span, at)

    source = Slow()
    source.go.set()
    async with running(source, (200, 60)) as (app, pilot):
        await pilot.press("3")
        await settle(pilot)
        assert "1.234 sd" in text_of(app)
        app.choose(Choice(filter="carrier = UA"))
        await settle(pilot)
        assert "n/a, because records were chosen" in text_of(app)
        app.choose(USUAL)
        await settle(pilot)
        assert "1.234 sd" in text_of(app)
        source.go.clear()
        await pilot.press("left_curly_bracket")
        while "Looking at samples" not in text_of(app):
            assert not source.go.is_set()
            await pilot.pause(0.01)
        assert "1.234 sd" not in text_of(app), "that was of all time"
        source.go.set()
        await settle(pilot)
        assert "1.234 sd" in text_of(app)
        await pilot.press("comma")
        await settle(pilot)
        app.action_play()
        await settle(pilot)
        assert "n/a while the past is played" in text_of(app)
        app.action_play()
        await settle(pilot)
        assert "1.234 sd" in text_of(app)
        assert source.together_asked[-1][:2] == (timedelta(hours=6), app.status.moment)


async def test_why_there_is_nothing_of_all_features_together_is_said() -> None:
    class Profile(FakeSource):
        def together(self, *_: object) -> dict[str, object]:
            raise InputError("the reference is a profile", HOSTILE, "give rows")

    async with running(Profile(), (200, 60)) as (app, pilot):
        await pilot.press("3")
        await settle(pilot)
        drawn = text_of(app)
    assert "n/a, because: the reference is a profile" in drawn
    assert not set(drawn) & set("\x1b\u202e\u200b\x07")
    assert together_reason("no reference") == "n/a, because there is no reference."
    assert together_reason("fewer than 200 rows") == "n/a, because there are fewer than 200 rows."
