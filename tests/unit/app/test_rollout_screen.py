"""The screen of the rollout: differences, their course, traffic and the log of verdicts."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from driving import running, settle, text_of
from factory import NOW, FakeSource, empty, model, rollout, snapshot, unlabelled
from textual.geometry import Size

from mlwatch.app.judging import interval_in_margins, label_of, unit_of
from mlwatch.app.panels.coursechart import CourseChart, course_chart
from mlwatch.app.panels.deck import Deck
from mlwatch.app.panels.rolloutforest import RolloutForest, forest_of, show_odds
from mlwatch.app.panels.shadowpanels import PairRequests
from mlwatch.app.panels.traffic import TrafficPanel, needed
from mlwatch.app.panels.verdictlog import STATES
from mlwatch.app.view import View
from mlwatch.metrics.pair_gaps import PairedDistance
from mlwatch.metrics.rollout_types import RolloutState, Status
from mlwatch.metrics.segments import Contrast
from mlwatch.snapshot.pair_types import PairFeature, PairFindings, PairPart, PairRequest, PairStep
from mlwatch.snapshot.types import ConfusionTable, Shadow, Throughput

HOSTILE = "[bold red]x[/]\x1b[31m\u202eevil\u200b\nline\x07"


def view(**changes: object) -> View:
    return View(snapshot(**changes), "logs", "late_arrival")


def test_differences_are_placed_by_their_margins() -> None:
    metrics = rollout().metrics
    accuracy, latency = metrics["accuracy"], metrics["latency_p95"]
    assert interval_in_margins(accuracy) == pytest.approx((math.asinh(-4.1), math.asinh(-2.5)))
    # a latency that rises is harm too, so that it lies on the same side
    assert interval_in_margins(latency) == pytest.approx((math.asinh(-64 / 12.2), math.asinh(-46 / 12.2)))
    assert interval_in_margins(metrics["error_rate"])[0] == -math.inf
    assert all(map(math.isnan, interval_in_margins(metrics["revenue"])))


def test_forest_says_differences_in_units_and_words() -> None:
    rows = {row.name: row for row in forest_of(view(), wide=True).rows}
    assert rows["Accuracy"].text == "▼ −3.30 pt worse  (−4.10 to −2.50 pt)"
    assert rows["Latency p95"].text.startswith("▲ +55.1 ms worse")
    assert rows["Revenue / request"].text == "no data"
    assert math.isnan(rows["Revenue / request"].value)
    assert (rows["Engagement"].style, rows["Conversion"].style) == ("good", "warn")


def test_what_is_said_of_the_traffic_is_not_cut_within_a_sentence() -> None:
    panel = TrafficPanel("traffic")
    state = panel.digest(view())
    whole = [str(each) for each in panel.lines(state, Size(28, 20))]
    assert [str(each) for each in panel.lines(state, Size(28, len(whole)))] == whole
    cut = [str(each) for each in panel.lines(state, Size(28, 3))]
    assert cut == [*whole[:2], f"{len(whole) - 2} more lines: z shows all"]


def test_unknown_metrics_keep_their_own_name() -> None:
    metric = replace(rollout().metrics["accuracy"], label="own loss")
    assert label_of("own", metric) == "Own loss"
    assert unit_of("own", metric) == "score"


def test_course_is_drawn_in_points_with_its_margin_and_when_it_was_decided() -> None:
    chart = course_chart(view(), "accuracy")
    assert chart.unit == "pt"
    assert [series.name for series in chart.series] == ["", "margin", "difference"]
    assert chart.series[1].values.tolist() == pytest.approx([-1.0] * 18)
    assert chart.series[2].values[-1] == pytest.approx(-3.4)
    assert [marker.label for marker in chart.markers] == ["10 % of traffic", "50 % of traffic", "worse"]
    assert chart.low is not None
    assert chart.low < -3.4
    assert not course_chart(view(), "conversion").series  # has no course
    assert not course_chart(view(rollouts=()), "accuracy").series


def test_what_is_missing_is_said_with_the_time_it_takes() -> None:
    """At the rate of now, not at that of the whole range; of the version that gets fewer now."""
    held = replace(rollout(), verdict="hold")
    metrics = {
        **held.metrics,
        "conversion": replace(held.metrics["conversion"], n_baseline=900, n_candidate=100),
    }
    held = replace(held, metrics=metrics)

    def asked(*rates: float | None) -> str:
        versions = dict(zip(("v1", "v2"), rates, strict=True))
        made = replace(model(), versions={
            name: replace(each, throughput=Throughput(five_minutes=versions[name]))
            for name, each in model().versions.items()
        })  # fmt: skip
        (sentence,) = needed(view(models={"late_arrival": made}, rollouts=(held,)), held)
        return sentence

    usual = "About 14,000 more requests decide"
    assert asked(1.0, 1.0) == f"{usual}, 3 h 33 min at the present rate; conversion needs most."
    assert asked(10.0, 0.1) == f"{usual}, 3 h 56 min at the present rate; conversion needs most."
    assert asked(1.0, 0.0) == asked(None, 1.0) == f"{usual}; conversion needs most."
    assert needed(view(), rollout()) == ("Nothing is missing: the verdict is decided.",)


def test_odds() -> None:
    assert [show_odds(value) for value in (0.42, 8_100.4, 1e300)] == ["0.42", "8,100", "over a million"]


async def test_the_chart_follows_the_chosen_metric() -> None:
    async with running(FakeSource(), (120, 40)) as (app, pilot):
        await pilot.press("6")
        await settle(pilot)
        forest, chart = app.screen.query_one(RolloutForest), app.screen.query_one(CourseChart)
        assert forest.has_focus
        assert forest.chosen == "accuracy"
        assert len(chart.chart.series) == 3
        drawn = text_of(app)
        for part in (
            "Accuracy: candidate less baseline", "Evidence of harm 8,100 to 1; 100 to 1 rolls back",
            "50.3 % of 50 %", "Split as configured (p 0.41", "ROLL BACK worse: Accuracy", "HOLD",
            "Accuracy shown worse",
        ):  # fmt: skip
            assert part in drawn
        await pilot.press("down")
        await settle(pilot)
        assert "Latency p95: candidate less baseline" in text_of(app)


async def test_a_mismatch_of_the_split_is_said() -> None:
    source = FakeSource(snapshot(rollouts=(replace(rollout(), srm_p=1e-7),)))
    async with running(source, (120, 40)) as (app, pilot):
        await pilot.press("6")
        await settle(pilot)
        assert "MISMATCH: not the configured split" in text_of(app)


async def test_shadow_pairs_are_there_only_for_a_shadow() -> None:
    pairs = Shadow(900, 600, 0.05, 0.03, 0.07, 0.81, -0.01, -0.03, 0.01, 20, 10, 0.1, None)
    source = FakeSource(snapshot(rollouts=(replace(rollout(), mode="shadow", shadow=pairs, srm_p=None),)))
    async with running(source, (120, 40)) as (app, pilot):
        await pilot.press("6")
        await settle(pilot)
        drawn = text_of(app)
        assert "Shadow pairs" in drawn
        assert "no split to check" in drawn
        source.renew(snapshot())
        app.look()
        await settle(pilot)
        assert "Shadow pairs" not in text_of(app)


def shadow(**changes: Any) -> Shadow:
    """Return a shadow with something to find in every panel."""
    start = NOW - timedelta(hours=1)
    steps = tuple(
        PairStep(
            start + timedelta(minutes=5 * at), start + timedelta(minutes=5 * at + 5), 90, 0.01 * at, 0.0, 0.2
        )
        for at in range(12)
    )
    parts = (
        PairPart("country", HOSTILE, 120, 0.3, Contrast(0.25, 0.2, 0.3, 1e-9, 30.0, q=1e-8)),
        PairPart("country", "NO", 700, 0.05, Contrast(0.01, -0.01, 0.03, 0.4, 7.0)),
    )
    request = PairRequest(
        "r7", NOW, "0", "1", 0.21, 0.83, "0", {"country": "DE", "amount": 71.8}, {"amount": 72.8}
    )
    found = PairFindings(
        "disagreement", 900, steps, parts, (PairFeature("country", 0.11, 1e-9, 3, 900),), (request,),
        scores=PairedDistance(900, -0.02, -0.03, -0.01, 0.04, 0.1, 0.02, 0.2, 0.5, 0.9),
    )  # fmt: skip
    table = ConfusionTable(("0", "1"), ((400, 30), (15, 455)))
    return replace(
        Shadow(900, 600, 0.05, 0.03, 0.07, 0.81, -0.01, -0.03, 0.01, 20, 10, 0.1, table),
        findings=found,
        **changes,
    )


async def test_a_shadow_shows_where_its_answers_differ() -> None:
    made = snapshot(rollouts=(replace(rollout(), mode="shadow", shadow=shadow(), srm_p=None),))
    async with running(FakeSource(made), (200, 60)) as (app, pilot):
        await pilot.press("6")
        await settle(pilot)
        drawn = text_of(app)
        for _ in range(2):
            await pilot.press("n")
            await settle(pilot)
            drawn += text_of(app)
    for part in (
        "Where the answers differ", "+25.0 pt  more", "Answers differ, over time", "country", "11.0 %",
        "3 of 900", "r7", "0 (0.210)", "1 (0.830)", "amount 71.8 → 7", "Scores apart", "0.040",
    ):  # fmt: skip
        assert part in drawn
    assert not set(drawn) & set("\x1b\u202e\u200b\x07")


async def test_room_below_the_log_is_used() -> None:
    source = FakeSource(snapshot(rollouts=(replace(rollout(), mode="shadow", shadow=shadow(), course=None),)))
    async with running(source, (120, 40)) as (app, pilot):
        await pilot.press("6")
        await settle(pilot)
        assert "What the difference depends on" in text_of(app)
        assert "Throughput over time" not in text_of(app)  # both versions of a shadow have the same
        source.renew(snapshot())
        app.look()
        await settle(pilot)
        assert "Throughput over time" in text_of(app)
        await pilot.resize_terminal(120, 26)
        await settle(pilot)
        assert "Throughput over time" not in text_of(app)


async def test_a_rollout_without_pairs_has_only_its_course() -> None:
    source = FakeSource(snapshot(rollouts=(replace(rollout(), mode="shadow", shadow=shadow()),)))
    async with running(source, (200, 60)) as (app, pilot):
        await pilot.press("6")
        await settle(pilot)
        deck = app.screen.query_one(Deck)
        assert len(deck.panels) == 6
        source.renew(snapshot())
        app.look()
        await settle(pilot)
        assert [panel.id for panel in deck.panels] == ["course"]
        assert not app.screen.query_one(PairRequests).can_focus
        assert "Where the answers differ" not in text_of(app)


@pytest.mark.parametrize("made", [empty(), unlabelled()])
async def test_without_a_rollout_it_says_what_there_must_be(made: object) -> None:
    async with running(FakeSource(made), (80, 24)) as (app, pilot):  # type: ignore[arg-type]
        await pilot.press("6")
        await settle(pilot)
        drawn = text_of(app)
        assert "Nothing to compare yet: two versions" in drawn
        assert "No history yet" in drawn


async def test_hostile_text_is_harmless() -> None:
    metric = replace(rollout().metrics["accuracy"], reason=HOSTILE, notes=(HOSTILE,), label=HOSTILE)
    bad = replace(rollout(), metrics={HOSTILE: metric}, reasons=(HOSTILE,), candidate=HOSTILE)
    async with running(FakeSource(snapshot(rollouts=(bad,))), (120, 40)) as (app, pilot):
        await pilot.press("6")
        await settle(pilot)
        drawn = text_of(app)
    assert not set(drawn) & set("\x1b\u202e\u200b\x07")
    assert "[bold red]x[/]" in drawn


async def test_users_are_counted_and_what_their_requests_tell_is_said() -> None:
    metrics = {name: replace(metric, design_effect=4.0) for name, metric in rollout().metrics.items()}
    by_user = replace(rollout(), unit="user_id", units={"v1": 1_536, "v2": 229}, metrics=metrics)
    async with running(FakeSource(snapshot(rollouts=(by_user,))), (200, 60)) as (app, pilot):
        await pilot.press("6")
        await settle(pilot)
        drawn = " ".join(text_of(app).split())
        for part in ("1,536 of v1 and 229 of v2", "up to 4 requests of one"):
            assert part in drawn


def test_every_state_of_a_verdict_has_words() -> None:
    assert {state.value for state in RolloutState} == set(STATES)


async def test_a_reason_that_finds_no_room_gives_up_its_limit_first() -> None:
    first = "p99 latency of v2 is 9.1 times v1's (at least 2.1), the limit is 1.1"
    second = "accuracy of v2 is 4.1 points below v1's 89.5 % (1.7–6.6), the limit is 1 point"
    judged = replace(rollout(), reasons=(first, second))
    drawn = {}
    for size in ((80, 24), (120, 40)):
        async with running(FakeSource(snapshot(rollouts=(judged,))), size) as (app, _):
            drawn[size] = [text.strip(" ▌") for text in text_of(app).splitlines()]
    assert "P99 latency of v2 is 9.1 times v1's (at least 2.1), the limit is 1.1" in drawn[80, 24]
    assert "Accuracy of v2 is 4.1 points below v1's 89.5 % (1.7–6.6)" in drawn[80, 24]
    assert "Accuracy of v2 is 4.1 points below v1's 89.5 % (1.7–6.6), the limit is 1 point" in drawn[120, 40]


async def test_a_reason_that_finds_no_room_still_says_that_it_is_not_decided() -> None:
    first = "p99 latency of v2 is 1.41 times v1's (1.11–1.90), the limit is 1.1"
    said = "accuracy of v2 is 4.6 points below v1's 78.7 % (0.1–9.0)"
    limit = ", the limit is 1 point"
    endings: dict[Status, str] = {
        "inconclusive": ": not decided, about 1,200 more labelled predictions needed",
        "worse": "",
    }
    drawn: dict[str, dict[tuple[int, int], list[str]]] = {}
    for status, ending in endings.items():
        accuracy = replace(rollout().metrics["accuracy"], status=status, reason=said + limit + ending)
        judged = replace(rollout(), reasons=(first, accuracy.reason), metrics={"accuracy": accuracy})
        drawn[status] = {}
        for size in ((80, 24), (120, 40), (200, 60)):
            async with running(FakeSource(snapshot(rollouts=(judged,))), size) as (app, _):
                drawn[status][size] = [text.strip(" ▌") for text in text_of(app).splitlines()]
    undecided = drawn["inconclusive"]
    assert f"Not decided: {said}" in undecided[80, 24]
    assert f"A{said[1:]}{limit}: not decided" in undecided[120, 40]
    assert f"A{said[1:]}{limit}{endings['inconclusive']}" in undecided[200, 60]
    assert f"A{said[1:]}" in drawn["worse"][80, 24]
    assert f"A{said[1:]}" not in undecided[80, 24]


async def test_what_is_within_its_limit_says_so_first_where_there_is_no_room() -> None:
    first = "p99 latency of v2 is 1.41 times v1's (1.11–1.90), the limit is 1.1"
    name = "release-2026-11-20-canary"
    second = f"error rate of {name} is 1.02 times v1's (0.98–1.06), the limit is 1.2: within the limit"
    safe = replace(rollout().metrics["error_rate"], status="non_inferior", reason=second)
    judged = replace(rollout(), candidate=name, reasons=(first, second), metrics={"error_rate": safe})
    async with running(FakeSource(snapshot(rollouts=(judged,))), (80, 24)) as (app, _):
        drawn = [text.strip(" ▌") for text in text_of(app).splitlines()]
    assert any(line.startswith("Within the limit: error rate of release-2026") for line in drawn)
