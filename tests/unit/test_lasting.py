"""Rules with `for` speak of now, however long the range is that they are asked about."""

from __future__ import annotations

import itertools
import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.commands.check import checked
from mlwatch.config import RuleSettings
from mlwatch.lasting import lasting_rulings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.faces.check import Finding
    from mlwatch.snapshot.types import Snapshot

BEGIN = datetime(2026, 11, 3, 8, tzinfo=UTC)
DENSE = BEGIN + timedelta(days=11)
"""From here on there are ten requests a minute, before one an hour."""
MINUTES, A_MINUTE = 118, 10
RULE = "[[rule]]\nmetric = 'error_rate'\nwhen = '> 5%'\nfor = '5m'\n"


def logs(
    directory: Path, failing: Callable[[int], bool], config: str = RULE, model: str = "m"
) -> pd.DataFrame:
    """Write eleven thin days and two dense hours, of which some minutes fail; return the dense ones."""
    directory.mkdir(exist_ok=True)
    (directory / "mlwatch.toml").write_text(config)
    times = [BEGIN + timedelta(hours=hour) for hour in range(11 * 24)]
    dense = [
        DENSE + timedelta(minutes=minute, seconds=6 * i) for minute in range(MINUTES) for i in range(A_MINUTE)
    ]
    rows = [
        (time, "v1", time >= DENSE and failing((time - DENSE) // timedelta(minutes=1)))
        for time in (*times, *dense)
    ]
    return write(directory, model, rows)[len(times) :]


def write(directory: Path, model: str, rows: list[tuple[datetime, str, bool]]) -> pd.DataFrame:
    """Write requests of some times and versions, of which some fail."""
    records = [
        {
            "timestamp": time.isoformat(),
            "id": f"{model}{n}",
            "model": model,
            "version": version,
            "prediction": 1,
            "status": 500 if failed else 200,
        }
        for n, (time, version, failed) in enumerate(rows)
    ]
    (directory / f"{model}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return pd.DataFrame(records)


def finding(directory: Path, about: str = "m v1") -> Finding:
    with mlwatch.open(directory, db=":memory:") as session:
        return next(each for each in checked(session).findings if each.name == f"error_rate > 5% ({about})")


def firing(directory: Path) -> list[str]:
    with mlwatch.open(directory, db=":memory:") as session:
        session.ingest_all()
        return [alert.rule for alert in session.snapshot().alerts if alert.state == "firing"]


FAILING: dict[str, tuple[Callable[[int], bool], str, str]] = {
    "fails now": (lambda minute: minute >= MINUTES - 7, RULE, "fail"),
    "failed two hours ago": (lambda minute: minute < 7, RULE, "pass"),
    "begins to fail": (lambda minute: minute >= MINUTES - 5, RULE.replace("5m", "10m"), "hold"),
}
"""Of the last window of the range, which is four hours long, five or six per cent of the requests."""


@pytest.mark.parametrize(("failing", "config", "outcome"), FAILING.values(), ids=FAILING)
def test_a_check_of_long_logs_says_of_now_what_alerts_do(
    tmp_path: Path, failing: Callable[[int], bool], config: str, outcome: str
) -> None:
    dense = logs(tmp_path, failing, config)
    newest = dense[pd.to_datetime(dense["timestamp"]) >= DENSE + timedelta(minutes=MINUTES - 1)]
    found = finding(tmp_path)
    assert found.outcome == outcome
    rate = 100 * (newest["status"] >= 400).mean()
    assert f"error_rate of v1 is now {rate:g} %," in found.message
    assert firing(tmp_path) == (["error_rate > 5%"] if outcome == "fail" else [])


def test_of_few_requests_no_minute_keeps_a_rule_by_luck(tmp_path: Path) -> None:
    fails = itertools.cycle([True] * 4 + [False] * 16)  # each second minute is sound, the newest one too
    logs(tmp_path, lambda _: next(fails))
    assert finding(tmp_path).outcome == "fail"


def test_of_a_model_that_ran_earlier_the_newest_requests_count(tmp_path: Path) -> None:
    logs(tmp_path, lambda minute: minute >= MINUTES - 40)
    later = [DENSE + timedelta(hours=12, minutes=n) for n in range(20)]
    write(tmp_path, "b", [(time, "v1", False) for time in later])
    assert finding(tmp_path).outcome == "fail"
    assert finding(tmp_path, "b v1").outcome == "pass"


def test_a_moment_of_the_past_is_judged_by_the_stretch_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs(tmp_path, lambda minute: 20 <= minute < 27)
    said = {}
    for minute in (27, 40):
        at = (DENSE + timedelta(minutes=minute)).isoformat()
        main(["check", str(tmp_path), "--db", ":memory:", "--at", at, "--format", "json"])
        said[minute] = {
            each["name"]: each["outcome"] for each in json.loads(capsys.readouterr().out)["findings"]
        }
    assert said[27]["error_rate > 5% (m v1)"] == "fail"
    assert said[40]["error_rate > 5% (m v1)"] == "pass"


def test_a_rule_that_lasts_for_days_makes_others_no_coarser(tmp_path: Path) -> None:
    long = "[[rule]]\nmetric = 'error_rate'\nwhen = '> 90%'\nfor = '24h'\n"
    logs(tmp_path, lambda minute: minute >= MINUTES - 6, RULE.replace("5m", "10m") + long)
    assert firing(tmp_path) == []  # six minutes are not ten, though the last whole hour is beyond the limit


def test_where_the_newest_hour_holds_few_requests_the_range_says_what_is(tmp_path: Path) -> None:
    """Forty requests a day for sixty days; since midnight all fail."""
    times = [BEGIN + timedelta(minutes=36 * n) for n in range(2400)]
    midnight = times[-1].replace(hour=0, minute=0, second=0)
    write(tmp_path, "m", [(time, "v1", time >= midnight) for time in times])
    assert finding(tmp_path).outcome == "fail"


def test_of_a_version_that_is_gone_nothing_is_said_as_of_now(tmp_path: Path) -> None:
    """A canary with half of the requests, a fifth of which failed, was withdrawn two hours before the end."""
    times = [BEGIN + timedelta(minutes=2 * n) for n in range(7200)]
    gone = times[-1] - timedelta(hours=2)
    rows = [
        (time, "v2" if n % 2 and timedelta(0) < gone - time < timedelta(hours=6) else "v1", n % 10 == 1)
        for n, time in enumerate(times)
    ]
    write(tmp_path, "m", [(time, version, failed and version == "v2") for time, version, failed in rows])
    found = finding(tmp_path, "m v2")
    assert (found.outcome, found.message) == (
        "pass",
        "error_rate: v2 gets no requests any more, so the rule says nothing",
    )


def test_snapshots_are_made_once_for_each_length(tmp_path: Path) -> None:
    logs(tmp_path, lambda _: False)
    rules = [
        RuleSettings(metric="error_rate", when=f"> {n}%", for_=timedelta(minutes=n)) for n in range(5, 60)
    ]
    spans = []
    with mlwatch.open(tmp_path, db=":memory:") as session:
        session.ingest_all()

        def look(span: timedelta) -> Snapshot:
            spans.append(span)
            return session.snapshot(span)

        assert len(lasting_rulings(session.snapshot(), rules, look)) == len(rules)
    assert sorted(spans) == sorted({max(timedelta(hours=1), 2 * rule.for_) for rule in rules})


@pytest.mark.parametrize("seed", [1, 6])
def test_a_minute_without_errors_does_not_end_what_goes_on(tmp_path: Path, seed: int) -> None:
    """Eight requests a minute for six hours; in the last twenty minutes an eighth fails, in the newest none."""
    chance, begin = random.Random(seed), BEGIN + timedelta(hours=6)
    times = [BEGIN + timedelta(seconds=7.5 * n) for n in range(6 * 60 * 8)]
    bad = begin - timedelta(minutes=20), begin - timedelta(minutes=1)
    write(tmp_path, "m", [(time, "v1", bad[0] <= time < bad[1] and chance.random() < 0.3) for time in times])
    assert finding(tmp_path).outcome == "fail"
