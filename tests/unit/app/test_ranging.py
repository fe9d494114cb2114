"""The range of the whole app: named, zoomed, moved, chosen in a chart; and how often it looks for news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from driving import running, settle, text_of
from factory import START, FakeSource
from logfiles import lines, prediction
from textual.binding import Binding

from mlwatch.app.commands import commands
from mlwatch.app.keys import BINDINGS
from mlwatch.app.panels.trendchart import TrendChart
from mlwatch.app.ranges import EVERYTHING, RANGES, Range, cycled, lasting, longer, shorter
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

END = START + timedelta(hours=12)
HOUR = timedelta(hours=1)


def last(source: FakeSource) -> tuple[timedelta | None, datetime | None]:
    """Return what was asked last."""
    return source.asked[-1]


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, and wait for what they ask for."""
    await pilot.press(*keys)
    await settle(pilot)


def test_ranges_are_named_by_their_length() -> None:
    assert lasting(HOUR) is RANGES[1]
    assert lasting(timedelta(hours=3, minutes=12, seconds=0.4)).label == "last 3 h 12 min"
    assert lasting(timedelta(hours=3)).label == "last 3 h"
    assert lasting(timedelta(0)) == Range("last 1 min", timedelta(minutes=1))


def test_named_ranges_are_reached_from_any_length() -> None:
    three = lasting(3 * HOUR)
    assert (longer(three).label, shorter(three).label) == ("last 6 h", "last 1 h")
    assert (longer(lasting(48 * HOUR)), shorter(lasting(48 * HOUR)).label) == (EVERYTHING, "last 24 h")
    assert shorter(lasting(timedelta(minutes=5))).label == "last 5 min"
    assert (cycled(three).label, cycled(EVERYTHING).label) == ("last 6 h", "last 15 min")
    assert longer(EVERYTHING) == EVERYTHING


async def test_zoom_keeps_the_end_and_goes_on_with_new_data() -> None:
    source = FakeSource()
    async with running(source, (120, 40)) as (app, pilot):
        await press(pilot, "left_curly_bracket")
        assert last(source) == (6 * HOUR, None)
        await press(pilot, "left_curly_bracket")
        assert last(source) == (3 * HOUR, None)
        assert "last 3 h" in text_of(app)
        await press(pilot, "right_curly_bracket", "right_curly_bracket")
        assert last(source) == (None, None)
        assert "all time" in text_of(app)


async def test_the_range_moves_back_and_on() -> None:
    source = FakeSource()
    async with running(source, (120, 40)) as (app, pilot):
        await press(pilot, "left_parenthesis")
        assert "All time is shown: { zooms in." in text_of(app)
        await press(pilot, "left_curly_bracket", "left_curly_bracket", "left_parenthesis")
        assert last(source) == (3 * HOUR, END - 1.5 * HOUR)
        assert "As of " in text_of(app)
        for _ in range(6):
            await press(pilot, "left_parenthesis")
        assert last(source) == (3 * HOUR, START + 3 * HOUR)  # no further than the data
        assert "The data begin here." in text_of(app)
        for _ in range(6):
            await press(pilot, "right_parenthesis")
        assert last(source) == (3 * HOUR, None)
        assert app.status.moment is None


async def test_zoom_goes_around_the_cursor_of_a_chart() -> None:
    source = FakeSource()
    async with running(source, (120, 40)) as (app, pilot):
        await press(pilot, "2")
        app.screen.query_one("#chart", TrendChart).show_cursor((START + 4 * HOUR).timestamp())
        await press(pilot, "left_curly_bracket")
        assert last(source) == (6 * HOUR, START + 8 * HOUR)
        await press(pilot, "right_curly_bracket")
        assert last(source) == (None, None)


async def test_what_a_chart_is_zoomed_to_becomes_the_range_of_the_app() -> None:
    source = FakeSource()
    async with running(source, (120, 40)) as (app, pilot):
        await press(pilot, "2")
        chart = app.screen.query_one("#chart", TrendChart)
        chart.focus()
        chart.show_span(((START + 2 * HOUR).timestamp(), (START + 5 * HOUR).timestamp()))
        await press(pilot, "enter")
        assert last(source) == (3 * HOUR, START + 5 * HOUR)
        assert chart.span is None
        await press(pilot, "end", "enter")  # the moment of the cursor
        assert last(source)[0] == 3 * HOUR
        moment = last(source)[1]
        assert moment is not None
        assert app.status.moment == moment
        assert END - HOUR < moment < END


async def test_a_frozen_picture_stays_frozen_while_it_is_zoomed() -> None:
    source = FakeSource()
    async with running(source, (120, 40)) as (app, pilot):
        await press(pilot, "space", "left_curly_bracket")
        assert last(source) == (6 * HOUR, END)
        assert "Frozen at " in text_of(app)


async def test_a_real_range_moves_as_far_as_the_data_reach(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(1200)))  # a record a second, for 20 min
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        async with running(session, (120, 40)) as (app, pilot):
            await press(pilot, "left_curly_bracket", "left_parenthesis")
            shown = app.view.snapshot.range if app.view is not None else None
            assert shown is not None
            begin = datetime(2026, 11, 3, 10, tzinfo=UTC)
            assert (shown.end - begin).total_seconds() == pytest.approx(900, abs=1)
            assert (shown.end - shown.start).total_seconds() == pytest.approx(600, abs=61)  # a whole minute
            await press(pilot, "left_parenthesis", "left_parenthesis")
            assert app.view is not None
            assert app.view.snapshot.models["m"].versions["v1"].predictions == pytest.approx(600, abs=1)
            assert "The data begin here." in text_of(app)


@pytest.mark.parametrize("key", ["left_curly_bracket", "right_curly_bracket", "left_parenthesis"])
async def test_without_data_there_is_no_range_to_change(key: str) -> None:
    source = FakeSource()
    source.error = RuntimeError("not yet")
    async with running(source, (120, 40)) as (app, pilot):
        await press(pilot, key)
        assert "There is no time range to choose from yet." in text_of(app)


async def test_the_refresh_interval_has_a_key() -> None:
    async with running(FakeSource(), (120, 40), refresh_s=30.0) as (app, pilot):
        assert "● live" in text_of(app)
        await press(pilot, "R")
        assert app.refresh_s == 60.0
        assert "● live, every 60 s" in text_of(app)
        await press(pilot, "R", "R")
        assert app.refresh_s == 1.0
        assert "Looks for news every 1 s." in text_of(app)


async def test_the_palette_offers_every_action_with_the_keys_it_has() -> None:
    async with running(FakeSource(), (120, 40), keys={"freeze": "ctrl+f,F2"}) as (app, pilot):
        await press(pilot, "2")
        offered = {command.title: command.help for command in commands(app, app.screen)}
        assert "^f, F2" in offered["Freeze"] or "^f" in offered["Freeze"]
        assert offered["Data quality"] == "Go to the Data quality screen (3)"
        assert offered["More panels"].startswith("Show the panels there was no room for")
        named = {binding.description for binding in BINDINGS if isinstance(binding, Binding)}
        assert named - {"Screens", "SVG", "Model"} <= set(offered)
        assert {"Save screenshot", "Next model"} <= set(offered)
        await app.run_action("command_palette")
        await settle(pilot)
        await pilot.press(*"zoom in")
        await settle(pilot)
        assert "Show half of the range" in text_of(app)


async def test_the_app_opens_on_the_range_that_it_is_given() -> None:
    source, at = FakeSource(), datetime(2026, 3, 13, 20, tzinfo=UTC)
    async with running(source, span=timedelta(hours=2), at=at) as (app, _):
        assert "Overview  2 h " in text_of(app)
        assert app.status.range == lasting(timedelta(hours=2))
        assert (app._request.span, app._request.at) == (timedelta(hours=2), at)
