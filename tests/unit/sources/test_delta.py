"""What the log of a Delta table says of its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from mlwatch.sources.delta import Commit, Log, superseded

if TYPE_CHECKING:
    from pathlib import Path


def changed(added: str, removed: str = "") -> Commit:
    """Return a commit that changes rows; files are letters."""
    return Commit(frozenset(removed), frozenset(added), rearranged=False)


def rearranged(added: str, removed: str) -> Commit:
    return Commit(frozenset(removed), frozenset(added), rearranged=True)


@pytest.mark.parametrize(
    ("commits", "read", "counted", "removed", "rewritten"),
    [
        ([changed("ab")], "", "", "", 0),
        ([changed("ab"), rearranged("c", "ab")], "", "", "ab", 0),  # the table is new to us
        ([changed("ab"), rearranged("c", "ab")], "ab", "c", "", 0),
        ([changed("ab"), rearranged("c", "ab")], "a", "c", "", 0),  # b is still to be read
        ([rearranged("c", "ab"), changed("d"), rearranged("e", "cd")], "", "", "abcd", 0),
        ([rearranged("c", "ab"), changed("d"), rearranged("e", "cd")], "ab", "ce", "", 0),
        ([rearranged("c", "ab"), changed("d"), rearranged("e", "cd")], "c", "e", "ab", 0),
        ([changed("a"), changed("b", "a")], "", "", "a", 0),  # DELETE, UPDATE, MERGE
        ([changed("a"), changed("b", "a")], "a", "", "a", 1),
        ([changed("a"), changed("", "a")], "a", "", "a", 0),  # nothing is there twice
        ([rearranged("c", "ab"), changed("d", "c")], "ab", "c", "", 1),
        ([changed("a"), changed("a", "a")], "a", "", "", 0),  # a deletion vector
        ([changed("a"), changed("b", "a"), changed("a", "b")], "", "", "b", 0),  # RESTORE
    ],
)
def test_rows_are_read_in_one_file_alone(
    commits: list[Commit], read: str, counted: str, removed: str, rewritten: int
) -> None:
    found = superseded(commits, lambda path: path in read, lambda _: True)
    assert (set(found.counted), set(found.removed), found.rewritten) == (
        set(counted),
        set(removed),
        rewritten,
    )


@pytest.mark.parametrize(
    ("commits", "read", "gone", "counted", "removed", "repeated"),
    [
        ([rearranged("c", "ab")], "a", "b", "", "ab", 1),
        ([rearranged("c", "ab")], "a", "a", "", "ab", 1),  # it was read in part
        ([rearranged("c", "ab")], "", "ab", "", "ab", 0),
        ([rearranged("c", "ab"), rearranged("e", "cd")], "ac", "b", "e", "ab", 1),
        ([rearranged("c", "ab"), rearranged("e", "cd")], "ab", "d", "c", "d", 1),  # also what counted
    ],
)
def test_files_are_read_again_where_rows_of_them_would_be_lost(
    commits: list[Commit], read: str, gone: str, counted: str, removed: str, repeated: int
) -> None:
    found = superseded(commits, lambda path: path in read, lambda path: path not in gone)
    assert (set(found.counted), set(found.removed), found.repeated) == (set(counted), set(removed), repeated)


def write(table: Path, version: int, *actions: dict[str, Any]) -> Path:
    path = table / "_delta_log" / f"{version:020}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(action) + "\n" for action in actions))
    return path


def add(path: str, *, changes: bool = True) -> dict[str, Any]:
    return {"add": {"path": path, "size": 1, "dataChange": changes}}


def remove(path: str, *, changes: bool = True) -> dict[str, Any]:
    return {"remove": {"path": path, "dataChange": changes}}


def test_a_log_is_read_on_from_commit_to_commit(tmp_path: Path) -> None:
    log = Log(tmp_path, duckdb.connect())
    write(tmp_path, 0, {"protocol": {"minReaderVersion": 1}}, add("day=1/a%20b.parquet"), {"commitInfo": {}})
    assert log.commits() == (Commit(frozenset(), frozenset({"day=1/a b.parquet"}), rearranged=False),)
    write(tmp_path, 1, add("b", changes=False), remove("day=1/a%20b.parquet", changes=False))
    write(tmp_path, 2, add("c", changes=True), remove("b", changes=False))
    assert [commit.rearranged for commit in log.commits()] == [False, True, False]
    assert set(log.known() or ()) == {"day=1/a b.parquet", "b", "c"}


def test_a_commit_that_is_being_written_waits(tmp_path: Path) -> None:
    log = Log(tmp_path, duckdb.connect())
    write(tmp_path, 0, add("a"))
    half = write(tmp_path, 1, add("b"))
    whole = half.read_text()
    half.write_text(whole[:-9])
    assert len(log.commits()) == 1
    assert set(log.known() or ()) == {"a"}
    write(tmp_path, 2, add("c"))
    log.commits()
    assert log.known() is None, "one that is damaged keeps no file waiting for good"
    half.write_text(whole)
    assert len(log.commits()) == 3
    assert set(log.known() or ()) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "parts", [[".checkpoint.parquet"], [f".checkpoint.{n:010}.{2:010}.parquet" for n in (1, 2)]]
)
def test_commits_of_long_ago_are_in_a_checkpoint(tmp_path: Path, parts: list[str]) -> None:
    write(tmp_path, 12, add("c"))
    for number, name in enumerate(parts):
        path = tmp_path / "_delta_log" / f"{10:020}{name}"
        rows = f"SELECT {{'path': 'a%20{number}'}} AS add, NULL AS remove UNION ALL SELECT NULL, 1"
        duckdb.connect().execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
    log = Log(tmp_path, duckdb.connect())
    log.commits()
    assert set(log.known() or ()) == {"c", *(f"a {number}" for number in range(len(parts)))}


def test_a_log_with_a_commit_beyond_reason_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 0, add("a"))
    monkeypatch.setattr("mlwatch.sources.delta.MAX_BYTES", 3)
    with pytest.raises(OSError, match="large"):
        Log(tmp_path, duckdb.connect()).commits()


@pytest.mark.parametrize("checkpoint", [None, b"no Parquet"])
def test_without_the_first_commits_and_a_checkpoint_not_every_file_is_known(
    tmp_path: Path, checkpoint: bytes | None
) -> None:
    write(tmp_path, 12, add("c"))
    if checkpoint is not None:
        (tmp_path / "_delta_log" / f"{10:020}.checkpoint.parquet").write_bytes(checkpoint)
    log = Log(tmp_path, duckdb.connect())
    assert len(log.commits()) == 1
    assert log.known() is None


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"add": 1}', '{"add": {"path": 3}}', "7", '{"remove": {"path": null}}']
)
def test_a_log_of_anything_else_says_nothing(tmp_path: Path, line: str) -> None:
    write(tmp_path, 0).write_text(f"{line}\n")
    log = Log(tmp_path, duckdb.connect())
    assert not any(commit.added or commit.removed for commit in log.commits())
