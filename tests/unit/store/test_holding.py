"""Two sessions of one process on one store, as of a notebook cell that is run twice: each record counts once."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from logfiles import without_ids

import mlwatch
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.session import Session


def predictions(session: Session) -> int:
    return session.snapshot().models["m"].versions["v1"].predictions


def test_the_second_session_reads_into_memory_and_says_so(logs: Path, tmp_path: Path) -> None:
    file, store, alias = logs / "a.jsonl", tmp_path / "store.duckdb", tmp_path / "alias.duckdb"
    file.write_text(without_ids(0, 20))
    first = mlwatch.open(logs, db=store)
    alias.symlink_to(store)
    with mlwatch.open(logs, db=alias) as second:
        note = second.snapshot().feed.note
        assert note is not None
        assert "another session of this process holds this store" in note
        assert (first.store_path, first.note, second.store_path) == (store, None, None)
        file.write_text(without_ids(0, 30))
        for session in (first, second):
            session.ingest_all()
        assert (predictions(first), predictions(second)) == (30, 30)
    first.stop()
    with mlwatch.open(logs, db=store) as again:
        assert (again.store_path, predictions(again)) == (store, 30)


def test_a_session_that_nobody_has_any_more_holds_nothing(logs: Path, tmp_path: Path) -> None:
    (logs / "a.jsonl").write_text(without_ids(0, 20))
    for _ in range(2):
        opened = mlwatch.open(logs, db=tmp_path / "store.duckdb")
        assert (opened.store_path, predictions(opened)) == (tmp_path / "store.duckdb", 20)
        del opened


def test_a_session_that_could_not_begin_holds_nothing(logs: Path, tmp_path: Path) -> None:
    (logs / "a.jsonl").write_text(without_ids(0, 20))
    (logs / "reference.jsonl").write_text("no record\n")
    with pytest.raises(
        InputError
    ) as kept:  # as a notebook keeps the last error, with all that its frames hold
        mlwatch.open(logs, db=tmp_path / "store.duckdb")
    (logs / "reference.jsonl").unlink()
    with mlwatch.open(logs, db=tmp_path / "store.duckdb") as opened:
        assert opened.store_path == tmp_path / "store.duckdb"
    assert kept.tb is not None


def test_a_second_session_leaves_other_processes_locked_out(logs: Path, tmp_path: Path) -> None:
    """The system drops a process's lock on a file as soon as the process closes that file, wherever it opened it."""
    (logs / "a.jsonl").write_text(without_ids(0, 20))
    store = tmp_path / "store.duckdb"
    code = "import duckdb, sys; duckdb.connect(sys.argv[1])"
    with mlwatch.open(logs, db=store), mlwatch.open(logs, db=store):
        command = [sys.executable, "-c", code, str(store)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Could not set lock on file" in ran.stderr


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", ["store.db", "store.jsonl"])
def test_a_store_among_the_logs_is_no_log_and_stays_locked(logs: Path, name: str) -> None:
    (logs / "a.jsonl").write_text(without_ids(0, 20))
    code = "import duckdb, sys; duckdb.connect(sys.argv[1])"
    with mlwatch.open(logs, db=logs / name) as opened:
        opened.ingest_all()
        command = [sys.executable, "-c", code, str(logs / name)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (predictions(opened), opened.snapshot().alerts) == (20, ())
    assert "Could not set lock on file" in ran.stderr
