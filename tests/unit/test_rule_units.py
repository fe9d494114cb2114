"""Units of the conditions of rules."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from logfiles import lines, prediction

from mlwatch.config import RuleSettings
from mlwatch.errors import ConfigError
from mlwatch.rules import rulings
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.snapshot.types import Snapshot

LATENCIES = {"v1": 1000.0, "v2": 1500.0}
"""In milliseconds, of every request of a version."""


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    logs = tmp_path_factory.mktemp("logs")
    records = [
        prediction(2 * at + (version == "v2"), version=version, latency_ms=latency)
        for at in range(200)
        for version, latency in LATENCIES.items()
    ]
    (logs / "a.jsonl").write_text(lines(records))
    (logs / "mlwatch.toml").write_text('[rollout]\nbaseline = "v1"\n')
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        yield session.snapshot()


@pytest.mark.parametrize(
    ("when", "state"),
    [
        ("rise > 0.6s", "ok"),
        ("rise > 0.4s", "breach"),
        ("rise > 600ms", "ok"),
        ("rise > 400ms", "breach"),
        ("rise > 400", "breach"),
        ("rise > 60%", "ok"),
        ("rise > 40%", "breach"),
        ("> 1.6s", "ok"),
        ("> 1.4s", "breach"),
    ],
)
def test_a_second_is_a_thousand_milliseconds(snapshot: Snapshot, when: str, state: str) -> None:
    (found,) = rulings(snapshot, [RuleSettings(metric="latency_mean", when=when, version="candidate")])
    assert found.state == state
    assert found.message.startswith("latency_mean of v2 is 1500 ms")


@pytest.mark.parametrize("when", ["< 20ms", "drop > 0.02s", "change > 2ms"])
def test_only_durations_are_compared_with_durations(snapshot: Snapshot, when: str) -> None:
    with pytest.raises(ConfigError, match=f"accuracy is no duration, but the condition is {when}"):
        rulings(snapshot, [RuleSettings(metric="accuracy", when=when)])


@pytest.mark.parametrize(
    "metric",
    ["latency_p95", "first_token", "predictions", "throughput", "estimated.mae", "engagement_value.dwell"],
)
def test_what_is_no_share_is_not_compared_with_per_cent(snapshot: Snapshot, metric: str) -> None:
    with pytest.raises(ConfigError, match=f"{metric} is no share, but the condition is > 5%"):
        rulings(snapshot, [RuleSettings(metric=metric, when="> 5%")])
    rulings(snapshot, [RuleSettings(metric=metric, when="rise > 5%")])


@pytest.mark.parametrize(
    "metric", ["error_rate", "accuracy", "refusal", "mape", "psi.age", "engagement.click"]
)
def test_shares_are_compared_with_per_cent(snapshot: Snapshot, metric: str) -> None:
    assert rulings(snapshot, [RuleSettings(metric=metric, when="> 5%")])


def test_times_of_tokens_are_compared_with_durations(snapshot: Snapshot) -> None:
    found = rulings(snapshot, [RuleSettings(metric="first_token", when="> 0.5s")])
    assert {each.state for each in found} == {"no_data"}


@pytest.mark.parametrize("metric", ["coverage_80", "pinball_0.1", "estimated.pinball_0.9"])
def test_metrics_of_quantiles_have_no_value_before_labels(snapshot: Snapshot, metric: str) -> None:
    found = rulings(snapshot, [RuleSettings(metric=metric, when="> 1", for_=timedelta(minutes=5))])
    assert {each.state for each in found} == {"no_data"}


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("coverage_wide", "one of "),
        ("acuracy", "did you mean accuracy?"),
        ("latency_p97", "did you mean latency_p9"),
        ("rmsse", "did you mean rmse?"),
        ("speed", "one of "),
    ],
)
def test_a_mistyped_metric_is_told_the_nearest_name(snapshot: Snapshot, metric: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"no metric {metric}") as raised:
        rulings(snapshot, [RuleSettings(metric=metric, when="> 1")])
    assert said in str(raised.value)
