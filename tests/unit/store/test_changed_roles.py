"""`[roles]` that changed after files were read: it is said where it would change what was read, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from logfiles import lines, prediction

from mlwatch import cli
from mlwatch.config import RoleSettings
from mlwatch.store.shapes import _settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from logfiles import Take


def guessed(first: int, last: int) -> str:
    """Return predictions that are all right, beside guesses that are all wrong."""
    numbers = range(first, last)
    return lines(
        prediction(one, label=one % 2, guess=1 - one % 2, store=one % 3, duration=0.5) for one in numbers
    )


def configure(logs: Path, roles: str) -> None:
    (logs / "mlwatch.toml").write_text(f"[roles]\n{roles}\n")


def said(snapshot: Any) -> list[str]:
    return [one.message for one in snapshot.alerts if one.rule == "ingest: roles" and one.state != "resolved"]


def test_another_prediction_is_told_before_and_after_more_was_read(logs: Path, take: Take) -> None:
    (logs / "app.jsonl").write_text(guessed(0, 100))
    (logs / "labels.csv").write_text("request_id,label,timestamp\nr1,1,2026-11-04T00:00:00Z\n")
    assert said(take()) == []
    configure(logs, 'prediction = "guess"')
    told = (
        "[roles] differ from those that 1 file was read with, whose records stay as they were: "
        f"`mlwatch store reset {logs}` reads again what is there"
    )
    assert said(take()) == [told]
    with (logs / "app.jsonl").open("a") as file:
        file.write(guessed(100, 200))
    assert said(take()) == [told]
    assert said(take()) == [told]  # also of a start at which all shapes are of the new roles
    configure(logs, "")
    assert said(take()) == [told]  # by now both meanings are in the store


def test_what_is_taken_back_in_time_is_over(logs: Path, take: Take) -> None:
    (logs / "app.jsonl").write_text(guessed(0, 100))
    take()
    configure(logs, 'prediction = "guess"')
    assert len(said(take())) == 1
    configure(logs, "")
    assert said(take()) == []


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "roles",
    [
        'prediction = "prediction"\nlabel = "label"\nid = "request_id"\nlatency = "latency_ms"',
        'timestamp = "no_such_column"',
        'categorical = ["features.city"]',
        'numeric = ["age"]',
        'task = "binary"\npositive_class = "1"',
        'latency_unit = "ms"',
        'model = "path:{model}/*"',
        'ignore = ["elsewhere"]',
    ],
)
def test_what_changes_nothing_is_not_told(logs: Path, take: Take, roles: str) -> None:
    (logs / "app.jsonl").write_text(guessed(0, 100))
    take()
    configure(logs, roles)
    assert said(take()) == []


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "roles",
    [
        'score = "guess"',
        'label = "no_such_column"',
        'latency = "duration"',
        'categorical = ["store"]',
        'ignore = ["feat*"]',
        'features = ["features.age"]',
        'latency_unit = "s"',
    ],
)
def test_what_changes_something_is_told_until_it_is_taken_back(logs: Path, take: Take, roles: str) -> None:
    (logs / "app.jsonl").write_text(guessed(0, 100))
    take()
    configure(logs, roles)
    assert len(said(take())) == 1
    (logs / "mlwatch.toml").unlink()
    assert said(take()) == []


def test_a_version_by_the_path_is_told_where_records_have_none(logs: Path, take: Take) -> None:
    (logs / "fraud" / "v7").mkdir(parents=True)
    records = [prediction(number) for number in range(50)]
    for record in records:
        del record["version"]
    (logs / "fraud" / "v7" / "app.jsonl").write_text(lines(records))
    take()
    configure(logs, 'version = "path:{model}/{version}/*"')
    assert len(said(take())) == 1
    configure(logs, 'version = "path:elsewhere/{version}/*"')
    assert said(take()) == []


def test_taking_back_a_setting_is_told(logs: Path, take: Take) -> None:
    configure(logs, 'prediction = "guess"\nignore = ["store"]\nfeatures = ["features.age"]')
    (logs / "app.jsonl").write_text(guessed(0, 100))
    take()
    for roles in (
        'ignore = ["store"]\nfeatures = ["features.age"]',
        'prediction = "guess"\nfeatures = ["features.age", "store"]',
        'prediction = "guess"\nignore = ["store"]',
    ):
        configure(logs, roles)
        assert len(said(take())) == 1, roles


def test_settings_are_read_back_as_they_were_written() -> None:
    settings = RoleSettings(prediction='it\'s "x"', ignore=("a", "b*"), timezone="Europe/Oslo", task="binary")
    assert _settings_of(repr(settings)) == settings
    assert _settings_of(repr(settings)[:-1] + ", of_a_later_version=('x',))") == settings


def test_commands_say_it_and_a_check_holds(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "app.jsonl").write_text(guessed(0, 100))
    store = str(tmp_path / "store.duckdb")
    rule = '[[rule]]\nmetric = "accuracy"\nwhen = "< 0.9"\n'
    configure(logs, rule)
    assert cli.main(["check", str(logs), "--db", store]) == 0
    assert capsys.readouterr().err == ""
    configure(logs, f'prediction = "guess"\n{rule}')
    assert cli.main(["check", str(logs), "--db", store]) == 3
    printed = capsys.readouterr()
    assert printed.err.startswith("mlwatch: note: [roles] differ from those that 1 file was read with")
    assert "[roles] differ from those that 1 file was read with" in printed.out
    assert cli.main(["store", "reset", str(logs), "--db", store, "--yes"]) == 0
    assert cli.main(["check", str(logs), "--db", store]) == 1
    assert "mlwatch: note" not in capsys.readouterr().err


def test_what_init_writes_of_its_own_inference_changes_nothing(
    logs: Path, take: Take, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "app.jsonl").write_text(guessed(0, 100))
    take()
    assert cli.main(["init", str(logs)]) == 0
    capsys.readouterr()
    assert "[roles]" in (logs / "mlwatch.toml").read_text()
    assert said(take()) == []
