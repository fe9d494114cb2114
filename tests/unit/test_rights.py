"""What mlwatch writes is its owner's alone, but for the documents that it is asked for."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest

import mlwatch
from mlwatch import rights
from mlwatch.cli import main

SAMPLES = Path(__file__).resolve().parents[2] / "sample_logs" / "predictions" / "2026-11-03T12.jsonl"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@pytest.fixture(autouse=True)
def _open_umask() -> object:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_store_and_its_log_of_changes_are_private(tmp_path: Path) -> None:
    """The engine makes the write-ahead log by itself, again and again, next to the store."""
    from mlwatch.store.database import open_store

    with rights.private():
        opened = open_store(tmp_path, tmp_path / "store.duckdb")
        opened.connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        made = sorted(tmp_path.iterdir())
        assert [path.name for path in made] == ["store.duckdb", "store.duckdb.wal"]
        assert [mode(path) & OTHERS for path in made] == [0, 0]
        opened.connection.close()


def test_a_new_store_is_private_without_being_asked(tmp_path: Path) -> None:
    from mlwatch.store.database import open_store

    opened = open_store(tmp_path, tmp_path / "store.duckdb")
    made = sorted(tmp_path.iterdir())
    assert [path.name for path in made] == ["store.duckdb", "store.duckdb.wal"]
    assert [mode(path) for path in made] == [0o600, 0o600]
    opened.close()
    assert os.umask(0o022) == 0o022


def test_the_store_of_a_program_stays_private(tmp_path: Path) -> None:
    """A program that imports mlwatch has an umask of its own, under which the engine makes files for everybody."""
    store = tmp_path / "store.duckdb"
    for _ in ("made", "found"):
        with mlwatch.open(SAMPLES, db=store) as session:
            session.connection.execute("CHECKPOINT")  # the engine makes its log anew behind it
            session.connection.execute("INSERT OR REPLACE INTO meta VALUES ('a mark', random())")
            session.ingest_all()
            made = sorted(tmp_path.iterdir())
            assert [path.name for path in made] == ["store.duckdb", "store.duckdb.wal"]
            assert [mode(path) for path in made] == [0o600, 0o600]
    assert os.umask(0o022) == 0o022


def test_what_the_store_of_a_program_spills_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with mlwatch.open(SAMPLES, db=":memory:") as session:
        (spill,) = tmp_path.glob("mlwatch-spill-*")
        assert mode(spill) == 0o700
        session.connection.execute("SET memory_limit = '64MB'")
        session.connection.execute("CREATE TABLE much AS SELECT hash(range) AS a FROM range(20_000_000)")
        assert list(spill.glob("duckdb_temp*")) != []
    assert not spill.exists()


def test_documents_have_the_usual_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    document, lake = tmp_path / "report.md", tmp_path / "lake"
    assert main(["report", str(SAMPLES), "--format", "md", "-o", str(document)]) == 0
    assert main(["rollup", str(SAMPLES), "-o", str(lake)]) == 0
    assert mode(document) == 0o644
    assert {mode(path) for path in lake.rglob("*.parquet")} == {0o644}
    assert mode(lake) == 0o755
    kept = list((tmp_path / "state").rglob("*"))
    assert len(kept) >= 2
    assert {mode(path) & OTHERS for path in kept} == {0}


def test_the_umask_is_as_before_after_a_command_that_fails(tmp_path: Path) -> None:
    assert main(["report", str(tmp_path / "none")]) == 2
    assert os.umask(0o022) == 0o022
    assert rights.usual_umask() == -1


def test_a_hook_runs_with_the_rights_of_its_user(tmp_path: Path) -> None:
    from mlwatch.hooks import Call, Runner

    said: list[tuple[str, str, str]] = []
    made = tmp_path / "made"
    with rights.private():
        hooks = Runner(lambda *words: said.append(words))
        command = (sys.executable, "-c", f"open({str(made)!r}, 'w').close()")
        hooks.run([Call("on_verdict", command, "hold", "{}")])
        hooks.stop(30.0)
    assert [words[0] for words in said] == ["info"]
    assert mode(made) == 0o644
