"""The rows of a Delta table are counted once, whatever file they are written to later."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logfiles import Take

    from mlwatch.store.ingest import Progress


class Table:
    """A Delta table of predictions without ids, of which only the log and what mlwatch reads is written.

    Args:
        directory: Of the table.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.version = 0
        (directory / "_delta_log").mkdir(parents=True)

    def write(self, name: str, *numbers: int) -> str:
        """Write rows into a file, without a commit."""
        rows = ", ".join(f"({number})" for number in numbers)
        select = f"""SELECT TIMESTAMP '2026-11-03 10:00:00' + INTERVAL (n) SECOND AS timestamp, 'v1' AS version,
            n % 2 AS prediction, n AS age FROM (VALUES {rows}) AS t (n)"""
        duckdb.connect().execute(f"COPY ({select}) TO '{self.directory / name}' (FORMAT parquet)")
        return name

    def commit(self, added: tuple[str, ...], removed: tuple[str, ...] = (), *, changes: bool = True) -> None:
        actions: list[dict[str, Any]] = [
            {"commitInfo": {"timestamp": 1_762_164_000_000, "operation": "WRITE"}}
        ]
        actions += [{"remove": {"path": path, "dataChange": changes}} for path in removed]
        actions += [{"add": {"path": path, "dataChange": changes}} for path in added]
        log = self.directory / "_delta_log" / f"{self.version:020}.json"
        log.write_text("".join(json.dumps(action) + "\n" for action in actions))
        self.version += 1

    def append(self, name: str, *numbers: int) -> None:
        self.commit((self.write(name, *numbers),))

    def compact(self, name: str, sources: tuple[str, ...], *numbers: int) -> None:
        self.commit((self.write(name, *numbers),), sources, changes=False)


@pytest.fixture(params=["", pytest.param("predictions", marks=pytest.mark.deep)])
def table(request: pytest.FixtureRequest, logs: Path) -> Table:
    return Table(logs / request.param)


def count(take: Take) -> tuple[int, int]:
    total = take().ingest
    return total.predictions, total.rejected


def test_a_compacted_table_is_read_once(table: Table, take: Take) -> None:
    table.append("a.parquet", 1, 2, 3)
    table.append("b.parquet", 4, 5)
    table.compact("c.parquet", ("a.parquet", "b.parquet"), 1, 2, 3, 4, 5)
    assert count(take) == (5, 0)
    table.append("d.parquet", 6)
    table.compact("e.parquet", ("c.parquet", "d.parquet"), 1, 2, 3, 4, 5, 6)
    assert count(take) == (6, 0)


def test_a_table_that_is_compacted_later_is_not_read_again(table: Table, take: Take) -> None:
    table.append("a.parquet", 1, 2, 3)
    assert count(take) == (3, 0)
    table.append("b.parquet", 4, 5)
    table.compact("c.parquet", ("a.parquet", "b.parquet"), 1, 2, 3, 4, 5)
    assert count(take) == (5, 0), "what is new is read where it was before"
    for name in ("a.parquet", "b.parquet"):  # VACUUM
        (table.directory / name).unlink()
    for log in (table.directory / "_delta_log").iterdir():
        log.unlink()  # and a log that was cleaned up
    assert count(take) == (5, 0)


def test_a_file_waits_for_its_commit(table: Table, take: Take) -> None:
    table.append("a.parquet", 1, 2)
    table.write("failed.parquet", 1, 2)
    table.write("c.parquet", 1, 2)
    assert count(take) == (2, 0)
    table.commit(("c.parquet",), ("a.parquet",), changes=False)
    assert count(take) == (2, 0)


def test_logs_beside_a_table_are_read(table: Table, take: Take, logs: Path) -> None:
    table.append("a.parquet", 1, 2)
    line = {"timestamp": "2026-11-03T10:00:00Z", "version": "v1", "prediction": 1, "age": 3}
    (table.directory / "more.jsonl").write_text(json.dumps(line) + "\n")
    inner = Table(logs / "predictions" / "inner")
    inner.append("a.parquet", 7)
    assert count(take) == (4, 0)


def test_rows_that_are_written_anew_after_they_were_read_are_told_of(
    table: Table, take: Take, opened: Callable[[], Any]
) -> None:
    table.append("a.parquet", 1, 2, 3)
    count(take)
    table.commit((table.write("b.parquet", 1, 3),), ("a.parquet",))
    with opened() as session:
        said = [one for (one,) in session.query("SELECT message FROM notices")[1] if "Delta table" in one]
    assert len(said) == 1
    assert "were changed after they were read: those without an id count twice" in said[0]
    assert "(1 so far)" in said[0]


def test_rows_of_a_file_that_went_before_it_was_read_are_read_where_they_are_now(
    table: Table, take: Take, opened: Callable[[], Any]
) -> None:
    table.append("a.parquet", 1, 2, 3)
    assert count(take) == (3, 0)
    table.append("b.parquet", 4, 5)
    table.compact("c.parquet", ("a.parquet", "b.parquet"), 1, 2, 3, 4, 5)
    for name in ("a.parquet", "b.parquet"):  # VACUUM
        (table.directory / name).unlink()
    assert count(take) == (8, 0), "without ids nobody knows which were read"
    table.compact("d.parquet", ("c.parquet",), 1, 2, 3, 4, 5)
    with opened() as session:
        assert session.snapshot().ingest.predictions == 8
        said = [one for (one,) in session.query("SELECT message FROM notices")[1] if "Delta table" in one]
    assert len(said) == 1
    assert "rows without an id that were read before count twice (of 1 files so far)" in said[0]


@pytest.mark.usual(1)
@pytest.mark.parametrize(("gone", "rows"), [(False, 40), (True, 50)])
def test_a_file_that_was_read_in_part_is_read_on_or_read_where_its_rows_are_now(
    table: Table, take: Take, logs: Path, monkeypatch: pytest.MonkeyPatch, gone: bool, rows: int
) -> None:
    for name, number in (("FIRST_ROWS", 10), ("PARQUET_ROWS", 20), ("GROUP_ROWS", 10)):
        monkeypatch.setattr(f"mlwatch.sources.parquet.{name}", number)
    monkeypatch.setattr("mlwatch.store.feeding.TOGETHER_BYTES", 0)
    table.append("a.parquet", *range(40))

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with Session(Options(logs, db=logs.parent / "store.duckdb")) as session, pytest.raises(KeyboardInterrupt):
        session.ingest_all(interrupt)
    numbers = reversed(range(40)) if gone else range(40)
    table.compact("b.parquet", ("a.parquet",), *numbers)
    if gone:
        (table.directory / "a.parquet").unlink()
    assert count(take) == (rows, 0)


def test_what_was_removed_before_the_first_look_is_left_out_without_a_word(
    table: Table, opened: Callable[[], Any]
) -> None:
    table.append("a.parquet", 1, 2, 3)
    table.commit((table.write("b.parquet", 1, 3),), ("a.parquet",))
    with opened() as session:
        assert session.snapshot().ingest.predictions == 2
        assert not session.query("SELECT message FROM notices WHERE message LIKE '%Delta%'")[1]


def test_a_crash_between_the_ledger_and_the_rows_loses_none(
    table: Table, take: Take, opened: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was left out says so, so that the file that has its rows is still read, be it the same to the byte."""
    table.append("a.parquet", 1, 2, 3)
    table.compact("c.parquet", ("a.parquet",), 1, 2, 3)
    with monkeypatch.context() as patch:
        patch.setattr("mlwatch.store.directory.resolve", lambda *_: None)
        with opened() as session:
            assert session.snapshot().ingest.predictions == 0
    assert count(take) == (3, 0)


def test_a_file_that_was_taken_out_stays_so_when_it_looks_otherwise(table: Table, take: Take) -> None:
    table.append("a.parquet", 1, 2, 3)
    table.compact("c.parquet", ("a.parquet",), 3, 2, 1)
    assert count(take) == (3, 0)
    for name in ("a.parquet", "c.parquet"):
        os.utime(table.directory / name, (1, 1))
    assert count(take) == (3, 0)
    (table.directory / "a.parquet").rename(table.directory / "other")  # a path that is there again
    shutil.copy(table.directory / "other", table.directory / "a.parquet")
    (table.directory / "other").unlink()
    assert count(take) == (3, 0)


def test_a_file_that_was_taken_out_is_read_once_it_is_restored(table: Table, take: Take) -> None:
    table.append("a.parquet", 1, 2, 3)
    table.append("b.parquet", 4, 5)
    table.commit((), ("b.parquet",))  # DELETE
    assert count(take) == (3, 0)
    assert count(take) == (3, 0)
    table.commit(("b.parquet",))  # RESTORE
    assert count(take) == (5, 0)
    assert count(take) == (5, 0)


def test_a_file_that_was_taken_out_stays_so_when_the_log_forgets_it(table: Table, take: Take) -> None:
    table.append("a.parquet", 1, 2, 3)
    table.compact("c.parquet", ("a.parquet",), 3, 2, 1)
    assert count(take) == (3, 0)
    log = table.directory / "_delta_log"
    checkpoint = log / f"{1:020}.checkpoint.parquet"
    duckdb.connect().execute(
        f"COPY (SELECT {{'path': 'c.parquet'}} AS add) TO '{checkpoint}' (FORMAT parquet)"
    )
    for version in range(2):
        (log / f"{version:020}.json").unlink()
    table.append("d.parquet", 4)
    assert count(take) == (4, 0)


def test_files_that_no_commit_names_are_told_of_once_they_are_old(
    table: Table, take: Take, opened: Callable[[], Any]
) -> None:
    def told() -> list[str]:
        with opened() as session:
            query = "SELECT message FROM notices WHERE NOT resolved AND message LIKE '%no commit%'"
            return [message for (message,) in session.query(query)[1]]

    table.append("a.parquet", 1, 2, 3)
    for name in ("x.parquet", "y.parquet"):
        table.write(name, 8 if name == "x.parquet" else 9)
    assert told() == []
    for name in ("x.parquet", "y.parquet"):
        os.utime(table.directory / name, (1, 1))
    (said,) = told()
    assert said.endswith(
        "x.parquet is not read: no commit of its Delta table names it, nor 1 other files there"
    )
    assert count(take) == (3, 0)
    table.commit(("x.parquet", "y.parquet"))
    assert count(take) == (5, 0)
    assert told() == []


def test_paths_of_a_log_may_be_absolute(table: Table, take: Take) -> None:
    for name, number in (("a b.parquet", 1), ("c.parquet", 2), ("d.parquet", 3)):
        table.write(name, number)
    uri = (table.directory / "a b.parquet").as_uri()
    table.commit((uri, f"{table.directory}/c.parquet", f"file:{table.directory}/d.parquet"))
    assert count(take) == (3, 0)


def test_commits_are_not_gone_through_again_where_nothing_changed(
    table: Table, opened: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table.append("a.parquet", 1, 2, 3)
    table.commit((table.write("b.parquet", 1, 3),), ("a.parquet",))
    table.write("failed.parquet", 4)
    with opened() as session:
        with monkeypatch.context() as patch:
            patch.setattr("mlwatch.store.deltas.superseded", lambda *_: 1 / 0)
            session.ingest_all()
        table.append("c.parquet", 5)
        session.ingest_all()
        assert session.snapshot().ingest.predictions == 3


def test_a_log_that_cannot_be_opened_is_told_of(
    table: Table, opened: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table.append("a.parquet", 1, 2, 3)

    listed = Path.iterdir

    def refuse(self: Path) -> Iterator[Path]:
        if self.name == "_delta_log":
            raise PermissionError(errno.EACCES, "Permission denied")
        return listed(self)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuse)
        with opened() as session:
            said = session.query("SELECT message FROM notices")[1]
    assert [
        one for (one,) in said if "_delta_log is not read: it cannot be opened (Permission denied)" in one
    ]
