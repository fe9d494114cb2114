"""What is mistyped in a configuration is told: with file and line, or as an alert once records were read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from logfiles import lines, prediction

import mlwatch
from mlwatch.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def logs(place: Path, config: str) -> Path:
    (place / "a.jsonl").write_text(lines(map(prediction, range(6))))
    (place / "mlwatch.toml").write_text(config)
    return place


def alerts(place: Path) -> dict[str, tuple[str, str]]:
    """Return the alerts about `[roles]` that stand: severity and sentence."""
    with mlwatch.open(place, db=place.parent / f"{place.name}.duckdb") as opened:
        return {
            alert.rule.removeprefix("ingest: "): (alert.severity, alert.message)
            for alert in opened.snapshot().alerts
            if "[roles]" in alert.message and alert.state != "resolved"
        }


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("rule", "what", "todo"),
    [
        ('metric = "repeted_rate"\nwhen = "> 5%"', "no metric repeted_rate", "did you mean repeated_rate?"),
        (
            'metric = "labelled"\nwhen = "> 5%"',
            "labelled is no share, but the condition is > 5%",
            "leave % out",
        ),
    ],
)
def test_a_wrong_rule_is_told_with_its_line(tmp_path: Path, rule: str, what: str, todo: str) -> None:
    place = logs(tmp_path, f'[[rule]]\nmetric = "error_rate"\nwhen = "> 5%"\n\n[[rule]]\n{rule}\n')
    where = f"{place / 'mlwatch.toml'}, line 5, rule[2]"
    with pytest.raises(ConfigError) as caught:
        mlwatch.open(place, db=":memory:")
    assert caught.value.parts == (what, where, todo)


def test_a_rule_that_is_in_no_file_has_no_line(tmp_path: Path) -> None:
    with pytest.raises(mlwatch.MlwatchError, match=r"unknown key: .*, line 2, rule\[1\]\.place"):
        mlwatch.open(logs(tmp_path, '[[rule]]\nplace = "x"\nmetric = "error_rate"\nwhen = "> 5%"\n'))


def test_a_wrong_metric_of_the_rollout_is_told_with_its_line(tmp_path: Path) -> None:
    place = logs(tmp_path, "\n[rollout]\nmargins = { acuracy = 0.02 }\n")
    with pytest.raises(ConfigError) as caught:
        mlwatch.open(place, db=":memory:")
    assert caught.value.where == f"{place / 'mlwatch.toml'}, line 2, rollout.margins"


def test_a_column_that_no_record_has_is_said_until_it_is_there(tmp_path: Path) -> None:
    place = tmp_path / "logs"
    place.mkdir()
    logs(place, '[roles]\nlatency = "nocolumn"\nlabel = "truth"\nid = "request_id"\n')
    assert alerts(place) == {
        "[roles] latency": ("warning", "[roles] latency names a column that no record has: nocolumn"),
        "[roles] label": ("info", "[roles] label names a column that no record has yet: truth"),
    }
    (place / "b.jsonl").write_text(lines([{"request_id": "r1", "truth": 1}]))
    assert set(alerts(place)) == {"[roles] latency"}
    (place / "mlwatch.toml").write_text('[roles]\nlabel = "truth"\n')
    assert alerts(place) == {}


def test_a_prediction_that_no_record_has_is_said(tmp_path: Path) -> None:
    place = tmp_path / "logs"
    place.mkdir()
    logs(place, '[roles]\nprediction = "nocolumn"\n')
    assert alerts(place)["[roles] prediction"] == (
        "warning",
        "[roles] prediction names a column that no record has: nocolumn",
    )
