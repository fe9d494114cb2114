from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from driving import running, settle
from factory import FakeSource
from stored import StoreSource, assert_harmless, shows, take_in, write_hostile_logs, write_logs

from mlwatch.app.panels.answertable import AnswerTable
from mlwatch.app.sqleditor import SqlEditor, complete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot

    from mlwatch.app.app import MlwatchApp

NOW = datetime(2026, 11, 3, 11, tzinfo=UTC)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return take_in(write_logs(tmp_path_factory.mktemp("sql") / "logs"))


@asynccontextmanager
async def sql(
    directory: Path, size: tuple[int, int] = (120, 40), *, read_only: bool = False, **options: Any
) -> AsyncIterator[tuple[MlwatchApp, Pilot[None]]]:
    """Run the app on the screen of SQL."""
    source = StoreSource(directory, read_only=read_only)
    async with running(source, size, now=NOW, **options) as (app, pilot):
        await pilot.press("8")
        await shows(pilot, "One SELECT over the store")
        yield app, pilot


async def run(pilot: Pilot[None], statement: str) -> None:
    """Run a statement."""
    editor = pilot.app.screen.query_one(SqlEditor)
    editor.focus()
    editor.text = statement
    await pilot.press("f5")


async def test_f5_runs_the_statement_from_the_answer_too(logs: Path) -> None:
    async with sql(logs) as (app, pilot):
        await pilot.press("escape")
        assert isinstance(app.focused, AnswerTable)
        app.screen.query_one(SqlEditor).text = "SELECT DISTINCT model FROM predictions"
        await pilot.press("f5")
        await shows(pilot, "1 row")


async def test_runs_a_statement_that_is_typed(logs: Path) -> None:
    async with sql(logs) as (app, pilot):
        await pilot.press(*"select version, count(*) as n from predictions group by 1 order by 1;", "enter")
        drawn = await shows(pilot, "2 rows")
        assert "v1" in drawn
        assert drawn.count("125") == 2
        await pilot.press("escape")
        assert isinstance(app.focused, AnswerTable)
        await pilot.press("c")
        assert json.loads(app.clipboard) == {"version": "v1", "n": "125"}


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE predictions", "only one SELECT is allowed"),
        ("SELECT * FROM read_text('/etc/passwd')", "the table function read_text is not allowed"),
        ("SELECT nothing FROM predictions", "not found"),
        ("SELEC 1", "syntax error"),
        ("SELECT error('[red]\x1b[31mboo[/]')", "boo[/]"),
    ],
)
async def test_says_what_is_wrong(logs: Path, statement: str, said: str) -> None:
    async with sql(logs, (80, 24)) as (_, pilot):
        await run(pilot, statement)
        assert_harmless(await shows(pilot, said))


@pytest.mark.deep
async def test_turns_pages_of_a_long_answer_and_says_that_it_is_cut(logs: Path) -> None:
    async with sql(logs) as (app, pilot):
        await run(pilot, "SELECT range AS n FROM range(5000)")
        await shows(pilot, "first 1,000 rows; e exports all; page 1 of 5")
        await pilot.press("escape", "n")
        await shows(pilot, "page 2 of 5")
        table = app.screen.query_one(AnswerTable)
        assert len(table.visible_keys) == 200
        assert table.visible_keys[0] == "200"
        await pilot.press("greater_than_sign", "r")
        await settle(pilot)
        assert table.visible_keys[0] == "399", "sorted as numbers within the page"


async def test_a_running_statement_can_be_stopped(logs: Path) -> None:
    async with sql(logs) as (app, pilot):
        editor = app.screen.query_one(SqlEditor)
        editor.text = "SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b"
        editor.action_run()
        await pilot.pause()
        await pilot.pause(0.2)
        await pilot.press("escape")
        await shows(pilot, "the query was cancelled")
        await run(pilot, "SELECT 42 AS answer")
        await shows(pilot, "1 row")


async def test_recalls_statements_of_earlier_sessions(logs: Path, tmp_path: Path) -> None:
    history = tmp_path / "statements.json"
    async with sql(logs, history=history) as (_, pilot):
        await run(pilot, "SELECT 1 AS first_one")
        await shows(pilot, "1 row")
        await run(pilot, "SELECT broken")
        await shows(pilot, "broken")
    async with sql(logs, history=history) as (app, pilot):
        editor = app.screen.query_one(SqlEditor)
        await pilot.press("ctrl+up")
        await settle(pilot)
        assert editor.text == "SELECT broken"
        await pilot.press("ctrl+up", "ctrl+up")
        await settle(pilot)
        assert editor.text == "SELECT 1 AS first_one"
        await pilot.press("ctrl+down", "ctrl+down")
        await settle(pilot)
        assert editor.text == ""


@pytest.mark.deep
async def test_completes_names_of_tables_and_columns(logs: Path) -> None:
    async with sql(logs) as (app, pilot):
        editor = app.screen.query_one(SqlEditor)
        await pilot.press(*"select lat")
        await settle(pilot)
        assert editor.suggestion == "ency_ms"
        await pilot.press("right", *" from quar", "tab")
        await settle(pilot)
        assert editor.text == "select latency_ms from quarantine"


def test_completes_nothing_inside_a_text_or_a_comment() -> None:
    names = ("predictions", "odd name", 'q"')
    assert complete("from pre", names) == "dictions"
    assert complete("p.pre", names) == "dictions"
    assert complete("'pre", names) == ""
    assert complete("-- pre", names) == ""
    assert complete("od", names) == ""
    assert complete("q", names) == ""


async def test_colours_keywords(logs: Path) -> None:
    async with sql(logs) as (app, _):
        editor = app.screen.query_one(SqlEditor)
        editor.text = "SELECT 'from' AS other -- select"
        spans = {editor.get_line(0).plain[span.start : span.end] for span in editor.get_line(0).spans}
        assert spans >= {"SELECT", "'from'", "AS", "-- select"}
        assert "other" not in spans


@pytest.mark.deep
async def test_exports_all_rows(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with sql(logs) as (_, pilot):
        await run(pilot, "SELECT * FROM range(5000);")
        await shows(pilot, "first 1,000 rows")
        await pilot.press("escape", "e")
        await shows(pilot, "Write all rows")
        await pilot.press("enter")
        await shows(pilot, "5,000 rows written to answer-20261103T110000.parquet")
    assert duckdb.execute(f"SELECT count(*) FROM '{tmp_path}/answer-20261103T110000.parquet'").fetchone() == (
        5000,
    )


async def test_a_read_only_app_exports_nothing(logs: Path) -> None:
    async with sql(logs, read_only=True) as (_, pilot):
        await run(pilot, "SELECT 1")
        await shows(pilot, "1 row")
        await pilot.press("escape", "e")
        await shows(pilot, "read-only: nothing is written")


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_hostile_values_are_shown_harmlessly(tmp_path: Path, size: tuple[int, int]) -> None:
    async with sql(write_hostile_logs(tmp_path / "hostile"), size) as (app, pilot):
        await run(pilot, "SELECT id, city, * FROM predictions")
        drawn = await shows(pilot, "3 rows")
        assert "[bold red]x[/]" in drawn
        assert_harmless(drawn)
        await pilot.press("escape", "c")
        assert app.clipboard.isascii()
        assert app.clipboard.isprintable()
        await run(pilot, 'SELECT 1 AS "[red]\x1b[31m\u202e[/]"')
        assert_harmless(await shows(pilot, "1 row"))


async def test_without_a_store_it_says_so() -> None:
    async with running(FakeSource()) as (_, pilot):
        await pilot.press("8")
        await settle(pilot)
        await run(pilot, "SELECT 1")
        await shows(pilot, "There is no store to read from yet.")


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 18)])
async def test_the_quarantine_shows_hostile_lines_harmlessly(tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(StoreSource(write_hostile_logs(tmp_path / "hostile")), size, now=NOW) as (app, pilot):
        await pilot.press("x")
        drawn = await shows(pilot, "3 lines, page 1 of 1")
        assert_harmless(drawn)
        assert "a.jsonl" in drawn
        await pilot.press("j")
        assert_harmless(await shows(pilot, "[bold red]x[/]"))
        await pilot.press("c")
        copied = json.loads(app.clipboard)
        assert app.clipboard.isascii()
        assert "[bold red]x[/]" in copied["raw"]
        assert copied["line"] in (5, 6, 7)


async def test_an_empty_quarantine_says_so(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    (directory / "a.jsonl").write_text('{"timestamp": "2026-11-03T10:00:00Z", "prediction": 1}\n')
    async with running(StoreSource(directory), now=NOW) as (_, pilot):
        await pilot.press("x")
        await shows(pilot, "Nothing is in quarantine")
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.screen.id != "quarantine"
