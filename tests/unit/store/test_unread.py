"""What is said of a file that is not read is over once it is read, or gone."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from logfiles import Take, lines, prediction

from mlwatch.session import Options, Session
from mlwatch.sources import blocks
from mlwatch.sources.streams import Stream
from mlwatch.store import feeding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

GOOD = lines(prediction(n) for n in range(10))
UNENDED = "a.jsonl is not read to its end: a line of more than 16 MB has no end yet"


def said(found: Snapshot) -> dict[str, str]:
    """Return the states of what is said of files, by message."""
    return {alert.message: alert.state for alert in found.alerts if alert.rule.startswith("ingest: ")}


def test_a_file_that_is_whole_at_last_is_read(logs: Path, take: Take) -> None:
    whole = gzip.compress(lines(prediction(n, note=os.urandom(40).hex()) for n in range(300)).encode())
    (logs / "a.jsonl.gz").write_bytes(whole[:-2000])
    (message,) = (each for each, state in said(take()).items() if state == "firing")
    assert message.startswith("a.jsonl.gz is not read to its end: the compressed data is damaged")
    (logs / "a.jsonl.gz").write_bytes(whole)
    found = take()
    assert found.ingest.predictions == 300
    assert said(found) == {message: "resolved"}


@pytest.mark.usual(1)
@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_a_file_that_is_gone_is_told_of_no_more(logs: Path, take: Take, how: str) -> None:
    (logs / "a.jsonl").write_text(GOOD)
    (logs / "notes.txt").write_text("nothing\nof ours\n")
    message = "notes.txt is not read: neither JSON, CSV nor Parquet"
    assert said(take()) == {message: "firing"}
    assert said(take()) == {message: "firing"}
    if how == "removed":
        (logs / "notes.txt").unlink()
        assert said(take()) == {message: "resolved"}
    else:
        (logs / "notes.txt").rename(logs / "more.txt")
        assert said(take()) == {message: "resolved", message.replace("notes", "more"): "firing"}


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", ["notes.txt", "cut.jsonl.gz"])
def test_a_file_that_comes_back_is_told_of_again(logs: Path, take: Take, tmp_path: Path, name: str) -> None:
    (logs / "a.jsonl").write_text(GOOD)
    cut = gzip.compress(lines(prediction(n, note=os.urandom(40).hex()) for n in range(100, 400)).encode())
    (logs / name).write_bytes(cut[:-2000] if name.endswith("gz") else b"nothing\nof ours\n")
    found = take()
    assert list(said(found).values()) == ["firing"]
    (logs / name).rename(tmp_path / name)
    assert said(take()) == dict.fromkeys(said(found), "resolved")
    (tmp_path / name).rename(logs / name)
    again = take()
    assert said(again) == said(found)
    assert again.ingest == replace(found.ingest, lately=again.ingest.lately)


def test_a_file_that_could_not_be_opened_is_read_once_it_can_be(
    logs: Path, take: Take, refuse: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (logs / "shut.jsonl").write_text(GOOD)
    (logs / "closed").mkdir()
    refuse("shut.jsonl", "closed")
    assert set(said(take()).values()) == {"firing"}
    assert set(said(take()).values()) == {"firing"}
    monkeypatch.undo()
    found = take()
    assert found.ingest.predictions == 10
    assert len(said(found)) == 2
    assert set(said(found).values()) == {"resolved"}


def test_a_directory_that_is_gone_leaves_what_was_said(logs: Path, tmp_path: Path) -> None:
    (logs / "a.jsonl").write_text(GOOD)
    (logs / "notes.txt").write_text("nothing\nof ours\n")
    with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
        session.ingest_all()
        logs.rename(tmp_path / "moved")
        session.ingest_all()
        assert said(session.snapshot())["notes.txt is not read: neither JSON, CSV nor Parquet"] == "firing"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lines of more than 2,000 bytes are too long, and take several reads; return how many bytes each read gave."""
    monkeypatch.setattr(blocks, "MAX_LINE_BYTES", 2_000)
    monkeypatch.setattr(feeding, "BLOCK_BYTES", 500)
    sizes: list[int] = []
    plain = Stream.read

    def noting(self: Stream, size: int) -> bytes:
        data = plain(self, size)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(Stream, "read", noting)
    return sizes


def test_a_line_without_end_is_told_of_until_it_ends(logs: Path, take: Take, read: list[int]) -> None:
    log = logs / "a.jsonl"
    log.write_text(GOOD + "x" * 5_000)
    found = take()
    assert found.ingest.records == 10
    assert said(found) == {UNENDED: "firing"}
    assert said(take()) == {UNENDED: "firing"}
    with log.open("a") as file:
        file.write("x" * 5_000 + "\n" + lines([prediction(50)]))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected, found.ingest.records) == (11, 1, 12)
    assert said(found)[UNENDED] == "resolved"


def test_a_line_without_end_is_searched_once(logs: Path, tmp_path: Path, read: list[int]) -> None:
    log = logs / "a.jsonl"
    log.write_text(GOOD + "x" * 500_000)
    with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
        session.ingest_all()
        assert sum(read) > 500_000
        read.clear()
        with log.open("a") as file:
            file.write("x" * 5_000)
        session.ingest_all()
        assert sum(read) < 50_000
        with log.open("a") as file:
            file.write("x\n" + lines([prediction(50)]))
        session.ingest_all()
        assert sum(read) < 100_000
        totals = session.snapshot().ingest
    assert (totals.predictions, totals.rejected, totals.records) == (11, 1, 12)


def test_a_line_that_was_written_anew_meanwhile_is_searched_anew(
    logs: Path, tmp_path: Path, read: list[int]
) -> None:
    log = logs / "a.jsonl"
    log.write_text(GOOD + "x" * 5_000)
    with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
        session.ingest_all()
        log.write_text(GOOD + lines(prediction(n) for n in range(10, 100)))
        session.ingest_all()
        totals = session.snapshot().ingest
    assert (totals.predictions, totals.rejected, totals.records) == (100, 0, 100)
