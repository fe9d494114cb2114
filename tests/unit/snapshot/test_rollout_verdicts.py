"""Verdicts of a snapshot on small rollouts: which versions are judged, by what, and what blocks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score, mean_absolute_error

import mlwatch
from mlwatch.errors import ConfigError
from mlwatch.faces.facts import facts_of
from mlwatch.snapshot import build
from mlwatch.snapshot.rollout import judge
from mlwatch.snapshot.types import Rollout

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.session import Session

START = datetime(2026, 11, 3, 10, tzinfo=UTC)
NAMED = '[rollout]\ncandidate = "v2"\n'
Record = dict[str, Any]


def traffic(
    versions: tuple[str, ...] = ("v1", "v2"),
    rows: int = 1200,
    seconds: float = 3.0,
    begin: datetime = START,
    wrong: float = 0.1,
    **changes: Any,
) -> list[Record]:
    """Return requests that go round the versions, each labelled, a share of them wrong."""
    rng = np.random.default_rng(7)
    records = []
    for i in range(rows):
        label = int(rng.random() < 0.5)
        answer = 1 - label if rng.random() < wrong else label
        time = begin + timedelta(seconds=seconds * i)
        records.append(
            {
                "timestamp": time.isoformat(),
                "id": f"r{begin.timestamp():.0f}-{i}",
                "model": "m",
                "version": versions[i % len(versions)],
                "prediction": answer,
                "label": label,
                "latency_ms": float(rng.lognormal(2, 0.3)),
                "status": 200,
                **changes,
            }
        )
    return records


def write(directory: Path, config: str = "", **files: Iterable[Record]) -> Path:
    directory.mkdir(exist_ok=True)
    for name, records in files.items():
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    if config:
        (directory / "mlwatch.toml").write_text(config)
    return directory


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., tuple[Rollout, ...]]:
    """Return the verdicts on a directory of records."""

    def judge_logs(
        config: str = "", at: datetime | None = None, **files: Iterable[Record]
    ) -> tuple[Rollout, ...]:
        with mlwatch.open(write(tmp_path / "logs", config, **files), db=":memory:", model="m") as watch:
            return watch.snapshot(at=at).rollouts

    return judge_logs


Judged = Callable[..., tuple[Rollout, ...]]


def test_each_candidate_is_judged_with_its_part_of_the_error_budget(judged: Judged) -> None:
    found = judged(a=traffic(("v1", "v2", "v3")))
    assert [(each.baseline, each.candidate, each.alpha) for each in found] == [
        ("v1", "v3", 0.025),
        ("v1", "v2", 0.025),
    ]
    guards = len(found[0].metrics)
    assert {metric.level for metric in found[0].metrics.values()} == {0.025 / guards}


def test_a_named_candidate_is_judged_alone(judged: Judged) -> None:
    (found,) = judged('[rollout]\ncandidate = "v2"\n', a=traffic(("v1", "v2", "v3")))
    assert (found.candidate, found.alpha) == ("v2", 0.05)


@pytest.mark.usual(1)
@pytest.mark.parametrize("before", [True, False])
def test_what_comes_late_is_waited_for_where_the_baseline_had_it(judged: Judged, before: bool) -> None:
    """Without labels and events before, there is nothing to wait for."""
    past = traffic(("v1",), rows=600, begin=START - timedelta(hours=5), wrong=0.1)
    events = [
        {"timestamp": one["timestamp"], "id": one["id"], "event": "purchase", "value": 9.0}
        for one in past[: 60 if before else 0]
    ]
    for one in past:
        one["label"] = one["label"] if before else None
    (found,) = judged(a=past, b=traffic(rows=12_000, seconds=0.5, label=None), c=events)
    late = (
        "accuracy: n/a, because the rollout has no labels of v1 and v2 yet",
        "accuracy is not judged, because there are no labels yet",
    )
    assert (late[0] in found.reasons, late[1] in found.reasons) == (before, not before)
    assert {"accuracy", "conversion", "revenue"} & found.metrics.keys() == (
        {"accuracy", "conversion", "revenue"} if before else set()
    )
    assert found.verdict == ("hold" if before else "promote")


@pytest.mark.filterwarnings("error")
def test_errors_too_large_to_sum_up_are_no_reason_to_promote(judged: Judged) -> None:
    records = traffic(rows=6000, seconds=1.0)
    for number, one in enumerate(records):
        one["label"] += 0.5
        one["prediction"] = 1e200 if one["version"] == "v2" and number % 5 == 0 else one["label"] + 0.25
    (found,) = judged(a=records)
    assert found.verdict == "hold"
    assert found.metrics["mae"].status == "no_data"
    assert "mean absolute error: n/a, because its values are too large to sum up" in found.reasons


def test_a_retired_version_is_no_baseline(judged: Judged) -> None:
    retired = traffic(("v1",), rows=300, begin=START - timedelta(days=2))
    (found,) = judged(a=retired, b=traffic(("v2", "v3")))
    assert (found.baseline, found.candidate) == ("v2", "v3")


def test_a_candidate_that_stopped_is_not_the_baseline(judged: Judged) -> None:
    stopped = traffic(("v1", "v2"), rows=300)
    found = judged(a=stopped, b=traffic(("v1",), rows=3000, begin=START + timedelta(hours=20)))
    assert found == ()  # nobody is under test any more
    (named,) = judged(
        a=stopped, b=traffic(("v1",), rows=300, begin=START + timedelta(hours=20)), config=NAMED
    )
    assert (named.baseline, named.candidate, named.state) == ("v1", "v2", "one_arm_silent")


def test_versions_one_after_the_other_hold(judged: Judged) -> None:
    (found,) = judged(a=traffic(("v1",)), b=traffic(("v2",), begin=START + timedelta(hours=5)))
    assert (found.baseline, found.candidate, found.verdict) == ("v1", "v2", "hold")


@pytest.mark.deep
def test_a_candidate_of_the_future_is_unknown(judged: Judged) -> None:
    later = START + timedelta(hours=2)
    files = {"a": traffic(("v1",)), "b": traffic(("v1", "v2"), begin=later)}
    assert judged(at=START + timedelta(minutes=30), **files) == ()
    (found,) = judged(at=later + timedelta(minutes=30), **files)
    assert found.since == later


def test_numbers_are_those_of_pandas(judged: Judged) -> None:
    records = traffic(rows=3000, seconds=2.0)
    (found,) = judged(a=records)
    rows = pd.DataFrame(records)
    rows["minute"] = pd.to_datetime(rows.timestamp).dt.floor(
        "5min"
    )  # so few requests are judged by wider strata
    rows["right"] = (rows.prediction == rows.label).astype(float)
    by = rows.groupby(["minute", "version"]).right.agg(["sum", "count"]).unstack(fill_value=0)
    n_b, n_c = by["count"]["v1"], by["count"]["v2"]
    weight = n_b * n_c / (n_b + n_c)
    stratified = (weight * (by["sum"]["v2"] / n_c - by["sum"]["v1"] / n_b)).sum() / weight.sum()
    raw = rows.groupby("version").right.mean()
    metric = found.metrics["accuracy"]
    assert (metric.baseline, metric.candidate) == pytest.approx((raw["v1"], raw["v2"]), rel=1e-12)
    assert metric.difference == pytest.approx(stratified, abs=2e-3)
    assert metric.pooled == pytest.approx(raw["v2"] - raw["v1"], rel=1e-9)
    assert (metric.n_baseline, metric.n_candidate) == (1500, 1500)


def test_a_long_rollout_is_judged_by_the_hour(judged: Judged) -> None:
    records = traffic(rows=6000, seconds=100.0)  # a week
    (found,) = judged(a=records)
    assert found.state != "one_arm_silent"
    rows = pd.DataFrame(records)
    right = (rows.prediction == rows.label).groupby(rows.version).mean()
    metric = found.metrics["accuracy"]
    assert metric.candidate == pytest.approx(right["v2"], rel=1e-12)
    assert metric.n_candidate == 3000
    assert found.elapsed_s == pytest.approx(100.0 * 6000, rel=0.02)


@pytest.mark.usual(1)
@pytest.mark.parametrize("hours", [34, 38, 90, 98])
def test_little_traffic_is_judged_alike_however_long_the_rollout_is(judged: Judged, hours: int) -> None:
    """A request in seven minutes, and of the candidate half of them are wrong: strata grow with the rollout."""
    rows = hours * 60 // 7
    records = traffic(rows=rows, seconds=420.0, wrong=0.05)
    for record in records[1::4]:
        record["prediction"] = 1 - record["label"]
    (found,) = judged("", a=records)
    assert (found.verdict, found.state) == ("rollback", "decided")
    assert not any("the arms ran apart" in reason for reason in found.reasons)


def test_what_comes_after_the_moment_is_left_out_of_hours_too(judged: Judged) -> None:
    records = traffic(rows=6000, seconds=100.0)
    at = START + timedelta(days=6, minutes=30)
    (found,) = judged(at=at, a=records)
    earlier = [each for each in records if datetime.fromisoformat(each["timestamp"]) < at]
    assert found.metrics["accuracy"].n_candidate == sum(each["version"] == "v2" for each in earlier)


def test_errors_of_a_regression_are_compared(judged: Judged) -> None:
    rng = np.random.default_rng(3)
    records = traffic(rows=4000, seconds=1.0)
    for record in records:
        truth = float(rng.normal(100, 20))
        spread = 5.0 if record["version"] == "v1" else 10.0
        record |= {"label": truth, "prediction": truth + float(rng.normal(0, spread))}
    (found,) = judged('[roles]\ntask = "regression"\n', a=records)
    rows = pd.DataFrame(records)
    of_candidate = rows[rows.version == "v2"]
    metric = found.metrics["mae"]
    assert metric.candidate == pytest.approx(mean_absolute_error(of_candidate.label, of_candidate.prediction))
    assert metric.status == "worse"
    assert found.verdict == "rollback"
    assert "accuracy" not in found.metrics


@pytest.mark.usual(1)
@pytest.mark.parametrize("pieces", [2, 7])
def test_reading_in_pieces_changes_nothing(tmp_path: Path, pieces: int) -> None:
    records = traffic(wrong=0.2)
    labels = [{key: each[key] for key in ("timestamp", "id", "label", "model")} for each in records]
    for record in records:
        del record["label"]
    with mlwatch.open(write(tmp_path / "whole", a=records, b=labels), db=":memory:") as watch:
        (whole,) = watch.snapshot().rollouts
    parts = tmp_path / "parts"
    with mlwatch.open(write(parts, a=records[:1]), db=":memory:") as watch:
        for piece in range(pieces):  # labels first, the newest requests first: every order must do
            write(parts, "", **{f"l{piece}x": labels[piece::pieces]})
            write(parts, "", **{f"p{piece}x": records[1:][::-1][piece::pieces]})
            watch.ingest_all()
        (found,) = watch.snapshot().rollouts
    assert (found.verdict, found.state, found.reasons) == (whole.verdict, whole.state, whole.reasons)
    for name, metric in whole.metrics.items():
        again = found.metrics[name]
        assert (again.n_baseline, again.n_candidate) == (metric.n_baseline, metric.n_candidate)
        assert again.e_value == pytest.approx(metric.e_value, rel=1e-9)
        assert (again.difference or 0.0) == pytest.approx(metric.difference or 0.0, rel=1e-9, abs=1e-12)


# --- shadow ----------------------------------------------------------------------------------------------------


def shadow_records(rows: int = 600) -> tuple[list[Record], list[Record], list[Record]]:
    """Return both versions' answers to the same requests, and labels that come apart from them."""
    rng = np.random.default_rng(11)
    old, new, labels = [], [], []
    for i in range(rows):
        truth = int(rng.integers(3))
        base = {"timestamp": (START + timedelta(seconds=3 * i)).isoformat(), "id": f"r{i}", "model": "m"}
        answers = [truth if rng.random() < right else int((truth + 1) % 3) for right in (0.95, 0.7)]
        old.append({**base, "version": "v1", "prediction": f"c{answers[0]}", "latency_ms": 5.0})
        new.append({**base, "version": "v2", "prediction": f"c{answers[1]}", "latency_ms": 6.0})
        if i % 4:
            labels.append({"timestamp": base["timestamp"], "id": base["id"], "label": f"c{truth}"})
    return old, new, labels


@pytest.mark.usual(1)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_pairs_are_joined_once_in_any_order_of_arrival(judged: Judged, order: tuple[int, ...]) -> None:
    parts = shadow_records()
    (found,) = judged(**{"abc"[place]: parts[number] for place, number in enumerate(order)})
    old, new, labels = (pd.DataFrame(part).set_index("id") for part in parts)
    both = old.add_suffix("_b").join(new.add_suffix("_c")).join(labels.label)
    known = both.dropna(subset="label")
    lost = int(((known.prediction_b == known.label) & (known.prediction_c != known.label)).sum())
    won = int(((known.prediction_b != known.label) & (known.prediction_c == known.label)).sum())
    shadow = found.shadow
    assert found.mode == "shadow"
    assert shadow is not None
    assert (shadow.pairs, shadow.labelled) == (600, len(known))
    assert (shadow.only_baseline_right, shadow.only_candidate_right) == (lost, won)
    assert shadow.disagreement_rate == pytest.approx((both.prediction_b != both.prediction_c).mean())
    assert shadow.kappa == pytest.approx(cohen_kappa_score(both.prediction_b, both.prediction_c))
    assert shadow.accuracy_difference == pytest.approx((won - lost) / len(known))
    assert found.verdict == "rollback"
    assert shadow.mcnemar_p is not None
    assert (shadow.mcnemar_p < 0.05) == (binomtest(lost, lost + won).pvalue < 0.05)
    assert shadow.confusion is not None
    crossed = pd.crosstab(both.prediction_b, both.prediction_c).to_numpy().tolist()
    assert [list(row) for row in shadow.confusion.counts] == crossed


def test_the_same_answers_are_no_reason_to_roll_back(judged: Judged) -> None:
    old, _, labels = shadow_records()
    (found,) = judged(a=old, b=[{**each, "version": "v2"} for each in old], c=labels)
    assert found.shadow is not None
    assert (found.shadow.disagreement_rate, found.shadow.kappa) == (0.0, 1.0)
    assert found.verdict != "rollback"


def test_a_cap_on_disagreement_rolls_back_before_labels_come(judged: Judged) -> None:
    old, new, _ = shadow_records()
    (found,) = judged("[rollout.limits]\ndisagreement = 0.1\n", a=old, b=new)
    assert found.verdict == "rollback"
    assert found.metrics["disagreement"].status == "worse"


def test_pairs_that_all_miss_one_side_hold(judged: Judged) -> None:
    old, new, labels = shadow_records()
    strangers = [{**each, "id": "x" + each["id"]} for each in new]
    (found,) = judged('[rollout]\nmode = "shadow"\n', a=old, b=strangers, c=labels)
    assert found.verdict == "hold"
    assert found.reasons[0] == "no request id was answered by both v1 and v2"


def test_pairs_of_dropped_records_are_not_counted_and_that_is_said(tmp_path: Path) -> None:
    old, new, labels = shadow_records()
    write(tmp_path / "logs", '[store]\nkeep = "10m"\n', a=old, b=new, c=labels)
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        (found,) = watch.snapshot().rollouts
    last = pd.to_datetime([each["timestamp"] for each in (*old, *new)]).max()
    kept = [each for each in old if pd.Timestamp(each["timestamp"]) >= last - timedelta(minutes=10)]
    shadow = found.shadow
    assert shadow is not None
    assert shadow.pairs == len(kept) < len(old)
    assert shadow.since == datetime.fromisoformat(kept[0]["timestamp"])
    said = (
        f"only pairs since {shadow.since:%Y-%m-%d %H:%M} UTC are compared, because older records are not kept"
    )
    assert said in found.reasons
    assert found.metrics["error_rate"].n_baseline == len(old)  # by rollups, which stay


# --- what blocks -----------------------------------------------------------------------------------------------


def test_a_silent_candidate_holds(judged: Judged) -> None:
    both, rest = traffic(rows=600), traffic(("v1",), rows=600, begin=START + timedelta(minutes=30))
    (found,) = judged(a=both, b=rest)
    assert (found.verdict, found.state) == ("hold", "one_arm_silent")
    assert found.reasons[0].startswith("v2 has had no requests for 30 minutes")


def test_harm_stays_shown_when_the_candidate_was_taken_back_and_nothing_says_that_it_runs(
    judged: Judged,
) -> None:
    both = [
        record | {"status": 500 if record["version"] == "v2" and at % 4 == 1 else 200}
        for at, record in enumerate(traffic(rows=1200))
    ]
    rest = traffic(("v1",), rows=1000, begin=START + timedelta(hours=1))
    (found,) = judged(a=both, b=rest)
    assert (found.verdict, found.state) == ("rollback", "decided")
    assert found.reasons[0].startswith("error rate of v2 is 50 % ")
    assert "v2 has had no requests for 50 minutes" in found.reasons
    assert found.silent_s == {"v2": 3000.0}
    assert facts_of(found).startswith(
        "began 2026-11-03 10:00 UTC; v2 got 50.0 % of the traffic from 2026-11-03 10:00 to 2026-11-03 11:00 UTC; "
    )
    assert found.traffic_observed["v2"] == pytest.approx(600 / 2200, abs=1e-3)


@pytest.mark.deep
def test_a_version_that_comes_back_is_told_to_be_judged_by_what_it_did_before(judged: Judged) -> None:
    back = START + timedelta(hours=40)
    bad = [
        record | {"status": 500 if record["version"] == "v2" and at % 4 == 1 else 200}
        for at, record in enumerate(traffic(rows=1200))
    ]
    alone = traffic(("v1",), rows=78, seconds=1800.0, begin=START + timedelta(hours=1))
    files = {"a": bad, "b": alone, "c": traffic(rows=1200, begin=back)}
    (found,) = judged(**files)
    assert found.verdict == "rollback"
    said = (
        "v2 had no requests from 2026-11-03 10:59 to 2026-11-05 02:00 UTC, and what it did before counts; "
        '[rollout] start = "2026-11-05T02:00Z" judges what came since'
    )
    assert said in found.reasons
    (anew,) = judged('[rollout]\nstart = "2026-11-05T02:00Z"\n', **files)
    assert (anew.verdict, anew.since) == ("hold", back)
    assert not any("had no requests from" in reason for reason in anew.reasons)


@pytest.mark.deep
def test_a_rollout_that_was_ended_is_over_and_a_weekend_ends_none(tmp_path: Path) -> None:
    """Silence is measured by what the others did meanwhile."""
    begin = START - timedelta(days=30)
    ended = traffic(rows=400, seconds=20.0)
    files = {"a": traffic(("v1",), rows=720, seconds=3600.0, begin=begin), "b": ended}
    weekend = traffic(("v1",), rows=3, seconds=60.0, begin=START + timedelta(hours=62))
    days = traffic(("v1",), rows=80, seconds=1800.0, begin=START + timedelta(hours=3))
    for more, runs in ((weekend, True), (days, False)):
        logs = write(tmp_path / str(runs), a=files["a"], b=files["b"], c=more)
        with mlwatch.open(logs, db=":memory:", model="m") as watch:
            assert bool(watch.snapshot().rollouts) == runs


def test_a_quiet_version_may_be_allowed(judged: Judged) -> None:
    both, rest = traffic(rows=600), traffic(("v1",), rows=600, begin=START + timedelta(minutes=30))
    (found,) = judged("[rollout]\nsilent_after = '2h'\n", a=both, b=rest)
    assert found.state != "one_arm_silent"


def test_labels_that_stopped_hold_unless_they_may_be_late(judged: Judged) -> None:
    early = traffic(rows=1200)
    late = [{**each} for each in traffic(rows=1200, seconds=6.0, begin=START + timedelta(hours=1))]
    for record in late:
        del record["label"]
    settings = "[rollout]\nmetrics = ['accuracy']\nmargins = {accuracy = 0.15}\n"
    (found,) = judged(settings, a=early, b=late)
    assert (found.verdict, found.state) == ("hold", "stale_labels")
    assert any(
        "the newest label is 2 hours behind the traffic of v1 and v2" in reason for reason in found.reasons
    )
    (found,) = judged(settings + "label_delay = '3h'\n", a=early, b=late)
    assert found.verdict == "promote"


def test_labels_of_one_arm_hold(judged: Judged) -> None:
    records = [
        {key: value for key, value in each.items() if key != "label" or each["version"] == "v1"}
        for each in traffic()
    ]
    (found,) = judged("[rollout]\nmetrics = ['accuracy']\n", a=records)
    assert (found.verdict, found.state) == ("hold", "stale_labels")
    assert any("the rollout has no labels of v2 yet" in reason for reason in found.reasons)


def test_clocks_apart_hold(judged: Judged) -> None:
    old = traffic(("v1",), rows=300, seconds=5.0)
    new = traffic(("v2",), rows=300, seconds=5.0, begin=START + timedelta(minutes=25, seconds=4))
    (found,) = judged("[rollout]\nmin_time = '1m'\n", a=old, b=new)
    assert found.verdict == "hold"
    assert found.state in {"started_apart", "one_arm_silent"}


def test_traffic_that_is_not_split_as_configured_holds(judged: Judged) -> None:
    (found,) = judged("[rollout]\nshare = 0.1\n", a=traffic())
    assert found.state == "sample_ratio_mismatch"
    assert found.srm_p is not None
    assert found.srm_p < 1e-6
    assert "v2 gets 50 % of the traffic instead of 10 %" in found.reasons[0]


def test_a_metric_that_was_asked_for_but_is_not_logged_holds(judged: Judged) -> None:
    (found,) = judged("[rollout]\nmetrics = ['revenue']\n", a=traffic())
    assert found.verdict == "hold"


def test_what_cannot_be_judged_by_default_is_said(judged: Judged) -> None:
    (found,) = judged(a=traffic())
    assert "conversion is not judged, because the logs hold no conversions" in found.reasons


def bought(records: Iterable[Record], value: float, event: str = "purchase") -> list[Record]:
    """Return an event a fifth request."""
    fifth = itertools.islice(records, None, None, 5)
    return [{"timestamp": one["timestamp"], "id": one["id"], "event": event, "value": value} for one in fifth]


WORTHLESS = "revenue is not judged, because no request brought any"


@pytest.mark.usual(1)
@pytest.mark.parametrize("event", ["purchase", "refund"])
@pytest.mark.parametrize("before", [None, 0.0, 9.0])
def test_revenue_that_has_been_nought_all_the_time_is_not_judged(
    judged: Judged, event: str, before: float | None
) -> None:
    """Both versions' is 0 and stays so: it would hold the rollout for ever."""
    past = traffic(("v1",), rows=600, begin=START - timedelta(hours=5))
    records = traffic(rows=6000, seconds=1.0)
    events = bought(records, 0.0, event)
    if before is not None:
        events += bought(past, before)
    (found,) = judged(a=past, b=records, c=events)
    assert ("revenue" in found.metrics) == (before == 9.0), "what the baseline used to bring is waited for"
    assert (WORTHLESS in found.reasons) == (before != 9.0)


def test_a_single_request_that_brings_money_lets_revenue_be_judged(judged: Judged) -> None:
    records = traffic(rows=6000, seconds=1.0)
    events = bought(records, 0.0)
    events[-1]["value"] = 0.01
    (found,) = judged(a=records, c=events)
    assert "revenue" in found.metrics
    assert WORTHLESS not in found.reasons


def test_revenue_of_nought_neither_holds_nor_promotes_by_itself(judged: Judged) -> None:
    records = traffic(rows=24_000, seconds=0.3, wrong=0.0)
    for one in records:
        one["latency_ms"] = 10.0
    events = bought(records, 0.0)
    loose = "margins = {conversion = 0.5}"
    (found,) = judged(f"[rollout]\n{loose}\n", a=records, c=events)
    assert (found.verdict, WORTHLESS in found.reasons) == ("promote", True)


@pytest.mark.deep
def test_revenue_of_nought_is_judged_where_it_is_asked_for(judged: Judged) -> None:
    records = traffic(rows=6000, seconds=1.0)
    events = bought(records, 0.0)
    (asked,) = judged("[rollout]\nmetrics = ['error_rate', 'revenue']\n", a=records, c=events)
    assert (asked.verdict, set(asked.metrics)) == ("hold", {"error_rate", "revenue"})
    (limited,) = judged("[rollout]\nlimits = {revenue = 1.0}\n", a=records, c=events)
    assert (limited.verdict, limited.state) == ("rollback", "hard_limit")
    assert limited.reasons[0].startswith("revenue of v2 is 0, below the hard limit of 1 ")


def test_a_hard_limit_rolls_back(judged: Judged) -> None:
    (found,) = judged("[rollout.limits]\nlatency_p99 = 1.0\n", a=traffic())
    assert (found.verdict, found.state) == ("rollback", "hard_limit")
    assert "above the hard limit of 1 ms" in found.reasons[0]


def test_a_start_after_the_data_holds(judged: Judged) -> None:
    (found,) = judged("[rollout]\nstart = 2027-01-01T00:00:00Z\n", a=traffic())
    assert found.verdict == "hold"
    assert found.reasons == ("the rollout starts at 2027-01-01 00:00 UTC, after the newest data",)


def test_an_unknown_metric_is_a_mistake(judged: Judged) -> None:
    with pytest.raises(ConfigError, match="no metric acuracy"):
        judged("[rollout.margins]\nacuracy = 0.1\n", a=traffic())


def test_steps_of_a_ramp_are_recognised(judged: Judged) -> None:
    first = traffic(("v1", "v1", "v1", "v1", "v1", "v1", "v1", "v1", "v1", "v2"), rows=1800, seconds=2.0)
    second = traffic(("v1", "v2"), rows=1800, seconds=2.0, begin=START + timedelta(hours=1))
    (found,) = judged(a=first, b=second)
    assert [round(step.share, 2) for step in found.steps] == [0.1, 0.5]
    assert found.steps[1].start == START + timedelta(hours=1)


def test_a_verdict_is_computed_once_for_the_same_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    def counted(*given: Any) -> tuple[Rollout, ...]:
        calls.append(given)
        return judge(*given)

    monkeypatch.setattr(build, "judge", counted)
    with mlwatch.open(write(tmp_path / "logs", a=traffic()), db=":memory:") as watch:
        first = watch.snapshot().rollouts
        assert watch.snapshot(span=timedelta(minutes=5)).rollouts == first
        assert len(calls) == 1
        _more(watch, tmp_path)
        later = watch.snapshot().rollouts
    assert len(calls) == 2
    assert later[0].metrics["accuracy"].n_candidate > first[0].metrics["accuracy"].n_candidate


def _more(watch: Session, tmp_path: Path) -> None:
    write(tmp_path / "logs", b=traffic(begin=START + timedelta(hours=1)))
    watch.ingest_all()


def test_one_version_named_for_both_holds(judged: Judged) -> None:
    (found,) = judged("[rollout]\nbaseline = 'v1'\ncandidate = 'v1'\n", a=traffic(rows=60))
    assert (found.verdict, found.reasons) == (
        "hold",
        ("baseline and candidate are both v1: name two versions",),
    )


def test_a_version_that_does_not_exist_is_named(judged: Judged) -> None:
    (found,) = judged("[rollout]\ncandidate = 'v9'\n", a=traffic(rows=60))
    assert (found.verdict, found.baseline, found.candidate) == ("hold", "v1", "v9")
    assert found.reasons == ("version v9 has no traffic; the logs know v1, v2",)


def test_minutes_apart_do_not_count_as_time_together(judged: Judged) -> None:
    """A candidate that starts and stops has run as long as it ran, not since it first came."""
    bursts = {f"k{at}": traffic(rows=100, begin=START + timedelta(hours=at)) for at in range(3)}
    (found,) = judged("[rollout]\nmin_time = '30m'\n", **bursts)
    assert found.elapsed_s == 3 * 5 * 60


def test_versions_one_after_the_other_are_said_with_their_times(judged: Judged) -> None:
    (found,) = judged(
        a=traffic(("v1",), rows=100), b=traffic(("v2",), rows=100, begin=START + timedelta(hours=5))
    )
    assert found.reasons[0] == "v1 has had no requests since v2 came"
    assert any("was at 2026-11-03 10:04, the first of v2 at 2026-11-03 15:00 UTC" in r for r in found.reasons)


def test_pairs_of_clocks_that_differ_are_joined_and_said(judged: Judged) -> None:
    old, new, labels = shadow_records(rows=100)
    for record in new:
        record["timestamp"] = (datetime.fromisoformat(record["timestamp"]) + timedelta(minutes=4)).isoformat()
    (found,) = judged('[rollout]\nmode = "shadow"\n', a=old, b=new, c=labels)
    assert found.shadow is not None
    assert found.shadow.pairs > 0
    assert any(
        "records of v2 are 4 minutes behind those of v1: clocks may differ" in r for r in found.reasons
    )


def test_a_candidate_that_only_fails_is_rolled_back_with_both_rates(judged: Judged) -> None:
    """The baseline never failed, so there is no ratio to say."""
    records = traffic(rows=1200)
    for record in records[1::2]:
        del record["prediction"]
        record["status"] = 503
    (found,) = judged("[rollout]\nmetrics = ['error_rate']\n", a=records)
    assert found.verdict == "rollback"
    said = "error rate of v2 is 100 % in 600 requests, v1's is 0 in 600, the limit is 1.2 times that"
    assert found.reasons[0] == said
    metric = found.metrics["error_rate"]
    assert (metric.difference, metric.ratio, metric.low, metric.high) == (1.0, None, None, None)


def test_pairs_without_any_record_hold(tmp_path: Path) -> None:
    """As in a lake of rollups: the sums are there, the records are elsewhere."""
    old, new, labels = shadow_records()
    write(tmp_path / "logs", '[rollout]\nmode = "shadow"\n', a=old, b=new, c=labels)
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        watch.connection.execute("DELETE FROM predictions")
        (found,) = watch.snapshot().rollouts
    assert (found.verdict, found.state) == ("hold", "no_data")
    assert (
        found.reasons[0]
        == "no records are kept here, so that answers cannot be paired: look where the logs are"
    )
