"""The screen of performance: the chosen number over time with intervals, and what it is made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from driving import running, settle, text_of
from factory import START, FakeSource, model, snapshot, unlabelled, version
from textual.geometry import Size

from mlwatch.app.charts import trend_chart
from mlwatch.app.panels.deck import Deck, grid_of
from mlwatch.app.panels.histograms import ResidualsPanel, latency_bins
from mlwatch.app.panels.segmenttable import LATER, NONE, SegmentTable, segment_rows
from mlwatch.app.panels.trendchart import TrendChart
from mlwatch.app.view import View
from mlwatch.metrics.estimate import estimate
from mlwatch.snapshot.distributions import Bars
from mlwatch.snapshot.output_types import Outputs
from mlwatch.snapshot.types import Alert, ConfusionTable
from mlwatch.systems.mlflow_registry import Entry

HOSTILE = "[bold red]x[/]\x1b[31m\u202eevil\u200b\nline\x07"


def view(**changes: object) -> View:
    return View(snapshot(**changes), "logs", "late_arrival")


def test_a_chart_has_both_versions_with_their_intervals() -> None:
    chart = trend_chart(view(), "accuracy")
    names = [series.name for series in chart.series]
    assert names == ["v1 estimated", "v1", "v2 estimated", "v2"]
    assert chart.series[0].times[0] == (START + timedelta(minutes=30)).timestamp()
    window = version("v1", "baseline").windows[3].performance["accuracy"]
    band = chart.bands[0]
    assert isinstance(band.low, np.ndarray)
    assert isinstance(band.high, np.ndarray)
    assert (band.low[3], band.high[3]) == pytest.approx((window.low, window.high))
    assert chart.unit == "%"
    assert [marker.label for marker in chart.markers] == ["accuracy", "drift", "v2"]


def test_a_chart_marks_no_alerts_of_other_models() -> None:
    found = [
        Alert(about or "store", "firing", "warning", "", START, about=about)
        for about in ("late_arrival v2", "late v1", "late_arrival fees v1", "")
    ]
    names = ("late_arrival", "late", "late_arrival fees")
    chart = trend_chart(view(models={name: model(name) for name in names}, alerts=tuple(found)), "accuracy")
    assert [marker.label for marker in chart.markers] == ["late_arrival v2", "store", "v2"]


def test_the_metric_of_training_is_a_level_line_that_the_picture_holds() -> None:
    one = replace(version("v1", "baseline"), registered=Entry("1", metrics={"val_accuracy": 0.5}))
    other = replace(version("v2", "candidate"), registered=Entry("2", metrics={"val_loss": 1.0}))
    shown = view(models={"late_arrival": model(versions=(one, other))})
    chart = trend_chart(shown, "accuracy")
    (level,) = (series for series in chart.series if series.name.endswith("in training"))
    assert level.name == "v1 in training"
    assert set(level.values) == {0.5}
    assert level.times.tolist() == chart.series[-1].times.tolist()
    assert chart.low is not None
    assert chart.low < 0.5
    assert not [series for series in trend_chart(shown, "latency_p95").series if "training" in series.name]


def test_milliseconds_are_written_as_seconds_so_that_prefixes_fit() -> None:
    chart = trend_chart(view(), "latency_p95")
    first = version("v1", "baseline").windows[0].latency.p95
    assert first is not None
    assert chart.unit == "s"
    assert chart.series[0].values[0] == pytest.approx(first / 1000)


def test_wide_intervals_of_few_data_do_not_flatten_the_lines() -> None:
    sound = version("v1", "baseline")
    window = sound.windows[0]
    wide = replace(window.performance["accuracy"], low=0.0, high=1.0)
    windows = (replace(window, performance={"accuracy": wide}), *sound.windows[1:])
    made = view(models={"late_arrival": model(versions=(replace(sound, windows=windows),))})
    chart = trend_chart(made, "accuracy")
    assert chart.low is not None
    assert chart.low > 0.8


def test_latencies_share_one_grid() -> None:
    one = replace(version("v1", "baseline"), latency_bars=Bars((1.0, 2.0, 4.0), (3, 5)))
    other = replace(version("v2", "candidate"), latency_bars=Bars((2.0, 4.0, 8.0), (7, 1)))
    bins = latency_bins(view(models={"late_arrival": model(versions=(one, other))}))
    assert bins.edges.tolist() == pytest.approx([0.001, 0.002, 0.004, 0.008])
    assert bins.reference.tolist() == [3, 5, 0]
    assert bins.current.tolist() == [0, 7, 1]


@pytest.mark.parametrize(
    ("size", "grid"), [((40, 12), (1, 1)), ((60, 20), (1, 2)), ((92, 30), (2, 3)), ((140, 44), (3, 2))]
)
def test_a_deck_shows_as_many_panels_as_fit(size: tuple[int, int], grid: tuple[int, int]) -> None:
    assert grid_of(Size(*size), 6) == grid


async def test_n_turns_to_the_panels_that_find_no_room() -> None:
    async with running(FakeSource(), (80, 24)) as (app, pilot):
        await pilot.press("2")
        await settle(pilot)
        deck = app.screen.query_one(Deck)
        seen = []
        for _ in range(7):
            drawn = text_of(app)
            assert "n: 6 more" in drawn
            seen.append(next(panel.id for panel in deck.panels if panel.display))
            await pilot.press("n")
            await settle(pilot)
        assert seen == ["segments", "confusion", "calibration", "scores", "roc", "pr", "latency"]
        await pilot.press("N")
        await settle(pilot)
        assert next(panel.id for panel in deck.panels if panel.display) == "latency"


async def test_all_panels_are_there_on_a_large_terminal() -> None:
    async with running(FakeSource(), (200, 60)) as (app, pilot):
        await pilot.press("2")
        await settle(pilot)
        drawn = text_of(app)
    for part in (
        "Segments of v2 by harm, against v1",
        "Confusion matrix", "Calibration", "Scores of v2 by true class", "ROC curve", "Precision and recall",
        "Latency", "v1 ECE 0.021", "false positive rate", "Accuracy over time", "Latency p95 over time",
    ):  # fmt: skip
        assert part in drawn
    assert " more" not in drawn


async def test_charts_are_read_together() -> None:
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        await pilot.press("2", "tab", "left", "left")
        await settle(pilot)
        first, second = app.screen.query(TrendChart).results(TrendChart)
        assert first.has_focus
        assert first.cursor is not None
        assert second.cursor == first.cursor
        await pilot.press("plus")
        await settle(pilot)
        assert first.span is not None
        assert second.span == first.span


async def test_what_is_missing_is_said_with_what_to_do() -> None:
    async with running(FakeSource(unlabelled()), (200, 60)) as (app, pilot):
        await pilot.press("2")
        await settle(pilot)
        drawn = text_of(app)
        assert "No labels yet: log records" in drawn


async def test_hostile_names_and_classes_are_harmless() -> None:
    table = ConfusionTable((HOSTILE, "b"), ((3, 1), (0, 4)))
    bad = replace(version(HOSTILE, "candidate", bad=True), confusion=table)
    made = replace(model(versions=(version("v1", "baseline"), bad)), positive_class=HOSTILE)
    async with running(FakeSource(snapshot(models={"late_arrival": made})), (200, 60)) as (app, pilot):
        await pilot.press("2")
        await settle(pilot)
        assert not set(text_of(app)) & set("\x1b\u202e\u200b\x07")


def test_segments_are_ranked_by_the_harm_against_the_baseline() -> None:
    made = version("v2", "candidate", bad=True)
    rows = segment_rows(made, version("v1", "baseline"))
    assert [row.name for row in rows] == ["dep_delay 0 to 5", "dep_delay missing", "dep_delay below 0"]
    worst = rows[0]
    assert worst.worse
    assert worst.excess == pytest.approx(610 - 2_400 * 350 / 4_000)
    assert worst.change == pytest.approx(-(610 / 2_400 - 350 / 4_000))
    assert worst.other == pytest.approx(1 - 210 / 2_400)
    assert not rows[1].worse
    assert segment_rows(None, None) == ()


def test_a_lone_version_is_held_against_its_other_segments() -> None:
    rows = segment_rows(version("v1", "baseline"), None)
    assert rows[0].other is None
    assert [row.worse for row in rows] == [False, False, False]


def test_the_estimate_is_a_fainter_line_beside_the_realised_one() -> None:
    changed = {"estimated": {"accuracy": estimate(0.9, 100)}}
    sound = version("v1", "baseline")
    windows = tuple(replace(window, **changed) for window in sound.windows)  # type: ignore[arg-type]
    made = view(models={"late_arrival": model(versions=(replace(sound, windows=windows),))})
    expected, realised = trend_chart(made, "accuracy").series
    assert (expected.name, realised.name) == ("v1 estimated", "v1")
    assert expected.values.tolist() == pytest.approx([0.9] * len(windows))


async def test_segments_with_hostile_names_are_shown_harmlessly() -> None:
    sound = version("v1", "baseline")
    hostile = tuple(replace(each, column=HOSTILE, value=HOSTILE) for each in sound.segments)
    made = snapshot(models={"late_arrival": model(versions=(replace(sound, segments=hostile),))}, rollouts=())
    async with running(FakeSource(made), (200, 60)) as (app, pilot):
        await pilot.press("2")
        await settle(pilot)
        text = text_of(app)
    assert "Segments of v1 by harm, against" in text
    assert "\x1b[31m" not in text
    assert "\u202e" not in text


async def test_a_regression_shows_residuals_in_place_of_matrix_and_curves() -> None:
    edges = (-2.0, -1.0, 0.0, 1.0, 2.0)
    versions = (
        replace(version("v1", "baseline"), residual_bars=Bars(edges, (10, 40, 40, 10)), scores=None),
        replace(
            version("v2", "candidate"), residual_bars=Bars(edges, (0, 10, 60, 30)), scores=None,
            outputs=Outputs(residuals={"p50": 0.62}),
        ),
    )  # fmt: skip
    of_numbers = replace(model(versions=versions), task="regression")
    async with running(FakeSource(snapshot(models={"late_arrival": of_numbers})), (200, 60)) as (app, pilot):
        await pilot.press("2")
        await settle(pilot)
        drawn = text_of(app)
        assert "Residuals: prediction less label" in drawn
        assert "v2 median 0.620" in drawn
        for gone in ("ROC curve", "─ Calibration", "Confusion", "by true class", "more ─╯"):
            assert gone not in drawn
        bins = app.screen.query_one(ResidualsPanel).data
        assert bins.edges.tolist() == list(edges)
        assert (bins.reference.tolist(), bins.current.tolist()) == ([10, 40, 40, 10], [0, 10, 60, 30])


async def test_a_classifier_shows_no_residuals() -> None:
    async with running(FakeSource(), (200, 60)) as (app, pilot):
        await pilot.press("2")
        await settle(pilot)
        assert "Residuals" not in text_of(app)


def test_segments_are_not_said_to_need_what_is_there() -> None:
    table = SegmentTable("segments")
    bare = replace(version("v1", "baseline"), segments=(), segment_pairs=())
    for one, said in ((bare, LATER), (replace(bare, labelled=0), NONE)):
        table.take(View(snapshot(models={"late_arrival": model(versions=(one,))}), "logs", "late_arrival"))
        assert table.missing == said
