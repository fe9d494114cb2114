"""Rules that measure a change from the reference, on the sample logs."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import mlwatch
from mlwatch.config import RuleSettings, parse
from mlwatch.errors import ConfigError
from mlwatch.rules import rulings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logfiles import SampleStore

    from mlwatch.snapshot.types import Snapshot

SAMPLES = Path(__file__).parents[2] / "sample_logs"
ROWS = pd.read_parquet(SAMPLES / "reference.parquet")
ACCURACY = (ROWS.prediction == ROWS.label).mean()


@pytest.fixture(scope="module")
def snapshot(sample_store: SampleStore) -> Iterator[Snapshot]:
    with mlwatch.open(SAMPLES, db=sample_store()) as opened:
        yield opened.snapshot()


def rule(metric: str, when: str, **rest: object) -> RuleSettings:
    return RuleSettings(metric=metric, when=when, against="reference", **rest)  # type: ignore[arg-type]


def test_every_version_is_held_against_the_reference(snapshot: Snapshot) -> None:
    found = {each.version: each for each in rulings(snapshot, [rule("accuracy", "drop > 2%")])}
    assert {name: each.state for name, each in found.items()} == {"v1": "ok", "v2": "breach"}
    assert found["v2"].message == (
        f"accuracy of v2 is {found['v2'].value:.6g} (reference {ACCURACY:.6g}), the rule is drop > 2%"
    )


def test_windows_are_held_against_the_same_value(snapshot: Snapshot) -> None:
    (found,) = rulings(
        snapshot, [rule("accuracy", "drop > 0.05", version="candidate", for_=timedelta(hours=1))]
    )
    assert found.state == "breach"
    assert found.since is not None
    assert found.since.hour >= 16, "the fault begins at 17:00"


@pytest.mark.parametrize("metric", ["drift.dep_delay", "apdex"])
def test_what_is_known_by_window_waits_for_its_time(snapshot: Snapshot, metric: str) -> None:
    asked: dict[str, object] = {"version": "candidate"}
    (short,) = rulings(snapshot, [rule(metric, "> 0", for_=timedelta(hours=1), **asked)])
    (long,) = rulings(snapshot, [rule(metric, "> 0", for_=timedelta(days=9), **asked)])
    assert (short.state, long.state) == ("breach", "pending")
    assert long.message.endswith("the rule is > 0 for 12960 minutes")
    assert short.since == long.since is not None


def test_what_is_known_of_the_range_alone_says_so(snapshot: Snapshot) -> None:
    asked: dict[str, object] = {"version": "candidate", "for_": timedelta(hours=1)}
    (found,) = rulings(snapshot, [rule("drifted_share", "> 0", **asked)])
    assert found.message.startswith("drifted_share of v2 over the whole range is ")


def test_a_metric_that_the_reference_does_not_have_is_said(snapshot: Snapshot) -> None:
    (found, _) = rulings(snapshot, [rule("latency_p95", "rise > 10%")])
    assert found.state == "no_data"
    assert found.message == "latency_p95 of the reference has no value, so the rule says nothing"


def test_without_a_reference_it_says_nothing(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    for kind in ("predictions", "labels"):
        (logs / kind).mkdir(parents=True)
        shutil.copy(SAMPLES / kind / "2026-11-03T12.jsonl", logs / kind)
    with mlwatch.open(logs, db=":memory:") as opened:
        states = {each.state for each in rulings(opened.snapshot(), [rule("accuracy", "drop > 2%")])}
    assert states == {"no_data"}


def test_it_is_read_from_the_configuration() -> None:
    (found,) = parse('[[rule]]\nmetric = "f1"\nwhen = "drop > 2%"\nagainst = "reference"\n').rules
    assert found.against == "reference"
    with pytest.raises(ConfigError, match="Allowed: baseline, reference"):
        parse('[[rule]]\nmetric = "f1"\nwhen = "drop > 2%"\nagainst = "yesterday"\n')
