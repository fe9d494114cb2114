from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest
from driving import running, settle
from factory import FakeSource
from logfiles import lines, prediction
from stored import StoreSource, assert_harmless, shows, take_in, until, write_hostile_logs, write_logs

from mlwatch.app.filterline import FilterLine, Names
from mlwatch.app.panels.recorddetail import RecordDetail
from mlwatch.app.panels.recordtable import RecordTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot

    from mlwatch.app.app import MlwatchApp

NOW = datetime(2026, 11, 3, 11, tzinfo=UTC)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return take_in(write_logs(tmp_path_factory.mktemp("records") / "logs"))


@asynccontextmanager
async def records(
    directory: Path, size: tuple[int, int] = (120, 40), *, read_only: bool = False
) -> AsyncIterator[tuple[MlwatchApp, Pilot[None]]]:
    """Run the app on the screen of the records."""
    async with running(StoreSource(directory, read_only=read_only), size, now=NOW) as (app, pilot):
        await pilot.press("7")
        await shows(pilot, "page 1 of" if "hostile" not in directory.name else "records")
        yield app, pilot


async def type_filter(pilot: Pilot[None], text: str) -> None:
    await pilot.press("slash")
    filter_line = pilot.app.screen.query_one(FilterLine)
    filter_line.value = text
    await pilot.press("enter")
    await settle(pilot)


def keys(app: MlwatchApp) -> list[str]:
    """Return the ids on the page."""
    return [str(row.cell(7).text) for row in app.screen.query_one(RecordTable)._shown]


async def test_lists_the_newest_first_with_the_first_in_full(logs: Path) -> None:
    async with records(logs) as (app, pilot):
        drawn = await shows(pilot, "the reference reference.jsonl")
        assert "250 records, newest first; page 1 of 3" in drawn
        assert keys(app)[:2] == ["r249", "r248"]
        assert len(keys(app)) == 100
        assert "2026-11-03 10:04:09" in drawn
        assert "250 ms" in drawn
        assert "above the reference: 0 to 119" in drawn
        assert "n/a, because no outcome came yet" in drawn


async def test_filters_by_an_expression(logs: Path) -> None:
    async with records(logs) as (app, pilot):
        await type_filter(pilot, "version = v2 and latency > 190ms and not correct")
        await shows(pilot, "records pass")
        assert keys(app) == [f"r{n}" for n in range(199, 189, -1) if n % 2 and n % 3]
        assert isinstance(app.focused, RecordTable)
        await type_filter(pilot, "id = nobody")
        await shows(pilot, "No record passes this filter")
        assert keys(app) == []
        await type_filter(pilot, "")
        await shows(pilot, "250 records, newest first")


async def test_says_what_is_wrong_with_a_filter_and_where(logs: Path) -> None:
    async with records(logs, (80, 24)) as (app, pilot):
        await type_filter(pilot, "version = v2 and latncy > 5")
        await shows(pilot, "at character 18, there is no field latncy: did you mean latency?")
        assert app.screen.query_one(FilterLine).cursor_position == 17
        assert len(keys(app)) == 100, "the last good page stays"


async def test_only_labels_that_a_class_missed_are_painted_as_wrong(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    classes = [prediction(n, label=int(n % 3 == 0)) for n in range(12)]
    numbers = [
        prediction(n, model="eta", request_id=f"e{n}", prediction=n + 0.25, label=n + 0.5) for n in range(300)
    ]
    (directory / "a.jsonl").write_text(lines([*classes, *numbers]))
    async with running(StoreSource(directory), (120, 40), now=NOW) as (app, pilot):
        await pilot.press("7")
        wrong = {}
        for model in ("eta", "m"):
            await shows(pilot, f"model {model}")
            rows = app.screen.query_one(RecordTable)._shown
            wrong[model] = [str(row.cell(7).text) for row in rows if row.cell(3).style == "$bad"]
            await pilot.press("m")
    assert wrong == {"m": [f"r{n}" for n in range(11, -1, -1) if n % 2 != int(n % 3 == 0)], "eta": []}


async def test_sorts_and_turns_pages_in_the_store(logs: Path) -> None:
    async with records(logs) as (app, pilot):
        await pilot.press("n", "n")
        await shows(pilot, "page 3 of 3")
        assert keys(app)[-1] == "r0"
        await pilot.press("n")
        await settle(pilot)
        await pilot.press("p")
        await shows(pilot, "page 2 of 3")
        await pilot.press("r")
        await shows(pilot, "oldest first; page 1 of 3")
        assert keys(app)[:2] == ["r0", "r1"]
        await pilot.press("less_than_sign")
        await shows(pilot, "by model, smallest first")
        app.screen.query_one(RecordTable).sort_by("latency", reverse=True)
        await shows(pilot, "by latency, largest first")
        assert keys(app)[0] == "r249"


@pytest.mark.deep
async def test_news_come_in_on_the_first_page_only(tmp_path: Path) -> None:
    directory = write_logs(tmp_path / "logs", 120)
    source = StoreSource(directory)
    async with running(source, (120, 40), now=NOW) as (app, pilot):
        await pilot.press("7")
        await shows(pilot, "120 records")
        await pilot.press("j", "j")
        (directory / "d.jsonl").write_text(lines(prediction(n) for n in range(200, 230)))
        source.ingest()
        app.look()
        await shows(pilot, "150 records")
        assert keys(app)[0] == "r229"
        table = app.screen.query_one(RecordTable)
        assert table.visible_keys.index(table.cursor_key or "") == 32, "the cursor stays on its record"
        await pilot.press("n")
        await shows(pilot, "page 2 of 2")
        (directory / "e.jsonl").write_text(lines(prediction(n) for n in range(230, 240)))
        source.ingest()
        app.look()
        await settle(pilot)
        assert "r49" in keys(app)


@pytest.mark.deep
async def test_a_label_that_is_corrected_shows_in_the_record(tmp_path: Path) -> None:
    directory = write_logs(tmp_path / "logs", 120)
    source = StoreSource(directory)
    async with running(source, (120, 40), now=NOW) as (app, pilot):
        await pilot.press("7")
        await shows(pilot, "known 2026-11-03 12:00")
        outcome = {"timestamp": "2026-11-03T13:00:00Z", "request_id": "r119", "label": 1}
        (directory / "labels.jsonl").write_text(json.dumps(outcome) + "\n")
        source.ingest()
        app.look()
        await shows(pilot, "known 2026-11-03 13:00")


async def test_keeps_to_the_time_range(logs: Path) -> None:
    async with records(logs) as (_app, pilot):
        for _ in range(4):
            await pilot.press("left_square_bracket")
        await shows(pilot, "250 records")  # all within four minutes
        assert "last 15 min" in await shows(pilot, "last 15 min")


@pytest.mark.deep
async def test_keeps_to_the_moment_that_is_shown(logs: Path) -> None:
    async with records(logs) as (app, pilot):  # 250 predictions in as many seconds
        await pilot.press("comma")
        await shows(pilot, "240 records, newest first")
        assert keys(app)[0] == "r239"
        await pilot.press("comma")
        await shows(pilot, "180 records, newest first")
        await pilot.press("space")
        await shows(pilot, "250 records, newest first")


@pytest.mark.deep
async def test_keeps_to_the_frozen_picture(tmp_path: Path) -> None:
    directory = write_logs(tmp_path / "logs", 120)
    source = StoreSource(directory)
    async with running(source, (120, 40), now=NOW) as (app, pilot):
        await pilot.press("7")
        await shows(pilot, "120 records, newest first; page 1 of 2")
        await pilot.press("space")
        await settle(pilot)
        (directory / "d.jsonl").write_text(lines(prediction(n) for n in range(200, 230)))
        source.ingest()
        await pilot.press("n")
        await shows(pilot, "120 records, newest first; page 2 of 2")
        assert keys(app)[-1] == "r0"
        await pilot.press("space")
        await shows(pilot, "150 records")


@pytest.mark.deep
async def test_keeps_to_the_versions_that_were_chosen(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with records(logs) as (app, pilot):
        await pilot.press("v", "down", "o")
        await shows(pilot, "125 records, newest first")
        assert keys(app)[:2] == ["r249", "r247"]
        await pilot.press("e")
        await shows(pilot, "Write 125 records")
        await pilot.press("enter")
        await shows(pilot, "125 rows written")
        written = f"SELECT DISTINCT version FROM '{tmp_path}/records-20261103T110000.parquet'"
        assert duckdb.execute(written).fetchall() == [("v2",)]
        await pilot.press("v", "u")
        await shows(pilot, "250 records, newest first")


async def test_shows_a_record_with_outcome_events_and_reference(logs: Path) -> None:
    async with records(logs) as (_app, pilot):
        await type_filter(pilot, "id = r8")
        drawn = await shows(pilot, "conversion")
        for part in (
            "purchase  12.5",
            "quantile",
            "of the reference",
            "known 2026-11-03 12:00",
            "reference.jsonl",
        ):
            assert part in drawn, f"{part}:\n{drawn}"


async def test_copies_the_record_as_json(logs: Path) -> None:
    async with records(logs) as (app, pilot):
        await type_filter(pilot, "id = r8")
        await shows(pilot, "conversion")
        await pilot.press("c")
        document = json.loads(app.clipboard)
        assert document["id"] == "r8"
        assert document["features"] == {"age": 8.0, "city": "c"}
        assert document["events"][0]["event"] == "purchase"


async def test_exports_what_passes_and_overwrites_only_when_told(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with records(logs) as (app, pilot):
        await type_filter(pilot, "version = v2")
        await shows(pilot, "125 records pass")
        await pilot.press("e")
        assert "Write 125 records" in await shows(pilot, "Write 125")
        await pilot.press("enter")
        await shows(pilot, "125 rows written to records-20261103T110000.parquet")
        target = tmp_path / "records-20261103T110000.parquet"
        assert duckdb.execute(f"SELECT count(*), min(version) FROM '{target}'").fetchone() == (125, "v2")
        target.write_text("mine")
        app.clear_notifications()
        await pilot.press("e", "enter")
        await shows(pilot, "There is a file already")
        await pilot.press("enter", "enter")
        await settle(pilot)
        assert target.read_text() == "mine"
        await pilot.press("ctrl+r")
        await shows(pilot, "125 rows written")
        assert target.read_bytes() != b"mine"


async def test_an_export_that_fails_is_said_and_can_be_mended(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with records(logs) as (_app, pilot):
        await pilot.press("e")
        await shows(pilot, "Write 250 records")
        await pilot.press(*".txt", "enter")
        await shows(pilot, "use .parquet or .csv")
        await pilot.press("escape")
        await until(pilot, lambda drawn: "Write" not in drawn, "closed")
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240  the app is gone


async def test_a_read_only_app_exports_nothing(logs: Path) -> None:
    async with records(logs, read_only=True) as (_app, pilot):
        await pilot.press("e")
        await shows(pilot, "read-only: nothing is written")


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (50, 15)])
async def test_hostile_values_are_shown_harmlessly(tmp_path: Path, size: tuple[int, int]) -> None:
    async with records(write_hostile_logs(tmp_path / "hostile"), size) as (app, pilot):
        drawn = await shows(pilot, "3 records")
        assert_harmless(drawn)
        assert "[bold red]x[/]" in drawn or size[0] < 80
        await pilot.press("tab", "z")
        assert_harmless(await shows(pilot, "city"))
        await pilot.press("end")
        assert_harmless(await shows(pilot, "request"))
        await pilot.press("c")
        assert app.clipboard.isascii()
        assert app.clipboard.isprintable()


async def test_hostile_text_in_a_filter_is_data(logs: Path) -> None:
    async with records(logs) as (_app, pilot):
        await type_filter(pilot, "id = '[red]x[/]'; DROP TABLE predictions; --'")
        assert_harmless(await shows(pilot, "a quote is not closed"))
        await type_filter(pilot, "`[red]\x1b[31m` = 5")
        assert_harmless(await shows(pilot, "there is no field [red]"))
        await type_filter(pilot, "")
        await shows(pilot, "250 records")


async def test_a_small_terminal_shows_one_panel(logs: Path) -> None:
    async with records(logs, (60, 18)) as (app, pilot):
        assert not app.screen.query_one(RecordDetail).display
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen.query_one(RecordDetail).display
        assert not app.screen.query_one(RecordTable).display


async def test_without_a_store_it_says_so() -> None:
    async with running(FakeSource()) as (_, pilot):
        await pilot.press("7")
        await shows(pilot, "There is no store to read from yet.")


async def test_a_directory_without_predictions_says_what_to_do(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    (directory / "a.jsonl").write_text(
        '{"request_id": "r", "label": 1, "timestamp": "2026-11-03T10:00:00Z"}\n'
    )
    async with running(StoreSource(directory), now=NOW) as (_, pilot):
        await pilot.press("7")
        await shows(pilot, "No predictions yet in this time range")


async def test_completes_the_names_of_fields() -> None:
    names = Names()
    names.learn(["version", "latency", "features.dep_delay", "odd name", "not", "vertical"])
    assert await names.get_suggestion("ver") == "version"
    assert await names.get_suggestion("version = v2 and features.d") == "version = v2 and features.dep_delay"
    assert await names.get_suggestion("version = v2 and (lat") == "version = v2 and (latency"
    assert await names.get_suggestion("odd") is None
    assert await names.get_suggestion("version = ") is None
    assert await names.get_suggestion("city = 'ver'") is None
