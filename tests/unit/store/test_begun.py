"""A store whose making was cut short, by a full disk or a kill, is begun anew; what is anything else stays as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest
from logfiles import without_ids

import mlwatch
from mlwatch.cli import main
from mlwatch.errors import StoreError
from mlwatch.store import begun
from mlwatch.store.places import log_of

if TYPE_CHECKING:
    from pathlib import Path

CUT = [0, 4096, 8192, 12287]
"""Sizes of files that the engine had no time, or no room, to write all of its headers to."""
LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""
FULL = """
import resource, sys
from mlwatch.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""
"""A disk on which no file may grow beyond a size."""


def cut_short(path: Path, size: int) -> None:
    duckdb.connect(str(path)).close()
    os.truncate(path, size)


def opened_whole(logs: Path, store: Path) -> None:
    for _ in ("begun anew", "found"):
        with mlwatch.open(logs, db=store) as session:
            assert (session.note, session.store_path) == (None, store)
            assert session.snapshot().ingest.predictions == 20


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", CUT)
def test_a_store_that_was_only_begun_is_begun_anew(logs: Path, tmp_path: Path, size: int) -> None:
    (logs / "a.jsonl").write_text(without_ids(0, 20))
    store = tmp_path / "store.duckdb"
    cut_short(store, size)
    opened_whole(logs, store)


def test_the_log_of_changes_of_a_store_that_is_gone_is_not_replayed(logs: Path, tmp_path: Path) -> None:
    (logs / "a.jsonl").write_text(without_ids(0, 20))
    store = tmp_path / "store.duckdb"
    with mlwatch.open(logs, db=store) as session:
        session.connection.execute("INSERT INTO meta VALUES ('a mark', 'here')")
        former = log_of(store).read_bytes()
    assert len(former) > 0
    os.truncate(store, 0)
    log_of(store).write_bytes(former)
    opened_whole(logs, store)


@pytest.mark.parametrize("content", [b"hello", b"\0" * 4096, b"12345678duck", b"a,b\n1,2\n" * 100])
def test_a_short_file_of_anything_else_stays_as_it_is(logs: Path, tmp_path: Path, content: bytes) -> None:
    store = tmp_path / "store.duckdb"
    store.write_bytes(content)
    with pytest.raises(StoreError, match="not a store of mlwatch"):
        mlwatch.open(logs, db=store)
    assert main(["store", "reset", str(logs), "--db", str(store), "--yes"]) == 2
    assert store.read_bytes() == content


def test_a_store_that_another_process_is_just_making_is_left_to_it(logs: Path, tmp_path: Path) -> None:
    (logs / "a.jsonl").write_text(without_ids(0, 20))
    store = tmp_path / "store.duckdb"
    store.touch()
    command = [sys.executable, "-c", LOCK, str(store)]
    maker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "held\n"
        with mlwatch.open(logs, db=store) as session:
            assert "another mlwatch holds this store" in (session.note or "")
            assert session.snapshot().ingest.predictions == 20
        assert store.read_bytes() == b""
    finally:
        maker.communicate("")


def test_one_that_was_made_meanwhile_is_kept(tmp_path: Path) -> None:
    store = tmp_path / "store.duckdb"
    duckdb.connect(str(store)).execute("CREATE TABLE kept AS SELECT 1").close()
    before = store.read_bytes()
    assert begun.begin_anew(store)
    assert store.read_bytes() == before


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [0, 4096, 8192])
def test_a_full_disk_is_told_as_such_and_the_next_run_has_a_store(
    logs: Path, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (logs / "a.jsonl").write_text(without_ids(0, 20))
    for _ in ("made", "begun anew"):
        command = [sys.executable, "-B", "-c", FULL, str(size), "check", str(logs)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        (store,) = (tmp_path / "state" / "mlwatch").glob("*.duckdb")
        assert (ran.returncode, store.stat().st_size) == (2, size)
        assert ran.stderr.startswith("mlwatch: the disk of the store is full (")
        assert ran.stderr.endswith(f": {store}: free some, or give another file with --db\n")
    assert main(["check", str(logs)]) == 3
    assert store.stat().st_size > begun.HEADERS


@pytest.mark.parametrize("size", CUT)
def test_one_that_was_only_begun_can_be_reset(logs: Path, tmp_path: Path, size: int) -> None:
    store = tmp_path / "store.duckdb"
    cut_short(store, size)
    command = [
        sys.executable,
        "-c",
        FULL,
        str(size),
        "store",
        "reset",
        str(logs),
        "--db",
        str(store),
        "--yes",
    ]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert not store.exists()
