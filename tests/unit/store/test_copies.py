"""A log that is there twice for a while, in whole or in part, is read once: without ids too."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING, Any

import pytest
from logfiles import Take, without_ids

from mlwatch.store import copies, directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.store.resolve import Plan


def some(first: int, last: int) -> bytes:
    return without_ids(first, last).encode()


def count(take: Take) -> tuple[int, int]:
    total = take().ingest
    assert total.duplicates == 0
    return total.predictions, total.rejected


@pytest.mark.usual(1)
@pytest.mark.parametrize("part", [0.3, 0.9])
@pytest.mark.parametrize("read_before", [40, 100])
def test_a_copy_is_caught_half_written(logs: Path, take: Take, part: float, read_before: int) -> None:
    log, copy, text = logs / "a.jsonl", logs / "a.jsonl.1", some(0, 100)
    log.write_bytes(some(0, read_before))
    assert count(take) == (read_before, 0)
    log.write_bytes(text)
    copy.write_bytes(text[: int(len(text) * part)])
    count(take)
    assert count(take) == (100, 0)
    copy.write_bytes(text)
    assert count(take) == (100, 0)
    log.write_bytes(some(200, 210))
    assert count(take) == (110, 0)
    copy.write_bytes(text + some(100, 103))
    assert count(take) == (113, 0)


@pytest.mark.usual(1)
@pytest.mark.parametrize("size", [300, 2047, 4000])
def test_a_copy_is_caught_when_it_has_only_begun(logs: Path, take: Take, size: int) -> None:
    log, copy, text = logs / "a.jsonl", logs / "a.jsonl.1", some(0, 100)
    assert len(text) > 3 * 4096
    log.write_bytes(text)
    assert count(take) == (100, 0)
    for part in (text[:size], text[: size + 500], text):
        copy.write_bytes(part)
        assert count(take) == (100, 0)
    log.write_bytes(some(200, 210))
    assert count(take) == (110, 0)
    copy.write_bytes(text + some(100, 103))
    assert count(take) == (113, 0)


def test_a_short_log_of_another_kind_is_no_copy(logs: Path, take: Take) -> None:
    text = some(0, 100)
    (logs / "a.jsonl").write_bytes(text)
    assert count(take) == (100, 0)
    (logs / "other.jsonl").write_bytes(some(0, 3))
    assert count(take) == (103, 0)


@pytest.mark.usual(1)
@pytest.mark.parametrize("part", [0.4, 0.99])
def test_a_compressed_copy_is_caught_half_written(logs: Path, take: Take, part: float) -> None:
    log, copy, text = logs / "a.jsonl.1", logs / "a.jsonl.1.gz", some(0, 4000)
    packed = gzip.compress(text)
    log.write_bytes(text)
    assert count(take) == (4000, 0)
    copy.write_bytes(packed[: int(len(packed) * part)])
    assert count(take) == (4000, 0)
    copy.write_bytes(packed)
    assert count(take) == (4000, 0)
    log.unlink()
    assert count(take) == (4000, 0)


def test_both_are_new_at_the_first_look(logs: Path, take: Take) -> None:
    log, copy, text = logs / "a.jsonl", logs / "a.jsonl.bak", some(0, 100)
    log.write_bytes(text)
    copy.write_bytes(text[: len(text) // 2])
    count(take)
    assert count(take) == (100, 0)
    copy.write_bytes(text)
    assert count(take) == (100, 0)


@pytest.mark.deep
def test_a_backup_is_written_anew_while_its_original_grows(logs: Path, take: Take) -> None:
    log, copy = logs / "a.jsonl", logs / "backup.jsonl"
    for upto in (50, 60, 75):
        log.write_bytes(some(0, upto))
        copy.write_bytes(some(0, upto))
        count(take)
        assert count(take) == (upto, 0)
    log.write_bytes(some(0, 80))
    assert count(take) == (80, 0)
    copy.write_bytes(some(0, 78))
    assert count(take) == (80, 0)


def test_a_file_with_two_names_grows(logs: Path, take: Take) -> None:
    log = logs / "app-2026.jsonl"
    log.write_bytes(some(0, 10))
    os.link(log, logs / "hard.jsonl")
    (logs / "current.jsonl").symlink_to(log)
    assert count(take) == (10, 0)
    with log.open("ab") as out:
        out.write(some(10, 20))
    assert count(take) == (20, 0)
    log.unlink()
    with (logs / "hard.jsonl").open("ab") as out:
        out.write(some(20, 25))
    assert count(take) == (25, 0)


def test_files_that_only_begin_alike_are_all_read(logs: Path, opened: Callable[[], Any]) -> None:
    """A header longer than what is remembered of a file's beginning does not make files copies."""
    names = [f"feature_with_a_long_name_{number}" for number in range(200)]
    header = ",".join(["timestamp", "version", "prediction", *names])
    for number in range(8):
        rows = [
            ",".join([f"2026-11-03T10:{number:02d}:{second:02d}Z", "v1", "1", *["1.5"] * 200])
            for second in range(10)
        ]
        (logs / f"{number}.csv").write_text("\n".join([header, *rows]) + "\n")
    with opened() as session:
        assert session.snapshot().ingest.predictions == 80


def test_a_copy_that_went_its_own_way_is_read_on(logs: Path, take: Take) -> None:
    log, copy = logs / "a.jsonl", logs / "b.jsonl"
    log.write_bytes(some(0, 50))
    copy.write_bytes(some(0, 50))
    count(take)
    assert count(take) == (50, 0)
    log.write_bytes(some(0, 55))
    assert count(take) == (55, 0)
    copy.write_bytes(some(0, 50) + some(300, 310))
    assert count(take) == (65, 0)


def test_lines_of_a_copy_keep_their_numbers(logs: Path, opened: Callable[[], Any], take: Take) -> None:
    log, copy = logs / "a.jsonl", logs / "a.jsonl.1"
    log.write_bytes(some(0, 60))
    assert count(take) == (60, 0)
    copy.write_bytes(some(0, 45))
    assert count(take) == (60, 0)
    log.write_bytes(some(100, 150))
    copy.write_bytes(some(0, 60) + b'{"broken\n')
    with opened() as session:
        assert session.frame("quarantine")[["file", "line"]].to_numpy().tolist() == [["a.jsonl.1", 61]]
        assert session.snapshot().ingest.predictions == 110


def test_files_that_begin_otherwise_are_not_compared(
    logs: Path, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of files are common; only those that begin alike can hold the same."""
    compared: list[tuple[str, str]] = []
    original = copies._is_twin

    def spy(plan: Plan, other: Plan) -> bool:
        compared.append((plan.found.relative, other.found.relative))
        return original(plan, other)

    monkeypatch.setattr(copies, "_is_twin", spy)
    for number in range(300):
        (logs / f"{number}.jsonl").write_bytes(some(number, number + 1))
    (logs / "7.jsonl.bak").write_bytes(some(7, 8))
    (logs / "elsewhere").mkdir()
    (logs / "elsewhere" / "7.jsonl").write_bytes(some(7, 8))
    assert count(take) == (301, 0)
    assert [set(pair) for pair in compared] == [{"7.jsonl", "7.jsonl.bak"}]


def test_a_log_that_follows_another_in_its_place_is_not_accounted_for(
    logs: Path, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compressed copy is met before the news that its original's place, or inode, was another log's before."""
    log, copy = logs / "a.jsonl", logs / "a.jsonl.1.gz"
    log.write_bytes(some(0, 100))
    assert count(take) == (100, 0)
    text = some(100, 105)
    log.write_bytes(text)  # the inode of the former one
    copy.write_bytes(gzip.compress(text))
    os.utime(log, ns=(1, 1))  # the copy is looked at first

    def gone(plans: list[Plan]) -> list[Plan]:
        log.unlink(missing_ok=True)  # after it was planned, before it is read
        return plans

    monkeypatch.setattr(directory, "without_twins", gone)
    count(take)
    assert count(take) == (105, 0)
