from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from factory import START, errors, model, rollout, snapshot, unlabelled, version

from mlwatch.app.glyphs import UNICODE
from mlwatch.app.panels.columns import Columns, Names, head, row_pieces
from mlwatch.app.panels.families import FamiliesPanel, plan_rows
from mlwatch.app.readings import Reading
from mlwatch.app.rows import Change, Verdict, _verdict, detail, metric_rows, unseen
from mlwatch.app.view import View, choose_model, next_model
from mlwatch.faces.footnotes import footnotes, over
from mlwatch.metrics.estimate import Estimate, estimate
from mlwatch.snapshot.types import Revenue, TimeRange

if TYPE_CHECKING:
    from mlwatch.app.catalogue import Better
    from mlwatch.snapshot.types import Role


def view(made: object = None) -> View:
    return View(made or snapshot(), "logs", "late_arrival")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "better", "verdict"),
    [
        (Reading(0.90, low=0.89, high=0.91), Reading(0.93, low=0.92, high=0.94), "higher", "better"),
        (Reading(0.90, low=0.89, high=0.91), Reading(0.93, low=0.92, high=0.94), "lower", "worse"),
        (Reading(0.90, low=0.89, high=0.91), Reading(0.905, low=0.895, high=0.915), "higher", "unclear"),
        (Reading(0.90, low=0.89, high=0.91), Reading(0.93, low=0.92, high=0.94), None, "higher"),
        (Reading(100.0), Reading(104.0), "lower", "higher"),
        (Reading(100.0), Reading(120.0), "lower", "worse"),
        (Reading(100.0), Reading(80.0), "lower", "better"),
        (Reading(100.0), Reading(100.0), "lower", "same"),
        (Reading(30.0, low=25.0), Reading(42.0, low=33.0), "lower", "unclear"),
        (Reading(30.0, low=25.0, high=32.0), Reading(42.0, low=33.0), "lower", "worse"),
    ],
)
def test_a_change_is_judged_by_its_intervals(
    before: Reading, after: Reading, better: Better, verdict: str
) -> None:
    assert _verdict(before, after, better) == verdict


LOW, HIGH = Reading(3.1, low=3.0, high=3.2), Reading(3.6, low=3.5, high=3.7)


@pytest.mark.parametrize(
    ("before", "after", "mean", "verdict"),
    [
        (LOW, HIGH, Reading(4.2, low=4.0, high=4.4), "better"),
        (LOW, HIGH, Reading(45.7, low=-37.0, high=128.0), "unclear"),  # one large order
        (LOW, Reading(3.2, low=3.1, high=3.3), Reading(4.2, low=4.0, high=4.4), "unclear"),
        (HIGH, LOW, Reading(4.2, low=4.0, high=4.4), "unclear"),  # the means point up
    ],
)
def test_means_of_heavy_tails_are_compared_by_cut_values_too(
    before: Reading, after: Reading, mean: Reading, verdict: str
) -> None:
    """Each version's limit is of its own values, so that chance moves it: neither number says it alone."""
    one = Reading(3.2, low=3.0, high=3.4, winsorised=before)
    assert _verdict(one, replace(mean, winsorised=after), "higher") == verdict


def test_a_small_change_of_a_drift_score_says_nothing() -> None:
    assert _verdict(Reading(0.0), Reading(0.022), "lower", 0.1) == "higher"
    assert _verdict(Reading(0.0), Reading(0.12), "lower", 0.1) == "worse"


@pytest.mark.parametrize("drifted", [0, 1])
def test_a_mean_of_drift_scores_is_worse_only_where_more_features_drift(drifted: int) -> None:
    made = snapshot()
    before, after = (made.models["late_arrival"].versions[name] for name in ("v1", "v2"))
    calm = {
        name: replace(
            feature, drift=feature.drift and replace(feature.drift, score=0.0, drifted=False, state="ok")
        )
        for name, feature in before.quality.features.items()
    }
    noisy = {
        name: replace(feature, drift=feature.drift and replace(feature.drift, score=0.3))
        for name, feature in calm.items()
    }
    compared = sum(feature.drift is not None for feature in calm.values())
    old = replace(before, quality=replace(before.quality, features=calm, drifted_share=0.0))
    new = replace(after, quality=replace(before.quality, features=noisy, drifted_share=drifted / compared))
    models = {"late_arrival": replace(made.models["late_arrival"], versions={"v1": old, "v2": new})}
    row = next(row for row in metric_rows(view(replace(made, models=models))) if row.key == "drift")
    assert row.change is not None
    assert row.change.difference == pytest.approx(0.3)
    assert row.change.verdict == ("worse" if drifted else "higher")


@pytest.mark.parametrize(("later", "compared"), [(0.05, True), (0.5, False)])
def test_throughput_is_compared_only_over_the_same_time(later: float, compared: bool) -> None:
    made = snapshot()
    versions = made.models["late_arrival"].versions
    old, new = versions["v1"], versions["v2"]
    assert old.first is not None
    assert old.last is not None
    young = replace(new, first=old.first + later * (old.last - old.first))
    models = {"late_arrival": replace(made.models["late_arrival"], versions={"v1": old, "v2": young})}
    row = next(row for row in metric_rows(view(replace(made, models=models))) if row.key == "throughput")
    assert (row.change is not None) == compared


def test_over_a_part_of_the_rollout_the_change_is_that_of_the_part() -> None:
    whole = view()
    assert whole.rollout is not None
    begun = replace(whole.rollout, since=START)
    part = replace(
        snapshot(rollouts=(begun,)), range=TimeRange(START + timedelta(hours=1), START + timedelta(hours=2))
    )
    rows = {row.key: row for row in metric_rows(view(part))}
    conversion = rows["conversion"]
    assert conversion.change is not None
    assert conversion.candidate is not None
    before, after = conversion.baseline.value, conversion.candidate.value
    assert before is not None
    assert after is not None
    assert conversion.change.difference == after - before
    assert conversion.change.samples_left is None


def test_the_rollout_judges_before_we_do() -> None:
    rows = {row.key: row for row in metric_rows(view())}
    assert rows["engagement"].change is not None
    assert rows["engagement"].change.verdict == "fine"
    assert rows["conversion"].change is not None
    assert rows["conversion"].change.verdict == "unclear"
    assert rows["conversion"].change.samples_left == 14_200


def test_a_rollout_of_other_versions_judges_nothing_here() -> None:
    other = replace(rollout(), candidate="v3")
    rows = {row.key: row for row in metric_rows(view(snapshot(rollouts=(other,))))}
    assert rows["engagement"].change is not None
    assert rows["engagement"].change.verdict == "worse"


def test_a_missing_number_has_no_change_and_a_reason() -> None:
    row = metric_rows(view(unlabelled()))[0]
    assert row.change is None
    assert detail(row, "v1", None) == "Accuracy: v1 n/a, because there are no labels yet"


def test_metrics_nobody_knows_are_shown_by_their_name() -> None:
    odd = replace(version("v1", "baseline"), performance={"hinge": estimate(0.5, 9)})
    made = snapshot(models={"late_arrival": model(versions=(odd,))}, rollouts=())
    assert metric_rows(view(made))[0].label == "hinge"


def test_trends_of_both_versions_share_their_steps() -> None:
    late = version("v2", "candidate")
    late = replace(late, windows=late.windows[4:])
    made = snapshot(models={"late_arrival": model(versions=(version("v1", "baseline"), late))})
    row = metric_rows(view(made))[0]
    assert len(row.baseline_trend) == len(row.candidate_trend) == 12
    assert row.candidate_trend[:4] == (None,) * 4


@pytest.mark.parametrize(
    ("difference", "width", "said"),
    [
        (-0.00000593, 120, "▼ −0.0006 pt unclear"),
        (0.0006, 120, "▲ +0.06 pt unclear"),
        (-0.00000593, 70, "▼ unclear"),
    ],
)
def test_a_change_in_points_is_never_without_its_unit(difference: float, width: int, said: str) -> None:
    """Beside it stand percents."""
    row = replace(metric_rows(view())[0], change=Change(difference, "unclear"))
    assert row.unit == "share"
    columns = Columns.fitting(width, Names("v1", "v2"), headings=False)
    texts = [text.strip() for text, _ in row_pieces(row, columns, UNICODE, first=True)]
    assert said in texts


def test_rows_give_way_to_room() -> None:
    rows = metric_rows(view())
    essential = sum(row.rank == 1 for row in rows)
    assert essential == 14, "what fits 80x24"
    assert len(plan_rows(rows, 200, 120).rows) == len(rows)
    assert len(plan_rows(rows, 14, 78).rows) == essential
    assert not plan_rows(rows, 14, 78).headings
    assert plan_rows(rows, 24, 120).headings
    filled = [row.key for row in plan_rows(rows, 25, 120).rows if row.rank == 2]
    assert filled == ["roc_auc", "label_drift", "latency_p50", "revenue_total"], "each family in turn"


def test_shadow_stands_in_for_a_candidate() -> None:
    shadow = version("v9", "shadow")
    made = view(snapshot(models={"late_arrival": model(versions=(version("v1", "baseline"), shadow))}))
    assert made.candidate is shadow


@pytest.mark.parametrize("role", ["candidate", "shadow"])
def test_what_users_did_says_nothing_of_answers_they_did_not_see(role: Role) -> None:
    old, new = version("v1", "baseline"), version("v2", role, bad=True)
    sold = replace(new.business, conversion=Estimate(0.01, 20_000, 0.009, 0.011))
    made = snapshot(models={"late_arrival": model(versions=(old, replace(new, business=sold)))}, rollouts=())
    changes = {row.key: row.change for row in metric_rows(view(made))}
    assert changes["conversion"] is not None
    assert changes["conversion"].verdict == ("lower" if role == "shadow" else "worse")
    assert changes["accuracy"] is not None
    assert changes["accuracy"].verdict == "worse"
    said = "users saw the baseline's answers, none of v2" if role == "shadow" else ""
    assert unseen([old, new]) == said
    (quiet,) = unlabelled().models["late_arrival"].versions.values()
    assert not unseen([old, replace(quiet, role=role)]), "nothing is known of users"
    noted = footnotes(model(versions=(old, new)))
    assert any(note.startswith("Nobody saw the answers of v2, a shadow") for note in noted) == bool(said)


@pytest.mark.parametrize(
    ("roles", "told"),
    [
        (("baseline",), False),
        (("baseline", "candidate", "other"), False),
        (("baseline", "shadow", "other"), False),
        (("baseline", "other", "other"), True),
    ],
)
def test_of_a_rollout_that_is_over_a_report_says_how_to_see_its_verdict(
    roles: tuple[Role, ...], *, told: bool
) -> None:
    made = model(versions=tuple(version(f"v{number}", role) for number, role in enumerate(roles, 1)))
    said = "No candidate gets traffic any more: --candidate v3 shows the verdict on the newest."
    assert over(made) == (said if told else "")


def test_revenue_in_several_currencies_is_no_better_or_worse() -> None:
    def earning(currency: str) -> Verdict:
        versions = [
            replace(
                each, business=replace(each.business, revenue=Revenue(0, 0, 0, each_one, low, high, currency))
            )
            for each, each_one, low, high in (
                (version("v1", "baseline"), 40.0, 39.0, 41.0),
                (version("v2", "candidate"), 20.0, 19.0, 21.0),
            )
        ]
        made = snapshot(models={"late_arrival": model(versions=tuple(versions))}, rollouts=())
        (change,) = (row.change for row in metric_rows(view(made)) if row.key == "revenue")
        assert change is not None
        return change.verdict

    assert (earning("EUR"), earning("EUR + NOK")) == ("worse", "lower")


def test_models_are_chosen_and_go_round() -> None:
    both = snapshot(models={"a": model("a"), "late_arrival": model()})
    assert choose_model(both, None) == "late_arrival", "the one that rolls out"
    assert choose_model(both, "a") == "a"
    assert choose_model(both, "gone") == "late_arrival"
    assert next_model(both, "late_arrival") == "a"
    assert next_model(snapshot(models={}), "a") is None


@pytest.mark.parametrize(
    ("predictions", "failed", "said"),
    [
        (500, 0, "no labels yet: an outcome names a request id"),
        (500, 500, "no answers to judge: all requests failed"),
        (0, 0, "no requests in this time range"),
    ],
)
def test_the_note_on_performance_says_why_there_is_no_label(predictions: int, failed: int, said: str) -> None:
    lone = replace(version("v1", "baseline"), predictions=predictions, labelled=0, errors=errors(0.0, 1))
    lone = replace(lone, errors=replace(lone.errors, count=failed))
    made = snapshot(models={"late_arrival": model(versions=(lone,))})
    made = replace(made, ingest=replace(made.ingest, outcomes_unmatched=0))
    state = FamiliesPanel("families").digest(View(made, "logs", "late_arrival"))
    assert dict(state.notes)["performance"] == said


def test_an_interval_says_whether_it_is_that_of_the_change() -> None:
    rows = {row.key: row for row in metric_rows(view())}
    columns = Columns.fitting(120, Names("v1", "v2"), headings=True)
    judged, plain = rows["accuracy"], rows["precision"]
    assert judged.change is not None
    assert (judged.change.low, judged.change.high) == (-0.041, -0.025)
    assert plain.change is not None
    assert plain.change.low is None
    drawn = {
        key: "".join(text for text, _ in row_pieces(rows[key], columns, UNICODE, first=False))
        for key in ("accuracy", "precision")
    }
    assert "  Δ −4.10 to −2.50 pt " in drawn["accuracy"]
    assert "Δ" not in drawn["precision"]
    assert "95 % interval (Δ change)" in "".join(
        text for text, _ in head(columns, Names("v1", "v2"), UNICODE)
    )
    alone = Columns.fitting(120, Names("v1", None), headings=True)
    assert "Δ" not in "".join(text for text, _ in head(alone, Names("v1", None), UNICODE))
