"""Which model, range, file and store a command takes, and what it says where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from mlwatch.cli import main, with_command

if TYPE_CHECKING:
    from logfiles import SampleStore

SAMPLES = str(Path(__file__).resolve().parents[3] / "sample_logs" / "predictions" / "2026-11-03T12.jsonl")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["."], ["watch", "."]),
        (["--db", ":memory:", "."], ["watch", "--db", ":memory:", "."]),
        (["--no-color", "report", "."], ["report", "--no-color", "."]),
        (["--model", "report", "."], ["watch", "--model", "report", "."]),
        (["--model=a", "check", ".", "--format", "json"], ["check", "--model=a", ".", "--format", "json"]),
        (["report", "."], ["report", "."]),
        (["--version"], ["--version"]),
        ([], []),
    ],
)
def test_options_may_come_before_the_command(given: list[str], meant: list[str]) -> None:
    assert with_command(given) == meant


def test_an_unknown_model_is_named_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "report", SAMPLES, "--db", ":memory:", "--model", "flight-dely")
    assert (code, out) == (2, "")
    assert err == "mlwatch: no such model: flight-dely: did you mean flight-delay?\n"
    _, _, err = run(capsys, "init", SAMPLES, "--db", ":memory:", "--stdout", "--model", "x")
    assert err == "mlwatch: no such model: x: the logs have flight-delay\n"


@pytest.mark.parametrize(
    ("command", "option"),
    [
        *((command, option) for command in ("rollup", "query") for option in ("model", "baseline", "until")),
        *((command, option) for command in ("backtest", "calibrate") for option in ("since", "window")),
        ("serve", "window"),
        ("profile", "candidate"),
        ("init", "reference"),
        ("drift", "model"),
    ],
)
def test_an_option_that_means_nothing_to_a_command_is_refused(
    capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    code, out, err = run(capsys, command, SAMPLES, f"--{option}", "2026-11-03", "SELECT 1")
    assert (code, out) == (2, "")
    said = f"--{option} means nothing to mlwatch {command}: command line: see mlwatch {command} --help"
    assert err == f"mlwatch: {said}\n"


@pytest.mark.usual(1)
@pytest.mark.parametrize("command", ["profile", "calibrate", "backtest"])
def test_a_model_or_version_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], command: str, sample_store: SampleStore
) -> None:
    asked = command, str(Path(SAMPLES).parents[1]), "--db", str(sample_store())
    code, out, err = run(capsys, *asked, "--baseline", "v9")
    assert (code, out) == (2, "")
    assert err.startswith("mlwatch: version v9 has no traffic: ")
    code, out, err = run(capsys, *asked, "--model", "x")
    assert (code, out, err) == (2, "", "mlwatch: no such model: x: the logs have flight-delay\n")


def test_options_about_logs_mean_nothing_to_a_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")
    code, out, err = run(capsys, "profile", str(table), "--model", "x")
    assert (code, out) == (2, "")
    assert "--model means nothing to a table: " in err


def test_nothing_is_calibrated_by_rollups(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample_store: SampleStore
) -> None:
    path = str(tmp_path / "lake")
    assert run(capsys, "rollup", SAMPLES, "-o", path, "--db", str(sample_store()))[0] == 0
    code, out, err = run(capsys, "calibrate", path)
    assert (code, out) == (2, "")
    assert err == f"mlwatch: rollups have no records: {path}: give the directory of the logs\n"


def test_a_range_before_all_data_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "report", SAMPLES, "--db", ":memory:", "--until", "2020-01-01")
    assert code == 0
    assert err == "mlwatch: note: there are no predictions before 2020-01-01 00:00 UTC\n"
    document = json.loads(out)
    assert document["range"] == {"start": None, "end": None}
    assert document["models"] == {}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            ["init", SAMPLES, "--since", "6h ago"],
            "--since means nothing to mlwatch init: command line: ",
        ),
        (
            ["serve", SAMPLES, "--window", "6h"],
            "--window means nothing to mlwatch serve: command line: ",
        ),
        (
            ["export", "--to", "grafana", "--window", "banana"],
            "it is the same of all time: --window: leave it out",
        ),
        (
            ["export", "--to", "flink", "--since", "1h ago"],
            "it is the same of all time: --since: leave it out",
        ),
        (["profile", SAMPLES, "--until", "2026-11-03"], "--until means nothing to a table: "),
    ],
)
def test_a_range_is_refused_where_there_is_none_to_choose(
    capsys: pytest.CaptureFixture[str], command: list[str], said: str
) -> None:
    code, out, err = run(capsys, *command)
    assert (code, out) == (2, "")
    assert err.startswith(f"mlwatch: {said}")


def test_a_window_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "report", SAMPLES, "--db", ":memory:", "--window", "0h")
    assert code == 2
    assert err == "mlwatch: --window is zero: command line: give a length such as 6h\n"


@pytest.mark.parametrize(
    "command",
    [
        ["report"],
        ["query"],
        ["init", "--stdout"],
        ["profile", "-o", "never.json"],
        ["rollup", "-o", "never"],
        ["export", "--to", "prometheus"],
    ],
    ids=lambda command: command[0],
)
def test_a_directory_without_logs_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    sql = ["SELECT 1"] if command == ["query"] else []
    code, out, err = run(capsys, *command, str(tmp_path), *sql, "--db", ":memory:")
    assert (code, out) == (2, "")
    assert err == f"mlwatch: no prediction logs: {tmp_path}: no file with records below it\n"


def test_a_store_of_a_newer_schema_can_be_reset(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    named = (SAMPLES, "--db", str(store))
    assert run(capsys, "report", *named)[0] == 0
    with duckdb.connect(str(store)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    code, _, err = run(capsys, "report", *named)
    assert (code, "schema 99" in err) == (2, True)
    assert run(capsys, "store", "reset", *named, "--yes")[0] == 0
    assert not store.exists()


def test_a_file_that_is_no_store_is_never_deleted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    garbage, other = tmp_path / "garbage.txt", tmp_path / "other.duckdb"
    garbage.write_text("my only copy\n" * 1000)
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")
    for file in (garbage, other):
        code, _, err = run(capsys, "store", "reset", SAMPLES, "--db", str(file), "--yes")
        assert code == 2
        assert err.count("\n") == 1
        assert file.exists()


@pytest.mark.deep
def test_a_broken_store_of_our_own_can_be_reset(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlwatch.store.places.state_directory", lambda: tmp_path / "state")
    assert run(capsys, "report", SAMPLES)[0] == 0
    (store,) = (tmp_path / "state").glob("*.duckdb")
    store.write_text("damage\n" * 1000)
    code, _, err = run(capsys, "report", SAMPLES)
    assert code == 2
    assert "mlwatch store reset deletes it" in err
    assert run(capsys, "store", "reset", SAMPLES, "--yes")[0] == 0
    assert json.loads(run(capsys, "report", SAMPLES)[1])["ingest"]["predictions"] == 589


def test_store_info_counts_rows_and_names_files(
    capsys: pytest.CaptureFixture[str], sample_store: SampleStore
) -> None:
    named = (str(Path(SAMPLES).parents[1]), "--db", str(sample_store()))
    run(capsys, "report", *named)
    code, out, _ = run(capsys, "store", "info", *named)
    assert code == 0
    rows = {words[0]: words[1] for line in out.splitlines() if len(words := line.split()) == 2}
    assert (rows["predictions"], rows["quarantine"]) == ("12000", "6")
    assert "labels/2026-11-03T06.jsonl" in out
