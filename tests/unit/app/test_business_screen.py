"""The screen of business: the funnel of each version, and each of its steps over time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driving import running, settle, text_of
from factory import FakeSource, model, snapshot, unlabelled, version

from mlwatch.app.charts import trend_chart
from mlwatch.app.panels.trendchart import TrendChart
from mlwatch.app.rows import metric_rows
from mlwatch.app.view import View
from mlwatch.metrics.estimate import Estimate
from mlwatch.snapshot.types import Engagement, Revenue


def test_conversion_over_time_has_intervals() -> None:
    chart = trend_chart(View(snapshot(), "logs", "late_arrival"), "conversion")
    window = version("v1", "baseline").windows[2].business.conversion
    band = chart.bands[0]
    assert chart.series[0].values[2] == window.value
    assert not isinstance(band.low, float)
    assert band.low[2] == pytest.approx(window.low)


def test_a_younger_version_has_fewer_conversions_so_far_and_is_no_worse() -> None:
    versions = (
        replace(version("v1", "baseline"), maturity=0.937),
        replace(version("v2", "candidate"), maturity=0.273),
    )
    view = View(snapshot(models={"late_arrival": model(versions=versions)}), "logs", "late_arrival")
    (row,) = (row for row in metric_rows(view) if row.key == "maturity")
    assert row.change is not None
    assert row.change.difference == pytest.approx(0.273 - 0.937)
    assert row.change.verdict == "lower"


def test_revenue_that_is_not_known_has_no_line() -> None:
    made = version("v1", "baseline")
    bare = [replace(window, business=replace(window.business, revenue=Revenue())) for window in made.windows]
    bare_version = replace(made, windows=tuple(bare))
    known, unknown = (
        trend_chart(
            View(snapshot(models={"late_arrival": model(versions=(one,))}), "logs", "late_arrival"),
            "revenue_total",
        )
        for one in (made, bare_version)
    )
    assert known.series[0].values.tolist() == [window.business.revenue.total for window in made.windows]
    assert unknown.series == ()


async def test_funnel_goes_from_predictions_to_revenue() -> None:
    async with running(FakeSource(), (200, 60)) as (app, pilot):
        await pilot.press("5")
        await settle(pilot)
        drawn = text_of(app)
    for part in (
        "predictions", "engaged", "converted", "2.47 EUR each", "Conversion over time", "Engagement over time",
        "Revenue / request over time", "5.87 to 6.53 %",
    ):  # fmt: skip
        assert part in drawn


async def test_engagements_are_told_by_kind_where_there_is_room() -> None:
    made = version("v1", "baseline")
    kinds = {
        "click": Engagement(900, Estimate(0.0425, 20_000)),
        "dwell [b]\x1b[31m": Engagement(700, Estimate(0.03, 20_000), Estimate(21.5, 700, 20.9, 22.1)),
    }
    first = replace(made, business=replace(made.business, kinds=kinds))
    versions = (first, version("v2", "candidate"))
    made_of = snapshot(models={"late_arrival": model(versions=versions)})
    async with running(FakeSource(made_of), (200, 60)) as (app, pilot):
        await pilot.press("5")
        await settle(pilot)
        rows = [" ".join(text.split()) for text in text_of(app).splitlines()]
    for start in ("click 4.25 % n/a", "dwell [b] 3.00 % n/a", "dwell [b], mean 21.5 n/a"):
        assert any(start in row for row in rows), start


async def test_charts_of_the_deck_are_read_together() -> None:
    async with running(FakeSource(), (200, 60)) as (app, pilot):
        await pilot.press("5")
        await settle(pilot)
        charts = list(app.screen.query(TrendChart).results(TrendChart))
        charts[0].focus()
        await pilot.press("left")
        await settle(pilot)
        assert len({chart.cursor for chart in charts}) == 1
        assert charts[0].cursor is not None


async def test_without_events_it_says_what_an_event_is() -> None:
    async with running(FakeSource(unlabelled()), (120, 40)) as (app, pilot):
        await pilot.press("5")
        await settle(pilot)
        assert "No engagement or conversion yet" in text_of(app)


async def test_how_much_of_the_conversions_there_was_time_for_is_said_beside_them() -> None:
    versions = (
        replace(version("v1", "baseline"), maturity=0.998),
        replace(version("v2", "candidate"), maturity=0.61),
    )
    made = snapshot(models={"late_arrival": model(versions=versions)})
    async with running(FakeSource(made), (200, 60)) as (app, pilot):
        assert "of the conversions to come, so far: v1 99.80 %, v2 61.0 %" in text_of(app)
        await pilot.press("5")
        await settle(pilot)
        drawn = text_of(app)
    assert "of the conversions to come, so far: v1 99.80 %, v2 61.0 %" in drawn
