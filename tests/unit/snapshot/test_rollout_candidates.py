"""Several candidates of one model at once: each is judged as what it is."""

from __future__ import annotations

import json
import random
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import mlwatch
from mlwatch.app.view import View
from mlwatch.commands.init import configuration
from mlwatch.config import RuleSettings, parse
from mlwatch.faces.facts import facts_of
from mlwatch.rules import rulings
from mlwatch.snapshot.read import lives
from mlwatch.snapshot.withdrawn import Habit, habit_of
from mlwatch.systems.samples import samples_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mlwatch.session import Session

START = datetime(2026, 11, 3, 10, tzinfo=UTC)
Record = dict[str, Any]


def traffic(
    shares: Mapping[str, float], rows: int = 3000, begins: Mapping[str, int] | None = None
) -> list[Record]:
    """Return requests, one every two seconds, each labelled and answered by one version.

    Args:
        shares: Of the traffic, by version.
        rows: How many.
        begins: By version, the request before which it gets none.
    """
    rng = np.random.default_rng(5)
    names, records = list(shares), []
    for i, version in enumerate(rng.choice(names, rows, p=list(shares.values()))):
        label, right = int(rng.random() < 0.5), rng.random() < 0.9
        records.append(
            {"timestamp": (START + timedelta(seconds=2 * i)).isoformat(), "id": f"r{i}", "model": "m",
             "version": "v1" if i < (begins or {}).get(version, 0) else str(version), "label": label,
             "prediction": label if right else 1 - label, "latency_ms": 20.0, "status": 200}
        )  # fmt: skip
    return records


def answered_too(records: list[Record], of: str, by: str, after: int) -> list[Record]:
    """Return what another version answers to the same requests."""
    return [{**record, "version": by} for record in records[after:] if record["version"] == of]


@contextmanager
def watching(directory: Path, records: Iterable[Record], config: str = "") -> Iterator[Session]:
    (directory / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (directory / "mlwatch.toml").write_text(config)
    with mlwatch.open(directory, db=":memory:", model="m") as session:
        yield session


@pytest.mark.usual(1)
@pytest.mark.parametrize(("canary", "shadow"), [("v2", "v3"), ("v3", "v2")])
def test_a_canary_and_a_shadow_are_each_judged_as_what_they_are(
    tmp_path: Path, canary: str, shadow: str
) -> None:
    begins = {"v2": 200, "v3": 400}
    live = traffic({"v1": 0.5, canary: 0.5}, begins=begins)
    with watching(tmp_path, [*live, *answered_too(live, "v1", shadow, begins[shadow])]) as session:
        snapshot = session.snapshot()

    found = {rollout.candidate: rollout for rollout in snapshot.rollouts}
    assert {name: (each.mode, each.shadow is not None) for name, each in found.items()} == {
        canary: ("canary", False),
        shadow: ("shadow", True),
    }
    assert "accuracy" in found[canary].metrics
    pairs = found[shadow].shadow
    assert pairs is not None
    assert (pairs.pairs, pairs.disagreement_rate) == (
        len(answered_too(live, "v1", shadow, begins[shadow])),
        0.0,
    )
    versions = snapshot.models["m"].versions
    assert {name: version.role for name, version in versions.items()} == {
        "v1": "baseline",
        canary: "candidate",
        shadow: "shadow",
    }


def test_the_screen_shows_the_rollout_of_the_candidate_that_it_shows(tmp_path: Path) -> None:
    live = traffic({"v1": 0.5, "v2": 0.5})
    with watching(tmp_path, [*live, *answered_too(live, "v1", "v3", 400)]) as session:
        view = View(session.snapshot(), "logs", "m")
    assert view.candidate is not None
    assert view.rollout is not None
    assert (view.candidate.name, view.rollout.candidate, view.rollout.mode) == ("v3", "v3", "shadow")


def test_a_configuration_names_no_candidate_of_several(tmp_path: Path) -> None:
    with watching(tmp_path, traffic({"v1": 0.4, "v2": 0.3, "v3": 0.3})) as session:
        text = configuration(session)
    settings = parse(text, "mlwatch.toml").rollout
    assert (settings.baseline, settings.candidate) == ("v1", None)


def test_a_rule_about_the_candidate_is_about_each_of_them(tmp_path: Path) -> None:
    records = traffic({"v1": 0.4, "v2": 0.3, "v3": 0.3}, begins={"v2": 200, "v3": 400})
    bad = [{**each, "label": 1 - each["prediction"]} if each["version"] == "v2" else each for each in records]
    rule = RuleSettings(metric="accuracy", when="< 0.5", version="candidate")
    with watching(tmp_path, bad) as session:
        found = rulings(session.snapshot(), [rule])
    assert {each.version: each.state for each in found} == {"v3": "ok", "v2": "breach"}


SHARE = "[rollout]\nshare = 0.1\nmargins = {error_rate = 9.0}\n"


def shares(session: Session) -> dict[str, tuple[float | None, float | None, str]]:
    """Return the candidate's share as configured and as seen, and the state, by candidate."""
    return {
        each.candidate: (
            each.traffic_expected.get(each.candidate),
            each.traffic_observed.get(each.candidate),
            each.state,
        )
        for each in session.snapshot().rollouts
    }


def counted(records: list[Record], version: str) -> int:
    return sum(record["version"] == version for record in records)


def test_a_share_is_one_of_all_traffic_with_several_candidates_too(tmp_path: Path) -> None:
    records = traffic({"v1": 0.8, "v2": 0.1, "v3": 0.1}, rows=20_000)
    with watching(tmp_path, records, SHARE) as session:
        found, rollouts = shares(session), session.snapshot().rollouts
    for name in ("v2", "v3"):
        expected, observed, state = found[name]
        assert expected == pytest.approx(0.1)
        assert observed == pytest.approx(counted(records, name) / len(records), abs=1e-3)
        assert state != "sample_ratio_mismatch"
    assert rollouts[0].traffic_observed["v1"] == pytest.approx(
        counted(records, "v1") / len(records), abs=1e-3
    )
    assert "v1" not in rollouts[0].traffic_expected


def test_a_candidate_with_more_than_its_share_is_found_among_several(tmp_path: Path) -> None:
    records = traffic({"v1": 0.7, "v2": 0.1, "v3": 0.2}, rows=20_000)
    with watching(tmp_path, records, SHARE) as session:
        found = {each.candidate: each for each in session.snapshot().rollouts}
    assert found["v3"].state == "sample_ratio_mismatch"
    assert found["v3"].reasons[0].startswith("v3 gets 20")
    assert found["v2"].state != "sample_ratio_mismatch"


def test_a_ramp_with_several_candidates_is_one_of_all_traffic(tmp_path: Path) -> None:
    records = traffic({"v1": 0.6, "v2": 0.2, "v3": 0.2}, rows=20_000)
    ramp = '[rollout]\nshare = {"2026-11-03T10:00Z" = 0.2, "2026-11-03T14:00Z" = 0.2}\n'
    with watching(tmp_path, records, ramp) as session:
        found = shares(session)
    assert {name: state for name, (_, _, state) in found.items() if state == "sample_ratio_mismatch"} == {}


def test_what_is_not_configured_is_shown_as_a_share_of_all_traffic(tmp_path: Path) -> None:
    records = traffic({"v1": 0.4, "v2": 0.3, "v3": 0.3})
    with watching(tmp_path, records) as session:
        rollouts = {each.candidate: each for each in session.snapshot().rollouts}
    for name in ("v2", "v3"):
        observed = rollouts[name].traffic_observed[name]
        assert observed == pytest.approx(counted(records, name) / len(records), abs=1e-3)
        assert [step.share for step in rollouts[name].steps] == pytest.approx([observed], abs=1e-3)


def test_users_of_every_version_count_where_users_are_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    versions = rng.choice(["v1", "v2", "v3"], 4000, p=[0.8, 0.1, 0.1])
    users = rng.integers(4000, size=16_000)
    records = traffic({"v1": 1.0}, rows=len(users))
    for record, user in zip(records, users, strict=True):
        record |= {"user_id": f"u{user}", "version": str(versions[user])}
    seen = versions[np.unique(users)]
    with watching(tmp_path, records, SHARE + 'unit = "user_id"\n') as session:
        found = shares(session)
    for name in ("v2", "v3"):
        assert found[name][1] == pytest.approx(np.mean(seen == name), abs=2e-3)
        assert found[name][2] != "sample_ratio_mismatch"


def test_a_shadow_has_no_share_of_the_traffic_even_after_its_end(tmp_path: Path) -> None:
    live = traffic({"v1": 0.8, "v3": 0.2}, rows=8000)
    doubled = answered_too(live, "v1", "v2", 100)[:2000]
    with watching(tmp_path, [*live, *doubled], '[rollout]\nshare = 0.2\ncandidate = "v3"\n') as session:
        found = shares(session)
    assert found["v3"][1] == pytest.approx(counted(live, "v3") / len(live), abs=2e-3)
    assert found["v3"][2] != "sample_ratio_mismatch"


def test_a_stray_request_makes_no_retired_version_the_baseline(tmp_path: Path) -> None:
    begin = START - timedelta(days=3)
    old = [{**each, "timestamp": (begin + timedelta(minutes=i)).isoformat(), "version": f"v{1 + i // 1500}"}
           for i, each in enumerate(traffic({"v1": 1.0}))]  # fmt: skip
    new = [{**each, "id": f"n{each['id']}"} for each in traffic({"v2": 0.5, "v3": 0.5})]
    stray = {**new[2000], "id": "stray", "version": "v1"}
    with watching(tmp_path, [*old, *new, stray]) as session:
        found = session.snapshot().rollouts
    assert [(each.baseline, each.candidate) for each in found] == [("v2", "v3")]


def test_the_share_of_now_is_that_of_the_present_step_and_of_a_withdrawn_candidate_that_of_its_end(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(3)
    records = traffic({"v1": 1.0}, rows=9000)  # five hours
    for i, record in enumerate(records):
        share = 0.05 if i < 7000 else 0.5 if i < 8000 else 0.0
        record["version"] = "v2" if rng.random() < share else "v1"
    rows = pd.DataFrame(records)
    rows["minute"] = pd.to_datetime(rows["timestamp"]).dt.floor("min")

    with watching(tmp_path, records[:8000]) as session:
        (running,) = session.snapshot().rollouts
        told = ratios(session)
    assert running.traffic_lately is not None
    begin = datetime.fromisoformat(records[7000]["timestamp"])
    since, until = running.traffic_lately.since, running.traffic_lately.until
    assert abs(since - begin) < timedelta(minutes=6)  # half an hour ago, and not an hour
    now = (rows[:8000].query("@since <= minute < @until")["version"] == "v2").mean()
    assert running.traffic_lately.shares["v2"] == pytest.approx(now, abs=1e-9)
    assert told["v2"] == pytest.approx(now, abs=1e-9)
    assert f"v2 gets {100 * now:.1f} % of the traffic since {since:%Y-%m-%d %H:%M} UTC" in facts_of(running)
    assert running.traffic_observed["v2"] < 0.15

    with watching(tmp_path, records) as session:
        (ended,) = session.snapshot().rollouts
        told = ratios(session)
    assert ended.silent_s.keys() == {"v2"}
    assert ended.traffic_lately is not None
    since, until = ended.traffic_lately.since, ended.traffic_lately.until
    assert until == rows[rows["version"] == "v2"]["minute"].max() + timedelta(minutes=1)
    then = (rows.query("@since <= minute < @until")["version"] == "v2").mean()
    assert ended.traffic_lately.shares["v2"] == pytest.approx(then, abs=1e-9) == pytest.approx(0.5, abs=0.05)
    assert (
        f"v2 got {100 * then:.1f} % of the traffic from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
        in (facts_of(ended))
    )
    assert told == {"v1": pytest.approx(1.0), "v2": 0.0}


def ratios(session: Session) -> dict[str, float]:
    """Return what the exporter says of the split."""
    found = (
        each for each in samples_of(session.snapshot()) if each.family == "mlwatch_rollout_traffic_ratio"
    )
    return {dict(each.labels)["version"]: each.value for each in found}


HOUR = timedelta(hours=1)


def run(version: str, first: timedelta, last: timedelta, step: timedelta, right: float) -> list[Record]:
    """Return requests of a version, some of which are answered rightly."""
    chance = random.Random(version)
    return [
        {
            "timestamp": (START + first + n * step).isoformat(),
            "id": f"{version}{first}{n}",
            "model": "m",
            "version": version,
            "prediction": int(chance.random() < right),
            "label": 1,
        }
        for n in range((last - first) // step)
    ]


def judged(directory: Path, records: list[Record]) -> tuple[list[tuple[str, str, float]], str]:
    """Return the verdict on each candidate with its error budget, and the reasons for all of them."""
    with watching(directory, records) as session:
        found = session.snapshot().rollouts
    said = " ".join(reason for each in found for reason in each.reasons)
    return [(each.candidate, each.verdict, each.alpha) for each in found], said


def test_a_candidate_that_was_rolled_back_fails_its_successor_no_more(tmp_path: Path) -> None:
    old = run("v1", 0 * HOUR, 400 * HOUR, HOUR / 30, 0.95)
    bad = run("v2", 370 * HOUR, 375 * HOUR, HOUR / 120, 0.4)
    new = run("v3", 385 * HOUR, 400 * HOUR, HOUR / 30, 0.95)
    found, said = judged(tmp_path, [*old, *bad, *new])
    assert [name for name, *_ in found] == ["v3"]
    assert found[0][2] == 0.05 / 2
    last = START + 375 * HOUR - HOUR / 120
    assert f"v2 is judged no more: its last request was at {last:%Y-%m-%d %H:%M} UTC" in said


def test_a_candidate_that_runs_at_night_is_judged_by_day_beside_a_younger_one(tmp_path: Path) -> None:
    old = run("v1", 0 * HOUR, 126 * HOUR, HOUR / 15, 0.95)
    nights = [
        one
        for day in range(5)
        for one in run("v2", (24 * day + 18) * HOUR, (24 * day + 19) * HOUR, HOUR / 200, 0.4)
    ]
    new = run("v3", 118 * HOUR, 126 * HOUR, HOUR / 15, 0.95)
    found, said = judged(tmp_path, [*old, *nights, *new])
    assert {name: verdict for name, verdict, _ in found}["v2"] == "rollback"
    assert "judged no more" not in said


def test_how_a_version_ran_is_counted_in_hours_in_which_its_model_had_requests(tmp_path: Path) -> None:
    hours = {"v1": [0, 1, 2, 3, 4, 5, 6, 9, 10], "v2": [1, 2, 6]}  # at 7 and 8 nobody asked anything
    busy = sorted({hour for each in hours.values() for hour in each})
    records = [
        one
        for name, each in hours.items()
        for at in each
        for one in run(name, at * HOUR, (at + 1) * HOUR, HOUR, 1)
    ]
    with watching(tmp_path, records) as session:
        session.ingest_all()
        found = {life.pair.version: habit_of(session.connection, life) for life in lives(session.connection)}
    apart = max(np.diff([busy.index(hour) for hour in hours["v2"]]))
    assert found["v2"] == Habit(3 * HOUR, int(apart) * HOUR)
    assert found["v1"] == Habit(9 * HOUR, HOUR)
