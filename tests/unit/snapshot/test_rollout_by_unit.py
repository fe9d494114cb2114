"""`[rollout] unit = "user_id"`: users are randomised, against pandas on the raw rows."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.errors import ConfigError
from mlwatch.faces.facts import facts_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Rollout

START = datetime(2026, 11, 3, 10, tzinfo=UTC)
NAMED = "[rollout]\nbaseline = 'v1'\ncandidate = 'v2'\n"
BY_USER = NAMED + "unit = 'member'\nmetrics = ['accuracy', 'error_rate', 'latency_mean']\n"
USERS, ROWS = 300, 6_000
Record = dict[str, Any]


def traffic(users: int = USERS, share: float = 0.5, crossing: float = 0.0) -> list[Record]:
    """Return requests of users who differ: some are often wrong, whatever the version."""
    rng = np.random.default_rng(8)
    wrong, slow = rng.beta(0.5, 4.5, users), rng.lognormal(2, 0.5, users)
    candidate = rng.random(users) < share
    records = []
    for i in range(ROWS):
        user, label = int(rng.integers(users)), int(rng.random() < 0.5)
        new = candidate[user] ^ (rng.random() < crossing)
        records.append(
            {"timestamp": (START + timedelta(seconds=i)).isoformat(), "id": f"r{i}", "model": "m",
             "version": "v2" if new else "v1", "member": f"u{user}", "label": label,
             "prediction": 1 - label if rng.random() < wrong[user] else label,
             "latency_ms": float(slow[user] * rng.lognormal(0, 0.1)), "status": 200}
        )  # fmt: skip
    return records


def judged(directory: Path, records: list[Record], config: str = BY_USER) -> Rollout:
    directory.mkdir(exist_ok=True)
    (directory / "mlwatch.toml").write_text(config)
    (directory / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    with mlwatch.open(directory, db=":memory:") as watch:
        (found,) = watch.snapshot().rollouts
    return found


def effect_of(rows: pd.DataFrame, x: pd.Series) -> float:
    minute = pd.to_datetime(rows.timestamp).dt.floor("min")
    side = rows.version == "v2"
    n, n_c = side.groupby(minute).transform("size"), side.groupby(minute).transform("sum")
    r = (x - x.groupby(minute).transform("mean")) * np.where(side, n - n_c, n_c) / n
    r -= r.groupby(side).transform("mean")
    totals = r.groupby([side, rows.member]).sum()
    squared = (totals**2).groupby(level=0).sum()
    count = totals.groupby(level=0).size()
    return float((squared * count / (count - 1)).sum() / (r**2).sum())


def width(rollout: Rollout, metric: str) -> float:
    found = rollout.metrics[metric]
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_intervals_are_as_wide_as_users_vary(tmp_path: Path) -> None:
    records = traffic(users=1_500)
    by_user = judged(tmp_path / "a", records)
    by_request = judged(tmp_path / "b", records, BY_USER.replace("'member'", "'request'"))
    rows = pd.DataFrame(records)
    effects = {
        "accuracy": effect_of(rows, (rows.label != rows.prediction).astype(float)),
        "latency_mean": effect_of(rows, rows.latency_ms),
    }
    assert effects["latency_mean"] > 3  # four requests of a user are hardly more than one
    for name, effect in effects.items():
        assert effect > 1.2
        assert by_user.metrics[name].design_effect == pytest.approx(effect)
        assert by_request.metrics[name].design_effect == 1
        ratio = width(by_user, name) / width(by_request, name)
        assert 0.5 * np.sqrt(effect) < ratio <= np.sqrt(effect) * 1.2
        assert by_user.metrics[name].difference == pytest.approx(by_request.metrics[name].difference)
    counts = rows.groupby("version").member.nunique()
    assert by_user.units == {"v1": counts["v1"], "v2": counts["v2"]}
    assert by_user.unit == "member"
    assert f"split by member: {counts['v1']:,} of v1 and {counts['v2']:,} of v2" in facts_of(by_user)
    assert by_request.units == {}
    alone = ROWS / effects["latency_mean"]
    (said,) = [reason for reason in by_user.reasons if "of one member resemble each other" in reason]
    assert f"mean latency {round(alone, 1 - len(str(int(alone)))):,.0f}"[:15] in said
    assert "further values of member needed" in " ".join(by_user.reasons)


def test_a_mean_is_not_judged_by_few_users(tmp_path: Path) -> None:
    """Six thousand requests of 300 users are not the 500 units that the normal approximation takes."""
    metric = judged(tmp_path, traffic()).metrics["latency_mean"]
    assert metric.design_effect > 10
    assert (metric.low, metric.high, metric.status) == (None, None, "inconclusive")


def test_the_split_of_users_is_checked_not_that_of_requests(tmp_path: Path) -> None:
    few = judged(tmp_path, traffic(users=120), BY_USER + "share = 0.5\n")
    assert few.srm_p is not None
    assert few.srm_p > 0.01
    assert sum(few.units.values()) == 120


def test_few_users_hold(tmp_path: Path) -> None:
    found = judged(tmp_path, traffic(users=40))
    assert (found.verdict, found.state) == ("hold", "few_units")
    assert found.reasons[0].startswith("traffic is split by member, of which v1 has ")


def test_users_of_both_versions_are_said(tmp_path: Path) -> None:
    found = judged(tmp_path, traffic(crossing=0.05))
    assert any("values of member had requests of both v1 and v2" in reason for reason in found.reasons)


def test_logs_without_users_say_so(tmp_path: Path) -> None:
    records = [{key: value for key, value in each.items() if key != "member"} for each in traffic()]
    found = judged(tmp_path, records)
    assert (found.verdict, found.state) == ("hold", "few_units")
    assert "no request says its member: name the column in [rollout] unit" in found.reasons
    assert found.units == {"v1": 0, "v2": 0}


@pytest.mark.deep
def test_stored_requests_have_the_unit_that_is_named_later(tmp_path: Path) -> None:
    """Those of before hold it as a feature: a text, or a number that is written as the others are."""
    records = [each | {"shop": int(each["member"][1:])} for each in traffic(users=1_500)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records[:3_000]))
    store = tmp_path / "store.duckdb"
    (tmp_path / "mlwatch.toml").write_text(NAMED)
    with mlwatch.open(tmp_path, db=store) as watch:
        (unnamed,) = watch.snapshot().rollouts
    assert (unnamed.unit, unnamed.units) == ("request", {})
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write("".join(json.dumps(each) + "\n" for each in records[3_000:]))
    counts = pd.DataFrame(records).groupby("version").member.nunique()
    for unit in ("member", "shop"):
        copy = tmp_path / f"{unit}.duckdb"
        shutil.copy(store, copy)
        (tmp_path / "mlwatch.toml").write_text(BY_USER.replace("'member'", repr(unit)))
        with mlwatch.open(tmp_path, db=copy) as watch:
            (found,) = watch.snapshot().rollouts
        assert (found.unit, found.units) == (unit, dict(counts))


def ranked(queries: int, seed: int) -> list[Record]:
    """Return items of rankings: those of a query have one latency, and fail together."""
    rng = np.random.default_rng(seed)
    records = []
    for query in range(queries):
        new, slow, failed = rng.random() < 0.5, float(rng.lognormal(3, 0.5)), rng.random() < 0.02
        at = (START + timedelta(seconds=10 * query)).isoformat()
        records += [
            {"timestamp": at, "id": f"q{query}-{place}", "model": "m", "version": "v2" if new else "v1",
             "query_id": f"q{query}", "position": place, "price": float(rng.lognormal()), "latency_ms": slow,
             "status": 500 if failed else 200, "score": None if failed else 1 / place}
            for place in range(1, 11)
        ]  # fmt: skip
    return records


def test_items_of_a_ranking_come_by_query(tmp_path: Path) -> None:
    records = ranked(600, seed=1)
    found = judged(tmp_path / "a", records, NAMED)
    rows = pd.DataFrame(records)
    assert found.unit == "query_id"
    assert found.units == dict(rows.groupby("version").query_id.nunique())
    effect = found.metrics["error_rate"].design_effect
    assert effect == pytest.approx(10, rel=0.01)
    by_item = judged(tmp_path / "b", records, NAMED + "unit = 'request'\n")
    assert (by_item.unit, by_item.metrics["error_rate"].design_effect) == ("request", 1)
    own = judged(tmp_path / "c", records, NAMED + "[outputs]\nquery = 'query_id'\nposition = 'price'\n")
    assert own.unit == "query_id"


def test_pairs_of_one_query_are_said_to_be_alike(tmp_path: Path) -> None:
    records = ranked(100, seed=3)
    both = [each | {"version": version} for each in records for version in ("v1", "v2")]
    found = judged(tmp_path, both, NAMED)
    assert found.mode == "shadow"
    assert "pairs of one query_id resemble each other, and are judged as if they did not" in found.reasons


@pytest.mark.deep
def test_rollups_of_a_ranking_say_that_there_are_no_records(tmp_path: Path) -> None:
    judged(tmp_path / "logs", ranked(200, seed=2), NAMED)
    assert main(["rollup", str(tmp_path / "logs"), "-o", str(tmp_path / "lake"), "--db", ":memory:"]) == 0
    with mlwatch.open(tmp_path / "lake", config=tmp_path / "logs" / "mlwatch.toml") as watch:
        (found,) = watch.snapshot().rollouts
    assert (found.verdict, found.state, found.unit) == ("hold", "few_units", "query_id")
    assert any(reason.startswith("no records are kept here") for reason in found.reasons)


def test_a_ramp_moves_users_once_and_checks_them_as_they_enter(tmp_path: Path) -> None:
    records = traffic(users=1_500)
    place = np.random.default_rng(4).random(1_500)
    half = ROWS // 2
    for i, record in enumerate(records):
        record["version"] = "v2" if place[int(record["member"][1:])] < (0.2 if i < half else 0.5) else "v1"
    step = (START + timedelta(seconds=half)).isoformat()
    ramp = f"share = {{'{START.isoformat()}' = 0.2, '{step}' = 0.5}}\n"
    found = judged(tmp_path / "right", records, BY_USER + ramp)
    rows = pd.DataFrame(records)
    first = rows.drop_duplicates("member")
    assert found.traffic_observed["v2"] == pytest.approx((first.version == "v2").mean())
    assert found.traffic_expected["v2"] == pytest.approx(np.where(first.index < half, 0.2, 0.5).mean())
    assert found.units == dict(rows.groupby("version").member.nunique())
    assert found.state != "sample_ratio_mismatch"
    assert not any("it is not what is split" in reason for reason in found.reasons)
    wrong = judged(tmp_path / "wrong", records, BY_USER + ramp.replace("0.2", "0.4"))
    assert (wrong.verdict, wrong.state) == ("hold", "sample_ratio_mismatch")
    assert "% of the values of member instead of" in wrong.reasons[0]


def test_a_ramp_is_held_against_its_shares(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    records = traffic()
    for i, record in enumerate(records):
        record["version"] = "v2" if rng.random() < (0.1 if i < ROWS / 2 else 0.5) else "v1"
    half = (START + timedelta(seconds=ROWS / 2)).isoformat()
    ramp = f"share = {{'{START.isoformat()}' = 0.1, '{half}' = 0.5}}\n"
    right = judged(tmp_path / "right", records, NAMED + ramp)
    assert right.state != "sample_ratio_mismatch"
    assert right.traffic_expected["v2"] == pytest.approx(0.3, abs=0.01)
    wrong = judged(tmp_path / "wrong", records, NAMED + ramp.replace("0.1", "0.2"))
    assert (wrong.verdict, wrong.state) == ("hold", "sample_ratio_mismatch")


@pytest.mark.parametrize("share", ["0", "1.5", "'half'", "{}", "{noon = 0.5}", "{'2026-11-03T10:00Z' = 2}"])
def test_a_share_without_meaning_is_a_mistake(tmp_path: Path, share: str) -> None:
    with pytest.raises(ConfigError, match="bad value"):
        judged(tmp_path, [], f"[rollout]\nshare = {share}\n")
