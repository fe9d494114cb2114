"""Hard limits on what comes later than the request, and on what never comes."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlwatch
from mlwatch.config import RuleSettings
from mlwatch.rules import rulings

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Rollout, Snapshot

START = datetime(2026, 11, 3, 8, tzinfo=UTC)
END = START + timedelta(hours=12)
Record = dict[str, Any]


def requests(rows: int = 6000, **changes: Any) -> list[Record]:
    """Return requests of both versions in turn, over twelve hours."""
    every = (END - START) / rows
    return [
        {"timestamp": (START + every * i).isoformat(), "id": f"r{i}", "model": "m", "version": f"v{1 + i % 2}",
         "prediction": i // 2 % 2, "latency_ms": 20.0, "status": 200, **changes}
        for i in range(rows)
    ]  # fmt: skip


def conversions(records: list[Record], rates: dict[str, float]) -> list[Record]:
    """Return conversions that come half an hour later or much later, those that have come by the end."""
    rng = np.random.default_rng(2)
    found = []
    for record in records:
        time = datetime.fromisoformat(record["timestamp"]) + timedelta(minutes=30 + rng.exponential(30))
        if rng.random() < rates[record["version"]] and time < END:
            found.append(
                {"timestamp": time.isoformat(), "id": record["id"], "event": "purchase", "value": 10.0}
            )
    return found


def seen(directory: Path, config: str, at: datetime | None = None, **files: list[Record]) -> Snapshot:
    (directory / "mlwatch.toml").write_text(config)
    for name, records in files.items():
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    with mlwatch.open(directory, db=":memory:", model="m") as session:
        return session.snapshot(at=at)


def judged(directory: Path, config: str, at: datetime | None = None, **files: list[Record]) -> Rollout:
    (found,) = seen(directory, config, at, **files).rollouts
    return found


@pytest.mark.usual(1)
@pytest.mark.parametrize("limits", ["{conversion = 0.1}", "{revenue = 1.0}"])
def test_requests_too_young_for_their_conversions_break_no_limit(tmp_path: Path, limits: str) -> None:
    records = requests()
    events = conversions(records, {"v1": 0.3, "v2": 0.3})
    found = judged(tmp_path, f"[rollout]\nlimits = {limits}\n", a=records, e=events)
    assert found.state != "hard_limit"
    assert not any("hard limit" in reason for reason in found.reasons)


def test_a_limit_is_broken_by_requests_that_had_their_time(tmp_path: Path) -> None:
    records = requests()
    events = conversions(records, {"v1": 0.3, "v2": 0.02})
    found = judged(tmp_path, "[rollout]\nlimits = {conversion = 0.1}\n", a=records, e=events)
    assert (found.verdict, found.state) == ("rollback", "hard_limit")
    assert "below the hard limit of 10 % for at least 5 minutes, of requests at least" in found.reasons[0]


def test_before_any_request_had_its_time_that_is_said(tmp_path: Path) -> None:
    records = requests()
    events = conversions(records, {"v1": 0.3, "v2": 0.3})
    config = "[rollout]\nlimits = {conversion = 0.1}\nstart = 2026-11-03T19:00:00Z\n"
    found = judged(tmp_path, config, a=records, e=events)
    assert found.state != "hard_limit"
    (said,) = [reason for reason in found.reasons if "hard limit" in reason]
    assert said.startswith("the hard limit on conversion is not judged yet, because conversions may come ")


LOOSE = "[rollout]\nmetrics = ['error_rate']\nmargins = {error_rate = 9.0}\n"


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ("conversion = 0.1", "conversion is not judged, because the logs hold no conversions"),
        ("accuracy = 0.9", "accuracy is not judged, because there are no labels yet"),
        ("latency_p95 = 300", "p95 latency is not judged, because the logs hold no latency"),
    ],
)
def test_a_limit_that_nothing_is_known_of_holds(tmp_path: Path, limits: str, why: str) -> None:
    records = requests(rows=20_000)
    for record in records:
        del record["latency_ms"]
    assert judged(tmp_path, LOOSE, a=records).verdict == "promote"
    found = judged(tmp_path, f"{LOOSE}limits = {{{limits}}}\n", a=records)
    assert (found.verdict, found.state) == ("hold", "missing_metric")
    assert found.reasons[0] == f"the hard limit on {why}"


def test_a_limit_that_the_candidate_alone_says_nothing_of_holds(tmp_path: Path) -> None:
    records = requests()
    for record in records[1::2]:
        del record["latency_ms"]
    found = judged(tmp_path, f"{LOOSE}limits = {{latency_p95 = 300}}\n", a=records)
    assert found.verdict == "hold"
    assert found.reasons[0] == (
        "the hard limit on p95 latency is not judged, because the logs hold no latency of v2"
    )


def test_a_limit_for_other_models_does_not_hold(tmp_path: Path) -> None:
    found = judged(tmp_path, f"{LOOSE}limits = {{mae = 3.0}}\n", a=requests(rows=20_000))
    assert found.verdict == "promote"
    why = "the hard limit on mean absolute error is not judged, because the answers are no numbers"
    assert why in found.reasons


@pytest.mark.usual(1)
@pytest.mark.parametrize("task", ["regression", "text"])
def test_a_cap_on_disagreement_is_said_where_answers_are_no_classes(tmp_path: Path, task: str) -> None:
    rng = np.random.default_rng(4)
    old: list[Record] = []
    new: list[Record] = []
    for i, record in enumerate(requests(rows=1000)):
        value = float(rng.lognormal(3, 1))
        words = " ".join(rng.choice(["a", "dog", "or", "two", "cats"], 8 + i % 9))
        for records, version, factor in ((old, "v1", 1), (new, "v2", 3)):
            answer = value * factor if task == "regression" else f"{version} says {i} {words}"
            records.append({**record, "version": version, "prediction": answer})
    config = "[rollout]\nlimits = {disagreement = 0.05}\n"
    found = judged(tmp_path, config, a=old, b=new)
    assert (found.mode, found.verdict) == ("shadow", "hold")
    assert "the hard limit on disagreement is not judged, because the answers are no classes" in found.reasons


@pytest.mark.usual(1)
@pytest.mark.parametrize("hours", [0.5, 2, 12])
def test_a_rule_passes_over_windows_too_young_for_their_conversions(tmp_path: Path, hours: float) -> None:
    records = requests()
    events = conversions(records, {"v1": 0.3, "v2": 0.3})
    rule = RuleSettings(metric="conversion", when="< 10%", for_=timedelta(minutes=10))
    snapshot = seen(tmp_path, "", START + timedelta(hours=hours), a=records, e=events)
    assert {each.state for each in rulings(snapshot, [rule])} <= {"ok", "no_data"}


def test_a_rule_finds_windows_that_had_their_time_and_brought_little(tmp_path: Path) -> None:
    records = requests()
    events = conversions(records, {"v1": 0.3, "v2": 0.02})
    rule = RuleSettings(metric="conversion", when="< 10%", for_=timedelta(minutes=10))
    found = {each.version: each.state for each in rulings(seen(tmp_path, "", a=records, e=events), [rule])}
    assert found == {"v1": "ok", "v2": "breach"}


def since(start: timedelta, records: list[Record]) -> list[Record]:
    """Return the records without what v2 gets before a moment of the twelve hours."""
    begin = (START + start).isoformat()
    return [record for record in records if record["version"] == "v1" or record["timestamp"] >= begin]


WHOLE = [
    ("conversion", "< 25%"),
    ("conversion", "drop > 10%"),
    ("engagement", "drop > 10%"),
    ("engagement.click", "< 25%"),
    ("revenue_per_prediction", "< 2.5"),
    ("revenue_per_prediction", "drop > 10%"),
]


def with_clicks(events: list[Record]) -> list[Record]:
    return [{**event, "event": kind} for event in events for kind in ("click", "purchase")]


@pytest.mark.usual(1)
@pytest.mark.parametrize(("metric", "when"), WHOLE)
def test_a_rule_on_the_whole_range_leaves_out_requests_too_young_for_their_conversions(
    tmp_path: Path, metric: str, when: str
) -> None:
    records = since(timedelta(hours=6), requests(rows=12_000))
    rule = RuleSettings(metric=metric, when=when)
    states = {}
    for name, rate in (("same", 0.3), ("worse", 0.15)):
        (directory := tmp_path / name).mkdir()
        events = with_clicks(conversions(records, {"v1": 0.3, "v2": rate}))
        found = {each.version: each for each in rulings(seen(directory, "", a=records, e=events), [rule])}
        states[name] = found["v2"].state
        amount = 10 if metric == "revenue_per_prediction" else 1
        assert found["v2"].value == pytest.approx(amount * rate, rel=0.1)
        assert found["v2"].message.startswith(f"{metric} of v2, as far as requests are old enough, is ")
    assert states == {"same": "ok", "worse": "breach"}


@pytest.mark.usual(1)
@pytest.mark.parametrize(("metric", "when"), WHOLE)
def test_a_rule_on_the_whole_range_says_that_no_request_is_old_enough(
    tmp_path: Path, metric: str, when: str
) -> None:
    records = since(timedelta(hours=11), requests(rows=12_000))
    events = with_clicks(conversions(records, {"v1": 0.3, "v2": 0.3}))
    rule = RuleSettings(metric=metric, when=when, version="v2")
    (found,) = rulings(seen(tmp_path, "", a=records, e=events), [rule])
    assert (found.state, found.value) == ("no_data", None)
    assert found.message == f"no request of v2 is old enough for its {metric}, so the rule says nothing"


def test_a_window_of_a_long_range_is_as_old_as_the_requests_in_it(tmp_path: Path) -> None:
    """v2 came in the last hour of a window whose middle, six hours wide, would be old enough."""
    records = requests(rows=3000)
    for days in range(1, 15):
        records += [
            {**record, "timestamp": (datetime.fromisoformat(record["timestamp"]) - timedelta(days=days)).isoformat(),
             "id": f"{record['id']}-{days}", "version": "v1"}
            for record in requests(rows=400)
        ]  # fmt: skip
    records = since(timedelta(hours=11), records)
    events = conversions(records, {"v1": 0.3, "v2": 0.3})
    snapshot = seen(tmp_path, "", a=records, e=events)
    (young,) = [window for window in snapshot.models["m"].versions["v2"].windows if window.predictions]
    assert young.maturity is not None
    assert young.maturity < 0.3
    for when, length in itertools.product(("< 25%", "drop > 10%"), (timedelta(0), timedelta(minutes=10))):
        rule = RuleSettings(metric="conversion", when=when, version="v2", for_=length)
        (found,) = rulings(snapshot, [rule])
        assert found.state == "no_data", "the baseline's requests of that window are older"


def test_the_mean_of_what_engagements_measure_is_that_of_requests_old_enough(tmp_path: Path) -> None:
    records = requests()
    events = with_clicks(conversions(records, {"v1": 0.3, "v2": 0.3}))
    early = (END - timedelta(hours=5)).isoformat()
    for event in events:
        event["value"] = 2.0 if event["timestamp"] < early else 4.0
    rule = RuleSettings(metric="engagement_value.click", when="> 9", version="v2")
    snapshot = seen(tmp_path, "", a=records, e=events)
    version = snapshot.models["m"].versions["v2"]
    ripe = [window for window in version.windows if window.maturity is not None and window.maturity >= 0.99]
    values = [window.business.kinds["click"].value for window in ripe]
    counted = [(each.value, each.n) for each in values if each is not None and each.value is not None]
    (found,) = rulings(snapshot, [rule])
    assert 0 < len(ripe) < len(version.windows)
    assert found.value == pytest.approx(sum(v * n for v, n in counted) / sum(n for _, n in counted))
    whole = version.business.kinds["click"].value
    assert whole is not None
    assert whole.value is not None
    assert found.value is not None
    assert 2 < found.value < whole.value < 4
