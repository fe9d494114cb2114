"""Rules with `for` speak of now, however long the range is that they are asked about."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.commands.check import checked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.faces.check import Finding

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
        {
            "timestamp": time.isoformat(),
            "id": f"{model}{n}",
            "model": model,
            "version": "v1",
            "prediction": 1,
            "status": 500 if time >= DENSE and failing((time - DENSE) // timedelta(minutes=1)) else 200,
        }
        for n, time in enumerate([*times, *dense])
    ]
    (directory / f"{model}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return pd.DataFrame(rows[len(times) :])


def finding(directory: Path, about: str = "m v1") -> Finding:
    with mlwatch.open(directory, db=":memory:") as session:
        return next(each for each in checked(session).findings if each.name == f"error_rate > 5% ({about})")


def firing(directory: Path) -> list[str]:
    with mlwatch.open(directory, db=":memory:") as session:
        session.ingest_all()
        return [alert.rule for alert in session.snapshot().alerts if alert.state == "firing"]


@pytest.mark.parametrize(
    ("failing", "outcome"),
    [
        (lambda minute: minute >= MINUTES - 7, "fail"),  # of the last window of the range, 6 % of the time
        (lambda minute: minute < 7, "pass"),  # the last window is beyond the limit, but nothing fails by now
        (lambda minute: minute >= MINUTES - 2, "hold"),  # not for so long yet
    ],
    ids=["fails now", "failed two hours ago", "begins to fail"],
)
def test_a_check_of_long_logs_says_of_now_what_alerts_do(
    tmp_path: Path, failing: Callable[[int], bool], outcome: str
) -> None:
    dense = logs(tmp_path, failing)
    times = pd.to_datetime(dense["timestamp"])
    # of so few requests, the newest minute alone says too little
    end = DENSE + timedelta(minutes=MINUTES - 1)
    newest = dense[(times >= end - timedelta(minutes=5)) & (times < end)]
    found = finding(tmp_path)
    assert found.outcome == outcome
    rate = 100 * (newest["status"] >= 400).mean()
    assert f"error_rate of v1 is now {rate:.4g} %," in found.message
    assert firing(tmp_path) == (["error_rate > 5%"] if outcome == "fail" else [])


def test_of_few_requests_no_minute_keeps_a_rule_by_luck(tmp_path: Path) -> None:
    fails = itertools.cycle([True] * 4 + [False] * 16)  # each second minute is sound, the newest one too
    logs(tmp_path, lambda _: next(fails))
    assert finding(tmp_path).outcome == "fail"


def test_of_a_model_that_ran_earlier_the_newest_requests_count(tmp_path: Path) -> None:
    logs(tmp_path, lambda minute: minute >= MINUTES - 40)
    later = [DENSE + timedelta(hours=12, minutes=n) for n in range(20)]
    rows = (
        {
            "timestamp": time.isoformat(),
            "id": f"b{n}",
            "model": "b",
            "version": "v1",
            "prediction": 1,
            "status": 200,
        }
        for n, time in enumerate(later)
    )
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
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
