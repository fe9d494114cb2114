"""Time travel: keys and options choose the moment that the whole app shows."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from driving import running, settle, text_of
from factory import START, FakeSource, model, snapshot
from logfiles import lines, prediction

from mlwatch.cli import main
from mlwatch.session import Options, Session
from mlwatch.snapshot.types import Feed, TimeRange

if TYPE_CHECKING:
    from pathlib import Path

END = START + timedelta(hours=12)
DAY = timedelta(hours=24)


def last(source: FakeSource) -> tuple[timedelta | None, datetime | None]:
    """Return what was asked last."""
    return source.asked[-1]


async def test_steps_lead_back_and_on_to_the_present() -> None:
    source = FakeSource()
    async with running(source) as (app, pilot):
        await pilot.press("left_square_bracket")
        await settle(pilot)
        await pilot.press("comma", "comma")
        await settle(pilot)
        assert last(source) == (DAY, END - timedelta(hours=2))
        drawn = text_of(app)
        assert "As of " in drawn
        assert "‖ past" in drawn
        await pilot.press("full_stop")
        await settle(pilot)
        assert last(source) == (DAY, END - timedelta(hours=1))
        await pilot.press("full_stop")
        await settle(pilot)
        assert last(source) == (DAY, None)
        assert "As of" not in text_of(app)


async def test_another_model_is_shown_of_the_moment_of_its_numbers() -> None:
    source = FakeSource(snapshot(models={"late_arrival": model(), "other": model("other")}))
    async with running(source) as (app, pilot):
        source.gate = threading.Event()
        await pilot.press("comma", "m")
        assert app.view is not None
        assert (app.view.model_name, app.view.at) == ("other", None)
        assert app.status.moment is not None
        source.gate.set()
        await settle(pilot)
        assert (app.view.model_name, app.view.at) == ("other", app.status.moment)


async def test_a_step_always_leads_back_however_short_the_data_are() -> None:
    first, newest = datetime(2026, 3, 13, 15, 0, 20, tzinfo=UTC), datetime(2026, 3, 13, 15, 3, 10, tzinfo=UTC)
    source = FakeSource(snapshot(range=TimeRange(first, newest), oldest=first))
    async with running(source) as (app, pilot):
        seen = []
        for _ in range(4):
            await pilot.press("comma")
            await settle(pilot)
            seen.append(last(source)[1])
        assert seen == [newest.replace(minute=minute, second=0) for minute in (3, 2, 1, 1)]
        assert "The data begin here." in text_of(app)


async def test_a_moment_is_named_once_its_numbers_are_there() -> None:
    source = FakeSource()
    async with running(source) as (app, pilot):
        source.gate = threading.Event()
        await pilot.press("comma")
        await pilot.pause()
        drawn = text_of(app)
        assert "Going to 2026-" in drawn
        assert "As of" not in drawn
        source.gate.set()
        await settle(pilot)
        drawn = text_of(app)
        assert "As of 2026-" in drawn
        assert "Going to" not in drawn


async def test_space_goes_back_to_the_present() -> None:
    source = FakeSource()
    async with running(source) as (app, pilot):
        await pilot.press("comma", "comma", "comma")
        await settle(pilot)
        assert last(source)[1] is not None
        await pilot.press("space")
        await settle(pilot)
        assert last(source)[1] is None
        assert "live" in text_of(app)


async def test_the_present_is_not_played() -> None:
    async with running(FakeSource()) as (app, pilot):
        await pilot.press("p")
        await settle(pilot)
        assert app.status.speed == 0


async def test_the_moment_of_the_options_is_shown_as_it_was_known(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(1200)))  # a record a second
    at = datetime(2026, 11, 3, 10, 5, tzinfo=UTC)
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        async with running(session, at=at) as (app, pilot):
            await settle(pilot)
            assert app.view is not None
            assert app.view.snapshot.models["m"].versions["v1"].predictions == 300
            assert "As of 2026-11-03 10:05" in text_of(app)
            await pilot.press("space")
            await settle(pilot)
            assert app.view.snapshot.models["m"].versions["v1"].predictions == 1200


@pytest.mark.deep
async def test_a_replay_runs_through_the_past_to_the_present(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(1200)))
    seen = []
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        async with running(session, replay=1000.0, refresh_s=0.05) as (app, pilot):
            for _ in range(3000):  # a minute; a busy machine answers slowly, and that slows the replay
                await pilot.pause(0.02)
                if app.view is not None and app.status.moment is not None:
                    seen.append(app.view.snapshot.models["m"].versions["v1"].predictions)
                elif seen:
                    break
            await settle(pilot)
            assert app.status.moment is None
            assert app.view is not None
            assert app.view.snapshot.models["m"].versions["v1"].predictions == 1200
    replayed = seen[seen.index(min(seen)) :]
    assert replayed == sorted(replayed)
    assert len(set(replayed)) > 1


async def test_a_replay_waits_until_all_is_read_that_was_there() -> None:
    """What is read last may be the oldest."""
    made = snapshot()
    source = FakeSource(replace(made, feed=Feed(bytes_done=10, bytes_total=10, stage="reading")))
    async with running(source, replay=60.0) as (app, pilot):
        assert app.status.moment is None
        source.renew(replace(made, feed=Feed(bytes_done=10, bytes_total=10)))
        app.look()
        await settle(pilot)
        assert app.status.speed == 60.0
        assert app.status.moment is not None


@pytest.mark.parametrize(
    ("option", "given", "said"),
    [
        ("--replay", "fast", "no speed: fast: --replay"),
        ("--replay", "-1", "no speed"),
        ("--at", "soon", "--at"),
    ],
)
def test_what_is_no_moment_or_speed_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    given: str,
    said: str,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    (tmp_path / "a.jsonl").write_text(lines([prediction(1)]))
    assert main(["watch", str(tmp_path), f"{option}={given}"]) == 2
    assert said in capsys.readouterr().err
