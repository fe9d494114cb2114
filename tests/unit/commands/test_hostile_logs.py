"""Logs with markup, escapes and absurd numbers, through every command that prints."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from mlwatch.cli import main
from mlwatch.config import load

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "m|<script>\u202e\x1b[31m"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hostile")
    predictions = [
        {
            "timestamp": f"2026-11-03T10:{number // 5:02d}:{number % 60:02d}Z",
            "id": f"r{number}",
            "model": MODEL,
            "version": f"v{number % 3} 🎉",
            "prediction": number % 2,
            "label": number // 2 % 2,
            "latency_ms": 1.0 + number,
            "features": {"a\nb": number, "city 🎉": "x\x1b[2J" if number % 3 else "b"},
        }
        for number in range(300)
    ]
    events = [
        {
            "timestamp": "2026-11-03T10:30:00Z",
            "id": f"r{number}",
            "event": "🎉 party" if number % 2 else "purchase",
            "value": 1.7e308 if number < 30 else 3.0,
        }
        for number in range(100)
    ]
    for name, records in (("log", predictions), ("events", events)):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (directory / f"{name}.jsonl").write_text(text)
    return directory


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store for all tests: the first takes the logs in."""
    return str(tmp_path_factory.mktemp("store") / "store.duckdb")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main([*arguments])
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    return captured.out


def test_sums_that_overflow_are_null_with_a_reason(
    capsys: pytest.CaptureFixture[str], hostile: Path, store: str
) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(printed(capsys, "report", str(hostile), "--db", store), parse_constant=refuse)
    version = document["models"][MODEL]["versions"]["v0 🎉"]
    assert version["predictions"] == 100
    assert version["business"]["revenue"]["gross"] is None
    assert version["business"]["conversion"]["value"] == pytest.approx(17 / 100)
    reasons = document["rollouts"][0]["reasons"]
    assert "revenue: n/a, because its values are too large to sum up" in reasons


def test_markdown_holds_no_markup_of_the_logs(
    capsys: pytest.CaptureFixture[str], hostile: Path, store: str
) -> None:
    text = printed(capsys, "report", str(hostile), "--db", store, "--format", "md")
    assert "m\\|&lt;script&gt;" in text
    for raw in ("<script", "\x1b", "\u202e"):
        assert raw not in text
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) >= 2
    for table in tables:  # no name adds a cell to its row
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1


def test_tables_are_fit_for_a_terminal(capsys: pytest.CaptureFixture[str], hostile: Path, store: str) -> None:
    text = printed(capsys, "query", str(hostile), "SELECT * FROM predictions LIMIT 5", "--db", store)
    assert "x\\x1b[2J" in text
    assert "\x1b" not in text
    assert len(text.splitlines()) == 7


@pytest.mark.deep
def test_query_formats_keep_the_data(capsys: pytest.CaptureFixture[str], hostile: Path, store: str) -> None:
    sql = """SELECT 1 AS a, 2 AS a, 'nan'::DOUBLE AS n, [1.5, 'inf'::DOUBLE] AS l, {'x': 'y'} AS s,
        TIMESTAMPTZ '2026-01-01 00:00:00+02' AS t, model FROM predictions LIMIT 1;"""
    (row,) = json.loads(printed(capsys, "query", str(hostile), sql, "--db", store, "--format", "json"))
    assert row == {
        "a": 1,
        "a_2": 2,
        "n": None,
        "l": [1.5, None],
        "s": {"x": "y"},
        "t": "2025-12-31T22:00:00",
        "model": MODEL,
    }
    lines = printed(capsys, "query", str(hostile), sql, "--db", store, "--format", "csv").splitlines()
    assert lines[0] == "a,a,n,l,s,t,model"
    assert lines[1].startswith("1,2,,")
    assert lines[1].endswith(f",{MODEL}")


@pytest.mark.deep
def test_the_inferred_configuration_reads_back(
    capsys: pytest.CaptureFixture[str], hostile: Path, store: str, tmp_path: Path
) -> None:
    target = tmp_path / "inferred.toml"
    assert main(["init", str(hostile), "--db", store, "-o", str(target)]) == 0
    assert str(target) in capsys.readouterr().err
    text = target.read_text(encoding="utf-8")
    assert tomllib.loads(text)["rollout"] == {"baseline": "v0 🎉"}, "each of several is judged"
    assert load(target).business.conversion == ("purchase",)
    assert "\x1b" not in text
    again = json.loads(printed(capsys, "report", str(hostile), "--config", str(target), "--db", ":memory:"))
    assert again["ingest"]["predictions"] == 300
    assert again["rollouts"][0]["candidate"] == "v2 🎉"
