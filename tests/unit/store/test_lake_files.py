"""Writing again mends a lake, or says what is lost and how it goes on."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING

import duckdb
import pytest
from logfiles import lines, prediction

from mlwatch.cli import main
from mlwatch.store import lake, lake_files

if TYPE_CHECKING:
    from pathlib import Path


def requests(day: int) -> str:
    return lines(
        prediction(n, request_id=f"{day}-{n}", timestamp=f"2026-11-{day:02d}T10:{n:02d}:00Z")
        for n in range(50)
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Return a lake of the logs beside it."""
    logs, path = tmp_path / "logs", tmp_path / "lake"
    logs.mkdir()
    for day in (1, 2):
        (logs / f"{day}.jsonl").write_text(requests(day))
    assert roll(path) == 0
    return path


def roll(path: Path) -> int:
    return main(["rollup", str(path.parent / "logs"), "-o", str(path), "--db", ":memory:"])


def predictions(path: Path, capsys: pytest.CaptureFixture[str]) -> int:
    capsys.readouterr()
    assert main(["report", str(path)]) == 0
    version = json.loads(capsys.readouterr().out)["models"]["m"]["versions"]["v1"]
    return int(version["predictions"])


def damage(path: Path, what: str) -> None:
    file = path / "r_traffic" / "2026-11-01.parquet"
    if what == "missing":
        file.unlink()
    elif what == "truncated":
        file.write_bytes(file.read_bytes()[:200])
    elif what == "table":
        (path / "tables" / "bins.parquet").write_bytes(b"PAR1\n")
    elif what == "manifest":
        (path / lake.MANIFEST).write_text((path / lake.MANIFEST).read_text()[:200])
    else:
        found = json.loads((path / lake.MANIFEST).read_text())
        (path / lake.MANIFEST).write_text(json.dumps(found | {"store": 3}))


KINDS = ["missing", "truncated", "table", "manifest", "version"]


@pytest.mark.usual(1)
@pytest.mark.parametrize("what", KINDS)
def test_what_the_logs_tell_is_written_anew(
    made: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    damage(made, what)
    assert main(["report", str(made)]) == 2
    assert roll(made) == 0
    assert predictions(made, capsys) == 100


@pytest.mark.usual(1)
@pytest.mark.parametrize("what", KINDS)
def test_what_the_logs_do_not_tell_is_said(made: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    """And what it says to do is enough."""
    damage(made, what)
    (made.parent / "logs" / "1.jsonl").unlink()
    capsys.readouterr()
    ended = roll(made)
    said = capsys.readouterr().err
    if what == "missing":
        assert ended == 0
        assert "the rollups go on without them: r_traffic/2026-11-01" in said
    elif what == "truncated":
        assert ended == 2
        assert f"{made}/r_traffic/2026-11-01.parquet: delete it, and write again" in said
        (made / "r_traffic" / "2026-11-01.parquet").unlink()
        assert roll(made) == 0
    else:
        assert ended == 2
        assert f"{made}: give another directory with -o; or delete this one" in said
        made.rename(made.parent / "away")
        assert roll(made) == 0
    assert predictions(made, capsys) == 50


def test_a_first_writing_that_was_cut_short_goes_on(
    made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made.parent / "second"
    copy, done = lake._copy, []

    def killed(connection: duckdb.DuckDBPyConnection, select: str, target: Path) -> None:
        done.append(target)
        if target.parent.name == "r_features":
            (target.with_suffix(".part")).write_bytes(b"half")
            raise KeyboardInterrupt
        copy(connection, select, target)

    monkeypatch.setattr(lake, "_copy", killed)
    assert roll(path) != 0
    assert any(target.parent.name == "r_traffic" for target in done)
    monkeypatch.undo()
    capsys.readouterr()
    assert main(["check", str(path)]) == 2
    assert (
        f"the rollups are not finished: {path}: write them again with mlwatch rollup"
        in capsys.readouterr().err
    )
    assert roll(path) == 0
    assert predictions(path, capsys) == 100
    assert not list(path.rglob("*.part"))


def test_one_writes_at_a_time(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = os.open(made, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    capsys.readouterr()
    assert roll(made) == 2
    assert f"another mlwatch is writing these rollups: {made}" in capsys.readouterr().err
    os.close(other)
    assert roll(made) == 0


def test_a_place_without_room_is_that_of_the_lake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "1.jsonl").write_text(requests(1))
    path = tmp_path / "lake"

    def full(_connection: object, _select: str, target: Path) -> None:
        raise duckdb.IOException(f'IO Error: Could not write file "{target}": No space left on device')

    monkeypatch.setattr(lake, "_copy", full)
    assert roll(path) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"mlwatch: cannot write (the disk is full): {path}: give another place with -o"
    monkeypatch.undo()
    assert roll(path) == 0


def test_names_lead_nowhere_else() -> None:
    assert lake_files.is_name("r_traffic/2026-11-03")
    for name in (
        "r_traffic/../../2026-11-03",
        "r_other/2026-11-03",
        "../2026-11-03",
        "r_traffic/2026-11-03/x",
        "",
    ):
        assert not lake_files.is_name(name)
